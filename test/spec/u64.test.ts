import { describe, expect, test } from "vitest";
import { AssertionFailure, assert, assertNever } from "../../src/spec/assert.ts";
import { alignDown, hex, hi32, hiOf, joinBigint, joinNumber, lo32, loOf, pow2, slice } from "../../src/spec/u64.ts";

describe("halves", () => {
  test("of an exact number split and join without loss, up to 52 bits", () => {
    for (const value of [0, 1, 0xffff_ffff, 2 ** 32, 0xf_ffff_ffff_ffff]) {
      expect(joinNumber(hi32(value), lo32(value))).toBe(value);
    }
    expect([hi32(0xf_1234_5678_9abc), lo32(0xf_1234_5678_9abc)]).toEqual([0xf_1234, 0x5678_9abc]);
  });

  test("of a bigint keep all 64 bits, signed halves included", () => {
    expect([hiOf(0xfedc_ba98_7654_3210n), loOf(0xfedc_ba98_7654_3210n)]).toEqual([0xfedc_ba98, 0x7654_3210]);
    expect(joinBigint(-1, -2)).toBe(0xffff_ffff_ffff_fffen);
  });
});

describe("slice", () => {
  test.each([
    [63, 60, 0xf],
    [63, 32, 0xfedc_ba98],
    [31, 0, 0x7654_3210],
    [39, 28, 0x987],
    [47, 0, 0xba98_7654_3210],
    [52, 0, 0x1c_ba98_7654_3210],
    [63, 31, 0x1_fdb9_7530],
    [0, 0, 0],
    [4, 4, 1],
  ])("[%i:%i]", (msb, lsb, expected) => {
    expect(slice(0xfedc_ba98, 0x7654_3210, msb, lsb)).toBe(expected);
  });
});

test("alignment is exact above 32 bits", () => {
  expect(alignDown(0xf_ffff_ffff_ffff, 40)).toBe(0xf_ff00_0000_0000);
  expect([pow2(0), pow2(52)]).toEqual([1, 4_503_599_627_370_496]);
  expect([hex(0xabc), hex(0xffff_ffff_ffff_ffffn)]).toEqual(["0xabc", "0xffffffffffffffff"]);
});

test("a broken assertion names the rule", () => {
  expect(() => assert(true, "fine")).not.toThrow();
  expect(() => assert(false, "PROD passed CONS")).toThrow(new AssertionFailure("PROD passed CONS"));
  const phase = (value: "full" | "new", forgotten: never): string =>
    value === "full" ? value : assertNever(forgotten, "phase");
  // @ts-expect-error a caller outside the type system, such as JSON, may bring what the union does not have
  expect(() => phase("new", "moon")).toThrow("unhandled phase: moon");
});
