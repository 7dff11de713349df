// Clients that take without giving: silent, half-open, deaf, hasty. Each is let run beside a client that calls one RPC
// after the other; what that one waits and what the daemon's memory grows by is printed. Times on a shared machine are
// not asserted closely: the bounds below are what would be plainly wrong.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectSocket, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { type BrokerClient, connect } from "../../src/client/client.ts";
import { BROKER } from "../../src/server/rpc/services.ts";
import { callHeaders, framed, http2Session } from "../support/e2e-http2.ts";
import { emptyRequest, preface } from "../support/http2-frames.ts";
import { TlsAuthority } from "../support/tls-authority.ts";

const CALLS = 400;
const DEVICE = "devices/0000:01:00.0";
const HANDSHAKE_MS = 2000;
const REQUEST_MS = 2000;
const IDENTITY_MAX = 32;
const HANDSHAKES_MAX = 16;
/** Far beyond what a busy machine does by itself; a client that is starved waits for seconds. */
const WAIT_FACTOR_MAX = 100;
const WAIT_FLOOR_MS = 20;
const GROWTH_MIB_MAX = 128;
/** Of a message of which the last bytes never come. */
const LONG_BYTES = 2 ** 19;
const MANY = "unfinished_requests_per_identity_max";
const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

let authority: TlsAuthority;
let broker: BrokerProcess;
let client: BrokerClient;
let port: number;
const sockets: Socket[] = [];

beforeAll(async () => {
  authority = new TlsAuthority();
  const { certificate, privateKey, clientCA } = authority.server;
  broker = await startBroker({
    listen: { tcp: "127.0.0.1:0", tls: { certificate, private_key: privateKey, client_ca: clientCA } },
    limits: { connections_per_identity_max: IDENTITY_MAX, handshakes_max: HANDSHAKES_MAX },
    timing: { handshake_timeout_ms: HANDSHAKE_MS, request_timeout_ms: REQUEST_MS },
  });
  port = await tcpPort();
  client = connect(broker.target);
  await waits(); // warm
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await expect.poll(() => metric("iommu_broker_connections"), { timeout: 10_000 }).toBe(1);
});

afterAll(async () => {
  client.close();
  expect(await broker.stop()).toBe(0);
  authority[Symbol.dispose]();
});

async function tcpPort(): Promise<number> {
  for (;;) {
    const [, found] = /"address":"127\.0\.0\.1:(\d+)"/.exec(broker.log.join("\n")) ?? [];
    if (found !== undefined) return Number(found);
    await broker.metrics();
  }
}

/** The 99th of 100 waits for an answer, in milliseconds. */
async function waits(): Promise<number> {
  const all: number[] = [];
  for (let call = 0; call < CALLS; call += 1) {
    const began = performance.now();
    await client.getDevice(DEVICE);
    all.push(performance.now() - began);
  }
  return all.toSorted((a, b) => a - b)[Math.floor(CALLS * 0.99)] ?? 0;
}

async function metric(name: string): Promise<number> {
  const line = (await broker.metrics()).split("\n").find((each) => each.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}

function rssMiB(): number {
  const status = readFileSync(`/proc/${broker.process.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

/** Opened or refused: whatever becomes of it. */
async function opened(socket: Socket): Promise<Socket> {
  sockets.push(socket);
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()).once("close", () => resolve()));
  return socket;
}

/** Lets others call meanwhile, prints what it costs them and the daemon, and holds that against the wide bounds. */
async function beside(what: string, attack: () => Promise<void>): Promise<void> {
  const usualMs = await waits();
  const before = rssMiB();
  await attack();
  const p99 = await waits();
  const growth = rssMiB() - before;
  const factor = p99 / usualMs;
  process.stdout.write(
    `${what}: others wait ${p99.toFixed(1)} ms at the 99th percentile, ${factor.toFixed(1)} times the usual ${usualMs.toFixed(1)} ms; the daemon grew by ${growth.toFixed(0)} MiB\n`,
  );
  expect(p99).toBeLessThan(Math.max(WAIT_FLOOR_MS, usualMs * WAIT_FACTOR_MAX));
  expect(growth).toBeLessThan(GROWTH_MIB_MAX);
}

describe("others are served, and the daemon's memory stays bounded, beside", () => {
  test("200 connections on the Unix socket that say nothing: one identity's share is let in, and that not for long", async () => {
    await beside("200 silent connections", async () => {
      for (let count = 0; count < 200; count += 1) await opened(connectSocket(broker.socket));
      expect(await metric("iommu_broker_connections")).toBeLessThanOrEqual(IDENTITY_MAX);
    });
    await expect.poll(() => metric("iommu_broker_connections"), { timeout: 5 * HANDSHAKE_MS }).toBe(1);
    const slow = `iommu_broker_connections_refused_total{limit="handshake_timeout_ms"}`;
    const many = await metric(slow);
    expect(many).toBeGreaterThanOrEqual(IDENTITY_MAX - 1);
    expect(await metric(`iommu_broker_connections_refused_total{limit="connections_per_identity_max"}`)).toBe(
      200 - many,
    );
  });

  test("100 TLS handshakes that stop in the middle: an address' share goes on, and that not for long", async () => {
    const header = Buffer.from([0x16, 3, 1, 2, 0]); // of a ClientHello that does not come
    await beside("100 half handshakes", async () => {
      const all = Array.from({ length: 100 }, () => opened(connectSocket(port, "127.0.0.1")));
      for (const socket of await Promise.all(all)) socket.write(header);
    });
    const slow = `iommu_broker_tls_handshakes_refused_total{reason="too_slow"}`;
    await expect.poll(() => metric(slow), { timeout: 5 * HANDSHAKE_MS }).toBeGreaterThanOrEqual(HANDSHAKES_MAX / 4);
    expect(await metric(`iommu_broker_connections_refused_total{limit="handshakes_max"}`)).toBe(
      100 - (await metric(slow)),
    );
  });

  test.each([
    { what: "calls", socket: "socket", path: BROKER.getDevice.path, number: 8, limit: "request_timeout_ms" },
    { what: "calls", socket: "socket", path: BROKER.getDevice.path, number: 128, limit: MANY },
    { what: "reflection streams", socket: "socket", path: REFLECTION, number: 128, limit: MANY },
    { what: "calls", socket: "adminSocket", path: BROKER.getDevice.path, number: 128, limit: MANY },
  ] as const)("$number $what on the $socket without their last byte lose their connection, by $limit", async (row) => {
    const closed = () => metric(`iommu_broker_connections_refused_total{limit="${row.limit}"}`);
    const before = await closed();
    const session = http2Session(broker[row.socket]);
    onTestFinished(() => session.destroy());
    await beside(`${row.number} ${row.what} on the ${row.socket} without their last byte`, async () => {
      const over = new Promise<void>((resolve) => session.once("close", () => resolve())); // perhaps by a reset
      for (let each = 0; each < row.number; each += 1) {
        const stream = session.request(callHeaders(row.path)).on("error", () => undefined);
        stream.write(framed(Buffer.alloc(LONG_BYTES)).subarray(0, -1));
      }
      await over;
    });
    expect(await closed()).toBe(before + 1);
  });

  test("10,000 requests in one breath by a client that reads the answers", async () => {
    await beside("10,000 requests at once", () => pipelined(true));
  });

  test("10,000 requests in one breath by a client that never reads", async () => {
    await beside("10,000 requests, nothing read", () => pipelined(false));
  });
});

async function pipelined(isReading: boolean): Promise<void> {
  const socket = await opened(connectSocket(broker.socket));
  const requests = Array.from({ length: 10_000 }, (_, index) => emptyRequest(BROKER.listDevices.path, index));
  socket.write(Buffer.concat([preface(), ...requests]));
  if (isReading) await once(socket, "data");
}
