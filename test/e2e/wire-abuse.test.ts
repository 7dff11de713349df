// What arrives on the socket may be anything: bytes that are no protobuf, no gRPC, no HTTP/2, clients that open too much,
// read nothing, or leave in the middle. The daemon answers what can be answered, hangs up on the rest, and serves on.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { connect as connectSocket } from "node:net";
import { gzipSync } from "node:zlib";
import { Metadata } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { type BrokerClient, type BrokerSession, connect, Stage1Mode } from "../../src/client/client.ts";
import { wire } from "../../src/client/plain.ts";
import type { iommubroker } from "../../src/server/rpc/codec.ts";
import { BROKER, SIMULATOR } from "../../src/server/rpc/services.ts";
import { TOKEN_KEY } from "../../src/server/rpc/token.ts";
import { type FieldSpot, fieldSpots } from "../support/e2e-descriptors.ts";
import { answerOf, callHeaders, closed, framed, garbageOn, http2Session } from "../support/e2e-http2.ts";
import { bugLines, isServiceError, RawClient, refusalOf } from "../support/e2e-refusal.ts";
import { mapping, sparseFile } from "../support/e2e-world.ts";

const MESSAGE_MAX = 65_536;
const STREAMS_MAX = 8;
const CONNECTIONS_MAX = 16;
const FAULT_RING = 256;
/** Of "cut" with its tag and length: without it, the request in question is whole. */
const REQUEST_ID_BYTES = 5;
const DEVICE = "devices/0000:01:00.0";
const LIST_DEVICES = BROKER.listDevices.path;
const WATCH_FAULTS = BROKER.watchFaults.path;
const UNARY = [...Object.values(BROKER), ...Object.values(SIMULATOR)].filter(
  ({ kind, name }) => kind === "unary" && name !== "CloseSession",
);
/** Statuses that a client may be answered with for bytes that are wrong. */
const ANSWERED = ["INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"];

let broker: BrokerProcess;
let client: BrokerClient;
let raw: RawClient;
let session: BrokerSession;

beforeAll(async () => {
  broker = await startBroker({
    limits: {
      message_bytes_max: MESSAGE_MAX,
      streams_per_connection_max: STREAMS_MAX,
      connections_max: CONNECTIONS_MAX,
      fault_ring_events_max: FAULT_RING,
    },
  });
  client = connect(broker.target);
  raw = new RawClient(broker.target);
  session = await client.openSession({ displayName: "wire" });
});

afterEach(async () => {
  expect(await raw.health()).toBe("SERVING");
  expect(await client.listDevices()).toHaveLength(8);
  expect(bugLines(broker.log)).toEqual([]);
});

afterAll(async () => {
  raw.close();
  client.close();
  expect(await broker.stop()).toBe(0);
});

function token(): Metadata {
  const metadata = new Metadata();
  metadata.set(TOKEN_KEY, session.token);
  return metadata;
}

/** The name of the status that a call is answered with: "OK", or one with exactly one ErrorInfo. */
async function statusOf(path: string, request: Uint8Array): Promise<string> {
  try {
    await raw.unary(path, request, token());
    return "OK";
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const { code, infos } = refusalOf(error);
    expect(infos).toHaveLength(1);
    return code;
  }
}

describe("a request that is", () => {
  test.each(UNARY)("$name with random bytes is answered, and not as a bug", async ({ path }) => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        expect(["OK", "ALREADY_EXISTS", ...ANSWERED]).toContain(await statusOf(path, bytes));
      }),
      { numRuns: 25 },
    );
  });

  test("cut short anywhere is INVALID_ARGUMENT, as long as something that is required is cut off", async () => {
    const request = BROKER.mapMemory.request.encode(
      wire<iommubroker.v1.IMapMemoryRequest>({
        addressSpace: "addressSpaces/01234567-89ab-4cde-8f01-23456789abcd",
        sources: [{ path: `${broker.memoryRoot}/ram` }],
        mappings: [mapping()],
        requestId: "cut",
      }),
    );
    const answers = await Promise.all(
      Array.from({ length: request.length - REQUEST_ID_BYTES }, (_, length) =>
        statusOf(BROKER.mapMemory.path, request.subarray(0, length)),
      ),
    );
    expect(answers.every((answer) => answer === "INVALID_ARGUMENT")).toBe(true);
    expect(await statusOf(BROKER.mapMemory.path, request)).toBe("NOT_FOUND");
  });

  const strings = fieldSpots().filter(({ type }) => type === "string");
  test.each(strings)("$rpc with $path not UTF-8 is INVALID_ARGUMENT", async ({ method, wrap, number }) => {
    for (const text of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x61, 0xe2, 0x82]]) {
      const value = Buffer.from([number * 8 + 2, text.length, ...text]);
      expect(await statusOf(method, wrap(value))).toBe("INVALID_ARGUMENT");
    }
  });

  const wireTypes = (spot: FieldSpot): readonly Buffer[] => {
    const tag = (wireType: number): Buffer => {
      const value = spot.number * 8 + wireType;
      return value < 128 ? Buffer.from([value]) : Buffer.from([(value % 128) + 128, Math.floor(value / 128)]);
    };
    return [
      Buffer.concat([tag(0), Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])]),
      Buffer.concat([tag(1), Buffer.alloc(8, 0xff)]),
      Buffer.concat([tag(2), Buffer.from([3, 0xff, 0x0a, 0x01])]),
      Buffer.concat([tag(2), Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])]),
      Buffer.concat([tag(3), tag(4)]),
      Buffer.concat([tag(5), Buffer.alloc(4, 0xff)]),
      tag(6),
      tag(7),
      Buffer.alloc(12, 0xff),
    ];
  };
  const rpcs = [...new Set(fieldSpots().map(({ rpc }) => rpc))];
  test.each(rpcs)("%s with every field as every wire type is answered", async (rpc) => {
    for (const spot of fieldSpots().filter((one) => one.rpc === rpc)) {
      const answers = await Promise.all(wireTypes(spot).map((value) => statusOf(spot.method, spot.wrap(value))));
      expect(answers.filter((answer) => !["OK", "ALREADY_EXISTS", ...ANSWERED].includes(answer))).toEqual([]);
    }
  });

  test("from the future, with fields that nobody knows, is taken", async () => {
    const unknown = Buffer.concat([
      Buffer.from([0xf8, 0x3e, 0x01]), // 1007, varint
      Buffer.from([0xfa, 0x3e, 0x02, 0xff, 0xff]), // 1007, bytes
      Buffer.from([0xf9, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8]), // 1007, fixed64
      Buffer.from([0xfb, 0x3e, 0x08, 0x01, 0xfc, 0x3e]), // 1007, a group with a field in it
    ]);
    const known = await raw.unary(LIST_DEVICES, new Uint8Array());
    expect(await raw.unary(LIST_DEVICES, unknown)).toEqual(known);
  });

  test("nested without end is INVALID_ARGUMENT", async () => {
    expect(await statusOf(LIST_DEVICES, Buffer.alloc(MESSAGE_MAX - 16, 0x7b))).toBe("INVALID_ARGUMENT");
  });

  test("longer than a message may be is RESOURCE_EXHAUSTED", async () => {
    for (const length of [MESSAGE_MAX + 1, 40 * 2 ** 20]) {
      await expect(raw.unary(LIST_DEVICES, Buffer.alloc(length))).rejects.toMatchObject({ code: 8 });
    }
  });

  test("small, and longer than a message may be once it is unpacked, is RESOURCE_EXHAUSTED and costs no memory", async () => {
    const bomb = gzipSync(Buffer.alloc(256 * 2 ** 20));
    const before = rssMiB();
    const http = http2Session(broker.socket);
    const stream = http.request(callHeaders(LIST_DEVICES, { "grpc-encoding": "gzip" }));
    const answer = answerOf(stream);
    stream.end(framed(bomb.subarray(0, MESSAGE_MAX - 16), 1));
    expect([8, 13]).toContain((await answer).status);
    expect(rssMiB() - before).toBeLessThan(100);
    http.destroy();
  });

  test("to an RPC or a service that is not there is UNIMPLEMENTED", async () => {
    for (const path of ["/iommubroker.v1.IommuBroker/Nothing", "/nobody.v9.Knows/This", "/", "/x", "//"]) {
      await expect(raw.unary(path, new Uint8Array())).rejects.toMatchObject({ code: 12 });
    }
  });
});

describe("a client that", () => {
  test("opens more streams than it may waits for its own, and costs others nothing", async () => {
    const http = http2Session(broker.socket);
    await once(http, "remoteSettings");
    expect(http.remoteSettings.maxConcurrentStreams).toBe(STREAMS_MAX);
    const streams = Array.from({ length: 5 * STREAMS_MAX }, () =>
      http.request(callHeaders("/grpc.health.v1.Health/Watch")),
    );
    let answered = 0;
    for (const stream of streams) {
      stream
        .on("error", () => undefined)
        .on("response", () => {
          answered += 1;
        });
      stream.end(framed(new Uint8Array()));
    }
    await once(streams[STREAMS_MAX - 1] ?? http, "response");
    expect(await client.listDevices()).toHaveLength(8);
    expect(answered).toBe(STREAMS_MAX);
    http.destroy();
  });

  test("opens and resets streams as fast as it can is let go or served, and others are served", async () => {
    const http = http2Session(broker.socket);
    await once(http, "connect");
    for (let burst = 0; burst < 50 && !http.destroyed; burst += 1) {
      for (let index = 0; index < 100 && !http.destroyed; index += 1) {
        const stream = http.request(callHeaders(LIST_DEVICES));
        stream.on("error", () => undefined);
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
      await raw.health();
    }
    http.destroy();
  });

  test("leaves in the middle of its call does not hold anything", async () => {
    await boundDevice();
    const accesses = Array.from({ length: 2000 }, (_, page) => ({ iova: BigInt(page) * 4096n }));
    const request = SIMULATOR.translate.request.encode({ device: DEVICE, accesses: accesses.map(() => ({})) });
    for (let round = 0; round < 20; round += 1) {
      const http = http2Session(broker.socket);
      const stream = http.request(callHeaders(SIMULATOR.translate.path, { [TOKEN_KEY]: session.token }));
      stream.on("error", () => undefined);
      stream.end(framed(request));
      await once(http, "remoteSettings");
      http.destroy();
    }
    await vanished();
  });

  test("sends headers beyond all measure is refused", async () => {
    const http = http2Session(broker.socket);
    const stream = http.request(callHeaders(LIST_DEVICES, { "x-huge": "h".repeat(200_000) }));
    const answer = answerOf(stream);
    stream.end(framed(new Uint8Array()));
    expect((await answer).status ?? "broken off").not.toBe(0);
    http.destroy();
    const long = new Metadata();
    long.set(TOKEN_KEY, "t".repeat(30_000));
    await expect(raw.unary(BROKER.createAddressSpace.path, new Uint8Array(), long)).rejects.toThrow();
  });
});

/** Connections that the daemon still has, beside the tests' own two. */
async function vanished(): Promise<void> {
  for (;;) {
    const open = Number(/^iommu_broker_connections (\d+)/m.exec(await broker.metrics())?.[1]);
    if (open <= 2) return;
  }
}

let bound: string | undefined;

/** The device bound to tables of zeroes: every access faults. */
async function boundDevice(): Promise<void> {
  if (bound !== undefined) return;
  const path = sparseFile(broker, "ram", 8 * 2 ** 20);
  const { name } = await session.createAddressSpace();
  await session.mapMemory({ addressSpace: name, sources: [{ path }], mappings: [mapping()] });
  bound = (await session.createVirtualIommu({ addressSpace: name, iommus: ["iommus/smmu0"] })).name;
  await session.attachDevice({ device: DEVICE, virtualIommu: bound });
  const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: mapping().ipa };
  await session.bindGuestStage({ device: DEVICE, virtualStreamId: 1, fields });
}

function rssMiB(): number {
  const status = readFileSync(`/proc/${broker.process.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

/** What the daemon's heap holds, collected or not. */
async function heapMiB(): Promise<number> {
  const used = /^nodejs_heap_size_used_bytes (\S+)/m.exec(await broker.metrics())?.[1];
  expect(used).toBeDefined();
  return Number(used) / 2 ** 20;
}

describe("a fault stream that nobody reads", () => {
  test("costs the daemon a bounded ring, and other readers nothing", async () => {
    await boundDevice();
    const http = http2Session(broker.socket);
    onTestFinished(() => http.destroy());
    const stuck = http.request(callHeaders(WATCH_FAULTS, { [TOKEN_KEY]: session.token }));
    stuck.on("error", () => undefined);
    stuck.end(framed(new Uint8Array()));
    await once(stuck, "response"); // and never a read

    const watch = session.watchFaults();
    await watch.ready;
    const accesses = Array.from({ length: 2000 }, () => ({ iova: 0x1000n }));
    const storm = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round += 1) await session.simulator.translate(DEVICE, accesses);
    };
    let seen = 0n;
    const reading = (async () => {
      for await (const { events, gaps } of watch) {
        const told = [...gaps, ...events.map(({ sequence }) => ({ first: sequence, last: sequence }))];
        for (const { first, last } of told.sort((a, b) => Number(a.first - b.first))) {
          if (seen !== 0n) expect(first).toBe(seen + 1n); // a hole is told, never skipped
          seen = last;
        }
      }
    })();
    await storm(20);
    const before = await heapMiB();
    await storm(150);
    // 300,000 events; kept, they would be several times that, whatever the collector does.
    const settled = async (): Promise<number> => {
      await storm(2);
      return await heapMiB();
    };
    await expect.poll(settled, { timeout: 20_000 }).toBeLessThan(before + 64);
    const last = seen;
    await storm(1);
    while (seen <= last) await raw.health();
    watch.close();
    await reading;
    const overrun = /^iommu_broker_fault_events_dropped_total\{reason="overrun"\} (\d+)/m.exec(
      await broker.metrics(),
    )?.[1];
    expect(Number(overrun)).toBeGreaterThanOrEqual(0);

    // Once it reads, it is told what it has lost.
    const bytes: Buffer[] = [];
    stuck.on("data", (chunk: Buffer) => bytes.push(chunk));
    while (!gapsOf(Buffer.concat(bytes)).some(({ last: end }) => end > 200_000n)) await once(stuck, "data");
  });
});

/** The gaps in the messages of a WatchFaults stream. */
function gapsOf(body: Buffer): { first: bigint; last: bigint }[] {
  const gaps: { first: bigint; last: bigint }[] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const length = body.readUInt32BE(at + 1);
    if (at + 5 + length > body.length) break;
    const message = BROKER.watchFaults.response.decode(body.subarray(at + 5, at + 5 + length));
    gaps.push(
      ...message.gaps.map(({ first, last }) => ({ first: BigInt(first.toString()), last: BigInt(last.toString()) })),
    );
    at += 5 + length;
  }
  return gaps;
}

async function refusedConnections(): Promise<number> {
  return Number(
    /^iommu_broker_connections_refused_total\{limit="connections_max"\} (\d+)/m.exec(await broker.metrics())?.[1],
  );
}

describe("connections", () => {
  test("beyond the limit are closed as they come, the ones before stay, and there is room again after", async () => {
    const refusedBefore = await refusedConnections();
    const sockets = Array.from({ length: CONNECTIONS_MAX + 8 }, () => connectSocket(broker.socket));
    for (const socket of sockets) socket.on("error", () => undefined);
    const late = sockets.map(async (socket) => {
      socket.resume();
      await closed(socket);
      return true;
    });
    await Promise.any(late);
    expect(await client.listDevices()).toHaveLength(8);
    while ((await refusedConnections()) < refusedBefore + 10) await raw.health();
    expect(sockets.filter((socket) => !socket.closed && !socket.destroyed).length).toBeLessThanOrEqual(CONNECTIONS_MAX);
    for (const socket of sockets) socket.destroy();
    await vanished();
    const fresh = new RawClient(broker.target);
    expect(await fresh.health()).toBe("SERVING");
    fresh.close();
    await vanished();
  });

  const random = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256));
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  test.each([
    ["nothing at all", Buffer.alloc(0)],
    ["an HTTP/1.1 request", Buffer.from("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ["a TLS client hello", Buffer.from("1603010200010001fc0303", "hex")],
    ["zeroes", Buffer.alloc(65_536)],
    ["random bytes", random],
    ["half a preface", preface.subarray(0, 11)],
    ["a preface and random bytes", Buffer.concat([preface, random])],
    ["a frame of 16 MiB", Buffer.concat([preface, settings, Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])])],
    ["headers that are no HPACK", Buffer.concat([preface, settings, Buffer.from([0, 0, 4, 1, 5, 0, 0, 0, 1]), random])],
    [
      "data on a stream that is not open",
      Buffer.concat([preface, settings, Buffer.from([0, 0, 1, 0, 0, 0, 0, 0, 9, 1])]),
    ],
    [
      "a thousand pings",
      Buffer.concat([
        preface,
        settings,
        ...Array.from({ length: 1000 }, () => Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])),
      ]),
    ],
    ["ten thousand empty settings", Buffer.concat([preface, ...Array.from({ length: 10_000 }, () => settings)])],
  ])("with %s on them are hung up on", async (_what, bytes) => {
    await garbageOn(broker.socket, bytes);
    await vanished();
  });
});

describe("an :authority of", () => {
  test.each([["localhost"], ["127.0.0.1:9400"], ["[::1]:9400"], ["%2Frun%2Fbroker.sock"], ["broker.internal"]])(
    "%s is served",
    async (authority) => {
      const http = http2Session(broker.socket);
      const stream = http.request({ ...callHeaders(LIST_DEVICES), ":authority": authority });
      const answer = answerOf(stream);
      stream.end(framed(new Uint8Array()));
      expect((await answer).status).toBe(0);
      http.destroy();
      await vanished();
    },
  );

  test("a raw path is refused before it is a call, and the connection serves on", async () => {
    const http = http2Session(broker.socket);
    const stream = http.request({ ...callHeaders(LIST_DEVICES), ":authority": "/run/iommu-broker/broker.sock" });
    const refused = answerOf(stream);
    stream.end(framed(new Uint8Array()));
    expect((await refused).status).toBe(undefined);
    http.destroy();
    await vanished();
  });
});
