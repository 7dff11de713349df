// Runs cases one after the other and reports each. A case that neither ends nor fails is a failure after its time.

import type { GuestMachine, KernelCase, UnreachableCase } from "./kernel-case.ts";
import type { CaseReport } from "./report.ts";

/** An emulated machine on a busy host: starting the daemon takes 10 s of processor time. */
const CASE_MS = 120_000;

export interface Run {
  readonly cases: readonly KernelCase[];
  readonly unreachable: readonly UnreachableCase[];
  /** Parts of names; all cases when empty. */
  readonly wanted: readonly string[];
  readonly caseMs?: number;
  readonly report: (report: CaseReport) => void;
}

/** @returns the number of reports */
export async function runCases(machine: GuestMachine, run: Run): Promise<number> {
  const isWanted = ({ name }: { readonly name: string }): boolean =>
    run.wanted.length === 0 || run.wanted.some((part) => name.includes(part));
  const cases = run.cases.filter(isWanted);
  const unreachable = run.unreachable.filter(isWanted);
  for (const each of cases) {
    const missing = each.lacks?.(machine);
    if (missing !== undefined) run.report({ outcome: "left-out", name: each.name, missing });
    else run.report(await outcomeOf(each, machine, run.caseMs ?? each.limitMs ?? CASE_MS));
  }
  for (const each of unreachable) run.report(await lookFor(each, machine, run.caseMs ?? CASE_MS));
  return cases.length + unreachable.length;
}

async function lookFor(
  { name, capability, isThere }: UnreachableCase,
  machine: GuestMachine,
  caseMs: number,
): Promise<CaseReport> {
  let found = false;
  const look = async (): Promise<void> => {
    found = await isThere(machine);
  };
  const looked = await outcomeOf({ name, run: look }, machine, caseMs);
  if (looked.outcome === "failed") return looked;
  if (!found) return { outcome: "left-out", name, missing: capability };
  return { outcome: "failed", name, ms: 0, why: `${capability} is there: this needs a case now` };
}

async function outcomeOf({ name, run }: KernelCase, machine: GuestMachine, caseMs: number): Promise<CaseReport> {
  const began = performance.now();
  const elapsed = (): number => Math.round(performance.now() - began);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${caseMs} ms`)), caseMs);
  });
  try {
    const told: string[] = [];
    await Promise.race([Promise.resolve(machine).then((it) => run(it, (line) => told.push(line))), late]);
    return { outcome: "passed", name, ms: elapsed(), ...(told.length > 0 && { told }) };
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { outcome: "failed", name, ms: elapsed(), why };
  } finally {
    clearTimeout(timer);
  }
}
