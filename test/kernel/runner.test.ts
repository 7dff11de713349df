// How cases are run, on the host, without a kernel.

import { expect, test } from "vitest";
import type { KernelCase, UnreachableCase } from "./kernel-case.ts";
import type { CaseReport } from "./report.ts";
import { type Run, runCases } from "./runner.ts";

const MACHINE = { devices: [], idr: [0x0d44_101b], trials: { seed: 1n, count: 1 } };

async function reportsOf(run: Partial<Run>): Promise<CaseReport[]> {
  const reports: CaseReport[] = [];
  const report = (each: CaseReport): void => {
    reports.push(each);
  };
  const count = await runCases(MACHINE, { cases: [], unreachable: [], wanted: [], ...run, report });
  expect(count).toBe(reports.length);
  return reports;
}

test("a case that throws, at once or later, fails with its reason, and the next one runs", async () => {
  const cases: KernelCase[] = [
    {
      name: "throws",
      run: () => {
        throw new Error("at once");
      },
    },
    { name: "rejects", run: () => Promise.reject(new Error("later")) },
    { name: "passes", run: (machine) => expect(machine).toBe(MACHINE) },
  ];
  expect(await reportsOf({ cases })).toMatchObject([
    { outcome: "failed", name: "throws", why: expect.stringContaining("at once") },
    { outcome: "failed", name: "rejects", why: expect.stringContaining("later") },
    { outcome: "passed", name: "passes" },
  ]);
});

test("a case that does not end fails after its time", async () => {
  const cases: KernelCase[] = [{ name: "hangs", run: () => new Promise(() => undefined) }];
  expect(await reportsOf({ cases, caseMs: 10 })).toMatchObject([
    { outcome: "failed", why: expect.stringContaining("not done after 10 ms") },
  ]);
});

test("what a case tells is in its report when it has passed, and there alone", async () => {
  const cases: KernelCase[] = [
    { name: "tells", run: (_, tell) => ["50 sets", "seed 7"].forEach(tell) },
    { name: "is silent", run: () => undefined },
  ];
  expect(await reportsOf({ cases })).toEqual([
    { outcome: "passed", name: "tells", ms: expect.any(Number), told: ["50 sets", "seed 7"] },
    { outcome: "passed", name: "is silent", ms: expect.any(Number) },
  ]);
});

test("a case may have a time of its own", async () => {
  const cases: KernelCase[] = [{ name: "hangs", limitMs: 20, run: () => new Promise(() => undefined) }];
  expect(await reportsOf({ cases })).toMatchObject([{ why: expect.stringContaining("not done after 20 ms") }]);
});

test("only cases that have one of the parts in their names run", async () => {
  const cases = ["attach one", "attach two", "bind", "fault"].map((name) => ({ name, run: () => undefined }));
  const reports = await reportsOf({ cases, wanted: ["attach", "fault"] });
  expect(reports.map(({ name }) => name)).toEqual(["attach one", "attach two", "fault"]);
});

test("what the machine cannot show is left out with the capability; where it can, a case is due", async () => {
  const unreachable: UnreachableCase[] = [
    { name: "stalls", capability: "IDR0.STALL_MODEL", isThere: () => false },
    { name: "S1P", capability: "IDR0.S1P", isThere: async ({ idr }) => idr[0]! % 4 >= 2 },
    { name: "who knows", capability: "IDR9", isThere: () => Promise.reject(new Error("nobody can look")) },
  ];
  expect(await reportsOf({ unreachable })).toMatchObject([
    { outcome: "left-out", name: "stalls", missing: "IDR0.STALL_MODEL" },
    { outcome: "failed", name: "S1P", why: "IDR0.S1P is there: this needs a case now" },
    { outcome: "failed", name: "who knows", why: expect.stringContaining("nobody can look") },
  ]);
});

test("a case is left out with what it lacks, and runs where nothing is lacking", async () => {
  const lacks = ({ noQemu }: { readonly noQemu?: string | undefined }): string | undefined => noQemu;
  const fails: KernelCase = { name: "fails", lacks, run: () => Promise.reject(new Error("it ran")) };
  expect(await reportsOf({ cases: [fails] })).toMatchObject([{ outcome: "failed" }]);
  const reports: CaseReport[] = [];
  const report = (each: CaseReport): number => reports.push(each);
  await runCases({ ...MACHINE, noQemu: "no mirror" }, { cases: [fails], unreachable: [], wanted: [], report });
  expect(reports).toEqual([{ outcome: "left-out", name: "fails", missing: "no mirror" }]);
});
