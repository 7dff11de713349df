// Plans the stores that turn one STE or CD into another so that a walker in between sees the old or the new one, or,
// where no order of stores can do that, V=0. Hardware reads doublewords atomically and may look at any time.
// The idea is Linux's (arm_smmu_write_entry): compare only the bits each configuration uses. A plan is pure data.
// Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_write_entry; IHI 0070G.b §3.21.3.

import { type EntryWords, safeCdBits, safeSteBits, usedCdBits, usedSteBits } from "./used-bits.ts";

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
  readonly usedBits: (entry: EntryWords) => EntryWords;
  readonly safeBits: (a: EntryWords, b: EntryWords) => EntryWords;
}

function plan(current: EntryWords, target: EntryWords, kind: EntryKind): readonly EntryStep[] {
  const safe = kind.safeBits(current, target);
  const kept = kind.usedBits(current).map((mask, index) => mask & ~safe[index]!);
  const looked = kind.usedBits(target);
  // As near to the target as the bits allow that a walker of the current entry looks at.
  const relaxed = target.map((value, index) => (current[index]! & kept[index]!) | (value & ~kept[index]!));
  const critical = target.flatMap((value, index) =>
    ((relaxed[index]! ^ value) & looked[index]!) !== 0n ? [index] : [],
  );
  if (critical.length === 0) return stepsBetween(current, [target]);
  if (critical.length > 1) return stepsBetween(current, breaking(current, target));
  const [only] = critical;
  const prepared = relaxed.map((value, index) => (index === only ? current[index]! : value));
  const switched = prepared.map((value, index) => (index === only ? target[index]! : value));
  return stepsBetween(current, [prepared, switched, target]);
}

/** V=0 first, the rest behind it, V=1 last: V is in doubleword 0 of both kinds. */
function breaking(current: EntryWords, target: EntryWords): readonly EntryWords[] {
  const withFirst = (first: bigint, rest: EntryWords): EntryWords => [first, ...rest.slice(1)];
  return [withFirst(0n, current), withFirst(0n, target), target];
}

/** One step for each station that differs from the one before. */
function stepsBetween(current: EntryWords, stations: readonly EntryWords[]): readonly EntryStep[] {
  const steps: EntryStep[] = [];
  let now = current;
  for (const station of stations) {
    const stores = station.flatMap((value, index) => (value === now[index] ? [] : [{ index, value }]));
    if (stores.length > 0) steps.push({ stores });
    now = station;
  }
  return steps;
}
