// The admin socket with a real core behind it.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { Channel } from "../../../src/client/channel.ts";
import { BrokerCallError } from "../../../src/client/client.ts";
import { FaultWatch } from "../../../src/client/fault-watch.ts";
import { plain } from "../../../src/client/plain.ts";
import { decide, NO_SUBJECT, policyWith } from "../../../src/server/core/policy.ts";
import { type AdminServer, startAdminServer } from "../../../src/server/rpc/admin-server.ts";
import { codec, iommubroker } from "../../../src/server/rpc/codec.ts";
import type { Act } from "../../../src/server/rpc/deps.ts";
import * as generated from "../../../src/server/rpc/generated/messages.js";
import { ADMIN, BROKER, SIMULATOR } from "../../../src/server/rpc/services.ts";
import { attach, CALLER, type Guest, guest, NVME, type TestHost, testHost } from "../../support/host.ts";
import { rule } from "../../support/policy.ts";
import { LIMITS, serve } from "../../support/rpc-server.ts";

const { ADMIN_SESSION_STATE_LIVE } = iommubroker.v1.AdminSessionState;
const UID = process.getuid?.() ?? 0;

let directory: string;
let host: TestHost;
let vmm: Guest;
let server: AdminServer;
let channel: Channel;
let admins: readonly number[];
let level: string;
let stops: number;
let acts: Act[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "admin-"));
  host = testHost();
  vmm = await guest(host, { bytes: 2 ** 21 });
  await attach(host, vmm, NVME);
  admins = [UID];
  level = "info";
  stops = 0;
  acts = [];
  server = await startAdminServer({
    requests: { requestTimeoutMs: 10_000, perIdentityMax: 64 },
    socket: join(directory, "admin.sock"),
    channel: { "grpc.enable_channelz": 0 },
    health: { ping: async () => {}, pingTimeoutMs: 50, watchIntervalMs: 10 },
    deps: {
      core: host.core,
      backend: "simulated",
      limits: LIMITS,
      heartbeatMs: 60_000,
      graceMs: 1500,
      hooks: { onStart: () => {}, onCall: () => {}, onBug: () => {}, onAct: (act) => acts.push(act) },
      adminUids: () => admins,
      logLevel: {
        get: () => level,
        set: (next) => {
          if (!["info", "debug"].includes(next)) return false;
          level = next;
          return true;
        },
      },
      stop: () => {
        stops += 1;
      },
    },
    gate: { handshakeTimeoutMs: 5000, onRefused: () => {} },
  });
  channel = new Channel(server.address, {});
});

afterEach(() => {
  channel.close();
  server.cut();
  rmSync(directory, { recursive: true });
});

async function refused(call: Promise<unknown>): Promise<BrokerCallError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof BrokerCallError) return error;
    throw error;
  }
  throw new Error("the call succeeded and should not have");
}

describe("sessions", () => {
  test("are listed with whose they are and what they hold, and never a token", async () => {
    const { sessions, nextPageToken } = await channel.unary(ADMIN.listSessions, {}, undefined);
    expect(sessions).toEqual([
      {
        session: expect.objectContaining({
          name: `sessions/${vmm.session}`,
          displayName: "vmm",
          liveness: 1,
          leaseTtlMs: 10_000,
          state: 1, // live
        }),
        identity: `pid ${CALLER.pid} of uid ${CALLER.uid}`,
        state: ADMIN_SESSION_STATE_LIVE,
        leaseRemainingMs: 10_000,
        devices: [`devices/${NVME}`],
        mappedBytes: 2n ** 21n,
      },
    ]);
    expect(nextPageToken).toBe("");
    expect(JSON.stringify(sessions, (_, value) => (typeof value === "bigint" ? `${value}` : value))).not.toContain(
      "token",
    );
  });

  test("come in pages, each once, in order", async () => {
    for (const displayName of ["b", "c"]) host.core.sessions.open({ displayName, ttlMs: undefined, caller: CALLER });
    const names: string[] = [];
    let pageToken = "";
    do {
      const page = await channel.unary(ADMIN.listSessions, { pageSize: 1, pageToken }, undefined);
      expect(page.sessions).toHaveLength(1);
      names.push(...page.sessions.map(({ session }) => session?.name ?? ""));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(names).toHaveLength(3);
    expect(names).toEqual([...new Set(names)].toSorted());
  });

  test.each(["x", Buffer.from("sessions/1").toString("base64url")])("page token %j is refused", async (pageToken) => {
    const error = await refused(channel.unary(ADMIN.listSessions, { pageToken }, undefined));
    expect([error.codeName, error.fields[0]?.path]).toEqual(["INVALID_ARGUMENT", "page_token"]);
  });

  test("one that is revoked has given back what it held when the call answers", async () => {
    const session = `sessions/${vmm.session}`;
    await channel.unary(ADMIN.revokeSession, { session, reason: "left behind" }, undefined);
    expect(host.core.devices.get(NVME).owner).toBeUndefined();
    expect(acts.at(-1)).toMatchObject({ verb: "RevokeSession", subjects: [session], reason: "left behind", code: 0 });
    const again = await refused(channel.unary(ADMIN.revokeSession, { session, reason: "again" }, undefined));
    expect([again.codeName, again.reason]).toEqual(["NOT_FOUND", "SESSION_UNKNOWN"]);
  });

  test("revoking needs a name and a reason", async () => {
    const error = await refused(channel.unary(ADMIN.revokeSession, {}, undefined));
    expect(error.fields.map(({ path }) => path)).toEqual(["session", "reason"]);
  });
});

test("a device is taken from its owner, and the answer shows it free", async () => {
  const request = { device: `devices/${NVME}`, reason: "maintenance" };
  const { device } = await channel.unary(ADMIN.forceReleaseDevice, request, undefined);
  expect(device).toMatchObject({ name: `devices/${NVME}`, owner: "", attached: false });
  const again = await refused(channel.unary(ADMIN.forceReleaseDevice, request, undefined));
  expect(again.reason).toBe("NOT_OWNER");
});

test("the effective policy is in order, the built-in rules last, and changes with a reload", async () => {
  const one = rule("vms", {
    who: [{ fact: "uid", oneOf: [1001, 1002] }],
    verbs: ["read", "AttachDevice"],
    devices: { ids: ["0000:01:*"], groups: [4] },
    memoryPaths: ["/dev/hugepages/**"],
    quotas: { mapped_bytes: 2 ** 40, devices: 2 },
    rate: { perSecond: 100, burst: 200 },
    priority: -3,
    mayPreempt: true,
  });
  host.core.permissions.replace(policyWith([one], { daemonUid: UID, adminUids: [UID] }));
  const { rules } = await channel.unary(ADMIN.getEffectivePolicy, {}, undefined);
  expect(rules.map(({ name }) => name)).toEqual(["vms", "built-in: root and the daemon", "built-in: admin uids"]);
  expect(rules[0]).toEqual({
    name: "vms",
    allows: true,
    who: ["uid 1001 or 1002"],
    verbs: ["read", "AttachDevice"],
    devices: ["0000:01:*"],
    iommuGroups: [4],
    memoryPaths: ["/dev/hugepages/**"],
    quotas: { mapped_bytes: 2n ** 40n, devices: 2n },
    callsPerSecond: 100,
    burst: 200,
    priority: -3,
    mayPreempt: true,
  });
});

test("the log level is told and changed, and a word that is no level is refused", async () => {
  expect((await channel.unary(ADMIN.getLogLevel, {}, undefined)).level).toBe("info");
  expect((await channel.unary(ADMIN.setLogLevel, { level: "debug" }, undefined)).previous).toBe("info");
  expect(level).toBe("debug");
  const error = await refused(channel.unary(ADMIN.setLogLevel, { level: "loud" }, undefined));
  expect([error.codeName, error.fields[0]?.path]).toEqual(["INVALID_ARGUMENT", "level"]);
});

test("drain begins the stop and tells how long it may take; without a reason nothing begins", async () => {
  await refused(channel.unary(ADMIN.drain, {}, undefined));
  expect(stops).toBe(0);
  expect((await channel.unary(ADMIN.drain, { reason: "kernel update" }, undefined)).graceMs).toBe(1500);
  expect(stops).toBe(1);
});

describe("who may call", () => {
  test("nobody who is not in admin.uids, whatever the policy says, to look neither", async () => {
    admins = [UID + 1];
    for (const call of [
      channel.unary(ADMIN.getLogLevel, {}, undefined),
      channel.unary(ADMIN.drain, { reason: "no" }, undefined),
      channel.unary(BROKER.listDevices, {}, undefined),
    ]) {
      const error = await refused(call);
      expect([error.codeName, error.reason, error.metadata.rule]).toEqual([
        "PERMISSION_DENIED",
        "POLICY_DENIED",
        "admin.uids",
      ]);
    }
    expect(stops).toBe(0);
  });

  test("the policy may deny an administrator a verb", async () => {
    host.core.permissions.replace({ rules: [rule("no-drain", { effect: "deny", verbs: ["Drain"] }), rule("rest")] });
    const error = await refused(channel.unary(ADMIN.drain, { reason: "please" }, undefined));
    expect(error.metadata.rule).toBe("no-drain");
    await channel.unary(ADMIN.getLogLevel, {}, undefined);
  });
});

describe("what is served where", () => {
  test("an administrator may look on the admin socket, and hold nothing there", async () => {
    expect((await channel.unary(BROKER.listDevices, {}, undefined)).devices.length).toBe(8);
    expect((await channel.unary(BROKER.getDevice, { device: `devices/${NVME}` }, undefined)).device?.name).toBe(
      `devices/${NVME}`,
    );
    const open = await refused(channel.unary(BROKER.openSession, { displayName: "admin" }, undefined));
    expect(open.codeName).toBe("UNIMPLEMENTED");
    const dma = await refused(channel.unary(SIMULATOR.dma, { device: `devices/${NVME}` }, vmm.token));
    expect(dma.codeName).toBe("UNIMPLEMENTED");
  });

  test("reflection names what this socket serves, and health answers for it", async () => {
    const grpc = generated.grpc;
    const client = new Client(server.address, credentials.createInsecure(), { "grpc.default_authority": "localhost" });
    onTestFinished(() => client.close());
    const same = (bytes: Buffer): Buffer => bytes;
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const { ServerReflectionRequest, ServerReflectionResponse } = grpc.reflection.v1;
    const stream = client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same);
    stream.write(codec(ServerReflectionRequest).encode({ listServices: "" }));
    const [bytes] = await once(stream, "data");
    const { listServicesResponse } = codec(ServerReflectionResponse).decode(bytes);
    expect(listServicesResponse?.service?.map(({ name }) => name)).toEqual([
      "iommubroker.v1.IommuBrokerAdmin",
      "iommubroker.v1.IommuBroker",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
    stream.end();
    const { HealthCheckRequest, HealthCheckResponse } = grpc.health.v1;
    const health = await new Promise<Buffer | undefined>((resolve, reject) => {
      const request = codec(HealthCheckRequest).encode({ service: "iommubroker.v1.IommuBrokerAdmin" });
      client.makeUnaryRequest("/grpc.health.v1.Health/Check", same, same, request, (error, answer) =>
        error ? reject(error) : resolve(answer),
      );
    });
    expect(codec(HealthCheckResponse).decode(health ?? Buffer.alloc(0)).status).toBe(
      HealthCheckResponse.ServingStatus.SERVING,
    );
  });

  test("no call of the admin service can be made on the API's socket, by an administrator neither", async () => {
    const api = await serve();
    const other = new Channel(api.target, {});
    for (const { path } of Object.values(ADMIN)) {
      const { request, response } = ADMIN.getLogLevel;
      const error = await refused(other.unary({ ...ADMIN.getLogLevel, path, request, response }, {}, undefined));
      expect(error.codeName, path).toBe("UNIMPLEMENTED");
    }
    other.close();
    expect(api.core.asked).toEqual([]);
  });
});

describe("observers", () => {
  test("watch every device without a session, from now on, and are given no token", async () => {
    const { subscribe } = host.core.faults;
    const asked: unknown[] = [];
    host.core.faults.subscribe = (session, request) => {
      asked.push(session);
      return subscribe(session, request);
    };
    const stream = channel.serverStream(BROKER.watchFaults, {}, vmm.token);
    stream.on("error", () => undefined);
    const [heartbeat] = await once(stream, "data");
    expect(plain(heartbeat)).toMatchObject({ events: [], gaps: [], resolutions: [] });
    expect(asked).toEqual([undefined]); // a token that is sent changes nothing
    stream.cancel();
  });

  test("may name any device, and learn which there is not", async () => {
    await channel.unary(BROKER.listFaults, { devices: [`devices/${NVME}`] }, undefined);
    const error = await refused(channel.unary(BROKER.listFaults, { devices: ["devices/none"] }, undefined));
    expect([error.codeName, error.reason]).toEqual(["NOT_FOUND", "DEVICE_UNKNOWN"]);
  });

  test("answer nothing: RespondToFault is not served", async () => {
    const request = { responseToken: "x", action: 2 };
    expect((await refused(channel.unary(BROKER.respondToFault, request, vmm.token))).codeName).toBe("UNIMPLEMENTED");
  });

  test("must be administrators", async () => {
    admins = [UID + 1];
    expect((await refused(channel.unary(BROKER.listFaults, {}, undefined))).reason).toBe("POLICY_DENIED");
    const watch = new FaultWatch(channel, undefined);
    expect((await refused(watch.ready)).reason).toBe("POLICY_DENIED");
  });

  test("that are administrators and nothing else may watch and list, and open no session", () => {
    const policy = policyWith([], { daemonUid: UID + 1, adminUids: [UID + 2] });
    const caller = { uid: UID + 2, gid: 0, executable: undefined, cgroup: undefined, certificateNames: [] };
    const facts = { ...caller, isUnauthenticatedTcp: false };
    const kinds = ["WatchFaults", "ListFaults", "RespondToFault", "OpenSession"].map(
      (verb) => decide(policy, facts, verb, NO_SUBJECT).kind,
    );
    expect(kinds).toEqual(["allow", "allow", "deny", "deny"]);
  });
});
