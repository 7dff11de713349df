// npm run bench:startup: CPU time of the built daemon from its first instruction until it serves, and what it has in RAM then,
// against the same Node running a script that does nothing and stays. Repetitions are interleaved. Two bare ones are measured
// against each other besides: where they differ by more than what is to be told, the answer is INCONCLUSIVE.
// A second daemon has a compile cache, as the shipped unit gives it.

import { spawn } from "node:child_process";
import { on, once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { cpuNanoseconds, residentBytes } from "./process-usage.ts";
import { median, quantile } from "./quantiles.ts";

const MAIN = join(import.meta.dirname, "../dist/server/main.js");
const GOALS = { cpu: 2.25, resident: 1.5 } as const;
/** What is mapped in just behind the last line of the start is part of it. */
const SETTLE_MS = 300;
const START_MAX_MS = 60_000;
const MIB = 2 ** 20;

interface Target {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  /** What it writes when it is ready. */
  readonly ready: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Start {
  /** Milliseconds. */
  readonly cpu: number;
  /** MiB. */
  readonly resident: number;
}

async function startOnce({ args, environment, ready, script }: Target, stop: NodeJS.Signals): Promise<Start> {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"], env });
  const exit = once(child, "exit");
  try {
    let text = "";
    const giveUp = AbortSignal.timeout(START_MAX_MS);
    child.stdout.setEncoding("utf8");
    for await (const [chunk] of on(child.stdout, "data", { signal: giveUp })) {
      text = (text + chunk).slice(-8192);
      if (text.includes(ready)) break;
    }
    const cpu = cpuNanoseconds(child.pid ?? 0) / 1e6;
    await pause(SETTLE_MS);
    return { cpu, resident: residentBytes(child.pid ?? 0) / MIB };
  } finally {
    child.kill(stop);
    await exit;
  }
}

function report(targets: readonly Target[], measured: ReadonlyMap<string, readonly Start[]>): boolean {
  const of = (name: string, what: keyof Start): number[] => (measured.get(name) ?? []).map((start) => start[what]);
  let isMet = true;
  for (const what of ["cpu", "resident"] as const) {
    const [one, other] = [of("bare node", what), of("bare node again", what)];
    const base = one.map((value, index) => (value + other[index]!) / 2);
    const control = median(one.map((value, index) => Math.abs(value / other[index]! - 1)));
    console.log(what === "cpu" ? "\nms of CPU until ready, median (10th to 90th percentile)" : "\nMiB resident then");
    for (const { name } of targets) {
      const values = of(name, what);
      const ratio = median(values.map((value, index) => value / base[index]!));
      const range = `(${quantile(values, 0.1).toFixed(0)} to ${quantile(values, 0.9).toFixed(0)})`;
      console.log(
        `  ${name.padEnd(28)}${median(values).toFixed(1).padStart(7)} ${range.padEnd(14)} ${ratio.toFixed(2)} × bare`,
      );
      if (!name.startsWith("daemon")) continue;
      const isTold = Math.abs(ratio - GOALS[what]) > control * ratio;
      const verdict = !isTold ? "INCONCLUSIVE" : ratio <= GOALS[what] ? "met" : "missed";
      isMet &&= verdict !== "missed";
      console.log(`    goal ≤ ${GOALS[what]} ×: ${verdict} (equal processes differ by ${control.toFixed(2)})`);
    }
  }
  return isMet;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({ options: { repetitions: { type: "string", default: "15" } } });
  if (!existsSync(MAIN)) throw new Error("dist is not there: npm run build");
  const directory = mkdtempSync(join(tmpdir(), "iommu-broker-bench-"));
  try {
    const bare = join(directory, "bare.mjs");
    writeFileSync(
      bare,
      'import { writeSync } from "node:fs";\nwriteSync(1, "ready");\nsetInterval(() => {}, 2 ** 30);\n',
    );
    const config = join(directory, "broker.yaml");
    writeFileSync(config, "backend: simulated\nmetrics: { tcp: 127.0.0.1:0 }\n");
    const runtime = join(directory, "run");
    mkdirSync(runtime, { mode: 0o700 });
    const daemon = { script: MAIN, args: ["--config", config], ready: "listening for clients" };
    const none = { script: bare, args: [], ready: "ready", environment: {} };
    const cache = join(directory, "cache");
    mkdirSync(cache, { mode: 0o700 });
    const cached = { RUNTIME_DIRECTORY: runtime, CACHE_DIRECTORY: cache };
    const targets: readonly Target[] = [
      { ...none, name: "bare node" },
      { ...daemon, name: "daemon", environment: { RUNTIME_DIRECTORY: runtime } },
      { ...none, name: "bare node again" },
      { ...daemon, name: "daemon, compile cache", environment: cached },
    ];
    const measured = new Map<string, Start[]>(targets.map(({ name }) => [name, []]));
    for (const target of targets) await startOnce(target, "SIGTERM"); // files into the page cache, code into the compile cache
    const repetitions = Number(values.repetitions);
    console.log(`${repetitions} starts of each, Node ${process.version}`);
    for (let repetition = 0; repetition < repetitions; repetition++) {
      for (const target of repetition % 2 === 0 ? targets : targets.toReversed()) {
        measured.get(target.name)?.push(await startOnce(target, "SIGKILL"));
      }
    }
    return report(targets, measured);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (!(await main())) process.exitCode = 1;
