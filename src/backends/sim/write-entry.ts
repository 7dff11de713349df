// Plans the stores that turn one STE into another so that a walker in between sees the old or the new configuration,
// or, where no order of stores can do that, V=0. The hardware reads doublewords atomically and may look at any time.
// The idea is Linux's (arm_smmu_write_entry): compare only the bits each configuration uses. A plan is pure data.
// Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_get_ste_used and arm_smmu_get_ste_update_safe;
// IHI 0070G.b §5.2 (fields), §3.21.3 (updating structures).

import { STE_CONFIG } from "../../spec/encodings.ts";
import { type Field, get, wordsOf } from "../../spec/layout.ts";
import { STE } from "../../spec/ste.ts";
import type { SteWords } from "./make-ste.ts";

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** Stores that may happen in any order, then CFGI_STE and CMD_SYNC. */
export interface EntryStep {
  readonly stores: readonly { readonly index: number; readonly value: bigint }[];
}

export interface EntryPlan {
  /** No walker ever sees V=0 in between. */
  readonly hitless: boolean;
  readonly steps: readonly EntryStep[];
}

/** The stores from `current` to `target`, in steps that each end in a sync. No step: nothing differs. */
export function planSteUpdate(current: SteWords, target: SteWords): EntryPlan {
  const safe = safeBits(current, target);
  const currentUsed = without(usedBits(current), safe);
  const targetUsed = usedBits(target);
  const relaxed = target.map(
    (value, index) => (current[index]! & currentUsed[index]!) | (value & ~currentUsed[index]! & ALL_ONES),
  );
  const critical = target.flatMap((value, index) => ((relaxed[index]! & targetUsed[index]!) !== value ? [index] : []));
  if (critical.length > 1) return plan(false, current, breaking(target));
  if (critical.length === 0) return plan(true, current, [target]);
  const [only] = critical;
  const prepared = relaxed.map((value, index) => (index === only ? current[index]! : value));
  const switched = prepared.map((value, index) => (index === only ? target[index]! : value));
  return plan(true, current, [prepared, switched, target]);
}

/** Bits of an STE that its configuration makes the hardware look at. */
export function usedBits(ste: SteWords): bigint[] {
  const used = new Used();
  used.add(STE.V);
  const words = wordsOf(ste);
  if (get(words, 0, STE.V) === 0) return used.masks;
  used.add(STE.Config);
  const config = get(words, 0, STE.Config);
  if (config < STE_CONFIG.BYPASS) return used.masks;
  const stage1 = config === STE_CONFIG.S1 || config === STE_CONFIG.NESTED;
  const stage2 = config === STE_CONFIG.S2 || config === STE_CONFIG.NESTED;
  if (stage1) {
    used.add(STE.S1Fmt, STE.S1ContextPtr, STE.S1CDMax, STE.S1DSS, STE.S1CIR, STE.S1COR, STE.S1CSH, STE.S1STALLD);
    used.add(STE.STRW, STE.EATS, STE.MEV, STE.S2VMID);
    if (get(words, 0, STE.S1DSS) === 1) used.add(STE.SHCFG);
  }
  if (stage2) {
    used.add(STE.S2FWB, STE.EATS, STE.SHCFG, STE.MEV, STE.S2VMID, STE.S2T0SZ, STE.S2SL0, STE.S2IR0, STE.S2OR0);
    used.add(STE.S2SH0, STE.S2TG, STE.S2PS, STE.S2AA64, STE.S2ENDI, STE.S2PTW, STE.S2S, STE.S2R, STE.S2TTB);
  }
  if (!stage1 && !stage2) used.add(STE.SHCFG);
  return used.masks;
}

/** Bits whose order of change does not matter, where both configurations use them. */
function safeBits(current: SteWords, target: SteWords): bigint[] {
  const safe = new Used();
  const both = [wordsOf(current), wordsOf(target)];
  const [a, b] = [usedBits(current), usedBits(target)];
  safe.add(STE.MEV);
  const split = both.some((words) => get(words, 0, STE.EATS) === 2);
  const stalls = both.some((words) => get(words, 0, STE.S2S) === 1);
  if (!split && !stalls) safe.masks[1]! |= 1n << BigInt(STE.EATS.lsb - 64);
  return safe.masks.map((mask, index) => mask & a[index]! & b[index]!);
}

/** V=0 first, the rest behind it, V=1 last. */
function breaking(target: SteWords): SteWords[] {
  return [target.map((_, index) => (index === 0 ? 0n : -1n)), target.map((v, i) => (i === 0 ? 0n : v)), target];
}

function plan(hitless: boolean, current: SteWords, stations: readonly SteWords[]): EntryPlan {
  const steps: EntryStep[] = [];
  let now = [...current];
  for (const station of stations) {
    const reached = station.map((value, index) => (value === -1n ? now[index]! : value)); // -1n: leave it as it is
    const stores = reached.flatMap((value, index) => (value === now[index] ? [] : [{ index, value }]));
    if (stores.length > 0) steps.push({ stores });
    now = reached;
  }
  return { hitless, steps };
}

function without(masks: readonly bigint[], taken: readonly bigint[]): bigint[] {
  return masks.map((mask, index) => mask & ~taken[index]!);
}

class Used {
  readonly masks: bigint[] = new Array<bigint>(8).fill(0n);

  add(...fields: readonly Field[]): void {
    for (const field of fields) {
      const mask = ((1n << BigInt(field.width)) - 1n) << BigInt(field.lsb % 64);
      this.masks[Math.floor(field.lsb / 64)]! |= mask;
    }
  }
}
