// Chance for the fuzzer: a seeded generator, and words that are random but not hopeless.
// Wholly random words would stop every walk at its first pointer, so most addresses are bent into the two regions.

import { RAM_BASES, RAM_BYTES } from "./fuzz-memory.ts";

/** Where CDs and tables are: 4 KiB pages of the first region. */
export const CDS = [RAM_BASES[0] + 0x2000, 4] as const;
export const TABLES = [RAM_BASES[0] + 0x6000, 8] as const;
/** Pages and blocks: stage 1 with and without nG, stage 2, both at once, without AF, read-only with DBM's AP. */
const ATTRIBUTES = [0x743n, 0xf43n, 0x7ffn, 0x7ffn, 0x7fdn, 0x741n, 0x7c3n, 0x343n, 0x3ffn] as const;

export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed % 2 ** 32;
  }

  /** 32 random bits (splitmix32). */
  bits(): number {
    this.#state = (this.#state + 0x9e37_79b9) % 2 ** 32;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 16), 0x21f0_aaad);
    value = Math.imul(value ^ (value >>> 15), 0x735a_2d97);
    return (value ^ (value >>> 15)) >>> 0;
  }

  /** 0 to count - 1. */
  below(count: number): number {
    return this.bits() % count;
  }

  /** True once in `count` times. */
  once(count: number): boolean {
    return this.below(count) === 0;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  word(): bigint {
    return (BigInt(this.bits()) << 32n) | BigInt(this.bits());
  }

  /** A page of the CDs or of the tables; now and then anywhere in the regions, or in the hole behind them. */
  address(area: readonly [from: number, pages: number] = this.of([CDS, TABLES])): bigint {
    if (this.once(100)) return BigInt(this.of(RAM_BASES) + 64 * this.below((4 * RAM_BYTES) / 64));
    return BigInt(area[0] + 4096 * this.below(area[1]));
  }

  /** A descriptor that is valid at any level of either stage, or has random attributes. */
  descriptor(): bigint {
    const upper = this.once(12) ? BigInt(this.below(4096)) << 52n : 0n;
    const lower = this.once(6) ? BigInt(this.below(4096)) : this.of(ATTRIBUTES);
    return upper | this.address() | lower;
  }

  /** `word` with up to three of its bits turned. */
  bent(word: bigint): bigint {
    let bent = word;
    for (let count = this.below(4); count > 0; count -= 1) bent ^= 1n << BigInt(this.below(64));
    return bent;
  }

  /** An STE (§5.2): nearly legal, or noise. */
  ste(): bigint[] {
    if (this.once(8)) return Array.from({ length: 8 }, () => this.word());
    const w0 = 1n | (BigInt(this.of([4, 5, 5, 6, 7, 7, 7])) << 1n) | (BigInt(this.below(3)) << 4n) | this.address(CDS);
    const substreams = BigInt(this.once(2) ? 0 : this.below(7)) << 59n;
    const start = this.of([0x59n, 0x59n, 0x59n, 0x90n, 0x22n, 0x5en]);
    const flags = this.once(4) ? BigInt(this.below(16)) << 55n : BigInt(this.below(4)) << 57n;
    const granule = this.once(6) ? BigInt(this.below(4)) << 46n : 0n;
    const w2 = BigInt(this.below(4)) | (start << 32n) | granule | (BigInt(4 + this.below(3)) << 48n) | (1n << 51n);
    const eats = BigInt(this.of([0, 0, 1, 1, 2, 3])) << 28n;
    const w1 = BigInt(this.below(3)) | eats | (this.once(4) ? this.word() & 0x000f_3fff_c808_0000n : 0n);
    const words = [w0 | substreams, w1, w2 | flags, this.address(TABLES), 0n, 0n, 0n, 0n];
    return this.once(4) ? words.map((word) => this.bent(word)) : words;
  }

  /** A CD (§5.4): nearly legal, or noise. */
  cd(): bigint[] {
    if (this.once(8)) return Array.from({ length: 8 }, () => this.word());
    const sizes = BigInt(this.of([25, 25, 16, 33])) | (BigInt(this.of([25, 16, 39])) << 16n) | (2n << 22n);
    const granules = this.once(4) ? (BigInt(this.below(4)) << 6n) | (BigInt(this.below(4)) << 22n) : 0n;
    const faults = this.of([0x6000n, 0x6000n, 0x7000n, 0x2000n, 0x0n, 0x6c00n]) << 32n;
    const flags = this.once(4) ? (this.word() & 0x3d8n) << 32n : 0n;
    const w0 = sizes | granules | (1n << 31n) | (BigInt(4 + this.below(3)) << 32n) | (1n << 41n) | faults | flags;
    const asid = BigInt(this.below(4)) << 48n;
    const words = [w0 | asid, this.address(TABLES), this.address(TABLES), this.word(), 0n, 0n, 0n, 0n];
    return this.once(4) ? words.map((word) => this.bent(word)) : words;
  }
}
