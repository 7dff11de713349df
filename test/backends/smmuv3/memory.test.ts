import { describe, expect, test } from "vitest";
import { MemoryMap, RamRegion } from "../../../src/backends/smmuv3/memory.ts";

function twoRegions(): MemoryMap {
  const map = new MemoryMap();
  map.add(new RamRegion(0x2_0000, 0x1_0000));
  map.add(new RamRegion(0x1000, 0x1000));
  map.add(new RamRegion(0x3_0000, 0x1_0000)); // touches the first
  return map;
}

describe("a memory map", () => {
  test("reads what was written, little-endian", () => {
    const map = twoRegions();
    expect(map.write64(0x1008, 0x89ab_cdef, 0x0123_4567)).toBe(true);
    expect(map.read64(0x1008)).toBe(true);
    expect([map.hi, map.lo]).toEqual([0x0123_4567, 0x89ab_cdef]);
    const bytes = new Uint8Array(8);
    expect(map.readBytes(0x1008, bytes)).toBe(true);
    expect([...bytes]).toEqual([0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01]);
  });

  test.each([0, 0xff8, 0x2000, 0x1_fff8, 0x4_0000, 2 ** 51])("aborts at %d, which is in no region", (address) => {
    const map = twoRegions();
    expect(map.read64(address)).toBe(false);
    expect(map.write64(address, 1, 1)).toBe(false);
    expect(map.compareAndSwap64(address, 0, 0, 1, 1)).toBe("abort");
    expect(map.readBytes(address, new Uint8Array(4))).toBe(false);
  });

  test("moves bytes across regions that touch, and writes nothing when a part would abort", () => {
    const map = twoRegions();
    expect(map.writeBytes(0x2_fffc, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))).toBe(true);
    const back = new Uint8Array(8);
    expect(map.readBytes(0x2_fffc, back)).toBe(true);
    expect([...back]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(map.writeBytes(0x3_fffc, new Uint8Array(8).fill(9))).toBe(false);
    expect(map.readBytes(0x3_fff8, back)).toBe(true);
    expect([...back]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("refuses regions that overlap, and forgets removed ones", () => {
    const map = twoRegions();
    expect(() => map.add(new RamRegion(0x2_8000, 0x1000))).toThrow("overlap");
    map.write64(0x1000, 1, 1);
    map.remove(0x1000);
    expect(map.read64(0x1000)).toBe(false);
  });
});

describe("a compare-and-swap", () => {
  test("writes only over the value it expects", () => {
    const map = twoRegions();
    map.write64(0x1000, 0xffff_ffff, 0x8000_0000);
    expect(map.compareAndSwap64(0x1000, 0xffff_ffff, 0, 1, 2)).toBe("changed");
    expect(map.compareAndSwap64(0x1000, -1, 0x8000_0000, 1, 2)).toBe("ok"); // halves as signed words too
    map.read64(0x1000);
    expect([map.lo, map.hi]).toEqual([1, 2]);
  });
});

test("RAM of terabytes is zero and takes room only where it was written", () => {
  const map = new MemoryMap();
  map.add(new RamRegion(0, 2 ** 44));
  expect(map.write64(2 ** 43, 7, 0)).toBe(true);
  expect(map.read64(2 ** 43 + 8)).toBe(true);
  expect([map.lo, map.hi]).toEqual([0, 0]);
  expect(map.read64(2 ** 43)).toBe(true);
  expect(map.lo).toBe(7);
});

describe("memory across a multiple of 4 GiB", () => {
  const [base, bytes] = [0xffe0_0000, 0x40_0000]; // 2 MiB on either side
  const edge = 2 ** 32;

  function straddling(): MemoryMap {
    const map = new MemoryMap();
    map.add(new RamRegion(base, bytes));
    return map;
  }

  test.each([base, edge - 8, edge, base + bytes - 8])("keeps the doubleword at %d", (pa) => {
    const map = straddling();
    map.write64(pa, 0x1234, 0x5678);
    for (const other of [base, edge - 8, edge, base + bytes - 8]) {
      expect(map.read64(other)).toBe(true);
      expect([map.lo, map.hi], `at ${other}`).toEqual(other === pa ? [0x1234, 0x5678] : [0, 0]);
    }
  });

  test("moves bytes across it", () => {
    const map = straddling();
    expect(map.writeBytes(edge - 2, Uint8Array.of(1, 2, 3, 4))).toBe(true);
    const back = new Uint8Array(6);
    expect(map.readBytes(edge - 3, back)).toBe(true);
    expect([...back]).toEqual([0, 1, 2, 3, 4, 0]);
    expect([map.read64(edge), map.lo]).toEqual([true, 0x0403]);
  });

  test("has a window on each side, which ends there", () => {
    const map = straddling();
    map.write64(edge - 8, 1, 0);
    map.write64(edge + 8, 2, 0);
    const [below, above] = [map.window(edge - 8)!, map.window(edge)!];
    expect([below.hi, below.lo, below.bytes]).toEqual([0, -0x20_0000, 0x20_0000]);
    expect([above.hi, above.lo, above.bytes]).toEqual([1, 0, 0x20_0000]);
    expect(below.words[0x20_0000 / 4 - 2]).toBe(1);
    expect(above.words[2]).toBe(2);
  });
});
