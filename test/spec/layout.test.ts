// The bit-field mechanism, against positions worked out by hand.
import { describe, expect, test } from "vitest";
import {
  doublewordsOf,
  get,
  getAddress,
  getU64,
  layout,
  set,
  setAddress,
  setU64,
  wordsOf,
} from "../../src/spec/layout.ts";

const TABLE = layout(128, {
  low: [4, 0],
  flag: 31,
  across: [47, 28 + 4],
  straddling: [75, 60 + 4],
  address: [119, 76],
  top: [127, 120],
});
const SPLIT = layout(64, { before: [19, 0], middle: [43, 20], after: [63, 44] });
const WHOLE = layout(64, { all: [63, 0] });

describe("a table is refused", () => {
  test.each([
    ["when two fields share a bit", () => layout(32, { one: [7, 0], two: [9, 7] }), "share bit 7"],
    ["when a field leaves the structure", () => layout(32, { one: 32 }), "outside"],
    ["when a range is upside down", () => layout(32, { one: [0, 7] }), "outside"],
    ["when a field crosses a doubleword", () => layout(128, { one: [64, 63] }), "crosses"],
    ["when the structure is not made of words", () => layout(33, { one: 0 }), "multiple of 32"],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(message);
  });
});

describe("fields", () => {
  test("are read from the words they lie in", () => {
    const words = wordsOf([0x0000_abcd_8000_001fn, 0xa5ff_ffff_ffff_f123n]);
    expect(get(words, 0, TABLE.low)).toBe(31);
    expect(get(words, 0, TABLE.flag)).toBe(1);
    expect(get(words, 0, TABLE.across)).toBe(0xabcd);
    expect(get(words, 0, TABLE.straddling)).toBe(0x123);
    expect(getAddress(words, 0, TABLE.address, 12)).toBe(0xff_ffff_ffff_f000);
    expect(get(words, 0, TABLE.top)).toBe(0xa5);
  });

  test("across the middle of a doubleword are read and written whole", () => {
    const words = new Uint32Array(4);
    set(words, 2, SPLIT.middle, 0xedcba9);
    expect([...words]).toEqual([0, 0, 0xba90_0000, 0xedc]);
    set(words, 2, SPLIT.middle, 0x123456);
    expect(get(words, 2, SPLIT.middle)).toBe(0x123456);
    expect(get(words, 2, SPLIT.before) + get(words, 2, SPLIT.after)).toBe(0);
  });

  test("of 64 bits are bigints", () => {
    const words = new Uint32Array(2);
    setU64(words, 0, WHOLE.all, 0xfedc_ba98_7654_3210n);
    expect([...words]).toEqual([0x7654_3210, 0xfedc_ba98]);
    expect(getU64(words, 0, WHOLE.all)).toBe(0xfedc_ba98_7654_3210n);
    const single = Uint32Array.of(0xffff_ffff);
    setU64(single, 0, layout(32, { low: [7, 0] }).low, 0n);
    expect(single[0]).toBe(0xffff_ff00);
  });

  test("refuse values that do not fit", () => {
    const words = new Uint32Array(4);
    expect(() => set(words, 0, TABLE.low, 32)).toThrow("low cannot hold 32");
    expect(() => set(words, 0, TABLE.low, -1)).toThrow("cannot hold");
    expect(() => setU64(words, 0, TABLE.top, 256n)).toThrow("cannot hold");
    expect(() => setAddress(words, 0, TABLE.address, 12, 0x1001)).toThrow("not aligned");
  });

  test("leave their neighbours alone", () => {
    const words = new Uint32Array(4).fill(0xffff_ffff);
    set(words, 0, TABLE.across, 0);
    setAddress(words, 0, TABLE.address, 12, 0x1000);
    expect([...words]).toEqual([0xffff_ffff, 0xffff_0000, 0x0000_1fff, 0xff00_0000]);
    set(words, 0, TABLE.flag, 0);
    expect(words[0]).toBe(0x7fff_ffff);
  });
});

test("doublewords and words are two views of the same bytes", () => {
  const doublewords = [0x0123_4567_89ab_cdefn, 0xffff_ffff_0000_0001n];
  expect([...wordsOf(doublewords)]).toEqual([0x89ab_cdef, 0x0123_4567, 1, 0xffff_ffff]);
  expect(doublewordsOf(wordsOf(doublewords))).toEqual(doublewords);
});
