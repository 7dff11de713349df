import { describe, expect, test } from "vitest";
import {
  Tlb,
  type TlbEntryView,
  type TlbOwner,
  tlbTag,
  WALK_CACHE_UNIT_BITS,
} from "../../../src/backends/smmuv3/tlb.ts";
import { Chance } from "../../oracle/chance.ts";

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

describe("an invalidation by address", () => {
  const PAGE = { ...VALUE, invalidateBits: 12 };

  /** What it is asked about; nothing dies. */
  function looks(tlb: Tlb, page: number, owner: TlbOwner | undefined): number {
    let count = 0;
    tlb.invalidateRange(page, page + 1, owner, () => {
      count += 1;
      return false;
    });
    return count;
  }

  function full(tag: number): Tlb {
    const tlb = new Tlb(8192);
    for (let page = 0; page < 8192; page++) tlb.fill(0, page * 4096, tag, 0, PAGE);
    return tlb;
  }

  const own = { tag: tlbTag(1, 2), andGlobal: true };

  test("of one page looks at one entry of a full TLB, of any ASID at one for each tag", () => {
    const tlb = full(own.tag);
    expect(looks(tlb, 5, own)).toBe(1);
    expect(looks(tlb, 5, undefined)).toBe(1);
    tlb.fill(0, 0x5000, tlbTag(1, 3), 0, { ...PAGE, isGlobal: true });
    expect(looks(tlb, 5, { ...own, andGlobal: false })).toBeLessThanOrEqual(1);
    expect(looks(tlb, 5, own)).toBe(2);
    expect(looks(tlb, 5, undefined)).toBe(2);
  });

  test("looks at all pieces of the largest block there is, and at less once that is gone", () => {
    const tlb = full(own.tag);
    tlb.fill(0, 0x20_0000, own.tag, 0, VALUE); // 2 MiB
    expect(looks(tlb, 0x3ff, own)).toBe(512);
    tlb.invalidate((entry) => entry.sizeBits === 21);
    expect(looks(tlb, 0x3ff, own)).toBe(1);
    tlb.fill(0, 0x20_0000, own.tag, 0, { ...PAGE, invalidateBits: 30 });
    expect(looks(tlb, 5, own)).toBe(8192);
    tlb.clear();
    expect(looks(tlb, 5, own)).toBe(0);
  });

  const SEED = Math.floor(Math.random() * 2 ** 31);
  test.each([12, WALK_CACHE_UNIT_BITS])(`drops what a scan would, units of 2^%d (seed ${SEED})`, (unitBits) => {
    const chance = new Chance(BigInt(SEED + unitBits));
    for (let round = 0; round < 300; round++) {
      const [probed, scanned] = [new Tlb(512, unitBits), new Tlb(512, unitBits)];
      const sizes = chance.pick<readonly number[]>([unitBits], [unitBits, unitBits + 4], [unitBits, unitBits + 9]);
      const asids = chance.pick(1, 3, 40);
      for (let count = 0; count < 200; count++) {
        const hi = chance.pick(0, 0, 1, -1);
        const lo = chance.below(2 ** 10) * 2 ** unitBits;
        const tag = tlbTag(chance.below(2), chance.below(asids));
        const fill = { ...VALUE, invalidateBits: sizes[chance.below(sizes.length)]!, isGlobal: chance.oneIn(9) };
        for (const tlb of [probed, scanned]) tlb.fill(hi, lo, tag, 0, fill);
      }
      for (let command = 0; command < 4; command++) {
        const upper = chance.pick(0, 0, 1, 0xff_ffff) * 2 ** 20;
        const from = upper + chance.below(2 ** 10) * 2 ** (unitBits - 12);
        const to = from + chance.pick(1, 1, 2, 700);
        const [vmid, asid] = [chance.below(2), chance.below(asids)];
        const isAny = chance.oneIn(3);
        const dies = (entry: TlbEntryView): boolean => {
          if (!entry.touches(from, to)) return false;
          return isAny || (entry.vmid === vmid && entry.asid === asid) || entry.isGlobal;
        };
        probed.invalidateRange(from, to, isAny ? undefined : { tag: tlbTag(vmid, asid), andGlobal: true }, dies);
        scanned.invalidate(dies);
        expect(probed.words, `seed ${SEED}, round ${round}`).toEqual(scanned.words);
      }
    }
  });
});
