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
