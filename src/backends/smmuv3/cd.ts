// A Context Descriptor as an object, and the rules that make one ILLEGAL.
// VMSAv8-32 LPAE tables are not modelled: a CD that selects them is ILLEGAL whatever IDR0.TTF says.
// Source: IHI 0070G.b §5.4, §5.4.2, §5.5.

import { CD } from "../../spec/cd.ts";
import { ADDRESS_SIZE_BITS, STALL_MODEL, TG0_PAGE_BITS, TG1_PAGE_BITS, TTENDIAN } from "../../spec/encodings.ts";
import { type Field, get, getAddress } from "../../spec/layout.ts";
import { ADDRESS_BITS_MAX, hex, pow2 } from "../../spec/u64.ts";
import { type Features, featuresOf, type IdRegisters } from "./id-registers.ts";
import type { DecodedSTE } from "./ste.ts";

/** One of the two halves of a CD, TTB0's or TTB1's. */
export interface DecodedHalf {
  readonly TxSZ: number;
  /** log2 of the granule, -1 when TGx is reserved: TG0 and TG1 are encoded differently (§5.4). */
  readonly pageBits: number;
  readonly SHx: number;
  readonly EPDx: number;
  readonly TBIx: number;
  readonly HADx: number;
  readonly E0PDx: number;
  /** Address[51:4]; bits [55:52] belong to 128-bit descriptors and are RES0 here. */
  readonly TTBx: number;
}

/** A decoded CD. Names are the fields'; flags are 0 or 1. */
export interface DecodedCD {
  readonly V: number;
  readonly ENDI: number;
  readonly IPS: number;
  readonly AFFD: number;
  readonly WXN: number;
  readonly PAN: number;
  readonly AA64: number;
  readonly HD: number;
  readonly HA: number;
  readonly S: number;
  readonly R: number;
  readonly A: number;
  readonly ASET: number;
  readonly ASID: number;
  readonly HAFT: number;
  readonly EPAN: number;
  readonly DS: number;
  readonly MAIR0: number;
  readonly MAIR1: number;
  readonly halves: readonly [DecodedHalf, DecodedHalf];
}

/** The regime a stage 1 translation belongs to; it tags TLB entries. Source: §3.3.4. */
export type StreamWorld = "EL1" | "EL2" | "EL2-E2H";

/** Decodes 16 words. Nothing is checked; the object is frozen and keeps no reference to `words`. */
export function decodeCD(words: Uint32Array): DecodedCD {
  const field = (of: Field): number => get(words, 0, of);
  const table = (of: Field): number => getAddress(words, 0, of, 4) % pow2(ADDRESS_BITS_MAX);
  return Object.freeze({
    V: field(CD.V),
    ENDI: field(CD.ENDI),
    IPS: field(CD.IPS),
    AFFD: field(CD.AFFD),
    WXN: field(CD.WXN),
    PAN: field(CD.PAN),
    AA64: field(CD.AA64),
    HD: field(CD.HD),
    HA: field(CD.HA),
    S: field(CD.S),
    R: field(CD.R),
    A: field(CD.A),
    ASET: field(CD.ASET),
    ASID: field(CD.ASID),
    HAFT: field(CD.HAFT),
    EPAN: field(CD.EPAN),
    DS: field(CD.DS),
    MAIR0: field(CD.MAIR0),
    MAIR1: field(CD.MAIR1),
    halves: Object.freeze<[DecodedHalf, DecodedHalf]>([
      Object.freeze({
        TxSZ: field(CD.T0SZ),
        pageBits: TG0_PAGE_BITS[field(CD.TG0)]!,
        SHx: field(CD.SH0),
        EPDx: field(CD.EPD0),
        TBIx: field(CD.TBI0),
        HADx: field(CD.HAD0),
        E0PDx: field(CD.E0PD0),
        TTBx: table(CD.TTB0),
      }),
      Object.freeze({
        TxSZ: field(CD.T1SZ),
        pageBits: TG1_PAGE_BITS[field(CD.TG1)]!,
        SHx: field(CD.SH1),
        EPDx: field(CD.EPD1),
        TBIx: field(CD.TBI1),
        HADx: field(CD.HAD1),
        E0PDx: field(CD.E0PD1),
        TTBx: table(CD.TTB1),
      }),
    ]),
  });
}

/** Effective CD.DS for one half: the 64 KiB granule does not know it. Source: §5.4, DS. */
export function effectiveDS(cd: DecodedCD, half: DecodedHalf, features: Features): boolean {
  return features.ds && cd.DS === 1 && half.pageBits !== 16;
}

/** Stage 1 output size in bits: IPS capped to the OAS. Source: §5.4, IPS. */
export function stage1OutputBits(cd: DecodedCD, features: Features): number {
  return Math.min(ADDRESS_SIZE_BITS[cd.IPS]!, features.oasBits);
}

/**
 * True when the half translates. EL2 has one table only and cannot switch it off: EPD0 and EPD1 are IGNORED there,
 * and everything of TTB1 is RES0.
 * Source: §5.4, EPD0.
 */
export function isHalfEnabled(cd: DecodedCD, index: 0 | 1, world: StreamWorld): boolean {
  if (world === "EL2") return index === 0;
  return cd.halves[index].EPDx === 0;
}

/** What a CD is judged against besides the identification registers. */
export interface CdSetting {
  readonly ste: DecodedSTE;
  readonly world: StreamWorld;
}

/**
 * Judges a CD that was reached through `ste`.
 *
 * @returns the broken rule in words, with field and value; undefined when the CD is legal
 * Source: §5.4.2 CdIllegal.
 */
export function checkCD(cd: DecodedCD, setting: CdSetting, id: IdRegisters): string | undefined {
  return checkDecodedCD(cd, setting, featuresOf(id));
}

/** checkCD for callers that hold Features. */
export function checkDecodedCD(cd: DecodedCD, setting: CdSetting, features: Features): string | undefined {
  if (cd.V === 0) return "V is 0";
  return (
    checkFaultModel(cd, setting.ste, features) ??
    checkFormat(cd, setting.world, features) ??
    checkHalf(cd, 0, setting.world, features) ??
    checkHalf(cd, 1, setting.world, features)
  );
}

function checkFaultModel(cd: DecodedCD, ste: DecodedSTE, features: Features): string | undefined {
  if (ste.S1STALLD === 1 && cd.S === 1) return "S is 1, but the STE sets S1STALLD";
  if (features.termModel === 1 && cd.A === 0) return "A is 0, but terminated transactions always abort";
  if (features.stallModel === STALL_MODEL.TERMINATE && cd.S === 1) return "S is 1, but stalls are not supported";
  if (features.stallModel === STALL_MODEL.FORCED && cd.S === 0) return "S is 0, but stalls are forced";
  return undefined;
}

function checkFormat(cd: DecodedCD, world: StreamWorld, features: Features): string | undefined {
  if (cd.AA64 === 0) return "AA64 is 0: VMSAv8-32 LPAE tables are not supported";
  if (!features.aarch64) return "AA64 is 1: VMSAv8-64 tables are not supported";
  if (isHalfEnabled(cd, 0, world) || isHalfEnabled(cd, 1, world)) {
    if (features.ttendian === TTENDIAN.LITTLE && cd.ENDI === 1) return "ENDI is 1, but tables are little-endian";
    if (features.ttendian === TTENDIAN.BIG && cd.ENDI === 0) return "ENDI is 0, but tables are big-endian";
  }
  if ((cd.HA === 1 || cd.HD === 1) && features.httu === 0) return "HA or HD is 1, but HTTU is 0";
  if (cd.HD === 1 && features.httu === 1) return "HD is 1, but HTTU is 1";
  if (cd.HAFT === 1 && cd.HA === 0 && features.httu === 3) return "HAFT is 1, but HA is 0";
  if (world !== "EL2" && !features.asid16 && cd.ASID >= 256) return `ASID ${hex(cd.ASID)} needs 16-bit ASIDs`;
  return undefined;
}

function checkHalf(cd: DecodedCD, index: 0 | 1, world: StreamWorld, features: Features): string | undefined {
  if (!isHalfEnabled(cd, index, world)) return undefined;
  const half = cd.halves[index];
  if (!features.granules.has(half.pageBits)) return `TG${index} is not a supported granule`;
  const ds = effectiveDS(cd, half, features);
  const max = features.stt ? (half.pageBits === 16 ? 47 : 48) : 39;
  const min = features.vaBits52 && (half.pageBits === 16 || ds) ? 12 : 16;
  if (half.TxSZ < min || half.TxSZ > max) return `T${index}SZ ${half.TxSZ} is outside ${min} to ${max}`;
  const outputBits = stage1OutputBits(cd, features);
  const tableBits = half.pageBits !== 16 && !ds ? Math.min(outputBits, 48) : outputBits;
  if (half.TTBx >= pow2(tableBits)) return `TTB${index} ${hex(half.TTBx)} is beyond ${tableBits} bits`;
  return undefined;
}
