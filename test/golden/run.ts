// The golden replay as a command: npm run golden -- DIR...
// Exit 1 on any disagreement, unreadable or missing case, or when nothing was replayed.

import { basename, dirname } from "node:path";
import { parseArgs } from "node:util";
import { findCases, findIndexes, loadCase } from "./case.ts";
import { type CaseReport, PROVENANCE, replay } from "./replay.ts";

const HELP = `Replays golden cases through the SMMUv3 model.

  npm run golden -- [--explain N] DIR...

DIR is a case folder (case.json.gz, pages.bin.gz) or a directory with case folders one or two levels below.
An INDEX.json found on the way names the cases that must be there, with their counts.
--explain N  explain the first N disagreements of a case (default 3)

One line a case, a TOTAL line; exit code 1 on any disagreement, unreadable or missing case, or a total of zero.`;

interface Totals {
  agree: number;
  disagree: number;
  problems: number;
  cases: number;
  readonly from: Map<string, number>;
}

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h" }, explain: { type: "string", default: "3" } },
  });
  if (values.help === true || positionals.length === 0) {
    console.log(HELP);
    return values.help === true ? 0 : 1;
  }
  const totals: Totals = { agree: 0, disagree: 0, problems: 0, cases: 0, from: new Map() };
  const unknown = new Set<string>();
  for (const root of positionals) runRoot(root, Number(values.explain), totals, unknown);
  const sources = [...totals.from].map(([from, rows]) => `${rows} ${from}`).join(", ");
  console.log(
    `provenance, no verdict: ${PROVENANCE.join(", ")} (rows: ${sources}), and the case's description of itself`,
  );
  console.log(`fields not compared: ${unknown.size === 0 ? "none" : [...unknown].join(", ")}`);
  console.log(`TOTAL: ${totals.agree} agree, ${totals.disagree} disagree in ${totals.cases} cases`);
  if (totals.agree + totals.disagree === 0) console.log("nothing was replayed");
  if (totals.problems > 0) console.log(`${totals.problems} cases missing or unreadable`);
  return totals.disagree === 0 && totals.problems === 0 && totals.agree > 0 ? 0 : 1;
}

function runRoot(root: string, explain: number, totals: Totals, unknown: Set<string>): void {
  const problem = (message: string): void => {
    totals.problems += 1;
    console.log(message);
  };
  let folders: string[];
  let indexes: ReturnType<typeof findIndexes>;
  try {
    folders = findCases(root);
    indexes = findIndexes(root);
  } catch (error) {
    problem(`${root}: ${error instanceof Error ? error.message : String(error)}`);
    return;
  }
  const counts = new Map<string, { translations: number; events: number }>();
  for (const folder of folders) {
    try {
      const golden = loadCase(folder);
      counts.set(folder, { translations: golden.translations.length, events: golden.events?.length ?? 0 });
      print(replay(golden), explain, totals, unknown);
    } catch (error) {
      problem(error instanceof Error ? error.message : String(error));
      counts.set(folder, { translations: -1, events: -1 }); // reported already; not also as a wrong count
    }
  }
  for (const { file, cases } of indexes) {
    for (const promised of cases) {
      const folder = folders.find((each) => basename(each) === promised.name && each.startsWith(dirname(file)));
      const count = folder === undefined ? undefined : counts.get(folder);
      if (count === undefined) problem(`${promised.name}: named in ${file}, but not there`);
      else if (count.translations >= 0 && !isSameCount(count, promised)) {
        problem(`${promised.name}: ${file} promises ${promised.translations} translations, ${promised.events} events`);
      }
    }
  }
}

function isSameCount(
  count: { translations: number; events: number },
  promised: { translations: number; events: number },
): boolean {
  return count.translations === promised.translations && count.events === promised.events;
}

function print(report: CaseReport, explain: number, totals: Totals, unknown: Set<string>): void {
  const disagree = report.disagreements.length;
  totals.cases += 1;
  totals.agree += report.agree;
  totals.disagree += disagree;
  for (const field of report.unknownFields) unknown.add(field);
  for (const [from, rows] of Object.entries(report.from)) totals.from.set(from, (totals.from.get(from) ?? 0) + rows);
  console.log(`${report.name}: ${report.agree} agree, ${disagree} disagree`);
  for (const each of report.disagreements.slice(0, explain)) {
    console.log(`  ${each.what} ${each.row}: ${each.input}`);
    console.log(`    differs in ${each.differences.join(", ")}`);
    console.log(`    expected ${each.expected}`);
    console.log(`    got      ${each.got}`);
  }
}

process.exitCode = main();
