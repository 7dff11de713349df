// Builders for STEs, CDs and translation tables, assembled bit by bit from the manual.
// Independent of src/spec on purpose: a position that is wrong there must not be wrong here too.
// Source: IHI 0070G.b §5.2, §5.4, §5.1, §5.3; DDI 0487 D8.3.

/** Bits of one doubleword: value at position. */
export function at(value: number | bigint, lsb: number): bigint {
  return BigInt(value) << BigInt(lsb);
}

export type Doublewords = [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];

const ABORTING: Doublewords = [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];

/** V=1, Config=0b000. */
export function abortSTE(): Doublewords {
  return [...ABORTING];
}

/** V=1, Config=0b100. */
export function bypassSTE(): Doublewords {
  return [1n | at(4, 1), 0n, 0n, 0n, 0n, 0n, 0n, 0n];
}

/** Config=0b101, S1ContextPtr in place [55:6], S1CDMax [63:59], S1Fmt [5:4], S1DSS [65:64]. */
export function stage1STE(
  cd: number,
  options: { cdMax?: number; fmt?: number; dss?: number; vmid?: number } = {},
): Doublewords {
  const { cdMax = 0, fmt = 0, dss = 0, vmid = 0 } = options;
  return [1n | at(5, 1) | at(fmt, 4) | BigInt(cd) | at(cdMax, 59), BigInt(dss), BigInt(vmid), 0n, 0n, 0n, 0n, 0n];
}

export interface Stage2Options {
  readonly vmid?: number;
  readonly t0sz?: number;
  readonly sl0?: number;
  /** 0 4K, 1 64K, 2 16K. */
  readonly tg?: number;
  /** 5: 48 bits. */
  readonly ps?: number;
  /** S2R, bit 186. */
  readonly record?: boolean;
  /** Further bits of doublewords 2 and 3. */
  readonly extra2?: bigint;
  readonly extra3?: bigint;
}

/** Config=0b110. Doubleword 2: S2VMID [143:128], S2T0SZ [165:160], S2SL0 [167:166], S2TG [175:174], S2PS [178:176], S2AA64 179. */
export function stage2STE(table: number, options: Stage2Options = {}): Doublewords {
  const { vmid = 1, t0sz = 25, sl0 = 1, tg = 0, ps = 5, record = true, extra2 = 0n, extra3 = 0n } = options;
  const w2 =
    BigInt(vmid) | at(t0sz, 32) | at(sl0, 38) | at(tg, 46) | at(ps, 48) | at(1, 51) | at(record ? 1 : 0, 58) | extra2;
  return [1n | at(6, 1), 0n, w2, BigInt(table) | extra3, 0n, 0n, 0n, 0n];
}

/** Config=0b111: the stage 1 half of one, the stage 2 half of the other. */
export function nestedSTE(stage1: Doublewords, stage2: Doublewords): Doublewords {
  return [stage1[0] | at(7, 1), stage1[1], stage2[2], stage2[3], 0n, 0n, 0n, 0n];
}

export interface CdOptions {
  readonly asid?: number;
  readonly t0sz?: number;
  /** 0 4K, 1 64K, 2 16K. */
  readonly tg0?: number;
  /** 5: 48 bits. */
  readonly ips?: number;
  /** EPD1 is set unless a TTB1 is given. */
  readonly ttb1?: number;
  readonly t1sz?: number;
  /** R, A: bits 45 and 46. */
  readonly record?: boolean;
  readonly abort?: boolean;
  /** Further bits of doublewords 0 and 1. */
  readonly extra0?: bigint;
  readonly extra1?: bigint;
}

/** V=1 (31), AA64=1 (41), TG1=4K (0b10 at [23:22]), no fault stalls. */
export function contextDescriptor(ttb0: number, options: CdOptions = {}): Doublewords {
  const { asid = 1, t0sz = 25, tg0 = 0, ips = 5, ttb1, t1sz = 25, extra0 = 0n, extra1 = 0n } = options;
  const half1 = ttb1 === undefined ? at(1, 30) : at(t1sz, 16) | at(2, 22);
  const behaviour = at((options.record ?? true) ? 1 : 0, 45) | at((options.abort ?? true) ? 1 : 0, 46);
  const w0 =
    BigInt(t0sz) | at(tg0, 6) | half1 | at(1, 31) | at(ips, 32) | at(1, 41) | behaviour | at(asid, 48) | extra0;
  return [w0, BigInt(ttb0) | extra1, BigInt(ttb1 ?? 0), 0n, 0n, 0n, 0n, 0n];
}

/** Bits of a stage 1 leaf besides address and type. */
export const LEAF = {
  /** AF, bit 10. */
  AF: at(1, 10),
  /** AP[1], bit 6: unprivileged access. */
  USER: at(1, 6),
  /** AP[2], bit 7: read-only. */
  READ_ONLY: at(1, 7),
  /** nG, bit 11. */
  NON_GLOBAL: at(1, 11),
  DBM: at(1, 51),
  PXN: at(1, 53),
  UXN: at(1, 54),
  /** S2AP[0], S2AP[1]: bits 6 and 7 of a stage 2 leaf. */
  S2_READ: at(1, 6),
  S2_WRITE: at(1, 7),
  /** MemAttr = 0b1111, Normal write-back: bits [5:2] of a stage 2 leaf. */
  S2_NORMAL: at(0xf, 2),
} as const;

/** A stage 1 page anyone may read and write. */
export const OPEN = LEAF.AF | LEAF.USER | LEAF.NON_GLOBAL;
/** A stage 2 page anyone may read and write. */
export const S2_OPEN = LEAF.AF | LEAF.S2_READ | LEAF.S2_WRITE | LEAF.S2_NORMAL;
