// docs/security.md names a test for each threat: each is there, as the name of a test or a row of a table of tests.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSources } from "./tidy/source.ts";

const ROOT = join(import.meta.dirname, "..");
const DOCUMENT = readFileSync(join(ROOT, "docs/security.md"), "utf8");
const TESTS = readSources(ROOT, "test/**/*.test.ts")
  .filter(({ path }) => path !== "test/security.test.ts")
  .map(({ text }) => text);

/** In the prose: code is no name, and a name may be broken over two lines. */
function namedTests(document: string): string[] {
  const prose = document.replace(/```[\s\S]*?```/g, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name.replace(/\s+/g, " "));
}

/** The first argument of test(), describe() or what test.each() gives, or the first of a row. */
function isTest(name: string): boolean {
  const quoted = JSON.stringify(name).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const place = new RegExp(`(?:(?:test|describe)(?:\\.runIf\\(\\w+\\))?\\(|\\]\\)\\(|\\)\\(|\\[)\\s*${quoted}`);
  return TESTS.some((text) => place.test(text));
}

/** The rows of the threat tables: their cells. */
function threats(document: string): string[][] {
  const tables = document.split(/\n(?=\| threat \|)/).slice(1);
  return tables.flatMap((text) =>
    (text.split("\n\n")[0] ?? "")
      .split("\n")
      .slice(2)
      .map((row) =>
        row
          .split("|")
          .map((cell) => cell.trim())
          .slice(1, -1),
      ),
  );
}

describe("the threat model", () => {
  test("names tests that exist", () => {
    expect(namedTests(DOCUMENT).length).toBeGreaterThan(20);
    expect(namedTests(DOCUMENT).filter((name) => !isTest(name))).toEqual([]);
  });

  test("has what stops it and a test for every threat", () => {
    expect(threats(DOCUMENT).length).toBeGreaterThan(15);
    const gaps = threats(DOCUMENT).filter(
      ([threat, mitigation, proof]) => !threat || !mitigation || namedTests(proof ?? "").length === 0,
    );
    expect(gaps).toEqual([]);
  });

  test("would be caught naming a test that is not there", () => {
    expect(namedTests('| a | b | "no such\ntest" and `"code"` |')).toEqual(["no such test"]);
    expect(isTest("no such test")).toBe(false);
  });
});
