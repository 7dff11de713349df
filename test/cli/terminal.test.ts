import { describe, expect, test } from "vitest";
import { grouped, paintOf, printable, sizeOf, terminalOf, wrapped } from "../../src/cli/terminal.ts";

describe("where a command writes", () => {
  const tty = { isTTY: true, columns: 100 };

  test("a terminal has its columns and colours, a pipe neither", () => {
    expect(terminalOf(tty, {})).toEqual({ columns: 100, hasColour: true });
    expect(terminalOf({}, {})).toEqual({ columns: undefined, hasColour: false });
    expect(terminalOf({ isTTY: false }, { TERM: "xterm" })).toEqual({ columns: undefined, hasColour: false });
  });

  test.each([
    ["NO_COLOR with anything in it", { NO_COLOR: "0" }, false],
    ["NO_COLOR empty", { NO_COLOR: "" }, true],
    ["a dumb terminal", { TERM: "dumb" }, false],
  ])("%s decides about colours", (_what, environment, hasColour) => {
    expect(terminalOf(tty, environment).hasColour).toBe(hasColour);
  });

  test.each([
    ["72", 72],
    ["5", 40],
    ["wide", 100],
    ["99999", 100],
    ["", 100],
  ])("COLUMNS=%j makes it %d wide", (COLUMNS, columns) => {
    expect(terminalOf(tty, { COLUMNS }).columns).toBe(columns);
  });
});

test("paint is escape sequences where there are colours, and nothing where there are none", () => {
  expect(paintOf({ columns: 80, hasColour: true })("no", "red")).toBe("\u001b[31mno\u001b[0m");
  expect(paintOf({ columns: 80, hasColour: true })("", "red")).toBe("");
  expect(paintOf({ columns: 80, hasColour: false })("no", "red")).toBe("no");
});

test.each([
  ["plain, § and IPA 0x1", "plain, § and IPA 0x1"],
  ["\u001b]0;title\u0007", "\\u{1b}]0;title\\u{7}"],
  ["a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c"],
  ["\u009b31m", "\\u{9b}31m"],
  ["\u202eevil\u2028\u2029", "\\u{202e}evil\\u{2028}\\u{2029}"],
  ["\u{e0001}", "\\u{e0001}"],
  ["\ud800", "\\u{d800}"],
])("%j is printed as %j", (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test("characters that are to stay, stay", () => {
  expect(printable("a\nb\u001b", "\n")).toBe("a\nb\\u{1b}");
});

test("text is broken at blanks, and a word that is too long stays whole", () => {
  expect(wrapped("one two three", 7)).toEqual(["one two", "three"]);
  expect(wrapped("one twothreefour five", 7)).toEqual(["one", "twothreefour", "five"]);
  expect(wrapped("one two", Number.POSITIVE_INFINITY)).toEqual(["one two"]);
  expect(wrapped("", 7)).toEqual([""]);
});

test.each([
  [0n, 1, "0x0"],
  [0xfffn, 1, "0xfff"],
  [0x1_0000n, 1, "0x1_0000"],
  [0xffff_ffff_ffff_ffffn, 16, "0xffff_ffff_ffff_ffff"],
  [0x713n, 16, "0x0000_0000_0000_0713"],
])("%d with %d digits is %s", (value, digits, text) => {
  expect(grouped(value, digits)).toBe(text);
});

test.each([
  [4096n, "4 KiB"],
  [2n ** 14n, "16 KiB"],
  [2n ** 21n, "2 MiB"],
  [2n ** 30n, "1 GiB"],
  [2n ** 42n, "4 TiB"],
  [2n ** 51n, "2048 TiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(sizeOf(bytes)).toBe(text);
});
