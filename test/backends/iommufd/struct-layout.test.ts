import { expect, test } from "vitest";
import { byteRange, sizedStruct, struct, u8, u16, u32, u64 } from "../../../src/backends/iommufd/struct-layout.ts";

const SAMPLE = sizedStruct(32, { kind: u16(4), level: u8(6), count: u32(8), address: u64(16), tail: byteRange(24, 8) });

test("fields lie little-endian where the table says, with the length in front and zeros between", () => {
  const tail = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const made = SAMPLE.create({ kind: 0x1234, level: 0x56, count: 0x789a_bcde, address: 0x1122_3344_5566_7788n, tail });
  expect(Buffer.from(made).toString("hex")).toBe(
    "20000000" + "3412" + "56" + "00" + "debc9a78" + "00000000" + "8877665544332211" + "0102030405060708",
  );
});

test("is read from anywhere in a buffer, and arrays are copies", () => {
  const bytes = new Uint8Array(40).fill(0xff);
  expect(SAMPLE.read(bytes, 8)).toMatchObject({
    kind: 0xffff,
    level: 0xff,
    count: 2 ** 32 - 1,
    address: 2n ** 64n - 1n,
  });
  const { tail } = SAMPLE.read(bytes, 8);
  bytes.fill(0);
  expect(tail).toEqual(new Uint8Array(8).fill(0xff));
});

test("a descriptor of -1 is written as the kernel's int", () => {
  expect(struct(4, { fd: u32(0) }).create({ fd: -1 })).toEqual(new Uint8Array(4).fill(0xff));
});

test.each([
  ["a number too large", () => SAMPLE.create({ kind: 65_536 })],
  ["a number too small", () => SAMPLE.create({ kind: -32_769 })],
  ["a fraction", () => SAMPLE.create({ count: 0.5 })],
  ["65 bits", () => SAMPLE.create({ address: 2n ** 64n })],
  ["less than 0", () => SAMPLE.create({ address: -1n })],
  ["an array of another length", () => SAMPLE.create({ tail: new Uint8Array(7) })],
  ["too few bytes to read", () => SAMPLE.read(new Uint8Array(31))],
  ["a field beyond the end", () => struct(8, { a: u64(8) })],
  ["a field that is not aligned", () => struct(16, { a: u64(4) })],
  ["a field over the length", () => sizedStruct(8, { a: u32(0) })],
])("%s is a bug, and says so", (_, act) => {
  expect(act).toThrow(expect.objectContaining({ name: "AssertionFailure" }));
});
