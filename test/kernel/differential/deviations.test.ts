// The list of known deviations: users can read it, and it explains what it says and nothing else.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { differencesOf, explanationOf, wordOf } from "./comparison.ts";
import { DEVIATIONS, deviationRows } from "./deviations.ts";
import { trialOfOne } from "./generate.ts";
import type { ModelOutcome, Outcome } from "./outcome.ts";

const TRIAL = trialOfOne({ kind: "read" });
/** F_TRANSLATION of a read at 0x1000, class IN, of StreamID 0x123 (IHI 0070G.b §7.3.13). */
const RECORD = [0x0000_0123_0000_0010n, 0x208_0000_0000n, 0x1000n, 0n];
const told = (record: readonly bigint[]): Outcome => ({ kind: "told", record });

function model(outcome: Outcome, rule: string): ModelOutcome {
  return { outcome, why: { what: wordOf(outcome), rule, level: 3 } };
}

test("docs/native.md has each deviation, as the list has it", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/native.md"), "utf8");
  const rows = text.split("\n");
  for (const row of deviationRows()) expect(rows).toContain(row);
  expect(new Set(DEVIATIONS.map(({ name }) => name)).size).toBe(DEVIATIONS.length);
});

test("equal ends and equal records do not differ; each field and each bit without a field does", () => {
  expect(differencesOf(told(RECORD), told([...RECORD]))).toEqual([]);
  expect(differencesOf({ kind: "silent" }, { kind: "silent" })).toEqual([]);
  const [first = 0n, second = 0n, third = 0n, fourth = 0n] = RECORD;
  const fields = (record: readonly bigint[]) => differencesOf(told(RECORD), told(record)).map(({ field }) => field);
  expect(fields([first + 2n ** 32n, second, third, fourth])).toEqual(["StreamID"]);
  expect(fields([first, second - 2n ** 35n, third, fourth])).toEqual(["RnW"]);
  expect(fields([first, second, third + 8n, fourth])).toEqual(["InputAddr"]);
  expect(fields([first, second - 2n ** 40n, third, 0x4000_0000n])).toEqual(["CLASS", "IPA"]);
  expect(fields([first, second + 2n ** 48n, third, fourth])).toEqual(["bits"]);
  expect(differencesOf({ kind: "moved", offset: 0x1000 }, { kind: "moved", offset: 0x2000 })).toEqual([
    { field: "address", model: "0x1000", kernel: "0x2000" },
  ]);
  expect(differencesOf(told(RECORD), { kind: "silent" })).toEqual([
    { field: "outcome", model: "F_TRANSLATION", kernel: "silent" },
  ]);
});

test("a deviation explains its own field, values and rule, and no other", () => {
  const permission = told([RECORD[0]! + 3n, ...RECORD.slice(1)]);
  const of = (rule: string, difference: { field: string; model: string; kernel: string }): string | undefined =>
    explanationOf({ model: model(permission, rule), trial: TRIAL }, difference, DEVIATIONS)?.name;
  const moved = { field: "outcome", model: "F_PERMISSION", kernel: "moved" };
  expect(of("LEAF_PRIVILEGED", moved)).toBe("AP[1]=0 and APTable[0]=1 stop nobody");
  expect(of("LEAF_READ_ONLY", moved)).toBeUndefined();
  expect(of("LEAF_PRIVILEGED", { ...moved, kernel: "silent" })).toBe("AP[1]=0 and APTable[0]=1 stop nobody");
  expect(of("LEAF_PRIVILEGED", { ...moved, kernel: "F_ACCESS" })).toBeUndefined();
  expect(of("LEAF_PRIVILEGED", { ...moved, field: "address" })).toBeUndefined();
});
