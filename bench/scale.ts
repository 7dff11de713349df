// What a host of many devices costs: bind latency and memory of an idle device with 65,536 devices and 1,000 sessions, against
// 64 devices and 16 sessions in the same run. Pairs of bind and unbind, the two brokers in turn, so that a busy machine
// is busy for both. Usage: npm run bench:scale -- [--devices 65536] [--sessions 1000] [--pairs 2000]

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { BrokerProcess } from "../examples/support/broker-process.ts";
import { type BrokerClient, type BrokerSession, connect, Stage1Mode } from "../src/client/client.ts";
import { startMeasured, usageOf } from "./measured-broker.ts";

const { values } = parseArgs({
  options: {
    devices: { type: "string", default: "65536" },
    sessions: { type: "string", default: "1000" },
    pairs: { type: "string", default: "2000" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log("npm run bench:scale -- [--devices 65536] [--sessions 1000] [--pairs 2000]");
  process.exit(0);
}
const SMALL = { devices: 64, sessions: 16 };
const LARGE = { devices: Number(values.devices), sessions: Number(values.sessions) };
const PAIRS = Number(values.pairs);
const WARM_UP = Math.min(500, PAIRS);
const KiB = 1024;
const GOALS = { latency: 1.2, idleBytes: KiB };
const RAM_IPA = 0x4000_0000n;
const RAM_BYTES = 2n ** 21n;
const LEASE_MS = 3_600_000;
const REGISTERS = { idr0: 0x0d4c_101b, idr1: 0x0273_0510, idr3: 0x1414, idr5: 0x75, aidr: 0x1 };
/** StreamIDs of one SMMU, IDR1.SIDSIZE = 16. */
const STREAMS = 65_536;

interface Host {
  readonly broker: BrokerProcess;
  readonly client: BrokerClient;
  readonly bound: BrokerSession;
  readonly idleBytes: number;
  readonly latencies: number[];
}

async function startHost({ devices, sessions }: typeof SMALL): Promise<Host> {
  const iommus = Array.from({ length: Math.ceil(devices / STREAMS) }, (_, index) => ({
    id: `smmu${index}`,
    registers: REGISTERS,
  }));
  const all = Array.from({ length: devices }, (_, index) => ({
    id: `device-${index}`,
    iommu: `smmu${Math.floor(index / STREAMS)}`,
    group: index,
    stream_ids: [index % STREAMS],
  }));
  const limits = { sessions_max: sessions + 1, open_memory_files_max: sessions + 1 };
  const broker = await startMeasured({ simulated: { iommus, devices: all }, limits });
  const { used } = await usageOf(broker);
  const client = connect(broker.target);
  const path = join(broker.memoryRoot, "ram");
  const file = openSync(path, "wx", 0o600);
  ftruncateSync(file, Number(RAM_BYTES));
  closeSync(file);
  let bound: BrokerSession | undefined;
  for (let index = 0; index < sessions; index++) bound = await startGuest(client, path, index);
  return { broker, client, bound: bound!, idleBytes: used, latencies: [] };
}

/** One guest with one device, as a host has many. */
async function startGuest(client: BrokerClient, path: string, index: number): Promise<BrokerSession> {
  const session = await client.openSession({ displayName: `vmm ${index}`, leaseTtlMs: LEASE_MS, keepAlive: false });
  const { name: addressSpace } = await session.createAddressSpace();
  const mapping = { ipa: RAM_IPA, bytes: RAM_BYTES, source: 0, offset: 0n, readable: true, writable: true };
  await session.mapMemory({ addressSpace, sources: [{ path }], mappings: [mapping] });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device: `devices/device-${index}`, virtualIommu });
  return session;
}

/** Milliseconds of a bind and an unbind. */
async function pair({ bound }: Host, device: string): Promise<number> {
  const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: RAM_IPA };
  const began = performance.now();
  await bound.bindGuestStage({ device, virtualStreamId: 1, fields });
  await bound.unbindGuestStage({ device });
  return performance.now() - began;
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}

async function measure(small: Host, large: Host): Promise<void> {
  const hosts = [
    { host: small, device: `devices/device-${SMALL.sessions - 1}` },
    { host: large, device: `devices/device-${LARGE.sessions - 1}` },
  ];
  for (let index = 0; index < PAIRS + WARM_UP; index++) {
    for (const { device, host } of index % 2 === 0 ? hosts : hosts.toReversed()) {
      const took = await pair(host, device);
      if (index >= WARM_UP) host.latencies.push(took);
    }
  }
  const [few, many] = [small, large].map(({ latencies }) => latencies.toSorted((a, b) => a - b));
  for (const part of [0.5, 0.99]) {
    const [a, b] = [quantile(few!, part), quantile(many!, part)];
    const ratio = b / a;
    const verdict = ratio <= GOALS.latency ? "meets" : "misses";
    console.log(
      `bind and unbind, p${part * 100}: ${ms(a)} with ${SMALL.devices} devices, ${ms(b)} with ${LARGE.devices}: ${ratio.toFixed(2)} x, ${verdict} ${GOALS.latency} x`,
    );
  }
  const idle = (large.idleBytes - small.idleBytes) / (LARGE.devices - SMALL.devices);
  const verdict = idle <= GOALS.idleBytes ? "meets" : "misses";
  console.log(`an idle device: ${(idle / KiB).toFixed(2)} KiB in use, ${verdict} ${GOALS.idleBytes / KiB} KiB`);
}

const began = performance.now();
const hosts: Host[] = [];
try {
  for (const size of [SMALL, LARGE]) hosts.push(await startHost(size));
  console.log(
    `${LARGE.devices} devices, ${LARGE.sessions} sessions, ${PAIRS} pairs; ready after ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  await measure(hosts[0]!, hosts[1]!);
} finally {
  for (const { broker, client } of hosts) {
    client.close();
    await broker.stop();
  }
}
