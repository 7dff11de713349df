// 64-bit values as pairs of 32-bit halves, and exact arithmetic on addresses below 2^53.
// This is the only file that spells out 2 ** 32: everyone else calls it (HOUSE: 64-bit values).

const TWO_32 = 4294967296; // 2 ** 32
const MASK_32 = 0xffff_ffffn;

/** The widest address the architecture gives us without D128: 52 bits, so every address is an exact number. */
export const ADDRESS_BITS_MAX = 52;

/** Upper 32 bits of a non-negative integer below 2^53. */
export function hi32(value: number): number {
  return Math.floor(value / TWO_32) >>> 0;
}

/** Lower 32 bits of a non-negative integer below 2^53. */
export function lo32(value: number): number {
  return value >>> 0;
}

/** Joins two halves into an exact number. The caller guarantees hi < 2^21. */
export function joinNumber(hi: number, lo: number): number {
  return (hi >>> 0) * TWO_32 + (lo >>> 0);
}

const JOINED = new BigUint64Array(1);
const HALVES = new Uint32Array(JOINED.buffer);

/** Joins two halves into a bigint, any width up to 64 bits. Through memory: bigint operators allocate at each step. */
export function joinBigint(hi: number, lo: number): bigint {
  HALVES[0] = lo;
  HALVES[1] = hi;
  return JOINED[0]!;
}

/** Upper half of a 64-bit bigint. */
export function hiOf(value: bigint): number {
  return Number((value >> 32n) & MASK_32);
}

/** Lower half of a 64-bit bigint. */
export function loOf(value: bigint): number {
  return Number(value & MASK_32);
}

/** Lower 32 bits of a non-negative integer below 2^53, signed as the bit operators have them. */
export function low32(value: number): number {
  return value | 0;
}

/** True when a 64-bit value given as halves is below 2^bits, bits in 1…63. */
export function fitsIn(hi: number, lo: number, bits: number): boolean {
  return bits >= 32 ? hi >>> (bits - 32) === 0 : hi === 0 && lo >>> bits === 0;
}

/** The bits of a 32-bit value that `mask` keeps, unsigned. */
export function and32(value: number, mask: number): number {
  return (value & mask) >>> 0;
}

/** 2^bits as an exact number, bits in 0…52. */
export function pow2(bits: number): number {
  return 2 ** bits;
}

/** Rounds `value` (below 2^53) down to a multiple of 2^bits. */
export function alignDown(value: number, bits: number): number {
  const size = 2 ** bits;
  return value - (value % size);
}

/** Bits [msb:lsb] of a 64-bit value given as halves, as a number; at most 53 bits wide. */
export function slice(hi: number, lo: number, msb: number, lsb: number): number {
  const width = msb - lsb + 1;
  if (lsb >= 32) {
    const shifted = hi >>> (lsb - 32);
    return width >= 32 ? shifted >>> 0 : (shifted & (2 ** width - 1)) >>> 0;
  }
  if (msb < 32) {
    const shifted = lo >>> lsb;
    return width === 32 ? shifted >>> 0 : (shifted & (2 ** width - 1)) >>> 0;
  }
  const lowBits = 32 - lsb;
  const highBits = width - lowBits;
  const highPart = highBits === 32 ? hi >>> 0 : (hi & (2 ** highBits - 1)) >>> 0;
  return highPart * 2 ** lowBits + (lo >>> lsb);
}

/** Formats an address the way the field prints it: 0x and lower-case hex. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
