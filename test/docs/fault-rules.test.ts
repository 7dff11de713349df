// The list of rules in docs/faults.md is the table that the model has.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RULES } from "../../src/backends/smmuv3/explain/rules.ts";
import { EVENT_NUMBER } from "../../src/spec/events.ts";

const ROOT = join(import.meta.dirname, "../..");
const TEXT = readFileSync(join(ROOT, "docs/faults.md"), "utf8");
const SECTION = TEXT.split("\n## ").find((section) => section.startsWith("Rules of a diagnosis\n")) ?? "";

test("the page has each rule with its event, section and meaning, in the same order, and no other", () => {
  const rows = SECTION.split("\n").filter((line) => line.startsWith("| `"));
  const wanted = Object.entries(RULES).map(
    ([name, { events, meaning, section }]) => `| \`${name}\` | ${events} | ${section} | ${meaning} |`,
  );
  expect(rows).toEqual(wanted);
  expect(rows.length).toBeGreaterThan(60);
});

test("each rule is of an event of the architecture, and gives a section", () => {
  for (const [name, { events, section }] of Object.entries(RULES)) {
    expect(Object.keys(EVENT_NUMBER), name).toContain(events);
    expect(section, name).toMatch(/^§\d+(?:\.\d+)+$/);
  }
});

test("each rule is broken by a seed of the diagnosis tests", () => {
  const seeds = globSync("test/backends/walks/*diagnosis*.test.ts", { cwd: ROOT });
  const text = seeds.map((path) => readFileSync(join(ROOT, path), "utf8")).join("\n");
  expect(Object.keys(RULES).filter((name) => !text.includes(`"${name}"`))).toEqual([]);
});
