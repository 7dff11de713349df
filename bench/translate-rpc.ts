// How fast Simulator.Translate is end to end: a daemon and a client in processes of their own, 4,096 random pages a call,
// against a bare grpc-js server that sends as many bytes to the same client, and against the engine inside a process.
// Repetitions are interleaved, medians printed; trust the ratios, which share a run.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type BrokerProcess, startBroker } from "../examples/support/broker-process.ts";
import { connect } from "../src/client/client.ts";
import { longOf } from "../src/server/rpc/int64.ts";
import { BROKER, SIMULATOR } from "../src/server/rpc/services.ts";
import { type Probe, probe } from "./latency-probe.ts";
import { Bench } from "./nested-machine.ts";
import { cpuNanoseconds } from "./process-usage.ts";
import { RawClient } from "./raw-client.ts";
import { ACCESSES, DEVICE, type Guest, startGuest } from "./rpc-guest.ts";

const REPETITIONS = 7;
const CALLS = 100;
const CONCURRENCY = 4;
const WARM_UP_CALLS = 300;
const ENGINE_COUNT = 1_000_000;
/** How long small calls are made beside nothing, and beside the load. */
const PROBE_MS = 3000;
const ECHO_SERVER = join(import.meta.dirname, "echo-server.ts");
const ECHO = "/bench.Echo/";

/** One server under the load: what to call and whose CPU time it costs. */
interface Target {
  readonly client: RawClient;
  readonly path: string;
  readonly pid: number;
  readonly probe: Probe;
}

interface Cost {
  readonly ns: number;
  readonly cpuNs: number;
}

/** Wall and server CPU nanoseconds for one translation, or for as many bytes. */
async function run(target: Target, request: Buffer): Promise<Cost> {
  const [cpu, start] = [cpuNanoseconds(target.pid), performance.now()];
  await target.client.load(target.path, request, CALLS, CONCURRENCY);
  const ns = ((performance.now() - start) * 1e6) / (CALLS * ACCESSES);
  return { ns, cpuNs: (cpuNanoseconds(target.pid) - cpu) / (CALLS * ACCESSES) };
}

function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

function percentile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN;
}

function spread(values: readonly number[]): string {
  const digits = median(values) < 100 ? 1 : 0;
  const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
  return `${median(values).toFixed(digits)} (${low}-${high})`.padStart(20);
}

function report(costs: { broker: readonly Cost[]; echo: readonly Cost[]; engine: readonly number[] }): void {
  const engine = median(costs.engine);
  const cpuEcho = median(costs.echo.map(({ cpuNs }) => cpuNs));
  const nsEcho = median(costs.echo.map(({ ns }) => ns));
  const row = (name: string, values: readonly number[], echo: number, perSecond: boolean): void => {
    const ratio =
      `${(median(values) / echo).toFixed(2)}`.padStart(10) + `${(median(values) / engine).toFixed(1)}`.padStart(10);
    const rate = perSecond ? `${Math.round(1e9 / median(values)).toLocaleString("en")} a second` : "";
    console.log(`${name.padEnd(24)}${spread(values)}${ratio}  ${rate}`);
  };
  console.log(
    `${"ns for one translation".padEnd(24)}${"".padEnd(20)}${"/ echo".padStart(10)}${"/ engine".padStart(10)}`,
  );
  row(
    "Translate, end to end",
    costs.broker.map(({ ns }) => ns),
    nsEcho,
    true,
  );
  row(
    "echo, end to end",
    costs.echo.map(({ ns }) => ns),
    nsEcho,
    true,
  );
  row(
    "Translate, server CPU",
    costs.broker.map(({ cpuNs }) => cpuNs),
    cpuEcho,
    true,
  );
  row(
    "echo, server CPU",
    costs.echo.map(({ cpuNs }) => cpuNs),
    cpuEcho,
    true,
  );
  console.log(`${"engine, TLB hits".padEnd(24)}${spread(costs.engine)}`);
}

function encodeRequest(guest: Guest): Buffer {
  const accesses = guest.iovas.map((iova) => ({ iova: longOf(iova), access: 1 }));
  return SIMULATOR.translate.request.encode({ device: DEVICE, accesses });
}

function verify(guest: Guest, response: Buffer): void {
  const { translations } = SIMULATOR.translate.response.decode(response);
  const wrong = guest.ipas.findIndex((ipa, index) => translations[index]?.ipa?.toString() !== ipa.toString());
  if (wrong >= 0) throw new Error(`access ${wrong} did not come to IPA ${guest.ipas[wrong]}`);
}

async function startEcho(broker: BrokerProcess, bytes: number): Promise<{ process: ChildProcess; target: string }> {
  const target = `unix:${join(broker.directory, "echo.sock")}`;
  const child = spawn(process.execPath, [ECHO_SERVER, String(bytes), target], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return { process: child, target };
}

async function measureThroughput(broker: Target, echo: Target, request: Buffer): Promise<void> {
  const engine = new Bench(4096);
  engine.warmUp("tlb");
  for (const target of [broker, echo]) await target.client.load(target.path, request, WARM_UP_CALLS, CONCURRENCY);
  const costs = { broker: [] as Cost[], echo: [] as Cost[], engine: [] as number[] };
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    costs.broker.push(await run(broker, request));
    costs.echo.push(await run(echo, request));
    costs.engine.push(engine.run("tlb", ENGINE_COUNT));
  }
  report(costs);
}

async function measureDelay(broker: Target, echo: Target, request: Buffer): Promise<void> {
  console.log(`\n${"ms of a small call".padEnd(32)}${"p50".padStart(8)}${"p99".padStart(8)}${"calls".padStart(8)}`);
  const row = (name: string, ms: readonly number[]): void => {
    const cells = [percentile(ms, 0.5).toFixed(2), percentile(ms, 0.99).toFixed(2), String(ms.length)];
    console.log(name.padEnd(32) + cells.map((cell) => cell.padStart(8)).join(""));
  };
  for (const [name, target] of [
    ["GetDevice", broker],
    ["echo", echo],
  ] as const) {
    row(`${name}, idle`, await probe(target.probe, () => pause(PROBE_MS)));
    const during = async (): Promise<void> => {
      const end = performance.now() + PROBE_MS;
      while (performance.now() < end) await target.client.load(target.path, request, CALLS, CONCURRENCY);
    };
    row(`${name}, under the load`, await probe(target.probe, during));
  }
}

async function main(): Promise<void> {
  const broker = await startBroker();
  const client = connect(broker.target);
  try {
    const session = await client.openSession({ displayName: "bench", leaseTtlMs: 10_000 });
    const guest = await startGuest(session, broker.memoryRoot);
    const request = encodeRequest(guest);
    const raw = new RawClient(broker.target, session.token);
    const { path } = SIMULATOR.translate;
    const response = await raw.call(path, request);
    verify(guest, response);
    console.log(
      `${ACCESSES} accesses a call, ${CONCURRENCY} calls at a time; ${request.length} bytes there, ${response.length} back\n`,
    );
    const echo = await startEcho(broker, response.length);
    try {
      const getDevice = BROKER.getDevice.request.encode({ device: DEVICE });
      const targets = {
        broker: {
          client: raw,
          path,
          pid: broker.process.pid!,
          probe: { target: broker.target, token: session.token, path: BROKER.getDevice.path, request: getDevice },
        },
        echo: {
          client: new RawClient(echo.target, undefined),
          path: `${ECHO}Large`,
          pid: echo.process.pid!,
          probe: { target: echo.target, token: undefined, path: `${ECHO}Small`, request: getDevice },
        },
      };
      await measureThroughput(targets.broker, targets.echo, request);
      await measureDelay(targets.broker, targets.echo, request);
      verify(guest, await raw.call(path, request));
      targets.echo.client.close();
      raw.close();
    } finally {
      echo.process.kill();
    }
    await session.close();
  } finally {
    client.close();
    await broker.stop();
  }
}

await main();
