// Negates the architecture's rules one at a time, in copies of the tree, and asks the tests: npm run test:mutants.
// Exit 1 when a mutant survives that is neither explained nor known to be open, or when the unmutated copy fails.

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CATALOG } from "../test/mutants/catalog.ts";
import { TreeCopy } from "../test/mutants/copy.ts";
import type { Mutant } from "../test/mutants/mutant.ts";
import { chosen, isFailure, type Verdict } from "../test/mutants/verdict.ts";

const HELP = `Negates each rule of the STE, the CD, faults, stage 2 start levels, stage states, descriptors
that are out and the fast ways, and expects a test to fail.

  npm run test:mutants -- [--only SECTION] [--only "SECTION RULE"] [--jobs N] [--quick] [--list]

--only   a section (3.2 STE, 4.2 substreams, 4.3 S1DSS, 4.4 CD fields, 4.5 CD, 5 faults, 5.1 address sizes,
         6.3 stage 2 start, 7 stage states, 8 descriptors that are out, fast the ways through windows), or the beginning
         of one rule: --only "4.5 7 TTBx"
--jobs   copies of the tree that work at once (default: the processors, at most 4)
--quick  ask each mutant's own tests only, not the judges, golden rows and the oracle after them
--list   the rules, without running anything

One line a mutant, then a table and the survivors. Exit 1 when one survives that is neither explained nor
known to be open: no test reaches it yet.`;

interface Judged {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", short: "h" },
      only: { type: "string" },
      jobs: { type: "string", default: String(Math.min(availableParallelism(), 4)) },
      quick: { type: "boolean", default: false },
      list: { type: "boolean" },
    },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const mutants = chosen(CATALOG, values.only);
  if (mutants.length === 0) {
    console.log(`no rule begins with ${JSON.stringify(values.only)}: --list shows them`);
    return 1;
  }
  if (values.list === true) {
    for (const { section, rule, file } of mutants) console.log(`${section} ${rule}  (${file})`);
    return 0;
  }
  const root = join(import.meta.dirname, "..");
  const jobs = Math.max(1, Math.min(Number(values.jobs) || 1, mutants.length));
  const copies = Array.from({ length: jobs }, () => new TreeCopy(root));
  try {
    return await judgeAll(mutants, copies, values.quick);
  } finally {
    for (const copy of copies) copy.remove();
  }
}

async function judgeAll(mutants: readonly Mutant[], copies: readonly TreeCopy[], isQuick: boolean): Promise<number> {
  const files = [...new Set(mutants.flatMap(({ tests }) => tests))];
  const untouched = await copies[0]?.run(files);
  if (untouched !== "passed") {
    console.log(`without any mutant the tests ${untouched}: put them right first (${files.join(" ")})`);
    return 1;
  }
  const judged: Judged[] = [];
  const waiting = [...mutants];
  const work = async (copy: TreeCopy): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const verdict = await copy.judge(mutant, isQuick);
      judged.push({ mutant, verdict });
      console.log(`${judged.length}/${mutants.length} ${told(verdict)}: ${mutant.section} ${mutant.rule}`);
    }
  };
  await Promise.all(copies.map(work));
  return summarize(judged);
}

function told(verdict: Verdict): string {
  switch (verdict.kind) {
    case "killed":
      return `killed by ${verdict.by.replaceAll("test/", "").replaceAll(".test.ts", "")}`;
    case "explained":
      return "survived, explained";
    case "open":
      return "survived, open";
    case "survived":
      return "SURVIVED";
    case "disproved":
      return `SURVIVES NOT, although explained: ${verdict.by}`;
  }
}

function summarize(judged: readonly Judged[]): number {
  const count = (of: readonly Judged[], kind: Verdict["kind"]): number =>
    of.filter(({ verdict }) => verdict.kind === kind).length;
  console.log("\nsection  mutants  killed  explained     open  survived");
  for (const section of [...new Set(judged.map(({ mutant }) => mutant.section))].sort()) {
    const of = judged.filter(({ mutant }) => mutant.section === section);
    const cells = [
      of.length,
      count(of, "killed"),
      count(of, "explained"),
      count(of, "open"),
      of.filter((one) => isFailure(one.verdict)).length,
    ];
    console.log(`${section.padEnd(7)}${cells.map((cell) => String(cell).padStart(9)).join("")}`);
  }
  for (const { mutant, verdict } of judged) {
    if (verdict.kind === "explained") console.log(`explained: ${mutant.section} ${mutant.rule}: ${verdict.why}`);
  }
  for (const { mutant, verdict } of judged) {
    if (verdict.kind === "open") console.log(`open: ${mutant.section} ${mutant.rule} (${mutant.file})`);
  }
  const failures = judged.filter(({ verdict }) => isFailure(verdict));
  for (const { mutant, verdict } of failures)
    console.log(`${told(verdict)}: ${mutant.section} ${mutant.rule} (${mutant.file})`);
  console.log(
    `TOTAL: ${judged.length} mutants, ${count(judged, "killed")} killed, ${count(judged, "explained")} explained, ${count(judged, "open")} open, ${failures.length} survived`,
  );
  return failures.length === 0 ? 0 : 1;
}

process.exitCode = await main();
