// The mappings of an address space as a sorted table of intervals: plans a map or an unmap without changing anything.
// A plan is a new table, so a backend that fails leaves the old one in force. n mappings against a table of m cost
// O((n + m) log n): one merge, however large the batch.

import { BrokerError, invalidField } from "../../backends/errors.ts";
import type { GuestMapping, IpaRange } from "../../backends/guest-memory.ts";
import { hex } from "../../spec/u64.ts";

/** Mappings in order of IPA, disjoint. */
export type MappingTable = readonly GuestMapping[];

/**
 * The table with `added` in it.
 * @throws BrokerError argument_invalid with the path of the first mapping that overlaps another or the table
 */
export function planMap(table: MappingTable, added: readonly GuestMapping[]): MappingTable {
  const order = added.map((mapping, index) => ({ mapping, index })).sort((a, b) => a.mapping.ipa - b.mapping.ipa);
  const merged: GuestMapping[] = [];
  let fromTable = 0;
  let end = 0;
  const push = (mapping: GuestMapping, index: number | undefined, previousIndex: number | undefined): void => {
    if (mapping.ipa < end) throw overlap(added, index ?? previousIndex ?? 0, merged[merged.length - 1]!, mapping);
    merged.push(mapping);
    end = mapping.ipa + mapping.bytes;
  };
  let previousIndex: number | undefined;
  for (const { mapping, index } of order) {
    while (fromTable < table.length && table[fromTable]!.ipa <= mapping.ipa) {
      push(table[fromTable]!, undefined, previousIndex);
      fromTable += 1;
    }
    push(mapping, index, previousIndex);
    previousIndex = index;
  }
  for (; fromTable < table.length; fromTable += 1) push(table[fromTable]!, undefined, previousIndex);
  return merged;
}

/**
 * The table without what the ranges cover, and what they cover. Holes in a range are fine.
 * @throws BrokerError argument_invalid when a range cuts a mapping in two or two ranges overlap, mapping_unknown when
 *         one covers nothing
 */
export function planUnmap(
  table: MappingTable,
  ranges: readonly IpaRange[],
): { table: MappingTable; removed: readonly GuestMapping[] } {
  const order = ranges.map((range, index) => ({ range, index })).sort((a, b) => a.range.ipa - b.range.ipa);
  const kept: GuestMapping[] = [];
  const removed: GuestMapping[] = [];
  let at = 0;
  let end = 0;
  for (const { range, index } of order) {
    if (range.ipa < end) throw invalidField(`ranges[${index}]`, "overlaps another range of this call");
    end = range.ipa + range.bytes;
    while (at < table.length && table[at]!.ipa + table[at]!.bytes <= range.ipa) kept.push(table[at++]!);
    const before = removed.length;
    while (at < table.length && table[at]!.ipa < end) {
      const mapping = table[at]!;
      if (mapping.ipa < range.ipa || mapping.ipa + mapping.bytes > end) throw cut(index, mapping);
      removed.push(mapping);
      at += 1;
    }
    if (removed.length === before) throw nothingMapped(index, range);
  }
  for (; at < table.length; at += 1) kept.push(table[at]!);
  return { table: kept, removed };
}

/** The mapping that holds `ipa`, by binary search. */
export function mappingAt(table: MappingTable, ipa: number): GuestMapping | undefined {
  let low = 0;
  let high = table.length - 1;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const mapping = table[middle]!;
    if (ipa < mapping.ipa) high = middle - 1;
    else if (ipa >= mapping.ipa + mapping.bytes) low = middle + 1;
    else return mapping;
  }
  return undefined;
}

export function mappedBytesOf(table: MappingTable): number {
  return table.reduce((sum, mapping) => sum + mapping.bytes, 0);
}

function overlap(
  added: readonly GuestMapping[],
  index: number,
  earlier: GuestMapping,
  later: GuestMapping,
): BrokerError {
  const own = added[index]!;
  const other = own === later ? earlier : later;
  return invalidField(
    `mappings[${index}].ipa`,
    `${range(own)} overlaps ${added.includes(other) ? "another mapping of this call" : "what is mapped"}, ${range(other)}`,
    { ipa: hex(own.ipa), bytes: own.bytes },
  );
}

function cut(index: number, mapping: GuestMapping): BrokerError {
  return invalidField(`ranges[${index}]`, `would cut the mapping ${range(mapping)} in two; unmap whole mappings`, {
    ipa: hex(mapping.ipa),
    bytes: mapping.bytes,
  });
}

function nothingMapped(index: number, at: IpaRange): BrokerError {
  return new BrokerError(
    "mapping_unknown",
    `ranges[${index}]: nothing is mapped in ${range(at)}`,
    { ipa: hex(at.ipa), bytes: at.bytes },
    { fields: [{ path: `ranges[${index}]`, description: "nothing is mapped there" }] },
  );
}

function range(of: IpaRange): string {
  return `[${hex(of.ipa)}, ${hex(of.ipa + of.bytes)})`;
}
