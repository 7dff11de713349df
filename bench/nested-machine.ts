// The machine that bench/translate.ts measures: an SMMU for each mode on one memory, with one nested stream.
// Pages are contiguous as IOVAs and as IPAs and shuffled as physical addresses; the order of accesses is the C program's.

import type { Smmu } from "../src/backends/smmuv3/smmu.ts";
import { hi32, low32 } from "../src/spec/u64.ts";
import { Machine, RAM_BASE } from "../test/support/smmuv3-machine.ts";
import { contextDescriptor, nestedSTE, OPEN, S2_OPEN, stage1STE, stage2STE } from "../test/support/smmuv3-tables.ts";

export const MODES = ["tlb", "walk-cache", "cold"] as const;
export type Mode = (typeof MODES)[number];

const CACHES = {
  tlb: {},
  "walk-cache": { tlbEntries: 0 },
  cold: { tlbEntries: 0, walkCacheEntries: 0 },
} as const;
const SID = 3;
const IOVA = 0x1234_5640_0000;
const IOVA_HI = hi32(IOVA);
const IOVA_LO = low32(IOVA);
const IPA = 0x21_0000_0000;
const PA = 0x80_0000_0000;
const SEQUENCE = 65_536;
const WARM_UP = 400_000;

export class Bench {
  readonly pages: number;
  readonly base = RAM_BASE;
  readonly iova = IOVA;
  readonly ttb: number;
  readonly s2ttb: number;
  readonly #machine = new Machine();
  readonly #smmus: Readonly<Record<Mode, Smmu>>;
  readonly #order: Uint32Array;
  readonly #access = { streamID: SID, access: "read", privileged: false } as const;

  constructor(pages: number) {
    const machine = this.#machine;
    this.pages = pages;
    this.ttb = machine.allocate();
    this.s2ttb = machine.allocate();
    for (let page = 0; page < pages; page++) {
      machine.map(this.ttb, IOVA + page * 4096, IPA + page * 4096, OPEN, 0);
      machine.map(this.s2ttb, IPA + page * 4096, PA + ((page * 37) % pages) * 4096, S2_OPEN, 0);
    }
    const cd = machine.writeCD(contextDescriptor(this.ttb, { t0sz: 16 }));
    const end = machine.allocate();
    for (let page = RAM_BASE; page < end; page += 4096) machine.map(this.s2ttb, page, page, S2_OPEN, 0);
    machine.writeSTE(SID, nestedSTE(stage1STE(cd), stage2STE(this.s2ttb, { t0sz: 16, sl0: 2 })));
    this.#smmus = {
      tlb: machine.coldCopy(CACHES.tlb),
      "walk-cache": machine.coldCopy(CACHES["walk-cache"]),
      cold: machine.coldCopy(CACHES.cold),
    };
    this.#order = order(pages);
  }

  /** RAM from its base to the last table. */
  image(): Uint8Array {
    const bytes = new Uint8Array(this.#machine.allocate() - RAM_BASE);
    this.#machine.memory.readBytes(RAM_BASE, bytes);
    return bytes;
  }

  warmUp(mode: Mode): void {
    this.#translate(this.#smmus[mode], WARM_UP);
  }

  /** CPU nanoseconds for one of `count` translations. */
  run(mode: Mode, count: number): number {
    const before = process.threadCpuUsage();
    this.#translate(this.#smmus[mode], count);
    const { user, system } = process.threadCpuUsage(before);
    return ((user + system) * 1000) / count;
  }

  /** Sum of bits [31:0] of the physical addresses of one pass. */
  sum(mode: Mode): bigint {
    return BigInt(this.#translate(this.#smmus[mode], SEQUENCE));
  }

  #translate(smmu: Smmu, count: number): number {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const lo = (IOVA_LO + (this.#order[i % SEQUENCE]! << 12) + ((i & 511) << 3)) | 0;
      if (smmu.translateHalves(this.#access, IOVA_HI, lo) !== undefined) throw new Error("a page did not translate");
      sum += smmu.answer.paLo >>> 0;
    }
    return sum;
  }
}

function order(pages: number): Uint32Array {
  const sequence = new Uint32Array(SEQUENCE);
  const state = Uint32Array.of(0x9e37_79b9);
  for (let i = 0; i < SEQUENCE; i++) {
    state[0]! ^= state[0]! << 13;
    state[0]! ^= state[0]! >>> 17;
    state[0]! ^= state[0]! << 5;
    sequence[i] = state[0]! % pages;
  }
  return sequence;
}
