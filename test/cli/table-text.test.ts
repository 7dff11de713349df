import { expect, test } from "vitest";
import { tableText } from "../../src/cli/table-text.ts";

const WIDE = { columns: undefined, hasColour: false };

test("columns are as wide as what is in them, and lines have no blanks at their end", () => {
  expect(
    tableText(
      ["A", "LONG"],
      [
        ["x", "y"],
        ["longer", ""],
      ],
      WIDE,
    ),
  ).toEqual(["A       LONG", "x       y", "longer"]);
});

test("on a terminal the widest column gives way until the line fits", () => {
  const lines = tableText(["NAME", "B"], [["n".repeat(60), "b"]], { columns: 40, hasColour: false });
  expect(lines[1]).toBe(`${"n".repeat(36)}…  b`);
  expect(lines[1]).toHaveLength(40);
});

test("no column becomes narrower than eight, however narrow the terminal", () => {
  const lines = tableText(["ABCDEFGH", "ABCDEFGH"], [["x".repeat(20), "y".repeat(20)]], {
    columns: 4,
    hasColour: false,
  });
  expect(lines[1]).toBe("xxxxxxx…  yyyyyyy…");
});

test("what is in a cell cannot command the terminal", () => {
  expect(tableText(["A"], [["\u001b[2Jx\nnext"]], WIDE)[1]).toBe("\\u{1b}[2Jx\\u{a}next");
});

test("the heads are bold where there are colours", () => {
  expect(tableText(["A"], [], { columns: 80, hasColour: true })).toEqual(["\u001b[1mA\u001b[0m"]);
});
