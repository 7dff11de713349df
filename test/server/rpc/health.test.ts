import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { codec } from "../../../src/server/rpc/codec.ts";
import { grpc as generated } from "../../../src/server/rpc/generated/messages.js";
import { addHealthService, type HealthHandle } from "../../../src/server/rpc/health.ts";
import { type Listeners, openListeners } from "../../../src/server/rpc/listener.ts";

const v1 = generated.health.v1;
const REQUEST = codec(v1.HealthCheckRequest);
const RESPONSE = codec(v1.HealthCheckResponse);
const LIST = codec(v1.HealthListResponse);
const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = v1.HealthCheckResponse.ServingStatus;
const BROKER = "iommubroker.v1.IommuBroker";
const same = (bytes: Buffer): Buffer => bytes;

let directory: string;
let server: grpc.Server;
let listeners: Listeners;
let health: HealthHandle;
let client: grpc.Client;
/** What the backend does when it is asked. */
let ping: () => Promise<void>;
let pings: number;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "health-"));
  server = new grpc.Server({ "grpc.enable_channelz": 0 });
  pings = 0;
  ping = async () => {};
  health = addHealthService(server, {
    services: [BROKER],
    ping: () => {
      pings += 1;
      return ping();
    },
    pingTimeoutMs: 50,
    watchIntervalMs: 10,
  });
  const socket = join(directory, "s");
  listeners = await openListeners({
    server,
    socket,
    tcp: undefined,
    connectionsMax: 16,
    connectionsPerIdentityMax: 64,
    handshakeTimeoutMs: 5000,
    onRefused: () => {},
  });
  client = new grpc.Client(`unix:${socket}`, grpc.credentials.createInsecure(), {
    "grpc.default_authority": "localhost",
  });
});

afterEach(() => {
  client.close();
  listeners.stop();
  server.forceShutdown();
  rmSync(directory, { recursive: true });
});

function unary(method: string, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(`/grpc.health.v1.Health/${method}`, same, same, request, (error, answer) =>
      error === null && answer !== undefined ? resolve(answer) : reject(error),
    );
  });
}

async function check(service: string): Promise<number> {
  return RESPONSE.decode(await unary("Check", REQUEST.encode({ service }))).status;
}

/** The statuses a Watch tells, and the code it ends with. */
function watch(service: string) {
  const seen: number[] = [];
  const path = "/grpc.health.v1.Health/Watch";
  const call = client.makeServerStreamRequest(path, same, same, REQUEST.encode({ service }));
  call.on("data", (bytes: Buffer) => seen.push(RESPONSE.decode(bytes).status));
  const ended = new Promise<number>((resolve) => {
    call.on("error", (error: grpc.ServiceError) => resolve(error.code));
  });
  return { seen, ended, call };
}

test.each(["", BROKER, "readiness", "liveness"])("%j is serving while the backend answers", async (service) => {
  expect(await check(service)).toBe(SERVING);
});

test("Check asks the backend, except for liveness", async () => {
  await check("liveness");
  expect(pings).toBe(0);
  await check("");
  expect(pings).toBe(1);
});

test("when the backend fails only liveness is serving", async () => {
  ping = () => Promise.reject(new Error("no answer"));
  expect([await check(""), await check(BROKER), await check("readiness"), await check("liveness")]).toEqual([
    NOT_SERVING,
    NOT_SERVING,
    NOT_SERVING,
    SERVING,
  ]);
});

test("a backend that never answers is not serving once the deadline has passed", async () => {
  ping = () => new Promise(() => {});
  expect(await check("")).toBe(NOT_SERVING);
});

test("many checks at once ask the backend once", async () => {
  const answer = Promise.withResolvers<void>();
  ping = () => answer.promise;
  const checks = Array.from({ length: 20 }, () => check(""));
  await expect.poll(() => pings).toBe(1);
  answer.resolve();
  expect(new Set(await Promise.all(checks))).toEqual(new Set([SERVING]));
  expect(pings).toBeLessThan(20);
});

test("a service that is not there is NOT_FOUND for Check, by name", async () => {
  await expect(check("nobody.v1.Nothing")).rejects.toMatchObject({
    code: grpc.status.NOT_FOUND,
    details: 'unknown service "nobody.v1.Nothing"',
  });
});

test("a malformed request is an invalid argument, to Check and to Watch", async () => {
  await expect(unary("Check", Buffer.from([0x0a, 0xff]))).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
  const call = client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", same, same, Buffer.from([0x0a, 0xff]));
  call.resume();
  const code = await new Promise((resolve) => call.on("error", (error: grpc.ServiceError) => resolve(error.code)));
  expect(code).toBe(grpc.status.INVALID_ARGUMENT);
});

test("List tells all of them", async () => {
  const { statuses } = LIST.decode(await unary("List", Buffer.alloc(0)));
  expect(Object.keys(statuses).sort()).toEqual(["", BROKER, "liveness", "readiness"]);
  expect(Object.values(statuses).every((each) => each.status === SERVING)).toBe(true);
});

test("Watch tells the status at once, and then only when it changes", async () => {
  const { seen, call } = watch("");
  await expect.poll(() => seen).toEqual([SERVING]);
  const before = pings;
  await expect.poll(() => pings).toBeGreaterThan(before + 3);
  expect(seen).toEqual([SERVING]);
  ping = () => Promise.reject(new Error("gone"));
  await expect.poll(() => seen).toEqual([SERVING, NOT_SERVING]);
  ping = async () => {};
  await expect.poll(() => seen).toEqual([SERVING, NOT_SERVING, SERVING]);
  call.cancel();
});

test("Watch of a service that is not there says SERVICE_UNKNOWN and goes on", async () => {
  const { seen, ended, call } = watch("nobody.v1.Nothing");
  await expect.poll(() => seen).toEqual([SERVICE_UNKNOWN]);
  call.cancel();
  expect(await ended).toBe(grpc.status.CANCELLED);
});

test("the backend is only asked again and again while somebody watches", async () => {
  const { seen, call, ended } = watch("");
  await expect.poll(() => seen).toEqual([SERVING]);
  call.cancel();
  await ended;
  await expect
    .poll(async () => {
      const before = pings;
      await check("liveness");
      await new Promise(setImmediate);
      return pings - before;
    })
    .toBe(0);
  const settled = pings;
  for (let round = 0; round < 5; round++) await check("liveness");
  expect(pings).toBe(settled);
});

test("draining is NOT_SERVING for everybody who watches or checks, but not for liveness", async () => {
  const { seen } = watch(BROKER);
  await expect.poll(() => seen).toEqual([SERVING]);
  health.drain();
  await expect.poll(() => seen).toEqual([SERVING, NOT_SERVING]);
  expect(await check("")).toBe(NOT_SERVING);
  expect(await check("liveness")).toBe(SERVING);
  expect(await health.isReady()).toBe(false);
});

test("draining does not wait for a backend that hangs", async () => {
  health.drain();
  ping = () => new Promise(() => {});
  expect(await check("")).toBe(NOT_SERVING);
  expect(pings).toBe(0);
});

test("closing ends every Watch with UNAVAILABLE", async () => {
  const one = watch("");
  const two = watch(BROKER);
  await expect.poll(() => one.seen.length + two.seen.length).toBe(2);
  health.close();
  expect([await one.ended, await two.ended]).toEqual([grpc.status.UNAVAILABLE, grpc.status.UNAVAILABLE]);
});

test("one watch past the limit is RESOURCE_EXHAUSTED", async () => {
  const watches = Array.from({ length: 256 }, () => watch("liveness"));
  await expect.poll(() => watches.every((each) => each.seen.length === 1)).toBe(true);
  expect(await watch("liveness").ended).toBe(grpc.status.RESOURCE_EXHAUSTED);
  health.close();
});
