// Plans the stores that turn one STE or CD into another so that a walker in between sees the old or the new one, or,
// where no order of stores can do that, V=0. Hardware reads doublewords atomically and may look at any time.
// The idea is Linux's (arm_smmu_write_entry): compare only the bits each configuration uses. A plan is pure data.
// Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_write_entry; IHI 0070G.b §3.21.3.

import { wordsOf } from "../../spec/layout.ts";
import { joinBigint } from "../../spec/u64.ts";
import { type EntryHalves, type EntryWords, safeCdBits, safeSteBits, usedCdBits, usedSteBits } from "./used-bits.ts";

/** V=0: nothing is installed. */
export const EMPTY_ENTRY: EntryWords = Object.freeze(new Array<bigint>(8).fill(0n));

/** Stores that may happen in any order, then CMD_CFGI_STE or CMD_CFGI_CD, and CMD_SYNC. */
export interface EntryStep {
  readonly stores: readonly { readonly index: number; readonly value: bigint }[];
}

/** The steps from one STE to another, each to be followed by CMD_CFGI_STE and CMD_SYNC. No step: nothing differs. */
export function planSteUpdate(current: EntryWords, target: EntryWords): readonly EntryStep[] {
  return plan(current, target, { usedBits: usedSteBits, safeBits: safeSteBits });
}

/** The steps from one CD to another, each to be followed by CMD_CFGI_CD and CMD_SYNC. No step: nothing differs. */
export function planCdUpdate(current: EntryWords, target: EntryWords): readonly EntryStep[] {
  return plan(current, target, { usedBits: usedCdBits, safeBits: safeCdBits });
}

interface EntryKind {
  readonly usedBits: (entry: EntryHalves) => EntryHalves;
  readonly safeBits: (a: EntryHalves, b: EntryHalves) => EntryHalves;
}

function plan(current: EntryWords, target: EntryWords, kind: EntryKind): readonly EntryStep[] {
  if (current.every((value, index) => value === target[index])) return [];
  const [now, wanted] = [wordsOf(current), wordsOf(target)];
  const safe = kind.safeBits(now, wanted);
  const looked = kind.usedBits(wanted);
  // As near to the target as the bits allow that a walker of the current entry looks at.
  const relaxed = kind.usedBits(now).map((mask, index) => {
    const kept = mask & ~safe[index]!;
    return (now[index]! & kept) | (wanted[index]! & ~kept);
  });
  const isOff = (half: number): boolean => ((relaxed[half]! ^ wanted[half]!) & looked[half]!) !== 0;
  const critical = DOUBLEWORDS.filter((index) => isOff(2 * index) || isOff(2 * index + 1));
  if (critical.length === 0) return stepsBetween(now, [wanted]);
  if (critical.length > 1) return stepsBetween(now, breaking(now, wanted));
  const [only] = critical;
  return stepsBetween(now, [withDoubleword(relaxed, only!, now), withDoubleword(relaxed, only!, wanted), wanted]);
}

const DOUBLEWORDS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const EMPTY_HALVES = wordsOf(EMPTY_ENTRY);

function withDoubleword(entry: EntryHalves, index: number, from: EntryHalves): EntryHalves {
  const other = entry.slice();
  other[2 * index] = from[2 * index]!;
  other[2 * index + 1] = from[2 * index + 1]!;
  return other;
}

/** V=0 first, the rest behind it, V=1 last: V is in doubleword 0 of both kinds. */
function breaking(current: EntryHalves, target: EntryHalves): readonly EntryHalves[] {
  return [withDoubleword(current, 0, EMPTY_HALVES), withDoubleword(target, 0, EMPTY_HALVES), target];
}

/** One step for each station that differs from the one before. */
function stepsBetween(current: EntryHalves, stations: readonly EntryHalves[]): readonly EntryStep[] {
  const steps: EntryStep[] = [];
  let now = current;
  for (const station of stations) {
    const stores = [];
    for (const index of DOUBLEWORDS) {
      const [lo, hi] = [station[2 * index]!, station[2 * index + 1]!];
      if (lo !== now[2 * index] || hi !== now[2 * index + 1]) stores.push({ index, value: joinBigint(hi, lo) });
    }
    if (stores.length > 0) steps.push({ stores });
    now = station;
  }
  return steps;
}
