// The tables of mutants cannot rot: every fragment is there, exactly once, and what replaces it is still a program.

import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CATALOG } from "./catalog.ts";
import { TreeCopy } from "./copy.ts";
import { type Mutant, mutated } from "./mutant.ts";
import { chosen, isFailure, verdictOn } from "./verdict.ts";

const ROOT = join(import.meta.dirname, "../..");
const SAMPLE: Mutant = {
  section: "1",
  rule: "1 one",
  file: "src/backends/smmuv3/x.ts",
  find: "a",
  replace: "b",
  tests: ["test/x.test.ts"],
  explained: undefined,
  isOpen: false,
};

describe("the tables", () => {
  test("cover each section of rules, each rule once", () => {
    expect([...new Set(CATALOG.map(({ section }) => section))]).toEqual([
      "3.2",
      "4.2",
      "4.3",
      "4.4",
      "4.5",
      "5",
      "5.1",
      "6.3",
      "7",
      "8",
      "fast",
    ]);
    const names = CATALOG.map(({ section, rule }) => `${section} ${rule}`);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    expect(CATALOG.length).toBeGreaterThan(250);
  });

  test.each(CATALOG.map((mutant) => [`${mutant.section} ${mutant.rule}`, mutant] as const))("%s", (_, mutant) => {
    const text = mutated(readFileSync(join(ROOT, mutant.file), "utf8"), mutant);
    expect(() => stripTypeScriptTypes(text)).not.toThrow();
    for (const file of mutant.tests) expect(readFileSync(join(ROOT, file), "utf8")).toMatch(/^\s*test(?:\.each)?\(/m);
  });
});

describe("a fragment", () => {
  test("is replaced where it is unique", () => {
    expect(mutated("x a y", SAMPLE)).toBe("x b y");
  });

  test.each([
    ["missing", "x y", SAMPLE, "has no fragment"],
    ["there twice", "a a", SAMPLE, "has 2 fragments"],
    ["replaced by itself", "a", { ...SAMPLE, replace: "a" }, "changes nothing"],
  ])("that is %s is an error that names the rule and the file", (_, text, mutant, why) => {
    expect(() => mutated(text, mutant)).toThrow(
      `1 1 one: src/backends/smmuv3/x.ts${why.startsWith("has") ? " " : ": "}`,
    );
    expect(() => mutated(text, mutant)).toThrow(why);
  });
});

describe("a mutant", () => {
  test("is killed by the first test that fails, and no other is asked", async () => {
    const asked: string[] = [];
    const verdict = await verdictOn(SAMPLE, async (tests) => {
      asked.push(...tests);
      return tests.includes("test/judge") ? "failed" : "passed";
    });
    expect(verdict).toEqual({ kind: "killed", by: "test/judge" });
    expect(asked).toEqual(["test/x.test.ts", "test/judge"]);
    expect(isFailure(verdict)).toBe(false);
  });

  test("that never ends is killed, too", async () => {
    expect(await verdictOn(SAMPLE, async () => "timed-out")).toEqual({
      kind: "killed",
      by: "test/x.test.ts (timed out)",
    });
  });

  test("that no test and no judge tells is a failure", async () => {
    const verdict = await verdictOn(SAMPLE, async () => "passed");
    expect(verdict).toEqual({ kind: "survived" });
    expect(isFailure(verdict)).toBe(true);
  });

  test("outside the model has its own tests only", async () => {
    let runs = 0;
    await verdictOn({ ...SAMPLE, file: "src/server/core/x.ts" }, async () => {
      runs += 1;
      return "passed";
    });
    expect(runs).toBe(1);
  });

  test("that is explained may survive, and may not be killed", async () => {
    const explained = { ...SAMPLE, explained: "it is the same" };
    expect(await verdictOn(explained, async () => "passed")).toEqual({ kind: "explained", why: "it is the same" });
    const disproved = await verdictOn(explained, async () => "failed");
    expect(disproved).toEqual({ kind: "disproved", by: "test/x.test.ts" });
    expect(isFailure(disproved)).toBe(true);
  });
});

test("one that is open may survive, and may be killed", async () => {
  const open = { ...SAMPLE, isOpen: true };
  const survived = await verdictOn(open, async () => "passed");
  expect([survived.kind, isFailure(survived)]).toEqual(["open", false]);
  expect((await verdictOn(open, async () => "failed")).kind).toBe("killed");
});

test("a section, or the beginning of a rule, chooses mutants", () => {
  expect(chosen(CATALOG, undefined)).toBe(CATALOG);
  expect(chosen(CATALOG, "5").every(({ section }) => section === "5")).toBe(true);
  expect(chosen(CATALOG, "3.2 1").map(({ rule }) => rule)).toEqual(["1 V=0 is illegal"]);
  expect(chosen(CATALOG, "moon")).toEqual([]);
});

test("a rule that is gone is seen in a copy of the tree, and the tree itself is left alone", async () => {
  const [mutant] = chosen(CATALOG, "7 nest-parent, ownerLost");
  const before = readFileSync(join(ROOT, mutant!.file), "utf8");
  const copy = new TreeCopy(ROOT);
  try {
    expect(await copy.run(mutant!.tests)).toBe("passed");
    expect(await copy.judge(mutant!)).toEqual({ kind: "killed", by: "test/server/core/stage-state.test.ts" });
    expect(readFileSync(join(ROOT, mutant!.file), "utf8")).toBe(before);
  } finally {
    copy.remove();
  }
});
