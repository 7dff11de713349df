import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { BROKER } from "../../../src/server/rpc/services.ts";
import { ADDRESS_SPACE, ADDRESS_SPACE_ID, DEVICE } from "../../support/fake-core.ts";
import { addFile, Failures, testHost } from "../../support/host.ts";
import { http2Call, rawCall } from "../../support/raw-call.ts";
import { refusal, serve } from "../../support/rpc-server.ts";

describe("the session token", () => {
  test.each([
    ["is missing", {}, "no session token"],
    ["is sent twice", { "iommubroker-session-token": ["token-1", "token-1"] }, "more than one"],
    ["is empty", { "iommubroker-session-token": "" }, "no session token"],
    ["has a blank in it", { "iommubroker-session-token": "to ken" }, "is no session token"],
    ["is too long", { "iommubroker-session-token": "x".repeat(257) }, "is no session token"],
    ["is unknown", { "iommubroker-session-token": "x" }, "no such session token"],
  ])("that %s is UNAUTHENTICATED and never repeated", async (_how, metadata, message) => {
    const server = await serve();
    const error = await rawCall(server, BROKER.createAddressSpace.path, new Uint8Array(), metadata);
    expect(error?.code).toBe(grpc.status.UNAUTHENTICATED);
    expect(error?.details).toContain(message);
    expect(error?.details).not.toContain("xxx");
    expect(server.core.asked).toEqual([]);
  });

  test("of a lapsed session is LEASE_EXPIRED", async () => {
    const server = await serve();
    const session = await server.session();
    server.core.expire(session.token);
    const error = await refusal(session.createAddressSpace());
    expect([error.codeName, error.reason]).toEqual(["FAILED_PRECONDITION", "LEASE_EXPIRED"]);
  });
});

describe("bytes that are no message", () => {
  test.each([
    ["cut short", [0x0a, 0x7f]],
    ["not UTF-8", [0x0a, 0x02, 0xc3, 0x28]],
  ])("%s are INVALID_ARGUMENT, and the daemon lives on", async (_what, bytes) => {
    const server = await serve();
    const error = await rawCall(server, BROKER.getDevice.path, Uint8Array.from(bytes));
    expect(error?.code).toBe(grpc.status.INVALID_ARGUMENT);
    expect((await server.client().getDevice("devices/0000:01:00.0")).name).toBe("devices/0000:01:00.0");
    expect(server.bugs).toEqual([]);
  });
});

describe("what a handler throws", () => {
  test("a bug tells the client an id and nothing of what happened", async () => {
    const server = await serve();
    server.core.devices.get = () => {
      throw new TypeError("secret detail");
    };
    const error = await refusal(server.client().getDevice("devices/a"));
    expect([error.codeName, error.reason]).toEqual(["INTERNAL", "INTERNAL_BUG"]);
    expect(server.bugs).toEqual([{ id: error.metadata.id, error: new TypeError("secret detail") }]);
    expect(error.message).toBe(`internal error, id ${error.metadata.id}`);
  });

  test("a backend's failure keeps its cause inside and gives an id to find it by", async () => {
    const server = await serve();
    server.core.stages.detach = async () => {
      throw new BrokerError("backend_failed", "detach failed", { errno: 5 }, { cause: new Error("secret cause") });
    };
    const session = await server.session();
    const error = await refusal(session.detachDevice({ device: "devices/a" }));
    expect([error.codeName, error.reason, error.metadata.errno]).toEqual(["INTERNAL", "BACKEND_FAILED", "5"]);
    expect(error.message).toBe(`detach failed, id ${error.metadata.id}`);
    expect(server.backendFailures.map(({ id }) => id)).toEqual([error.metadata.id]);
    expect(server.bugs).toEqual([]);
  });
});

describe("request_id", () => {
  test("with the same content gives the same answer and changes nothing again", async () => {
    const server = await serve();
    const session = await server.session();
    const first = await session.createAddressSpace({ requestId: "r1" });
    server.core.addressSpaces.create = async () => ({ ...ADDRESS_SPACE, mappingCount: 99 });
    expect(await session.createAddressSpace({ requestId: "r1" })).toEqual(first);
  });

  test("with other content, or of another method, is REQUEST_CONFLICT", async () => {
    const server = await serve();
    const session = await server.session();
    await session.createAddressSpace({ requestId: "r1" });
    const other = await refusal(session.createAddressSpace({ requestId: "r1", pinning: 2 }));
    const method = await refusal(
      session
        .deleteAddressSpace(`addressSpaces/${ADDRESS_SPACE_ID}`)
        .then(() => session.detachDevice({ device: "devices/a", requestId: "r1" })),
    );
    for (const error of [other, method]) {
      expect([error.codeName, error.reason]).toEqual(["ALREADY_EXISTS", "REQUEST_CONFLICT"]);
      expect(error.fields.map(({ path }) => path)).toEqual(["request_id"]);
    }
  });

  test("means nothing to another session", async () => {
    const server = await serve();
    await (await server.session("one")).createAddressSpace({ requestId: "r1", pinning: 1 });
    const other = await server.session("two");
    expect((await other.createAddressSpace({ requestId: "r1", pinning: 2 })).mappingCount).toBe(3);
  });

  test("is forgotten with its session", async () => {
    const server = await serve();
    const session = await server.session();
    await session.createAddressSpace({ requestId: "r1" });
    const id = session.name.replace("sessions/", "");
    server.core.events.emit({ type: "sessionEnded", session: id, displayName: "vm", reason: "closed" });
    await session.createAddressSpace({ requestId: "r1" });
    expect(server.core.asked.filter(({ verb }) => verb === "addressSpaces.create")).toHaveLength(2);
  });

  test("of a call that failed may be used again", async () => {
    const server = await serve();
    const session = await server.session();
    const { detach } = server.core.stages;
    server.core.stages.detach = async () => {
      throw new BrokerError("fenced", "stale");
    };
    await refusal(session.detachDevice({ device: "devices/a", requestId: "r1" }));
    server.core.stages.detach = detach;
    expect((await session.detachDevice({ device: "devices/a", requestId: "r1" })).generation).toBe(9n);
  });

  test("of 65 characters is refused, of 64 it is not", async () => {
    const server = await serve();
    const session = await server.session();
    await session.createAddressSpace({ requestId: "\u{1f680}".repeat(64) });
    const error = await refusal(session.createAddressSpace({ requestId: "x".repeat(65) }));
    expect(error.fields.map(({ path }) => path)).toEqual(["request_id"]);
  });

  test("of OpenSession is not shared between connections that nobody vouches for: the answer is a secret", async () => {
    let connections = 0;
    const server = await serve({ callerOf: () => ({ kind: "unknown", connection: `tcp-${++connections}` }) });
    const options = { displayName: "vm", requestId: "r1", keepAlive: false };
    const one = await server.client().openSession(options);
    const two = await server.client().openSession(options);
    expect(one.token).not.toBe(two.token);
  });

  test("of OpenSession gives a process on a Unix socket the same session, also after it reconnected", async () => {
    const server = await serve();
    const options = { displayName: "vm", requestId: "r1", keepAlive: false };
    const first = server.client();
    const { token } = await first.openSession(options);
    first.close();
    const local = { "grpc.use_local_subchannel_pool": 1 };
    expect((await server.client(server.target, local).openSession(options)).token).toBe(token);
  });

  test("of OpenSession gives the same session on the same TCP connection, and another on another", async () => {
    const server = await serve();
    const target = await server.listenTcp();
    const options = { displayName: "vm", requestId: "r1", keepAlive: false };
    const client = server.client(target);
    const one = await client.openSession(options);
    const again = await client.openSession(options);
    const other = await server.client(target, { "grpc.use_local_subchannel_pool": 1 }).openSession(options);
    expect(again.token).toBe(one.token);
    expect(other.token).not.toBe(one.token);
  });
});

describe("a deadline", () => {
  test("that has passed when the call arrives keeps the handler from running", async () => {
    const server = await serve();
    const { token } = await server.session();
    const ended = await http2Call(server, BROKER.createAddressSpace.path, {
      "grpc-timeout": "1n",
      "iommubroker-session-token": token,
    });
    expect(ended).toBe(String(grpc.status.DEADLINE_EXCEEDED));
    await server.handle.drain();
    expect(server.core.argsOf("addressSpaces.create")).toEqual([]);
    expect(server.ended.at(-1)).toMatchObject({ method: "CreateAddressSpace", code: grpc.status.DEADLINE_EXCEEDED });
  });

  test("that passes while the call waits for what it would change: nothing changes, and it can be tried again", async () => {
    const failures = new Failures();
    const host = testHost({ wrap: failures.wrap });
    const server = await serve({ core: host.core });
    const session = await server.session();
    const space = await session.createAddressSpace();
    const file = addFile(host, "/ram", 16_384);
    const map = (page: bigint) => ({
      addressSpace: space.name,
      sources: [{ path: file.path }],
      mappings: [{ ipa: page * 4096n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true }],
      requestId: `page ${page}`,
    });
    const reached = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    failures.before = async () => {
      reached.resolve();
      await free.promise;
    };
    const first = session.mapMemory(map(0n));
    await reached.promise;
    const late = await Promise.all([1n, 2n].map((page) => refusal(session.mapMemory(map(page), { deadlineMs: 30 }))));
    expect(late.map(({ codeName }) => codeName)).toEqual(["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"]);
    const cancelling = new AbortController();
    const cancelled = refusal(session.mapMemory(map(3n), { signal: cancelling.signal }));
    await expect.poll(() => server.started.filter(({ method }) => method === "MapMemory")).toHaveLength(4);
    cancelling.abort();
    expect((await cancelled).codeName).toBe("CANCELLED");
    await session.getDevice("devices/0000:01:00.0"); // comes after the cancellations, on the same connection
    expect(server.handle.inFlight()).toBe(4);
    free.resolve();
    expect((await first).mappingCount).toBe(1);
    await expect.poll(() => server.handle.inFlight()).toBe(0);
    expect(host.core.census().mappedBytes).toBe(4096);
    const ended = server.ended.filter(({ method }) => method === "MapMemory").map(({ code }) => grpc.status[code]);
    expect(ended.toSorted()).toEqual(["CANCELLED", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "OK"]);
    expect((await session.mapMemory(map(1n))).mappingCount).toBe(2);
  });

  test("that passes while the handler runs does not stop it, and is counted as such", async () => {
    const server = await serve();
    const session = await server.session();
    const gate = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<void>();
    let arrivedMs = Number.POSITIVE_INFINITY;
    server.core.stages.detach = async () => {
      arrivedMs = Date.now();
      await gate.promise;
      finished.resolve();
      return DEVICE;
    };
    const error = await refusal(session.detachDevice({ device: "devices/a" }, { deadlineMs: 50 }));
    expect(error.codeName).toBe("DEADLINE_EXCEEDED");
    await expect.poll(() => Date.now()).toBeGreaterThan(arrivedMs + 50); // the server counts from the call's arrival
    gate.resolve();
    await finished.promise;
    await server.handle.drain();
    expect(server.ended.at(-1)).toMatchObject({ method: "DetachDevice", code: grpc.status.DEADLINE_EXCEEDED });
  });
});

describe("draining", () => {
  test("lets calls in flight finish, refuses new ones, and resolves when the last is done", async () => {
    const server = await serve();
    const session = await server.session();
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    server.core.stages.detach = async () => {
      entered.resolve();
      await gate.promise;
      return DEVICE;
    };
    const running = session.detachDevice({ device: "devices/a" });
    await entered.promise;
    let isDrained = false;
    const drained = server.handle.drain().then(() => {
      isDrained = true;
    });
    const error = await refusal(session.createAddressSpace());
    expect([error.codeName, error.reason, error.retryAfterMs]).toEqual(["UNAVAILABLE", "DRAINING", 1000]);
    expect([server.handle.inFlight(), isDrained]).toEqual([1, false]);
    gate.resolve();
    expect((await running).name).toBe("devices/0000:01:00.0");
    await drained;
    expect(server.handle.inFlight()).toBe(0);
  });

  test("with nothing in flight resolves at once", async () => {
    const server = await serve();
    await server.handle.drain();
    expect((await refusal(server.client().listDevices())).reason).toBe("DRAINING");
  });
});

test("hooks see each call begin and end, its messages, its code and how long it took", async () => {
  const seen: string[] = [];
  const seconds: number[] = [];
  const server = await serve({
    hooks: {
      onStart: (call) => seen.push(`start ${call.service}/${call.method} ${call.grpcType}`),
      onMessage: (call, direction) => seen.push(`${direction} ${call.method}`),
      onCall: (call) => {
        seen.push(`end ${call.method} ${grpc.status[call.code]}`);
        seconds.push(call.seconds);
      },
      onBug: (id) => seen.push(`bug ${id}`),
    },
  });
  await server.client().getDevice("devices/0000:01:00.0");
  await refusal(server.client().getDevice("devices/none"));
  expect(seen).toEqual([
    "start iommubroker.v1.IommuBroker/GetDevice unary",
    "received GetDevice",
    "sent GetDevice",
    "end GetDevice OK",
    "start iommubroker.v1.IommuBroker/GetDevice unary",
    "received GetDevice",
    "end GetDevice NOT_FOUND",
  ]);
  expect(seconds.every((value) => value >= 0 && value < 30)).toBe(true);
});
