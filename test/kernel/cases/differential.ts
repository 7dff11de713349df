// Random guests' STEs, CDs and tables, given to the model and to the kernel's SMMU: the same becomes of every access.

import assert from "node:assert/strict";
import { type Difference, differencesOf, explanationOf, wordOf } from "../differential/comparison.ts";
import { DEVIATIONS } from "../differential/deviations.ts";
import { trialOf } from "../differential/generate.ts";
import { printedOutcome } from "../differential/outcome.ts";
import { printed } from "../differential/trial.ts";
import { type Tried, tryOut } from "../guest/trials.ts";
import type { KernelCase } from "../kernel-case.ts";

/** Ends that every run must come to, on the kernel's SMMU. */
const ENDS = ["moved", "silent", "refused", "F_TRANSLATION", "F_PERMISSION", "F_ACCESS", "F_ADDR_SIZE", "C_BAD_CD"];
/** Kinds of unexplained differences of which one is printed whole. */
const PRINTED_MAX = 5;

export const differentialCases: readonly KernelCase[] = [
  {
    name: "daemon, native: random STEs, CDs and tables have the same end on the kernel's SMMU as on the model",
    limitMs: 450_000,
    run: async (machine, tell) => {
      const { count, seed } = machine.trials;
      const tried = await tryOut(
        machine,
        Array.from({ length: count }, (_, index) => trialOf(seed, index)),
      );
      const ends = new Tally();
      const known = new Tally();
      const unknown = new Map<string, string[]>();
      for (const each of tried) {
        ends.add(wordOf(each.kernel));
        for (const difference of differencesOf(each.model.outcome, each.kernel)) {
          const deviation = explanationOf(each, difference, DEVIATIONS);
          if (deviation !== undefined) known.add(`known deviation: ${deviation.name}`);
          else note(unknown, kindOf(each, difference), printedTry(each));
        }
      }
      const lines = [
        `seed ${seed}: ${count} sets, ${tried.length} accesses`,
        ...ends.lines(),
        ...known.lines(),
        ...[...unknown].map(([kind, tries]) => `${tries.length} NOT EXPLAINED: ${kind}`),
      ];
      const whole = [...unknown].slice(0, PRINTED_MAX).map(([kind, tries]) => `${kind}\n${tries[0]}`);
      assert.equal(unknown.size, 0, [...whole, lines.join("\n")].join("\n\n"));
      for (const end of ENDS) assert.ok(ends.has(end), `no access ended with ${end}:\n${lines.join("\n")}`);
      lines.forEach(tell);
    },
  },
];

/** How often something was seen. */
class Tally {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  has(what: string): boolean {
    return this.#counts.has(what);
  }

  lines(): string[] {
    return [...this.#counts].sort().map(([what, count]) => `${count} ${what}`);
  }
}

function note(groups: Map<string, string[]>, kind: string, one: string): void {
  groups.set(kind, [...(groups.get(kind) ?? []), one]);
}

function kindOf({ model }: Tried, { field, kernel, model: ours }: Difference): string {
  const { rule = "", what } = model.why;
  return `${field} is ${ours} on the model (${what} ${rule}), and ${kernel} on the kernel's`;
}

function printedTry({ access, kernel, model, trial }: Tried): string {
  return [
    `${access.kind} of 0x${access.iova.toString(16)} (${access.way}), level ${model.why.level}`,
    `model: ${printedOutcome(model.outcome)}`,
    `kernel: ${printedOutcome(kernel)}`,
    printed(trial),
  ].join("\n");
}
