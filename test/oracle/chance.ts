// Numbers that look random and come from a seed, and memory in which every doubleword is a plausible descriptor.
// So any walk goes somewhere, for any format and both stages, and tables need not be built.

import type { PhysicalMemory, SwapResult } from "../../src/backends/smmuv3/memory.ts";

const MASK = 0xffff_ffff_ffff_ffffn;

/** splitmix64 */
function mixed(seed: bigint): bigint {
  let z = (seed + 0x9e37_79b9_7f4a_7c15n) & MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn) & MASK;
  return z ^ (z >> 31n);
}

export class Chance {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = mixed(seed);
  }

  bits(count: number): bigint {
    this.#state = (this.#state + 1n) & MASK;
    return mixed(this.#state) >> BigInt(64 - count);
  }

  below(limit: number): number {
    return Number(this.bits(32)) % limit;
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  flag(times = 2): bigint {
    return this.oneIn(times) ? 1n : 0n;
  }

  pick<T>(...values: readonly [T, ...T[]]): T {
    return values[this.below(values.length)] ?? values[0];
  }
}

export interface DescriptorStyle {
  readonly isBigEndian: boolean;
  /** Address bits above 48 are used. */
  readonly isWide: boolean;
  /** How rare some descriptors are: those that abort, that are not valid, and whose AF is 0. */
  readonly abortsOneIn: number;
  readonly invalidOneIn: number;
  readonly unaccessedOneIn: number;
  /** Blocks where a table or page may be, and addresses of up to 48 bits instead of 35. */
  readonly blockOneIn: number;
  readonly farOneIn: number;
}

function descriptorAt(seed: bigint, pa: number, style: DescriptorStyle): bigint | undefined {
  const chance = new Chance(seed ^ BigInt(pa));
  if (chance.oneIn(style.abortsOneIn)) return undefined;
  if (chance.oneIn(100)) return chance.bits(64);
  let value = chance.oneIn(style.invalidOneIn) ? 0n : 1n;
  if (!chance.oneIn(style.blockOneIn)) value |= 2n;
  value |= chance.bits(4) << 2n;
  if (!chance.oneIn(12)) value |= 1n << 6n;
  value |= chance.flag() << 7n;
  if (style.isWide && chance.oneIn(12)) value |= (chance.bits(2) << 8n) | (chance.bits(2) << 48n);
  if (!chance.oneIn(style.unaccessedOneIn)) value |= 1n << 10n;
  value |= chance.bits(1) << 11n;
  value |= (chance.oneIn(style.farOneIn) ? chance.bits(36) : chance.bits(19) << 4n) << 12n; // mostly 35 bits, 64 KiB aligned
  value |= chance.flag() << 51n;
  for (const at of [50, 52, 53, 54, 59, 60, 61, 62, 63]) value |= chance.flag(6) << BigInt(at);
  if (!style.isWide) value |= chance.bits(2) << 8n; // SH; elsewhere it may be address
  return style.isBigEndian ? swapped(value) : value;
}

function swapped(value: bigint): bigint {
  return BigInt(`0x${Buffer.from(value.toString(16).padStart(16, "0"), "hex").reverse().toString("hex")}`);
}

/** Memory made of descriptors, except where something was written. */
export class DescriptorMemory implements PhysicalMemory {
  lo = 0;
  hi = 0;
  readonly changed = new Set<number>();
  readonly #seed: bigint;
  readonly #bytes: number;
  readonly #style: DescriptorStyle;
  readonly #written = new Map<number, bigint>();

  constructor(seed: bigint, addressBits: number, style: DescriptorStyle) {
    this.#seed = seed;
    this.#bytes = 2 ** addressBits;
    this.#style = style;
  }

  at(pa: number): bigint | undefined {
    if (pa >= this.#bytes) return undefined;
    return this.#written.get(pa) ?? descriptorAt(this.#seed, pa, this.#style);
  }

  put(pa: number, doublewords: readonly bigint[]): void {
    doublewords.forEach((value, index) => {
      this.#written.set(pa + 8 * index, value);
    });
  }

  read64(pa: number): boolean {
    const value = this.at(pa);
    if (value === undefined) return false;
    this.lo = Number(value & 0xffff_ffffn);
    this.hi = Number(value >> 32n);
    return true;
  }

  write64(pa: number, lo: number, hi: number): boolean {
    if (pa >= this.#bytes) return false;
    this.#written.set(pa, (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0));
    return true;
  }

  compareAndSwap64(pa: number, expectLo: number, expectHi: number, newLo: number, newHi: number): SwapResult {
    if (!this.read64(pa)) return "abort";
    if (this.lo !== expectLo >>> 0 || this.hi !== expectHi >>> 0) return "changed";
    this.changed.add(pa);
    return this.write64(pa, newLo, newHi) ? "ok" : "abort";
  }

  readBytes(pa: number, into: Uint8Array): boolean {
    const view = new DataView(into.buffer, into.byteOffset, into.length);
    for (let offset = 0; offset < into.length; offset += 8) {
      const value = this.at(pa + offset);
      if (value === undefined) return false;
      view.setBigUint64(offset, value, true);
    }
    return true;
  }

  writeBytes(pa: number, from: Uint8Array): boolean {
    const view = new DataView(from.buffer, from.byteOffset, from.length);
    for (let offset = 0; offset < from.length; offset += 8) {
      this.#written.set(pa + offset, view.getBigUint64(offset, true));
    }
    return true;
  }
}
