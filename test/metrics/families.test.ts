import { expect, test } from "vitest";
import { Families } from "../../src/metrics/families.ts";

const ROW = { name: "a_total", type: "counter", help: 'Says "a\\b"\nand more.', labels: ["device", "kind"] } as const;

test("a family is its help, its type and a line for each series, labels in the order of the catalogue", () => {
  const families = new Families();
  const family = families.of(ROW);
  family.inc({ kind: "x", device: "d1" }, 3);
  family.inc({ device: "d2", kind: "x" }, 1e21);
  // HELP escapes backslash and line feed, and no quotation mark: text format 0.0.4.
  expect(families.text()).toBe(`
# HELP a_total Says "a\\\\b"\\nand more.
# TYPE a_total counter
a_total{device="d1",kind="x"} 3
a_total{device="d2",kind="x"} 1e+21
`);
});

test("a label's value may hold anything, and stays in its quotation marks on its line", () => {
  const families = new Families();
  families.of(ROW).inc({ device: 'a"b\\c\nd', kind: "" }, 1);
  expect(families.text()).toContain('a_total{device="a\\"b\\\\c\\nd",kind=""} 1\n');
});

test("what is added under the same labels is one series, and after a reset there is none", () => {
  const families = new Families();
  const family = families.of(ROW);
  family.inc({ device: "_overflow", kind: "x" }, 1);
  family.inc({ device: "_overflow", kind: "x" }, 2);
  expect(families.text()).toContain('a_total{device="_overflow",kind="x"} 3\n');
  family.reset();
  expect(families.text()).toMatch(/# TYPE a_total counter\n$/);
});
