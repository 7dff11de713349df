// How fast a nested translation is: the engine against a small C program on the same tables, interleaved in one run.
// 4 KiB granule, 48 bits, four levels on four, random pages of 64 and of 4,096; TLB hit, walk cache, cold (24 descriptors).
// CPU time of this thread and of the C process, medians; trust the ratios, which share a run, before the nanoseconds.
// --keep leaves the C program and its image behind and prints how to count its instructions with valgrind.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { raiseInliningLimits } from "../src/server/v8-inlining.ts";
import { Bench, MODES, type Mode } from "./nested-machine.ts";

const PAGES = [64, 4096];
const REPETITIONS = 9;
const COUNT: Readonly<Record<Mode, number>> = { tlb: 2_000_000, "walk-cache": 1_000_000, cold: 300_000 };
const GOAL: Readonly<Record<Mode, number>> = { tlb: 8, "walk-cache": 3, cold: 2.7 };
const TITLE: Readonly<Record<Mode, string>> = {
  tlb: "TLB hit",
  "walk-cache": "TLB miss, walk cache",
  cold: "cold, no caches",
};

const SOURCE = join(import.meta.dirname, "c", "nested-walk.c");
const folder = mkdtempSync(join(tmpdir(), "bench-translate-"));
const program = join(folder, "nested-walk");
const image = join(folder, "tables.bin");
const keep = process.argv.includes("--keep");

function compile(): string | undefined {
  try {
    execFileSync("cc", ["-O2", "-o", program, SOURCE], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split("\n")[0] : "cc failed";
  }
}

function argumentsOf(bench: Bench, mode: Mode, count: number): string[] {
  const numbers = [bench.base, bench.ttb, bench.s2ttb, bench.iova, bench.pages].map(String);
  return [image, ...numbers, mode, String(count)];
}

/** One run of the C program: nanoseconds, and the sum of what it translated to. */
function runC(bench: Bench, mode: Mode): [ns: number, sum: bigint] {
  const [ns = "", sum = ""] = execFileSync(program, argumentsOf(bench, mode, COUNT[mode]), { encoding: "utf8" })
    .trim()
    .split(" ");
  return [Number(ns), BigInt(sum)];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function cell(values: readonly number[]): string {
  if (values.length === 0) return "-".padStart(22);
  return `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)}-${Math.max(...values).toFixed(1)})`.padStart(
    22,
  );
}

function report(pages: number, mode: Mode, engine: readonly number[], c: readonly number[]): void {
  const ratio = median(engine) / median(c);
  const goal = c.length === 0 ? "" : `${ratio.toFixed(2)}`.padStart(8) + `<= ${GOAL[mode]}`.padStart(9);
  const verdict =
    c.length === 0 ? "" : ratio <= GOAL[mode] ? "  met" : `  missed by ${(ratio / GOAL[mode]).toFixed(2)} x`;
  console.log(`${String(pages).padStart(5)}  ${TITLE[mode].padEnd(21)}${cell(engine)}${cell(c)}${goal}${verdict}`);
}

raiseInliningLimits();
const noCompiler = compile();
if (noCompiler !== undefined) console.log(`the C column is skipped: ${noCompiler}`);
console.log(
  `node ${process.version}; CPU ns for one translation, median (min-max) of ${REPETITIONS} interleaved runs\n`,
);
console.log(
  `pages  ${"".padEnd(21)}${"engine".padStart(22)}${"C, cc -O2".padStart(22)}${"engine/C".padStart(8)}${"goal".padStart(9)}`,
);
for (const pages of PAGES) {
  const bench = new Bench(pages);
  writeFileSync(image, bench.image());
  const engine = new Map<Mode, number[]>(MODES.map((mode) => [mode, []]));
  const c = new Map<Mode, number[]>(MODES.map((mode) => [mode, []]));
  for (const mode of MODES) bench.warmUp(mode);
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    for (const mode of MODES) {
      engine.get(mode)?.push(bench.run(mode, COUNT[mode]));
      if (noCompiler !== undefined) continue;
      const [ns, sum] = runC(bench, mode);
      if (sum !== bench.sum(mode)) throw new Error(`${mode}: the engine and C disagree on where the pages are`);
      c.get(mode)?.push(ns);
    }
  }
  for (const mode of MODES) report(pages, mode, engine.get(mode) ?? [], c.get(mode) ?? []);
  if (keep) {
    const command = [program, ...argumentsOf(bench, "cold", 300_000)].join(" ");
    console.log(`       instructions: valgrind --tool=callgrind --toggle-collect=translate_cold ${command}`);
    console.log("       divide what it collected by 300,000 + 65,536 translations");
  }
}
if (!keep) rmSync(folder, { recursive: true });
