// Address spaces and the ranges of memory in them.
// Alignment and length are checked here, field by field; overlap, reserved regions and what is mapped are core's.

import { invalidField } from "../../backends/errors.ts";
import { PAGE_BYTES } from "../../backends/guest-memory.ts";
import type { MappingRequest, MemorySource, PresentRequest } from "../core/address-space-verbs.ts";
import type { AddressSpaceView, Pinning } from "../core/views.ts";
import { iommubroker } from "./codec.ts";
import { allOf, eachOf, enumeration, integer } from "./field.ts";
import { bigintOf, longOfNumber } from "./int64.ts";
import { addressSpaceName, parseAddressSpace } from "./names.ts";

const WirePinning = iommubroker.v1.PinningPolicy;
const PINNING = new Map<number, Pinning>([
  [WirePinning.PINNING_POLICY_UNSPECIFIED, "eager"],
  [WirePinning.PINNING_POLICY_EAGER, "eager"],
  [WirePinning.PINNING_POLICY_ON_FIRST_BIND, "on-first-bind"],
]);
const WIRE_PINNING = {
  eager: WirePinning.PINNING_POLICY_EAGER,
  "on-first-bind": WirePinning.PINNING_POLICY_ON_FIRST_BIND,
} as const satisfies Record<Pinning, iommubroker.v1.PinningPolicy>;

const PAGE = BigInt(PAGE_BYTES);
const TWO_64 = 2n ** 64n;
const PATH_BYTES_MAX = 4096;
const LABEL = /^[!-~]{1,64}$/;
const TICKET = /^[0-9a-f]{32}$/;
const TICKET_FORM = "must be the 32 hexadecimal digits that the descriptor socket gave";

export function addressSpaceMessage(view: AddressSpaceView): iommubroker.v1.IAddressSpace {
  return {
    name: addressSpaceName(view.id),
    pinning: WIRE_PINNING[view.pinning],
    populated: view.populated,
    mappingCount: view.mappingCount,
    mappedBytes: longOfNumber(view.mappedBytes),
    missingMemory: [...view.missing],
  };
}

export function parsePinning(pinning: number): Pinning {
  return enumeration(pinning, "pinning", PINNING, "PINNING_POLICY_EAGER or PINNING_POLICY_ON_FIRST_BIND");
}

export function parseMapMemory(request: iommubroker.v1.MapMemoryRequest): {
  addressSpace: string;
  sources: readonly MemorySource[];
  mappings: readonly MappingRequest[];
} {
  return allOf({
    addressSpace: () => parseAddressSpace(request.addressSpace, "address_space"),
    sources: () => eachOf(notEmpty(request.sources, "sources"), "sources", parseSource),
    mappings: () =>
      eachOf(notEmpty(request.mappings, "mappings"), "mappings", (mapping, path) =>
        parseMapping(mapping, path, request.sources.length),
      ),
  });
}

export function parsePresentMemory(request: iommubroker.v1.PresentMemoryRequest): PresentRequest {
  return allOf({
    addressSpace: () => parseAddressSpace(request.addressSpace, "address_space"),
    label: () => matching(request.label, "label", LABEL, "must be 1 to 64 printable ASCII characters without spaces"),
    ticket: () => matching(request.ticket, "ticket", TICKET, TICKET_FORM),
  });
}

export function parseUnmapMemory(request: iommubroker.v1.UnmapMemoryRequest): {
  addressSpace: string;
  ranges: readonly { ipa: bigint; bytes: bigint }[];
} {
  return allOf({
    addressSpace: () => parseAddressSpace(request.addressSpace, "address_space"),
    ranges: () => eachOf(notEmpty(request.ranges, "ranges"), "ranges", parseRange),
  });
}

function parseSource(source: iommubroker.v1.MemorySource, path: string): MemorySource {
  const ticket = source.ticket ?? undefined;
  if (ticket !== undefined) return { ticket: matching(ticket, `${path}.ticket`, TICKET, TICKET_FORM) };
  const name = source.path ?? undefined;
  if (name === undefined) throw invalidField(path, "must have a path or a ticket");
  if (!name.startsWith("/")) throw invalidField(`${path}.path`, "must be an absolute path");
  if (name.includes("\0")) throw invalidField(`${path}.path`, "must not contain NUL");
  if (Buffer.byteLength(name) >= PATH_BYTES_MAX) {
    throw invalidField(`${path}.path`, `must have less than ${PATH_BYTES_MAX} bytes`);
  }
  return name;
}

/** The value itself is not repeated: a ticket is a secret. */
function matching(value: string, path: string, form: RegExp, expected: string): string {
  if (!form.test(value)) throw invalidField(path, expected);
  return value;
}

function parseMapping(mapping: iommubroker.v1.MemoryMapping, path: string, sources: number): MappingRequest {
  const { ipa, bytes, ...rest } = allOf({
    ipa: () => aligned(bigintOf(mapping.ipa), `${path}.ipa`),
    bytes: () => length(bigintOf(mapping.bytes), `${path}.bytes`),
    offset: () => aligned(bigintOf(mapping.offset), `${path}.offset`),
    source: () => sourceIndex(mapping.source, `${path}.source`, sources),
  });
  refuseBeyond64Bits(ipa, bytes, path);
  return { ipa, bytes, ...rest, readable: mapping.readable, writable: mapping.writable };
}

function parseRange(range: iommubroker.v1.IpaRange, path: string): { ipa: bigint; bytes: bigint } {
  const parsed = allOf({
    ipa: () => aligned(bigintOf(range.ipa), `${path}.ipa`),
    bytes: () => length(bigintOf(range.bytes), `${path}.bytes`),
  });
  refuseBeyond64Bits(parsed.ipa, parsed.bytes, path);
  return parsed;
}

function sourceIndex(index: number, path: string, sources: number): number {
  return sources === 0 ? index : integer(index, path, { min: 0, max: sources - 1 }); // no sources: refused by itself
}

function aligned(value: bigint, path: string): bigint {
  if (value % PAGE !== 0n) throw invalidField(path, `0x${value.toString(16)} must be a multiple of ${PAGE_BYTES}`);
  return value;
}

function length(value: bigint, path: string): bigint {
  if (value === 0n) throw invalidField(path, "must not be 0");
  return aligned(value, path);
}

function refuseBeyond64Bits(ipa: bigint, bytes: bigint, path: string): void {
  if (ipa + bytes > TWO_64) throw invalidField(`${path}.bytes`, "must end below 2^64");
}

function notEmpty<T>(items: readonly T[], path: string): readonly T[] {
  if (items.length === 0) throw invalidField(path, "must not be empty");
  return items;
}
