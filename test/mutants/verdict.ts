// What becomes of one mutant: its own tests first, then the slower judges, until one of them fails.
// A survivor without a reason is a failure, and so is a reason that a test disproves.

import type { Mutant } from "./mutant.ts";

export type Execution = "passed" | "failed" | "timed-out";
/** Runs test files on the mutated tree. */
export type Execute = (tests: readonly string[]) => Promise<Execution>;

export type Verdict =
  | { readonly kind: "killed"; readonly by: string }
  | { readonly kind: "explained"; readonly why: string }
  | { readonly kind: "survived" }
  /** It survived, and is known to: no test reaches it yet. */
  | { readonly kind: "open" }
  /** It was said that no test can tell it, and one did. */
  | { readonly kind: "disproved"; readonly by: string };

const MODEL = /^src\/(?:backends\/smmuv3|spec)\//;
/** For mutants of the model that their own tests let through, from the cheapest on. */
const JUDGES: readonly (readonly string[])[] = [
  ["test/judge"],
  ["test/golden/golden.test.ts"],
  ["test/oracle/random.test.ts"],
];

/** @param isQuick  its own tests only */
export async function verdictOn(mutant: Mutant, execute: Execute, isQuick = false): Promise<Verdict> {
  const judges = !isQuick && MODEL.test(mutant.file) && mutant.explained === undefined ? JUDGES : [];
  for (const tests of [mutant.tests, ...judges]) {
    const execution = await execute(tests);
    if (execution === "passed") continue;
    const by = execution === "timed-out" ? `${tests.join(" ")} (timed out)` : tests.join(" ");
    return { kind: mutant.explained === undefined ? "killed" : "disproved", by };
  }
  if (mutant.explained !== undefined) return { kind: "explained", why: mutant.explained };
  return { kind: mutant.isOpen ? "open" : "survived" };
}

export function isFailure(verdict: Verdict): boolean {
  return verdict.kind === "survived" || verdict.kind === "disproved";
}

/** Mutants whose section is `only`, or whose "section rule" begins with it. */
export function chosen(mutants: readonly Mutant[], only: string | undefined): readonly Mutant[] {
  if (only === undefined) return mutants;
  if (!only.includes(" ")) return mutants.filter(({ section }) => section === only);
  return mutants.filter(({ section, rule }) => `${section} ${rule}`.startsWith(only));
}
