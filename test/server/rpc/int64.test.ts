import Long from "long";
import { describe, expect, test } from "vitest";
import { codec, iommubroker } from "../../../src/server/rpc/codec.ts";
import { bigintOf, longOf, longOfNumber, optionalBigint } from "../../../src/server/rpc/int64.ts";

const EXTREMES = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n];

describe.each(EXTREMES.map((value) => [`0x${value.toString(16)}`, value] as const))("%s", (_name, value) => {
  test("is the Long that prints the same digits", () => {
    expect(longOf(value).toString()).toBe(value.toString());
    expect(bigintOf(Long.fromString(value.toString(), true))).toBe(value);
  });

  test("crosses the wire unrounded as fixed64 and as uint64", () => {
    const raw = codec(iommubroker.v1.RawSte);
    const range = codec(iommubroker.v1.IpaRange);
    expect(bigintOf(raw.decode(raw.encode({ doubleword1: longOf(value) })).doubleword1)).toBe(value);
    expect(bigintOf(range.decode(range.encode({ ipa: longOf(value) })).ipa)).toBe(value);
  });

  test("stands on the wire in the bytes that the encoding prescribes", () => {
    const fixed = Buffer.alloc(8);
    fixed.writeBigUInt64LE(value);
    const encoded = codec(iommubroker.v1.RawSte).encode({ doubleword0: longOf(value) });
    expect(encoded).toEqual(Buffer.concat([Buffer.of(0x09), fixed]));
  });
});

test("a map entry without a value is 0", () => {
  // resume_after { key: "a" }: field 2, length 3, key field 1 of length 1
  const request = codec(iommubroker.v1.WatchFaultsRequest).decode(Buffer.of(0x12, 0x03, 0x0a, 0x01, 0x61));
  expect(bigintOf(request.resumeAfter.a ?? -1)).toBe(0n);
});

test("an absent optional field is undefined and a present 0 is 0", () => {
  const request = codec(iommubroker.v1.DetachDeviceRequest);
  expect(optionalBigint(request.decode(new Uint8Array()).expectedGeneration)).toBeUndefined();
  expect(optionalBigint(request.decode(Buffer.of(0x10, 0x00)).expectedGeneration)).toBe(0n);
});

test.each([-1n, 2n ** 64n])("%s does not fit and is a bug of the caller", (value) => {
  expect(() => longOf(value)).toThrow("does not fit");
});

test.each([2 ** 53, 0.5, Number.NaN])("the inexact number %s is a bug of the caller", (value) => {
  expect(() => longOfNumber(value)).toThrow("not an exact integer");
});
