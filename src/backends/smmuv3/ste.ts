// A Stream Table Entry as an object, and the rules that make one ILLEGAL.
// Fields of a stage that Config turns off are never judged, and never used.
// VMSAv8-32 LPAE tables are not modelled: an entry that selects them is ILLEGAL whatever IDR0.TTF says.
// Source: IHI 0070G.b §5.2, §5.2.2, §5.5, §3.4.3.

import { ADDRESS_SIZE_BITS, EATS, S2_START_LEVEL, STALL_MODEL, TG0_PAGE_BITS, TTENDIAN } from "../../spec/encodings.ts";
import { type Field, get, getAddress } from "../../spec/layout.ts";
import { STE } from "../../spec/ste.ts";
import { ADDRESS_BITS_MAX, hex, pow2 } from "../../spec/u64.ts";
import { type Features, featuresOf, type IdRegisters } from "./id-registers.ts";

/** A decoded STE. Names are the fields'; flags are 0 or 1; S1ContextPtr, S2TTB and VMSPtr are whole addresses. */
export type DecodedSTE = Readonly<ReturnType<typeof decodeFields>>;

/** Decodes 16 words. Nothing is checked; the object is frozen and keeps no reference to `words`. */
export function decodeSTE(words: Uint32Array): DecodedSTE {
  return Object.freeze(decodeFields(words));
}

function decodeFields(words: Uint32Array) {
  const field = (of: Field): number => get(words, 0, of);
  return {
    V: field(STE.V),
    Config: field(STE.Config),
    S1Fmt: field(STE.S1Fmt),
    S1ContextPtr: getAddress(words, 0, STE.S1ContextPtr, 6),
    S1CDMax: field(STE.S1CDMax),
    S1DSS: field(STE.S1DSS),
    S1CIR: field(STE.S1CIR),
    S1COR: field(STE.S1COR),
    S1CSH: field(STE.S1CSH),
    CONT: field(STE.CONT),
    PPAR: field(STE.PPAR),
    MEV: field(STE.MEV),
    S1PIE: field(STE.S1PIE),
    S2FWB: field(STE.S2FWB),
    S1MPAM: field(STE.S1MPAM),
    S1STALLD: field(STE.S1STALLD),
    EATS: field(STE.EATS),
    STRW: field(STE.STRW),
    MemAttr: field(STE.MemAttr),
    MTCFG: field(STE.MTCFG),
    ALLOCCFG: field(STE.ALLOCCFG),
    SHCFG: field(STE.SHCFG),
    PRIVCFG: field(STE.PRIVCFG),
    INSTCFG: field(STE.INSTCFG),
    S2VMID: field(STE.S2VMID),
    S2T0SZ: field(STE.S2T0SZ),
    S2SL0: field(STE.S2SL0),
    S2IR0: field(STE.S2IR0),
    S2OR0: field(STE.S2OR0),
    S2SH0: field(STE.S2SH0),
    S2TG: field(STE.S2TG),
    S2PS: field(STE.S2PS),
    S2AA64: field(STE.S2AA64),
    S2ENDI: field(STE.S2ENDI),
    S2AFFD: field(STE.S2AFFD),
    S2PTW: field(STE.S2PTW),
    S2HD: field(STE.S2HD),
    S2HA: field(STE.S2HA),
    S2S: field(STE.S2S),
    S2R: field(STE.S2R),
    S2HAFT: field(STE.S2HAFT),
    S2PIE: field(STE.S2PIE),
    S2POE: field(STE.S2POE),
    S2SL0_2: field(STE.S2SL0_2),
    S2DS: field(STE.S2DS),
    S2TTB: getAddress(words, 0, STE.S2TTB, 4),
    S2HWU: field(STE.S2HWU59) + field(STE.S2HWU60) + field(STE.S2HWU61) + field(STE.S2HWU62),
    VMSPtr: getAddress(words, 0, STE.VMSPtr, 12),
  };
}

/** Config bit 2: traffic may pass. */
export function passes(ste: DecodedSTE): boolean {
  return ste.Config >= 4;
}

/** Config=0b1x1. */
export function translatesStage1(ste: DecodedSTE): boolean {
  return ste.Config === 5 || ste.Config === 7;
}

/** Config=0b11x. */
export function translatesStage2(ste: DecodedSTE): boolean {
  return ste.Config === 6 || ste.Config === 7;
}

/** STRW counts only where a stage 1 regime other than EL1 is possible. Source: §5.2.2 IgnoreSTESTRW. */
export function usesSTRW(ste: DecodedSTE, features: Features): boolean {
  return features.stage1 && features.hyp && ste.Config === 5;
}

/** log2 of the number of CDs the STE gives; 0 without substream support, whatever S1CDMax holds. Source: §5.2. */
export function effectiveS1CDMax(ste: DecodedSTE, features: Features): number {
  return features.ssidBits === 0 ? 0 : ste.S1CDMax;
}

/** Effective S2DS: only the 4 KiB and 16 KiB granules of an SMMU with IDR5.DS know it. Source: §5.2. */
export function effectiveS2DS(ste: DecodedSTE, features: Features): boolean {
  return features.ds && ste.S2DS === 1 && TG0_PAGE_BITS[ste.S2TG] !== 16;
}

/** Stage 2 output size in bits: S2PS capped to the OAS. Source: §5.2, S2PS. */
export function stage2OutputBits(ste: DecodedSTE, features: Features): number {
  return Math.min(ADDRESS_SIZE_BITS[ste.S2PS]!, features.oasBits);
}

/** S2TTB as an address: bits [55:52] belong to 128-bit descriptors only and are RES0 here. Source: §5.2. */
export function stage2Table(ste: DecodedSTE): number {
  return ste.S2TTB % pow2(ADDRESS_BITS_MAX);
}

/** Level at which the stage 2 walk starts, undefined when {S2SL0_2, S2SL0} is reserved for the granule. Source: §5.2. */
export function stage2StartLevel(ste: DecodedSTE, features: Features): number | undefined {
  const pageBits = TG0_PAGE_BITS[ste.S2TG]!;
  if (effectiveS2DS(ste, features) && pageBits === 12 && ste.S2SL0_2 === 1) return ste.S2SL0 === 0 ? -1 : undefined;
  return S2_START_LEVEL[pageBits]?.[ste.S2SL0];
}

/**
 * EATS as it counts. Full ATS with DPT checks and split-stage ATS are no ATS without ATSCHK; nothing is ATS where no
 * stage translates.
 * Source: §5.2, EATS; §3.9.1.2.
 */
export function effectiveEATS(ste: DecodedSTE, features: Features, atsCheck: boolean): number {
  if (!features.ats || ste.Config === 4) return EATS.NONE;
  if (ste.EATS === EATS.SPLIT && !atsCheck) return EATS.NONE;
  if (ste.EATS === EATS.DPT && !(features.dpt && atsCheck)) return EATS.NONE;
  return ste.EATS;
}

/**
 * Judges an STE.
 *
 * @returns the broken rule in words, with field and value; undefined when the STE is legal. A legal STE may
 *   still terminate traffic (Config=0b0xx).
 * Source: §5.2.2 SteIllegal.
 */
export function checkSTE(ste: DecodedSTE, id: IdRegisters): string | undefined {
  return checkDecodedSTE(ste, featuresOf(id));
}

/** checkSTE for callers that hold Features. */
export function checkDecodedSTE(ste: DecodedSTE, features: Features): string | undefined {
  if (ste.V === 0) return "V is 0";
  if (!passes(ste)) return undefined;
  if (translatesStage1(ste) && !features.stage1) return `Config is ${ste.Config}, but stage 1 is not implemented`;
  if (translatesStage2(ste) && !features.stage2) return `Config is ${ste.Config}, but stage 2 is not implemented`;
  return (
    checkATS(ste, features) ??
    (usesSTRW(ste, features) && ste.STRW % 2 === 1 ? `STRW ${ste.STRW} is reserved` : undefined) ??
    (translatesStage1(ste) ? checkStage1(ste, features) : undefined) ??
    (translatesStage2(ste) ? checkStage2(ste, features) : undefined) ??
    checkVMID(ste, features)
  );
}

function checkATS(ste: DecodedSTE, features: Features): string | undefined {
  if (!features.ats || ste.Config === 4) return undefined;
  const stage2Stalls = translatesStage2(ste) && ste.S2S === 1;
  switch (ste.EATS) {
    case EATS.SPLIT:
      if (ste.Config !== 7) return `EATS is split-stage, but Config is ${ste.Config}`;
      if (ste.S2S === 1) return "EATS is split-stage, but S2S is 1";
      return features.ns1ats ? "EATS is split-stage, which is not supported" : undefined;
    case EATS.FULL:
      return stage2Stalls ? "EATS is full ATS, but S2S is 1" : undefined;
    case EATS.DPT:
      if (!features.dpt) return undefined; // behaves as no ATS
      if (usesSTRW(ste, features) && ste.STRW !== 0) return `EATS asks for DPT checks, but STRW is ${ste.STRW}`;
      return stage2Stalls ? "EATS asks for DPT checks, but S2S is 1" : undefined;
    default:
      return undefined;
  }
}

function checkStage1(ste: DecodedSTE, features: Features): string | undefined {
  if (ste.S1STALLD === 1 && features.stallModel !== STALL_MODEL.BOTH) {
    return `S1STALLD is 1, but the stall model is ${features.stallModel}`;
  }
  if (features.ssidBits !== 0) {
    if (ste.S1CDMax > features.ssidBits) return `S1CDMax ${ste.S1CDMax} exceeds SSIDSIZE ${features.ssidBits}`;
    const twoLevel = ste.S1Fmt === 1 || ste.S1Fmt === 2;
    if (ste.S1CDMax !== 0 && twoLevel && !features.cd2l) {
      return `S1Fmt ${ste.S1Fmt} asks for a two-level CD table, which is not supported`;
    }
  }
  // With stage 2 the pointer is an IPA: this model lets stage 2 fault on it, the choice §3.4.3 (2)(b) offers.
  if (ste.Config === 5 && ste.S1ContextPtr >= pow2(features.oasBits)) {
    return `S1ContextPtr ${hex(ste.S1ContextPtr)} is beyond ${features.oasBits} bits`;
  }
  return undefined;
}

function checkStage2(ste: DecodedSTE, features: Features): string | undefined {
  if (ste.S2AA64 === 0) return "S2AA64 is 0: VMSAv8-32 LPAE tables are not supported";
  if (!features.aarch64) return "S2AA64 is 1: VMSAv8-64 tables are not supported";
  if (ste.S2S === 1 && features.stallModel === STALL_MODEL.TERMINATE) return "S2S is 1, but stalls are not supported";
  if (ste.S2S === 0 && features.stallModel === STALL_MODEL.FORCED) return "S2S is 0, but stalls are forced";
  if ((ste.S2HA === 1 || ste.S2HD === 1) && features.httu === 0) return "S2HA or S2HD is 1, but HTTU is 0";
  if (ste.S2HD === 1 && features.httu === 1) return "S2HD is 1, but HTTU is 1";
  if (ste.S2HAFT === 1 && ste.S2HA === 0 && features.httu === 3) return "S2HAFT is 1, but S2HA is 0";
  return checkStage2Tables(ste, features) ?? checkStage2Extensions(ste, features);
}

function checkStage2Tables(ste: DecodedSTE, features: Features): string | undefined {
  const pageBits = TG0_PAGE_BITS[ste.S2TG]!;
  if (!features.granules.has(pageBits)) return `S2TG ${ste.S2TG} is not a supported granule`;
  const ds = effectiveS2DS(ste, features);
  const outputBits = stage2OutputBits(ste, features);
  const tableBits = pageBits !== 16 && !ds ? Math.min(outputBits, 48) : outputBits;
  if (stage2Table(ste) >= pow2(tableBits)) return `S2TTB ${hex(ste.S2TTB)} is beyond ${tableBits} bits`;
  const max = features.stt ? (pageBits === 16 ? 47 : 48) : 39;
  const min = Math.max(pageBits === 16 || ds ? 12 : 16, 64 - features.iasBits);
  if (ste.S2T0SZ < min || ste.S2T0SZ > max) return `S2T0SZ ${ste.S2T0SZ} is outside ${min} to ${max}`;
  if (!isStartLevelConsistent(ste, features, pageBits)) {
    return `S2SL0 ${ste.S2SL0} does not fit S2T0SZ ${ste.S2T0SZ} and S2TG ${ste.S2TG}`;
  }
  if (features.ttendian === TTENDIAN.LITTLE && ste.S2ENDI === 1) return "S2ENDI is 1, but tables are little-endian";
  if (features.ttendian === TTENDIAN.BIG && ste.S2ENDI === 0) return "S2ENDI is 0, but tables are big-endian";
  return undefined;
}

/**
 * The start level must resolve at least one bit, and at most one table's worth plus four bits of concatenation.
 * Some start levels exist only from a certain physical address size on.
 * Source: §5.2, S2SL0; DDI 0487 D8.2.
 */
function isStartLevelConsistent(ste: DecodedSTE, features: Features, pageBits: number): boolean {
  const level = stage2StartLevel(ste, features);
  if (level === undefined) return false;
  if (pageBits === 12 && level === 3 && !features.stt) return false;
  if (pageBits === 14 && level === 0 && !(effectiveS2DS(ste, features) && features.oasBits >= 52)) return false;
  if (pageBits === 12 && level === 0 && features.oasBits < 44) return false;
  if (pageBits === 14 && level === 1 && features.oasBits < 42) return false;
  if (pageBits === 16 && level === 1 && features.oasBits < 44) return false;
  const stride = pageBits - 3;
  const startBits = 64 - ste.S2T0SZ - ((3 - level) * stride + pageBits);
  return startBits >= 1 && startBits <= stride + 4;
}

function checkStage2Extensions(ste: DecodedSTE, features: Features): string | undefined {
  if (features.s2po && ste.S2POE === 1) {
    if (ste.S2PIE === 0) return "S2POE is 1, but S2PIE is 0";
    if (features.pbha && ste.S2HWU !== 0) return "S2POE is 1, but an S2HWU bit is 1";
  }
  if (features.mpam && ste.Config === 7 && ste.S1MPAM === 1 && ste.VMSPtr >= pow2(features.oasBits)) {
    return `VMSPtr ${hex(ste.VMSPtr)} is beyond ${features.oasBits} bits`;
  }
  return undefined;
}

function checkVMID(ste: DecodedSTE, features: Features): string | undefined {
  const ignored = !features.stage2 || ste.Config === 4 || (usesSTRW(ste, features) && ste.STRW !== 0);
  if (ignored || features.vmid16 || ste.S2VMID < 256) return undefined;
  return `S2VMID ${hex(ste.S2VMID)} needs 16-bit VMIDs`;
}
