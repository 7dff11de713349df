// Runs test/kernel on a real Linux in a virtual machine: npm run test:kernel. What is needed is found, fetched or built first.

import { randomInt } from "node:crypto";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheFolder } from "../test/kernel/cache.ts";
import { boot } from "../test/kernel/machine.ts";
import { prepare } from "../test/kernel/prepare.ts";
import type { CaseReport } from "../test/kernel/report.ts";
import { Results } from "../test/kernel/results.ts";
import { Unavailable } from "../test/kernel/unavailable.ts";

/** Fewer reports of passed cases than this is a failure, whatever they say. Raise it with every case. */
const PASSED_MIN = 67;
/** For a machine that hangs: on a busy host one that does not may take several times what it takes alone. */
const BOOT_MS = 1_500_000;
/** Random configurations that the model and the kernel's SMMU are both given. */
const TRIALS = { usual: 50, deep: 200 };
/** What passes here passes everywhere: who looks for new differences asks for another. */
const SEED = "20180523";

const { values } = parseArgs({
  options: {
    case: { type: "string", multiple: true, default: [] },
    seed: { type: "string" },
    deep: { type: "boolean", default: false },
    "keep-log": { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(`npm run test:kernel -- [--case PART-OF-A-NAME]... [--seed N] [--deep] [--verbose] [--keep-log]

Boots Linux with a nested SMMUv3 in QEMU and runs the cases of test/kernel/cases in it.
--seed N    random configurations from this seed instead of ${SEED}; "random" for another one each time
--deep      ${TRIALS.deep} of them instead of ${TRIALS.usual}, and another seed each time unless one is given
--verbose   everything that the guest prints, as it comes
--keep-log  keep the console's text, and say where

IOMMU_E2E_KERNEL      an arm64 Image to boot, instead of the one that is cached, found or built
IOMMU_E2E_CACHE       folder for what is slow to get (now ${cacheFolder()})
IOMMU_E2E_REQUIRED=1  a missing ingredient is a failure, not a skip`);
  process.exit(0);
}

const asked = values.seed ?? (values.deep ? "random" : SEED);
const seed = asked === "random" ? String(randomInt(2 ** 32)) : asked;
if (!/^\d{1,15}$/.test(seed)) {
  console.error(`--seed ${seed} is neither "random" nor a number of at most 15 digits`);
  process.exit(2);
}
const isRequired = process.env.IOMMU_E2E_REQUIRED === "1";
const began = performance.now();
const folder = mkdtempSync(join(tmpdir(), "iommu-broker-kernel-"));
const log = join(folder, "console.log");
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
process.once("exit", () => {
  if (!values["keep-log"]) rmSync(folder, { recursive: true, force: true });
});

function say(line: string): void {
  console.log(`[${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s] ${line}`);
}

async function main(): Promise<number> {
  const trials = values.deep ? TRIALS.deep : TRIALS.usual;
  say(`seed ${seed}`);
  const machine = await prepare({ cases: values.case, seed, trials }, { work: folder, withQemu: true }, say);
  if (machine.noQemu !== undefined && isRequired) throw machine.noQemu;
  say("booting");
  const results = new Results();
  const tail: string[] = [];
  const onLine = (line: string): void => {
    appendFileSync(log, `${line}\n`);
    if (values.verbose) console.log(`    ${line}`);
    const report = results.take(line);
    if (report?.outcome === "passed") {
      say([`passed: ${report.name} (${report.ms} ms)`, ...(report.told ?? [])].join("\n    "));
    }
    if (report?.outcome === "failed") say(`FAILED: ${report.name}\n${report.why}`);
    else if (report === undefined) tail.push(line);
  };
  try {
    await boot(machine.tools, { ...machine, monitor: join(folder, "monitor.sock"), timeoutMs: BOOT_MS, onLine });
  } catch (error) {
    results.problems.push(error instanceof Error ? error.message : String(error));
  }
  results.close();
  say("the machine is off");
  const excuse = machine.noQemu?.message;
  const isExcused = (report: CaseReport): boolean =>
    report.outcome === "left-out" && excuse !== undefined && report.missing.includes(excuse);
  return verdict(results, results.reports.filter(isExcused).length, tail);
}

/** @param excused  cases that passed elsewhere, left out for want of what could not be fetched here */
function verdict(results: Results, excused: number, tail: readonly string[]): number {
  const passed = results.count("passed");
  const { problems } = results;
  const needed = PASSED_MIN - excused;
  if (values.case.length === 0 && passed < needed) problems.push(`${passed} cases passed, at least ${needed} must`);
  if (values.case.length > 0 && results.reports.length === 0) problems.push(`no case is called like ${values.case}`);
  for (const report of results.reports) {
    if (report.outcome === "left-out") console.log(`left out: ${report.name}: the machine lacks ${report.missing}`);
  }
  if (problems.length > 0) console.log(["the guest's last lines:", ...tail.slice(-40)].join("\n    "));
  for (const problem of problems) console.log(`problem: ${problem}`);
  if (values["keep-log"]) console.log(`the console's text: ${log}`);
  const failed = results.count("failed") + problems.length;
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  console.log(`${isRequired ? "FAILED" : "skipped"}: the kernel test cannot run here: ${error.message}`);
  process.exitCode = isRequired ? 1 : 0;
}
