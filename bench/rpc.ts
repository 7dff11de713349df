// npm run bench:rpc: the daemon's CPU time for GetDevice and for a BindGuestStage with its UnbindGuestStage, against a bare
// grpc-js server that answers as many calls of the same lengths. Load comes from h2load, repetitions are interleaved.
// Two such servers are measured against each other besides: where they differ by more than the margin that is to be told,
// the answer is INCONCLUSIVE. The journal's share is told apart, by a second daemon without one.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrokerProcess, startBroker } from "../examples/support/broker-process.ts";
import { type BrokerSession, connect, Stage1Mode } from "../src/client/client.ts";
import { longOf } from "../src/server/rpc/int64.ts";
import { BROKER } from "../src/server/rpc/services.ts";
import { hasH2load, load } from "./h2load.ts";
import { cpuNanoseconds } from "./process-usage.ts";
import { startGuest } from "./rpc-guest.ts";

const REPETITIONS = 9;
const REQUESTS = 4000;
const PAIRS = 1500;
const WARM_UPS = 3;
const CONCURRENCY = 16;
const DEVICE = "devices/0000:01:00.0";
const GOAL = 1.25;
const ECHO_SERVER = join(import.meta.dirname, "echo-server.ts");

/** A server under load. */
interface Target {
  readonly name: string;
  readonly socket: string;
  readonly pid: number;
  readonly token: string | undefined;
  readonly paths: { readonly get: readonly string[]; readonly pair: readonly string[] };
}

const getMessage = BROKER.getDevice.request.encode({ device: DEVICE });
/** The same bytes are a BindGuestStageRequest and an UnbindGuestStageRequest: the latter has no field 4. */
const pairMessage = (contextPointer: number): Buffer =>
  BROKER.bindGuestStage.request.encode({
    device: DEVICE,
    fields: { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: longOf(BigInt(contextPointer)) },
  });

async function cost(target: Target, kind: "get" | "pair", message: Uint8Array): Promise<number> {
  const [requests, concurrency] = kind === "get" ? [REQUESTS, CONCURRENCY] : [2 * PAIRS, 1];
  const before = cpuNanoseconds(target.pid);
  await load({
    socket: target.socket,
    paths: target.paths[kind],
    token: target.token,
    message,
    requests,
    concurrency,
  });
  return (cpuNanoseconds(target.pid) - before) / (kind === "get" ? requests : PAIRS) / 1000;
}

interface Guest {
  readonly broker: BrokerProcess;
  readonly session: BrokerSession;
  readonly contextPointer: number;
}

async function startHost(extra: Readonly<Record<string, unknown>>): Promise<Guest & { close(): Promise<void> }> {
  const broker = await startBroker(extra);
  const client = connect(broker.target);
  const session = await client.openSession({ displayName: "bench", leaseTtlMs: 60_000 });
  await startGuest(session, broker.memoryRoot);
  const { installedVste } = await session.getDevice(DEVICE);
  const dword0 = installedVste[0] ?? 0n;
  const close = async (): Promise<void> => {
    await session.close();
    client.close();
    await broker.stop();
  };
  return { broker, session, contextPointer: Number(dword0 & 0xf_ffff_ffff_ffc0n), close };
}

function brokerTarget(name: string, { broker, session }: Guest): Target {
  return {
    name,
    socket: broker.socket,
    pid: broker.process.pid ?? 0,
    token: session.token,
    paths: { get: [BROKER.getDevice.path], pair: [BROKER.bindGuestStage.path, BROKER.unbindGuestStage.path] },
  };
}

async function startEcho(name: string, directory: string, bytes: number): Promise<Target & { child: ChildProcess }> {
  const socket = join(directory, `${name}.sock`);
  const child = spawn(process.execPath, [ECHO_SERVER, String(bytes), `unix:${socket}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const path = "/bench.Echo/Large";
  const paths = { get: [path], pair: [path, path] };
  return { name, socket, pid: child.pid ?? 0, token: undefined, paths, child };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Medians of ratios within one repetition: what else the machine does meets both. */
function ratio(one: readonly number[], other: readonly number[]): number {
  return median(one.map((value, index) => value / (other[index] ?? Number.NaN)));
}

function report(what: string, costs: ReadonlyMap<string, readonly number[]>): void {
  const of = (name: string): readonly number[] => costs.get(name) ?? [];
  console.log(`\n${what}: server CPU, µs (median of ${REPETITIONS}; least to most), and the ratio to echo`);
  for (const [name, values] of costs) {
    const range = `${Math.min(...values).toFixed(0)}-${Math.max(...values).toFixed(0)}`;
    const against = ratio(values, of("echo"));
    console.log(
      `  ${name.padEnd(22)}${median(values).toFixed(1).padStart(8)}  (${range})`.padEnd(46) + against.toFixed(2),
    );
  }
  const controls = of("echo again").map((value, index) => Math.abs(value / (of("echo")[index] ?? Number.NaN) - 1));
  const control = median(controls);
  const measured = ratio(of("broker"), of("echo"));
  const journal = median(of("broker")) - median(of("broker, no journal"));
  console.log(`  the journal's share: ${journal.toFixed(1)} µs`);
  const isTold = Math.abs(measured - GOAL) > control;
  const verdict = !isTold ? "INCONCLUSIVE" : measured <= GOAL ? "met" : "missed";
  console.log(
    `  goal ≤ ${GOAL} × echo: ${verdict} (${measured.toFixed(2)}; between two equal servers ${control.toFixed(2)})`,
  );
}

async function measure(kind: "get" | "pair", targets: readonly Target[], message: Uint8Array): Promise<void> {
  const costs = new Map<string, number[]>(targets.map(({ name }) => [name, []]));
  for (let repetition = -WARM_UPS; repetition < REPETITIONS; repetition++) {
    for (const target of targets) {
      const value = await cost(target, kind, message);
      if (repetition >= 0) costs.get(target.name)?.push(value);
    }
  }
  report(kind === "get" ? "GetDevice" : "BindGuestStage and UnbindGuestStage, a pair", costs);
}

async function main(): Promise<void> {
  if (!hasH2load()) {
    console.error("bench:rpc needs h2load: apt-get install nghttp2-client");
    process.exitCode = 1;
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), "iommu-broker-bench-"));
  const journaled = await startHost({});
  const plain = await startHost({ state_directory: "off" });
  const { contextPointer } = journaled;
  const answer = BROKER.getDevice.response.encode({ device: await rawDevice(journaled) });
  const echoes = [
    await startEcho("echo", directory, answer.length),
    await startEcho("echo again", directory, answer.length),
  ];
  try {
    console.log(
      `GetDevice: ${getMessage.length} bytes there, ${answer.length} back; ${CONCURRENCY} at a time; pairs one at a time`,
    );
    const brokers = [brokerTarget("broker", journaled), brokerTarget("broker, no journal", plain)];
    const [echo, again] = echoes;
    const targets = [echo!, brokers[0]!, again!, brokers[1]!];
    await measure("get", targets, getMessage);
    const generations = await Promise.all([journaled, plain].map(generationOf));
    await measure("pair", targets, pairMessage(contextPointer));
    const bound = await Promise.all([journaled, plain].map(generationOf));
    const wanted = BigInt(2 * PAIRS * (WARM_UPS + REPETITIONS));
    if (bound.some((generation, index) => generation - (generations[index] ?? 0n) !== wanted)) {
      throw new Error(`not every call changed the stage: generations ${generations} became ${bound}`);
    }
  } finally {
    for (const { child } of echoes) child.kill();
    await journaled.close();
    await plain.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function generationOf({ session }: Guest): Promise<bigint> {
  return (await session.getDevice(DEVICE)).generation;
}

/** The device as the wire has it, for its length. */
async function rawDevice({ session }: Guest): Promise<Record<string, unknown>> {
  const { name, iommu, owner, ownerDisplayName, virtualIommu, groupDevices, streamIds } =
    await session.getDevice(DEVICE);
  return { name, iommu, owner, ownerDisplayName, virtualIommu, groupDevices, streamIds, virtualStreamId: 1, state: 4 };
}

await main();
