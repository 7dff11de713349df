// The composition root in this process: what it connects with what, and that nothing is left behind when it fails.

import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { connect as connectSocket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BrokerClient, connect } from "../../src/client/client.ts";
import { type Config, loadConfig } from "../../src/server/config.ts";
import { type Daemon, startDaemon } from "../../src/server/daemon.ts";
import { type Log, logTo } from "../../src/server/log.ts";
import { iommubroker } from "../../src/server/rpc/codec.ts";

const { Stage1Mode } = iommubroker.v1;
const DISK = "devices/0000:00:01.0";

let directory: string;
let socket: string;
let lines: { level: string; msg: string; [fact: string]: unknown }[];
let log: Log;
const daemons: Daemon[] = [];
const clients: BrokerClient[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "daemon-"));
  mkdirSync(join(directory, "memory"));
  socket = join(directory, "broker.sock");
  lines = [];
  log = logTo({ write: (line: string) => lines.push(JSON.parse(line)) }, "debug");
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const daemon of daemons.splice(0)) await daemon.stop();
  rmSync(directory, { recursive: true });
});

function configOf(...words: string[]): Config {
  const settings = [
    `listen.socket=${socket}`,
    `admin.socket=${join(directory, "admin.sock")}`,
    `memory_roots=${join(directory, "memory")}`,
    `state_directory=${join(directory, "state")}`,
    "metrics.tcp=127.0.0.1:0",
    "simulator_api=true",
    "log.level=debug",
    ...words,
  ];
  const assignments = settings.map((word) => {
    const [path = "", ...text] = word.split("=");
    return { path, text: text.join("="), source: "test" };
  });
  const loaded = loadConfig({ file: undefined, environment: {}, assignments });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

async function start(...words: string[]): Promise<Daemon> {
  const daemon = await startDaemon(configOf(...words), log, "1.2.3", {
    fatal: (error) => {
      throw error;
    },
    drain: () => {},
  });
  daemons.push(daemon);
  return daemon;
}

function client(): BrokerClient {
  const made = connect(`unix:${socket}`);
  clients.push(made);
  return made;
}

/** A session with a 64 KiB guest on one attached device, stage 1 in bypass. */
async function guest() {
  const path = join(directory, "memory/ram");
  writeFileSync(path, "");
  truncateSync(path, 65_536);
  const session = await client().openSession({ displayName: "vmm", keepAlive: false });
  const space = await session.createAddressSpace({});
  const mapping = { ipa: 0n, bytes: 65_536n, source: 0, offset: 0n, readable: true, writable: true };
  await session.mapMemory({ addressSpace: space.name, sources: [{ path }], mappings: [mapping] });
  const virtual = await session.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device: DISK, virtualIommu: virtual.name, initialMode: Stage1Mode.STAGE1_MODE_BYPASS });
  return session;
}

async function scrape(daemon: Daemon): Promise<string> {
  return (await fetch(daemon.metricsAddresses[0] ?? "")).text();
}

test("it says where it listens and where guest memory may lie", async () => {
  const daemon = await start("listen.tcp=127.0.0.1:0", "listen.tcp_insecure=true");
  expect(daemon.addresses).toEqual([`unix:${socket}`, expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
  expect(daemon.metricsAddresses).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/)]);
  expect(daemon.memoryRoots).toEqual([join(directory, "memory")]);
});

test("a device's DMA moves its counters, which are gone once it is released", async () => {
  const daemon = await start();
  const session = await guest();
  const read = { iova: 0x1000n, readBytes: 8 };
  const wild = { iova: 0x9999_0000n, readBytes: 8 };
  await session.simulator.dma(DISK, [read, read, wild]);
  const during = await scrape(daemon);
  expect(during).toMatch(/^iommu_translations_total\{device="0000:00:01.0",outcome="ok"\} 2$/m);
  expect(during).toMatch(/^iommu_translations_total\{device="0000:00:01.0",outcome="fault"\} 1$/m);
  expect(during).toMatch(
    /^iommu_faults_total\{device="0000:00:01.0",event_type="F_TRANSLATION",stage="2",class="IN"\} 1$/m,
  );
  expect(during).toMatch(
    /^iommu_faults_total\{device="0000:00:01.0",event_type="C_BAD_CD",stage="none",class="none"\} 0$/m,
  );
  expect(during).toMatch(/^iommu_stage_state\{device="0000:00:01.0",state="nest-parent"\} 1$/m);
  expect(during).toMatch(/^iommu_broker_mapped_bytes 65536$/m);
  expect(during).toMatch(/^iommu_broker_open_memory_files 1$/m);
  expect(during).toMatch(/^iommu_broker_recovery_seconds (?!0$)/m);
  expect(during).toMatch(/^iommu_broker_client_devices\{client="built-in: root and the daemon"\} 1$/m);
  await session.close();
  const after = await scrape(daemon);
  expect(after).not.toMatch(/^iommu_(?:translations|faults)_total\{/m);
  expect(after).toMatch(/^iommu_stage_state\{device="0000:00:01.0",state="default-domain"\} 1$/m);
  expect(after).toMatch(/^iommu_broker_mapped_bytes 0$/m);
  expect(after).toMatch(/^iommu_broker_open_memory_files 0$/m);
});

test("rare facts reach the log, and a session's token never does", async () => {
  await start();
  const session = await guest();
  await expect(client().openSession({ displayName: "second", keepAlive: false })).resolves.toBeDefined();
  await session.close();
  expect(lines.map((line) => line.msg)).toEqual(
    expect.arrayContaining(["session opened", "stage changed", "session closed", "session given back"]),
  );
  expect(JSON.stringify(lines)).not.toContain(session.token);
});

test("stopping lets the calls in flight finish, refuses a new one, and resolves for everybody who asked", async () => {
  const daemon = await start();
  const session = await guest();
  const accesses = Array.from({ length: 4096 }, (_, index) => ({ iova: BigInt(index % 16) * 4096n, readBytes: 8 }));
  const calls = Array.from({ length: 40 }, () => session.simulator.dma(DISK, accesses));
  const finished = Promise.allSettled(calls);
  let text = "";
  await expect.poll(async () => (text = await scrape(daemon))).toMatch(/^grpc_server_started_total\{.*"Dma"\} 40$/m);
  expect(text).not.toMatch(/^grpc_server_handled_total\{.*grpc_method="Dma",grpc_code="OK"\} 40$/m);
  const stopped = daemon.stop();
  expect(daemon.stop()).toBe(stopped);
  const late = await client()
    .listDevices({ deadlineMs: 2000 })
    .catch((error: unknown) => error);
  expect(late).toMatchObject({ code: status.UNAVAILABLE });
  expect((await finished).map((call) => call.status)).toEqual(Array(40).fill("fulfilled"));
  await stopped;
  expect(existsSync(socket)).toBe(false);
});

test("stopping closes a connection that says nothing", async () => {
  const daemon = await start("timing.grace_period_ms=300");
  const silent = connectSocket(socket);
  silent.on("error", () => {});
  const closed = once(silent.resume(), "close");
  await once(silent, "connect");
  await expect.poll(() => scrape(daemon)).toMatch(/^iommu_broker_connections 1$/m);
  await daemon.stop();
  await closed;
});

test("a start that fails leaves no socket behind, and the next one works", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const taken = other.address();
  const port = typeof taken === "object" && taken !== null ? taken.port : 0;
  await expect(start(`metrics.tcp=127.0.0.1:${port}`)).rejects.toMatchObject({ code: "in_use" });
  expect(existsSync(socket)).toBe(false);
  other.close();
  await start();
  expect(await client().listDevices()).toHaveLength(8);
});

test("everything a stop leaves running would keep the process alive: nothing does", async () => {
  const before = process.getActiveResourcesInfo().filter((name) => /Server|Timeout/.test(name)).length;
  const daemon = await start();
  await daemon.stop();
  await expect
    .poll(() => process.getActiveResourcesInfo().filter((name) => /Server|Timeout/.test(name)).length)
    .toBeLessThanOrEqual(before);
});
