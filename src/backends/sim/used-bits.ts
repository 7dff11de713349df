// Which bits of an STE or a CD hardware looks at, given the rest of the same entry; write-entry.ts plans with it.
// Where Linux's list (arm_smmu_get_ste_used, arm_smmu_get_cd_used) leaves out what its templates never set, ours has it:
// Non-secure fields of §5.2 that the model or another SMMU may honour. Too many bits cost a V=0, too few a third entry.
// Source: IHI 0070G.b §5.2, §5.4, §13.1 (overrides); Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c.

import { CD } from "../../spec/cd.ts";
import { EATS, S1DSS, STE_CONFIG } from "../../spec/encodings.ts";
import { type Field, get } from "../../spec/layout.ts";
import { STE } from "../../spec/ste.ts";

/** An STE or a CD: 8 doublewords. */
export type EntryWords = readonly bigint[];
/** The same, or a mask over one, as 16 words: what is computed here is computed at every bind, and bigints are slow. */
export type EntryHalves = Uint32Array;

const NONE = masksOf();
const VALID_STE = masksOf(STE.V);
const ANY = masksOf(STE.V, STE.Config);
/** Config 0b1xx, whichever stages translate. */
const PASSING = masksOf(
  ...[STE.MEV, STE.PRIVCFG, STE.INSTCFG, STE.DRE, STE.CONT, STE.DCP, STE.PPAR],
  ...[STE.PARTID, STE.PMG, STE.MPAM_NS],
);
/** Attributes of traffic that no stage 1 translates. */
const OVERRIDES = masksOf(STE.SHCFG, STE.MTCFG, STE.MemAttr, STE.ALLOCCFG);
const STAGE1 = masksOf(
  ...[STE.S1Fmt, STE.S1ContextPtr, STE.S1CDMax, STE.S1DSS, STE.S1CIR, STE.S1COR, STE.S1CSH],
  ...[STE.S1PIE, STE.S1STALLD, STE.EATS, STE.STRW, STE.S2VMID, STE.DPT_VMATCH],
);
const STAGE2 = masksOf(
  ...[STE.S2HWU59, STE.S2HWU60, STE.S2HWU61, STE.S2HWU62, STE.S2FWB, STE.EATS, STE.S2VMID],
  ...[STE.S2T0SZ, STE.S2SL0, STE.S2IR0, STE.S2OR0, STE.S2SH0, STE.S2TG, STE.S2PS],
  ...[STE.S2AA64, STE.S2ENDI, STE.S2AFFD, STE.S2PTW, STE.S2HD, STE.S2HA, STE.S2S, STE.S2R],
  ...[STE.S2HAFT, STE.S2PIE, STE.S2POE, STE.DPT_VMATCH, STE.S2SL0_2, STE.S2DS, STE.S2TTB, STE.S2SKL],
  ...[STE.AssuredOnly, STE.TL0, STE.TL1, STE.S2POI],
);
const BOTH_STAGES = masksOf(STE.S1MPAM, STE.VMSPtr);
const USED_BYPASS = union(ANY, PASSING, OVERRIDES);
const USED_STAGE1 = union(ANY, PASSING, STAGE1);
const USED_STAGE1_OVERRIDDEN = union(ANY, PASSING, STAGE1, OVERRIDES);
const USED_STAGE2 = union(ANY, PASSING, OVERRIDES, STAGE2);
const USED_NESTED = union(ANY, PASSING, OVERRIDES, STAGE1, STAGE2, BOTH_STAGES);

const VALID_CD = masksOf(CD.V);
const HALF0 = masksOf(CD.T0SZ, CD.TG0, CD.IR0, CD.OR0, CD.SH0, CD.TTB0);
const WHOLE: EntryHalves = NONE.map(() => 0xffff_ffff);
const WHOLE_WITHOUT_HALF0: EntryHalves = WHOLE.map((mask, index) => mask & ~HALF0[index]!);
const SAFE = masksOf(STE.MEV, STE.EATS);
const SAFE_WHEN_BOUND = masksOf(STE.MEV);

/** Bits of an STE that its configuration makes hardware look at. */
export function usedSteBits(words: EntryHalves): EntryHalves {
  if (get(words, 0, STE.V) === 0) return VALID_STE;
  const config = get(words, 0, STE.Config);
  if (config < STE_CONFIG.BYPASS) return ANY;
  const stage1 = config === STE_CONFIG.S1 || config === STE_CONFIG.NESTED;
  const stage2 = config === STE_CONFIG.S2 || config === STE_CONFIG.NESTED;
  if (stage1 && stage2) return USED_NESTED;
  if (stage2) return USED_STAGE2;
  if (!stage1) return USED_BYPASS;
  return get(words, 0, STE.S1DSS) === S1DSS.BYPASS ? USED_STAGE1_OVERRIDDEN : USED_STAGE1;
}

/**
 * Bits that both STEs use and whose change need not come together with the rest: MEV, and full ATS on or off. Not EATS
 * where either has another kind of ATS, or stage 2 stalls, which with EATS are illegal (§5.2.2).
 */
export function safeSteBits(a: EntryHalves, b: EntryHalves): EntryHalves {
  const safe = isBound(a) || isBound(b) ? SAFE_WHEN_BOUND : SAFE;
  const [usedByA, usedByB] = [usedSteBits(a), usedSteBits(b)];
  return safe.map((mask, index) => mask & usedByA[index]! & usedByB[index]!);
}

function isBound(ste: EntryHalves): boolean {
  return get(ste, 0, STE.EATS) > EATS.FULL || get(ste, 0, STE.S2S) === 1;
}

/**
 * Bits of a CD that hardware looks at: all, but for TTB0's half where EPD0 switches it off. Not for the StreamWorld EL2,
 * which ignores EPD0 (§5.4): nobody here sets STRW.
 */
export function usedCdBits(words: EntryHalves): EntryHalves {
  if (get(words, 0, CD.V) === 0) return VALID_CD;
  return get(words, 0, CD.EPD0) === 0 ? WHOLE : WHOLE_WITHOUT_HALF0;
}

/** No bit of a CD may change apart from the rest. */
export function safeCdBits(): EntryHalves {
  return NONE;
}

function masksOf(...fields: readonly Field[]): EntryHalves {
  const masks = new Uint32Array(16);
  for (const field of fields) {
    for (let bit = field.lsb; bit <= field.msb; bit++) masks[Math.floor(bit / 32)]! |= 1 << (bit % 32);
  }
  return masks;
}

function union(...masks: readonly EntryHalves[]): EntryHalves {
  const all = new Uint32Array(16);
  for (const mask of masks) for (let index = 0; index < 16; index++) all[index]! |= mask[index]!;
  return all;
}
