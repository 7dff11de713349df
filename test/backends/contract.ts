// Runs the backend contract on the host. What a subject lacks is said in the name of each case that is left out, a lack is
// looked for, and a number of cases must run.

import { describe, expect, test } from "vitest";
import { contractCases } from "../contract/all-cases.ts";
import { isThere, runContractCase, sorted } from "../contract/contract-case.ts";
import { ALL_NEEDS, type Lacks, type MakeSubject } from "../contract/subject.ts";

export interface ContractRun {
  readonly make: MakeSubject;
  readonly lacks: Lacks;
  /** Fewer cases than this are a failure. */
  readonly casesMin: number;
}

export function backendContract(name: string, { casesMin, lacks, make }: ContractRun): void {
  const { leftOut, run } = sorted(contractCases, lacks);
  describe(`the backend contract, ${name}`, () => {
    for (const each of run) test(each.name, () => runContractCase(make, each));
    for (const each of leftOut) test.skip(`${each.name}: left out, it lacks ${each.capability}`);

    test.each(ALL_NEEDS.filter((need) => lacks[need] !== undefined))("it lacks %s, really", async (need) => {
      expect(await isThere(make, lacks, need)).toBe(false);
    });

    test(`at least ${casesMin} of its cases run`, () => {
      expect(run.length).toBeGreaterThanOrEqual(casesMin);
      expect(run.length + leftOut.length).toBe(contractCases.length);
    });
  });
}
