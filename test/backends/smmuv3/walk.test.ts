// Walks of every granule, start level and format, through hand-made tables.
import { describe, expect, test } from "vitest";
import { newSmmuCounters } from "../../../src/backends/smmuv3/counters.ts";
import { MemoryMap, RamRegion } from "../../../src/backends/smmuv3/memory.ts";
import type { TableFormat } from "../../../src/backends/smmuv3/table-format.ts";
import { TableWalk, WALK } from "../../../src/backends/smmuv3/walk.ts";
import { joinNumber } from "../../../src/spec/u64.ts";

const BASE = 0x10_0000;
const FORMAT_4K: TableFormat = {
  pageBits: 12,
  inputBits: 48,
  startLevel: 0,
  startIndexBits: 9,
  baseHi: 0,
  baseLo: BASE,
  outputBits: 48,
  ds: false,
  wide64k: false,
  blockLevels: 0b110,
  bigEndian: false,
  hierarchical: true,
  isPlain: false,
  haft: false,
};

function walker() {
  const memory = new MemoryMap();
  memory.add(new RamRegion(0, 2 ** 32));
  const walk = new TableWalk(memory, newSmmuCounters());
  const poke = (address: number, value: bigint): void => {
    memory.write64(address, Number(value & 0xffff_ffffn), Number(value >> 32n));
  };
  const run = (format: TableFormat, va: number) => walk.run(format, Math.floor(va / 2 ** 32), va >>> 0);
  return { memory, walk, poke, run };
}

describe("the 4 KiB granule", () => {
  test("resolves four levels of nine bits and twelve of offset", () => {
    const { walk, poke, run } = walker();
    // va = index 1, 2, 3, 4 and offset 0x567
    const va = 1 * 2 ** 39 + 2 * 2 ** 30 + 3 * 2 ** 21 + 4 * 2 ** 12 + 0x567;
    poke(BASE + 1 * 8, 0x20_0003n);
    poke(0x20_0000 + 2 * 8, 0x30_0003n);
    poke(0x30_0000 + 3 * 8, 0x40_0003n);
    poke(0x40_0000 + 4 * 8, 0x0060_8765_4321_0403n);
    expect(run(FORMAT_4K, va)).toBe(WALK.OK);
    expect([joinNumber(walk.outHi, walk.outLo), walk.leafBits]).toEqual([0x8765_4321_0567, 12]);
    expect(walk.hi >>> 0).toBe(0x0060_8765);
  });

  test("ends early in a block at levels 1 and 2, but not at level 0", () => {
    const { walk, poke, run } = walker();
    poke(BASE, 0x20_0003n);
    poke(0x20_0000, 0x5_4000_0401n); // 1 GiB
    poke(0x20_0008, 0x30_0003n);
    poke(0x30_0000, 0x7_8020_0401n); // 2 MiB
    poke(BASE + 8, 0x401n);
    expect(run(FORMAT_4K, 0x1234_5678)).toBe(WALK.OK);
    expect([joinNumber(walk.outHi, walk.outLo), walk.leafBits]).toEqual([0x5_5234_5678, 30]);
    expect(run(FORMAT_4K, 0x4001_5678)).toBe(WALK.OK);
    expect([joinNumber(walk.outHi, walk.outLo), walk.leafBits]).toEqual([0x7_8021_5678, 21]);
    expect(run(FORMAT_4K, 2 ** 39)).toBe(WALK.TRANSLATION);
  });

  test("takes type 0b01 at level 3 for reserved, and bit 0 clear for invalid anywhere", () => {
    const { poke, run } = walker();
    poke(BASE, 0x20_0003n);
    poke(0x20_0000, 0x30_0003n);
    poke(0x30_0000, 0x40_0003n);
    poke(0x40_0000, 0x5000_0401n);
    expect(run(FORMAT_4K, 0)).toBe(WALK.TRANSLATION);
    expect(run(FORMAT_4K, 0x1000)).toBe(WALK.TRANSLATION);
    expect(run(FORMAT_4K, 0x20_0000)).toBe(WALK.TRANSLATION);
  });

  test("finds addresses that are too large in tables and leaves", () => {
    const { poke, run } = walker();
    const small = { ...FORMAT_4K, outputBits: 32 };
    poke(BASE, 0x20_0003n);
    poke(BASE + 8, 0x1_0000_0003n);
    poke(0x20_0000, 0x1_4000_0401n);
    expect(run(small, 0)).toBe(WALK.ADDRESS_SIZE);
    expect(run(small, 2 ** 39)).toBe(WALK.ADDRESS_SIZE);
  });

  test("reports the bus's refusal with the descriptor's address", () => {
    const { walk, poke, run } = walker();
    poke(BASE, 0x2_0000_0003n); // beyond RAM
    expect(run(FORMAT_4K, 2 ** 30)).toBe(WALK.EXTERNAL_ABORT);
    expect(walk.fetchAddress).toBe(0x2_0000_0008);
  });

  test("gathers APTable, PXNTable and UXNTable of all levels, unless they are disabled", () => {
    const { walk, poke, run } = walker();
    poke(BASE, 0x20_0003n | (1n << 61n));
    poke(0x20_0000, 0x30_0003n | (1n << 62n) | (1n << 59n));
    poke(0x30_0000, 0x401n | (1n << 60n)); // a leaf has other things in bit 60
    expect(run(FORMAT_4K, 0)).toBe(WALK.OK);
    expect(walk.tableLimits).toBe(0b0111);
    poke(0x20_0000, 0x30_0003n | (1n << 60n));
    run(FORMAT_4K, 0);
    expect(walk.tableLimits).toBe(0b1001);
    run({ ...FORMAT_4K, hierarchical: false }, 0);
    expect(walk.tableLimits).toBe(0);
  });

  test("starts at level -1 for 52 bits, and takes address[51:50] from bits [9:8] and [49:48] in place", () => {
    const { walk, poke, run } = walker();
    const lpa2 = {
      ...FORMAT_4K,
      inputBits: 52,
      startLevel: -1,
      startIndexBits: 4,
      ds: true,
      blockLevels: 0b111,
      outputBits: 52,
    };
    poke(BASE + 15 * 8, 0x20_0003n);
    poke(0x20_0000, 0x0003_8000_0000_0701n); // level 0 block: address[51:48] = 0b1111
    expect(run(lpa2, 15 * 2 ** 48 + 5)).toBe(WALK.OK);
    expect([joinNumber(walk.outHi, walk.outLo), walk.leafBits]).toEqual([0xf_8000_0000_0005, 39]);
    poke(BASE, 0x20_0001n); // no blocks at level -1
    expect(run(lpa2, 0)).toBe(WALK.TRANSLATION);
  });
});

describe("other granules", () => {
  test("16 KiB: one bit at level 0, eleven a level, 32 MiB blocks at level 2", () => {
    const { walk, poke, run } = walker();
    const format = { ...FORMAT_4K, pageBits: 14, startIndexBits: 1, blockLevels: 0b100 };
    poke(BASE + 8, 0x20_0003n);
    poke(0x20_0000 + 3 * 8, 0x40_0003n);
    poke(0x40_0000 + 5 * 8, 0x1_0200_0401n);
    expect(run(format, 2 ** 47 + 3 * 2 ** 36 + 5 * 2 ** 25 + 0x1_2345)).toBe(WALK.OK);
    expect([joinNumber(walk.outHi, walk.outLo), walk.leafBits]).toEqual([0x1_0201_2345, 25]);
    poke(0x20_0000, 0x401n); // level 1: no block without DS
    expect(run(format, 2 ** 47)).toBe(WALK.TRANSLATION);
  });

  test("64 KiB: address[51:48] in bits [15:12], 4 TiB blocks at level 1 with 52 bits", () => {
    const { walk, poke, run } = walker();
    const format = {
      ...FORMAT_4K,
      pageBits: 16,
      inputBits: 52,
      startLevel: 1,
      startIndexBits: 10,
      wide64k: true,
      blockLevels: 0b110,
      outputBits: 52,
    };
    poke(BASE + 1023 * 8, 0x0000_0400_0000_a401n);
    expect(run(format, 2 ** 52 - 1)).toBe(WALK.OK);
    expect([joinNumber(walk.outHi, walk.outLo), walk.leafBits]).toEqual([0xa_07ff_ffff_ffff, 42]);
  });

  test("a concatenated start level indexes over all its tables", () => {
    const { walk, poke, run } = walker();
    const format = { ...FORMAT_4K, inputBits: 43, startLevel: 1, startIndexBits: 13, hierarchical: false };
    poke(BASE + 8191 * 8, 0x4000_0401n);
    expect(run(format, 2 ** 43 - 1)).toBe(WALK.OK);
    expect(joinNumber(walk.outHi, walk.outLo)).toBe(0x7fff_ffff);
  });
});

describe("updates", () => {
  test("replace the leaf only while it holds what was read", () => {
    const { memory, walk, poke, run } = walker();
    const format = { ...FORMAT_4K, startLevel: 2, inputBits: 30 };
    poke(BASE, 0x4000_0001n);
    run(format, 0);
    expect(walk.update(walk.lo | 0x400, walk.hi)).toBe(WALK.OK);
    memory.read64(BASE);
    expect(memory.lo).toBe(0x4000_0401);
    poke(BASE, 0x4000_0001n);
    expect(walk.update(walk.lo | 0x80, walk.hi)).toBe(WALK.CHANGED);
  });

  test("keep a big-endian descriptor big-endian", () => {
    const { memory, walk, poke, run } = walker();
    const format = { ...FORMAT_4K, startLevel: 2, inputBits: 30, bigEndian: true };
    poke(BASE, 0x0100_0040_0000_0000n); // 0x0000_0000_4000_0001, bytes reversed
    expect(run(format, 0x123)).toBe(WALK.OK);
    expect(joinNumber(walk.outHi, walk.outLo)).toBe(0x4000_0123);
    walk.update(walk.lo | 0x400, walk.hi);
    memory.read64(BASE);
    expect([memory.hi, memory.lo]).toEqual([0x0104_0040, 0]);
  });

  test("HAFT sets the Access flag of Table descriptors on the way (§3.13.6)", () => {
    const { memory, poke, run } = walker();
    poke(BASE, 0x20_0003n);
    poke(0x20_0000, 0x4000_0401n);
    expect(run({ ...FORMAT_4K, haft: true }, 0)).toBe(WALK.OK);
    memory.read64(BASE);
    expect(memory.lo).toBe(0x20_0403);
  });
});
