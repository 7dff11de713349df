// The explanation agrees with every golden row: the oracle is itself judged by data that neither it nor the engine made.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Explanation, Outcome } from "../../src/backends/smmuv3/smmu.ts";
import { findIndexes, type GoldenCase, loadCase } from "../golden/case.ts";
import { CaseMachine, memoryOf, transactionOf, writeText } from "../golden/machine.ts";
import { compare } from "../golden/replay.ts";
import { recordOf } from "./record.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../golden");

describe("every golden row is explained as it was recorded", () => {
  for (const { name, translations } of findIndexes(ROOT).flatMap((index) => index.cases)) {
    test(`${name}: ${translations} rows`, () => {
      const golden = loadCase(join(ROOT, "cases", name));
      const found = disagreements(golden);
      expect(found.slice(0, 3)).toEqual([]);
      expect(golden.translations.length).toBe(translations);
    });
  }
});

/** Nothing is written, so all rows may share the memory and the machine. */
function disagreements(golden: GoldenCase): string[] {
  const machine = new CaseMachine(golden, memoryOf(golden));
  return golden.translations.flatMap((row, index) => {
    const explanation = machine.smmu.explain(transactionOf(golden, row));
    const { outcome, events } = asSeen(explanation);
    const changes = explanation.writes.map(({ address, value }) => writeText(Number(address), value)).sort();
    const differences = compare(row, outcome, events, changes);
    if (differences.length === 0) return [];
    const why = explanation.steps.map((step) => `${step.structure}: ${step.why}`).join("\n  ");
    const wanted = JSON.stringify(row.result);
    return [
      `row ${index} (${row.how ?? row.from}) ${row.iova} ${row.access}: ${differences} wanted ${wanted}\n  ${why}`,
    ];
  });
}

/** The explanation in the form of the engine's outcome. Golden rows do not stall. */
function asSeen({ outcome }: Explanation): { outcome: Outcome; events: string[] } {
  switch (outcome.kind) {
    case "ok": {
      const { pa, pageBytes, bypass, attributes } = outcome;
      return { outcome: { kind: "ok", pa: Number(pa), pageBytes: Number(pageBytes), bypass, attributes }, events: [] };
    }
    case "abort":
    case "raz-wi": {
      const { kind, fault, recorded } = outcome;
      const events = recorded && fault !== undefined ? [recordOf(fault)] : [];
      return { outcome: { kind, fault, recorded }, events };
    }
    case "stalled":
    case "not-covered":
      throw new Error(`golden rows are covered and do not stall: ${JSON.stringify(outcome.kind)}`);
  }
}
