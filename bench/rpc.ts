// npm run bench:rpc: the daemon's CPU time for GetDevice and for a BindGuestStage with its UnbindGuestStage, against a bare
// grpc-js server that answers as many calls of the same lengths without looking at them. Load comes from h2load, repetitions
// are interleaved. Two such servers are measured against each other besides: where they differ by more than the margin that
// is to be told, the answer is INCONCLUSIVE. What the journal costs is told by a second daemon without one, what the audit
// log costs by a third without either, and what messages cost anybody by an echo server that decodes and encodes them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasH2load, load } from "./h2load.ts";
import { cpuNanoseconds } from "./process-usage.ts";
import {
  type Client,
  type Echo,
  encodedAnswer,
  GUESTS,
  type Host,
  startEcho,
  startHost,
  type Target,
} from "./rpc-targets.ts";

const REPETITIONS = 9;
const WARM_UPS = 3;
const GOAL = 1.25;

/** One kind of load. */
interface Kind {
  readonly title: string;
  readonly paths: "get" | "pair";
  /** Units that are measured: GetDevices, or pairs. */
  readonly units: number;
  readonly callsPerUnit: number;
  /** Calls of a client under way at a time. */
  readonly concurrency: number;
  readonly clientsOf: (target: Target) => readonly Client[];
}

const GET: Kind = {
  title: "GetDevice, 16 at a time",
  paths: "get",
  units: 4000,
  callsPerUnit: 1,
  concurrency: 16,
  clientsOf: ({ clients }) => clients.get,
};
const PAIRS: Kind = {
  title: `BindGuestStage and UnbindGuestStage, a pair; ${GUESTS} guests at a time`,
  paths: "pair",
  units: 1600,
  callsPerUnit: 2,
  concurrency: 1,
  clientsOf: ({ clients }) => clients.pair,
};
const PAIR: Kind = {
  ...PAIRS,
  title: "the same, one guest",
  units: 800,
  clientsOf: ({ clients }) => clients.pair.slice(0, 1),
};

interface Measured {
  /** CPU microseconds of a unit, a repetition each. */
  readonly cost: number[];
  /** Microseconds from request to answer, of all repetitions. */
  readonly latencies: number[];
}

async function measureOnce(target: Target, kind: Kind, { cost, latencies }: Measured): Promise<void> {
  const clients = kind.clientsOf(target);
  const requests = (kind.units * kind.callsPerUnit) / clients.length;
  const before = cpuNanoseconds(target.pid);
  const { concurrency } = kind;
  const taken = await Promise.all(
    clients.map(({ message, token }) =>
      load({ socket: target.socket, paths: target.paths[kind.paths], token, message, requests, concurrency }),
    ),
  );
  cost.push((cpuNanoseconds(target.pid) - before) / kind.units / 1000);
  latencies.push(...taken.flat());
}

async function measure(kind: Kind, targets: readonly Target[]): Promise<void> {
  const measured = new Map<string, Measured>(targets.map(({ name }) => [name, { cost: [], latencies: [] }]));
  for (let repetition = -WARM_UPS; repetition < REPETITIONS; repetition++) {
    for (const target of repetition % 2 === 0 ? targets : targets.toReversed()) {
      const into = repetition < 0 ? { cost: [], latencies: [] } : measured.get(target.name)!;
      await measureOnce(target, kind, into);
    }
  }
  report(kind, measured);
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function report({ title }: Kind, measured: ReadonlyMap<string, Measured>): void {
  const costOf = (name: string): readonly number[] => measured.get(name)?.cost ?? [];
  const [one, other] = [costOf("echo"), costOf("echo again")];
  const base = one.map((value, index) => (value + other[index]!) / 2);
  // Medians of ratios within one repetition: what else the machine does meets both.
  const ratioOf = (name: string): number => median(costOf(name).map((value, index) => value / base[index]!));
  console.log(`\n${title}: server CPU, µs (median of ${REPETITIONS}; least to most), ratio to echo; ms to the answer`);
  for (const [name, { cost, latencies }] of measured) {
    const range = `(${Math.min(...cost).toFixed(0)}-${Math.max(...cost).toFixed(0)})`;
    const [p50, p99] = [0.5, 0.99].map((part) => (quantile(latencies, part) / 1000).toFixed(2));
    const columns = [name.padEnd(20), median(cost).toFixed(1).padStart(7), range.padEnd(12), ratioOf(name).toFixed(2)];
    console.log(`  ${columns.join(" ")}  p50 ${p50}, p99 ${p99}`);
  }
  const control = median(one.map((value, index) => Math.abs(value / other[index]! - 1)));
  for (const name of ["broker", "broker, no journal"]) {
    const ratio = ratioOf(name);
    const isTold = Math.abs(ratio - GOAL) > control;
    const verdict = !isTold ? "INCONCLUSIVE" : ratio <= GOAL ? "met" : "missed";
    console.log(
      `  ${name}: goal ≤ ${GOAL} × echo ${verdict} (${ratio.toFixed(2)}; equal servers differ by ${control.toFixed(2)})`,
    );
  }
  console.log(`  the journal: ${(median(costOf("broker")) - median(costOf("broker, no journal"))).toFixed(1)} µs`);
}

/** Every bind and unbind must have changed a stage. */
async function requireChanges(kind: Kind, hosts: readonly Host[], act: () => Promise<void>): Promise<void> {
  const before = await Promise.all(hosts.map((host) => host.generations()));
  await act();
  const after = await Promise.all(hosts.map((host) => host.generations()));
  const wanted = BigInt(kind.units * kind.callsPerUnit * (WARM_UPS + REPETITIONS));
  if (after.some((generations, index) => generations - before[index]! !== wanted)) {
    throw new Error(`not every call changed a stage: generations ${before} became ${after}`);
  }
}

async function main(): Promise<void> {
  if (!hasH2load()) {
    console.error("bench:rpc needs h2load: apt-get install nghttp2-client");
    process.exitCode = 1;
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), "iommu-broker-bench-"));
  const hosts: Host[] = [];
  const echoes: Echo[] = [];
  try {
    hosts.push(await startHost("broker", {}));
    hosts.push(await startHost("broker, no journal", { state_directory: "off" }));
    hosts.push(await startHost("neither, no audit", { state_directory: "off", audit: { destination: "off" } }));
    const [journaled, plain, silent] = hosts.map(({ target }) => target);
    const answer = encodedAnswer(await hosts[0]!.device());
    const echo = async (name: string, method: "Large" | "Coded"): Promise<Target> => {
      const started = await startEcho({ name, method }, directory, answer, journaled!);
      echoes.push(started);
      return started.target;
    };
    const [bare, again] = [await echo("echo", "Large"), await echo("echo again", "Large")];
    const targets = [bare, journaled!, again, plain!, silent!, await echo("echo with a codec", "Coded")];
    const { get, pair } = journaled!.clients;
    console.log(
      `requests of ${get[0]!.message.length} and ${pair[0]!.message.length} bytes, answers of ${answer.length}`,
    );
    await measure(GET, targets);
    await requireChanges(PAIRS, hosts, () => measure(PAIRS, targets));
    await requireChanges(PAIR, hosts, () => measure(PAIR, targets));
  } finally {
    for (const { child } of echoes) child.kill();
    for (const host of hosts) await host.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

await main();
