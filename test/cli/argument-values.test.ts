import { expect, test } from "vitest";
import { boundedBy, deviceName, idOf, parseAddress, parseDuration, parseSize } from "../../src/cli/argument-values.ts";

test.each([
  ["4096", 4096n],
  ["4K", 4096n],
  ["2M", 2_097_152n],
  ["2MiB", 2_097_152n],
  ["1GiB", 1_073_741_824n],
  ["1T", 1_099_511_627_776n],
  ["0x20_0000", 2_097_152n],
  ["0", 0n],
])("the size %s is %d bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(["", "M", "2MB", "2m", "-1", "1.5G", "2 M", "0x2M"])("%j is no size", (text) => {
  expect(() => parseSize(text)).toThrow(/Write it as 2M/);
});

test("a size beyond 64 bits is refused", () => {
  expect(() => parseSize("16777216T")).toThrow(/fit 64 bits/);
  expect(parseSize("16777215T")).toBe(16_777_215n * 2n ** 40n);
});

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["1.5s", 1500],
  ["10m", 600_000],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
])("the duration %s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "10", "s", "-1s", "0s", "1 s", "1w", "1e3s", "0.0001s", "Infinitys"])("%j is no duration", (text) => {
  expect(() => parseDuration(text)).toThrow(/Write it as 500ms/);
});

test("a duration longer than a timer can wait is refused", () => {
  expect(parseDuration("24d")).toBe(2_073_600_000);
  expect(() => parseDuration("25d")).toThrow(/at most 24d/);
});

test("a number has bounds on both sides", () => {
  const parse = boundedBy(10, 2);
  expect(["2", "0xa", "10"].map(parse)).toEqual([2, 10, 10]);
  for (const text of ["1", "11", "", "x", "-2", "2.5", "99999999999"])
    expect(() => parse(text), text).toThrow(/2 to 10/);
});

test("an address takes separators between digits alone", () => {
  expect(parseAddress("0x7fff_dead_b000")).toBe(0x7fff_dead_b000n);
  for (const text of ["_1", "1_", "0x_1", "1__0"]) expect(() => parseAddress(text), text).toThrow();
});

test("a device is named with or without its folder", () => {
  expect(["0000:01:00.0", "devices/nic"].map(deviceName)).toEqual(["devices/0000:01:00.0", "devices/nic"]);
  expect(idOf("devices/nic")).toBe("nic");
});
