import { describe, expect, test } from "vitest";
import { Tlb, tlbTag } from "../../../src/backends/smmuv3/tlb.ts";

const VALUE = {
  paHi: 0xf_ffff,
  paLo: -0x1000,
  ipaHi: 0,
  ipaLo: 0x1000,
  permissions: 0b101010,
  invalidateBits: 21,
  pageBits: 12,
  isGlobal: false,
  attributes: 0x3ff,
};

describe("a TLB", () => {
  test("finds what was filled, by address, tag and key, and nothing else", () => {
    const tlb = new Tlb(16);
    const tag = tlbTag(0xffff, 0xffff);
    tlb.fill(-1, 0x1234_5000, tag, 5, VALUE);
    const slot = tlb.find(-1, 0x1234_5fff, tag, 5);
    expect(slot).toBeGreaterThanOrEqual(0);
    expect([
      tlb.paHi(slot),
      tlb.paLo(slot),
      tlb.ipaHi(slot),
      tlb.ipaLo(slot),
      tlb.permissions(slot),
      tlb.pageBits(slot),
      tlb.attributes(slot),
    ]).toEqual([0xf_ffff, -0x1000, 0, 0x1000, 0b101010, 12, 0x3ff]);
    expect(tlb.find(-1, 0x1234_6000, tag, 5)).toBe(-1);
    expect(tlb.find(0x7fffff, 0x1234_5000, tag, 5)).toBe(-1);
    expect(tlb.find(-1, 0x1234_5000, tlbTag(0xffff, 0xfffe), 5)).toBe(-1);
    expect(tlb.find(-1, 0x1234_5000, tag, 1)).toBe(-1);
  });

  test("keeps one address of many ASIDs and of many VMIDs apart", () => {
    const tlb = new Tlb(8192);
    const tags = Array.from({ length: 64 }, (_, n) => [tlbTag(1, n), tlbTag(n + 2, 1), tlbTag(n + 2, n)]).flat();
    for (const tag of tags) tlb.fill(0x1234, 0x5000, tag, 4, VALUE);
    expect(tags.filter((tag) => tlb.find(0x1234, 0x5000, tag, 4) >= 0).length).toBeGreaterThan(tags.length - 8);
  });

  test("shows invalidation the tags and the size of the page an entry came from", () => {
    const tlb = new Tlb(16);
    tlb.fill(0, 0x0030_5000, tlbTag(3, 0x8001), 2, { ...VALUE, isGlobal: true });
    const seen: unknown[] = [];
    tlb.invalidate((entry) => {
      seen.push([entry.vmid, entry.asid, entry.key, entry.isGlobal, entry.page, entry.sizeBits]);
      expect(entry.touches(0x200, 0x201)).toBe(true); // the 2 MiB block from 0x20_0000
      expect(entry.touches(0x1ff, 0x200)).toBe(false);
      expect(entry.touches(0x400, 0x401)).toBe(false);
      return true;
    });
    expect(seen).toEqual([[3, 0x8001, 2, true, 0x305, 21]]);
    expect(tlb.find(0, 0x0030_5000, tlbTag(3, 0x8001), 2)).toBe(-1);
  });

  test("has a power of two of entries", () => {
    expect(() => new Tlb(12)).toThrow("power of two");
  });
});
