// What the host makes of the guest's console.

import { expect, test } from "vitest";
import { type CaseReport, endLine, reportLine } from "./report.ts";
import { Results } from "./results.ts";

const PASSED: CaseReport = { outcome: "passed", name: "it works", ms: 3 };

function resultsOf(lines: readonly string[]): Results {
  const results = new Results();
  for (const line of lines) results.take(line);
  results.close();
  return results;
}

test("reports are taken out of what else is on the console, also behind the firmware's escape codes", () => {
  const failed: CaseReport = { outcome: "failed", name: "it fails", ms: 4, why: "1 !== 2\n    at x" };
  const lines = ["UEFI firmware", `\u001b[2J${reportLine(PASSED)}`, "[ 1.0] smmu", reportLine(failed), endLine(2)];
  const results = resultsOf(lines);
  expect(results.reports).toEqual([PASSED, failed]);
  expect(results.problems).toEqual([]);
  expect([results.count("passed"), results.count("failed"), results.count("left-out")]).toEqual([1, 1, 0]);
});

test("what a case has told arrives with its report", () => {
  const told: CaseReport = { ...PASSED, told: ["seed 7: 50 sets", "3 moved"] };
  expect(resultsOf([reportLine(told), endLine(1)]).reports).toEqual([told]);
});

test("a guest that ends before it says so is a problem, whatever passed until then", () => {
  expect(resultsOf([reportLine(PASSED)]).problems).toEqual(["the guest ended before its cases did, after 1 reports"]);
});

test("a report that does not arrive is missed", () => {
  expect(resultsOf([reportLine(PASSED), endLine(2)]).problems).toEqual(["the guest made 2 reports, and 1 arrived"]);
});

test.each(['@kernel-case {"outcome":"pas', '@kernel-case {"outcome":"passed","name":"a"}', "@kernel-case 1"])(
  "%s is a damaged report, and a problem",
  (line) => {
    expect(resultsOf([line, endLine(0)]).problems).toEqual([`a damaged report: ${line}`]);
  },
);
