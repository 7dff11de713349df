// The capability table of docs/smmuv3-model.md has a row for every field of the identification registers, and every test
// that it names is there.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { registerProblems } from "../../src/backends/id-rules.ts";
import type { IdRegisters } from "../../src/backends/inventory.ts";
import { type Field, set } from "../../src/spec/layout.ts";
import { AIDR, IDR0, IDR1, IDR2, IDR3, IDR5, IDR6, IIDR } from "../../src/spec/registers.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

interface Row {
  readonly field: string;
  readonly model: string;
  readonly what: string;
  readonly proof: string;
}

const ROWS: readonly Row[] = read("docs/smmuv3-model.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| field |"))
  .map((line) => {
    const [field = "", model = "", what = "", proof = ""] = line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim());
    return { field, model, what, proof };
  });

const TABLES: readonly (readonly [keyof IdRegisters, Readonly<Record<string, Field>>])[] = [
  ["idr0", IDR0],
  ["idr1", IDR1],
  ["idr2", IDR2],
  ["idr3", IDR3],
  ["idr5", IDR5],
  ["idr6", IDR6],
  ["iidr", IIDR],
  ["aidr", AIDR],
];

test("every field has one row, and every row is a field", () => {
  const fields = TABLES.flatMap(([, table]) => Object.keys(table));
  expect(ROWS.map(({ field }) => field).sort()).toEqual([...fields, "IDR4"].sort());
});

test("every row says modelled, partly or no, and what", () => {
  for (const { field, model, what } of ROWS) {
    expect(["modelled", "partly", "no"], field).toContain(model);
    expect(what, field).not.toBe("");
  }
});

describe("what is modelled has a test", () => {
  const claims = ROWS.filter(({ model }) => model !== "no").map(({ field, proof }) => [field, proof] as const);
  test.each(claims)("%s", (field, proof) => {
    const [, file = "", name = ""] = /^`(test\/[\w/.-]+\.test\.ts)`: (.+)$/.exec(proof) ?? [];
    expect(existsSync(join(ROOT, file)) && file !== "", `${field}: ${proof}`).toBe(true);
    expect(read(file)).toContain(name);
  });
});

describe("what is not modelled is refused", () => {
  const missing = ROWS.filter(({ model }) => model === "no").map(({ field }) => field);
  test.each(missing)("%s", (name) => {
    for (const [register, table] of TABLES) {
      const field = table[name];
      if (field === undefined) continue;
      const words = new Uint32Array(1);
      set(words, 0, field, 1);
      const told = registerProblems({ [register]: words[0] }).map(({ message }) => message);
      expect(
        told.some((message) => message.includes(`.${name} 1: `)),
        told.join("\n"),
      ).toBe(true);
    }
  });
});
