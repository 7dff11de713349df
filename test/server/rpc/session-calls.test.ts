import * as http2 from "node:http2";
import * as net from "node:net";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { Channel } from "../../../src/client/channel.ts";
import { connect, Liveness, SessionState } from "../../../src/client/client.ts";
import { fromServiceError } from "../../../src/client/error.ts";
import { type Plain, plain } from "../../../src/client/plain.ts";
import type { iommubroker } from "../../../src/server/rpc/codec.ts";
import { BROKER } from "../../../src/server/rpc/services.ts";
import { NVME } from "../../support/fake-core.ts";
import { faultsOf, invalid, type RpcServer, refusal, serve, settled } from "../../support/rpc-server.ts";

type Message = Plain<iommubroker.v1.KeepSessionAliveResponse>;

/** A keep-alive stream in a test's hands: send, and await what comes. */
function keepAlive(server: RpcServer, token: string) {
  const channel = new Channel(server.target, {});
  onTestFinished(() => channel.close());
  const call = channel.bidiStream(BROKER.keepSessionAlive, token);
  const messages: Message[] = [];
  const waiting: (() => void)[] = [];
  call.on("data", (message: iommubroker.v1.KeepSessionAliveResponse) => {
    messages.push(plain(message));
    waiting.shift()?.();
  });
  const ended = new Promise<ReturnType<typeof fromServiceError> | undefined>((resolve) => {
    call.on("error", (error: grpc.ServiceError) => resolve(fromServiceError(error)));
    call.on("status", (status: grpc.StatusObject) => status.code === grpc.status.OK && resolve(undefined));
  });
  return {
    call,
    ended,
    messages,
    async renew(): Promise<void> {
      const answered = new Promise<void>((resolve) => waiting.push(resolve));
      call.write({});
      await answered;
    },
  };
}

/** This process, as the daemon sees it on a Unix socket. */
const SELF = expect.objectContaining({ kind: "process", uid: process.getuid?.(), pid: process.pid });

describe("OpenSession", () => {
  test("opens a session with the name and the lease asked for", async () => {
    const server = await serve();
    const session = await server
      .client()
      .openSession({ displayName: "gr\u00fc\u00df \u{1f680}", leaseTtlMs: 5000, keepAlive: false });
    expect(session.name).toBe("sessions/00000000-0000-4000-8000-000000000001");
    expect(session.leaseTtlMs).toBe(5000);
    expect(server.core.argsOf("sessions.open")).toEqual([
      { displayName: "gr\u00fc\u00df \u{1f680}", ttlMs: 5000, graceMs: 0, transferableTo: [], caller: SELF },
    ]);
  });

  test("passes on what the session hangs on, its grace and who may claim it", async () => {
    const server = await serve();
    const terms = { liveness: Liveness.LIVENESS_PEER_PROCESS, graceMs: 250, transferableTo: ["uid:7", "spiffe://x/*"] };
    const session = await server.client().openSession({ displayName: "vm", ...terms });
    expect([session.liveness, session.leaseTtlMs]).toEqual([Liveness.LIVENESS_PEER_PROCESS, 0]);
    const asked = { liveness: "peer-process", graceMs: 250, transferableTo: ["uid:7", "spiffe://x/*"] };
    expect(server.core.argsOf("sessions.open")).toMatchObject([asked]);
  });

  test("shows the session with its state, its grace, who may claim it, and its times", async () => {
    const server = await serve();
    const channel = new Channel(server.target, {});
    onTestFinished(() => channel.close());
    const request = { displayName: "vm", graceMs: 250, transferableTo: ["uid:7"] };
    const { session } = await channel.unary(BROKER.openSession, request, undefined);
    expect(session).toEqual({
      name: "sessions/00000000-0000-4000-8000-000000000001",
      displayName: "vm",
      liveness: Liveness.LIVENESS_TTL,
      leaseTtlMs: 3000,
      state: SessionState.SESSION_STATE_LIVE,
      graceMs: 250,
      transferableTo: ["uid:7"],
      openTime: { seconds: 1_700_000_000n, nanos: 123_000_000 },
      lastSeenTime: { seconds: 1_700_000_001n, nanos: 500_000_000 },
    });
  });

  test("says how the client's end is noticed, and takes the default lease for 0", async () => {
    const server = await serve();
    const channel = new Channel(server.target, {});
    onTestFinished(() => channel.close());
    const answer = await channel.unary(BROKER.openSession, { displayName: "vm" }, undefined);
    expect(answer.session?.liveness).toBe(Liveness.LIVENESS_TTL);
    expect(server.core.argsOf("sessions.open")).toEqual([
      { displayName: "vm", ttlMs: undefined, graceMs: 0, transferableTo: [], caller: SELF },
    ]);
  });

  test.each([
    ["no name", { displayName: "" }, ["display_name"]],
    ["a blank name", { displayName: " \u3000" }, ["display_name"]],
    ["a name of 129 characters", { displayName: "x".repeat(129) }, ["display_name"]],
    ["a very long name", { displayName: "x".repeat(100_000) }, ["display_name"]],
    ["a line break in the name", { displayName: "a\nb" }, ["display_name"]],
    ["a NUL in the name", { displayName: "a\0b" }, ["display_name"]],
    ["a terminal escape in the name", { displayName: "\u001b[31m" }, ["display_name"]],
    ["a bidirectional override in the name", { displayName: "a\u202eb" }, ["display_name"]],
    ["a lease too short", { displayName: "a", leaseTtlMs: 999 }, ["lease_ttl_ms"]],
    ["a lease too long", { displayName: "a", leaseTtlMs: 60_001 }, ["lease_ttl_ms"]],
    ["a liveness that is not known", { displayName: "a", liveness: 9 }, ["liveness"]],
    ["a request_id too long", { displayName: "a", requestId: "x".repeat(65) }, ["request_id"]],
    [
      "three wrong fields",
      { displayName: "", leaseTtlMs: 1, liveness: -1 },
      ["display_name", "liveness", "lease_ttl_ms"],
    ],
  ])("refuses %s", async (_what, request, paths) => {
    const server = await serve();
    const channel = new Channel(server.target, {});
    onTestFinished(() => channel.close());
    expect(await faultsOf(channel.unary(BROKER.openSession, request, undefined))).toEqual(invalid(...paths));
    expect(server.core.asked).toEqual([]);
  });

  test("takes a name of 128 characters outside the basic plane", async () => {
    const server = await serve();
    const session = await server.client().openSession({ displayName: "\u{1f680}".repeat(128), keepAlive: false });
    expect(session.token).toBe("token-1");
  });
});

describe("KeepSessionAlive", () => {
  test("renews with every message and tells the whole milliseconds left", async () => {
    const server = await serve();
    const stream = keepAlive(server, (await server.session()).token);
    await stream.renew();
    const renewals = () => server.core.asked.filter(({ verb }) => verb === "sessions.renew").length;
    const before = renewals();
    await stream.renew();
    await stream.renew();
    expect(renewals() - before).toBe(2);
    expect(stream.messages).toEqual(Array(3).fill({ leaseRemainingMs: 2999 }));
    stream.call.end();
  });

  test("whose stream the client ends is not the session's end", async () => {
    const server = await serve();
    const session = await server.session();
    const stream = keepAlive(server, session.token);
    await stream.renew();
    stream.call.end();
    expect(await stream.ended).toBeUndefined();
    expect(server.core.argsOf("sessions.close")).toEqual([]);
    await session.createAddressSpace();
    expect(server.core.listeners("00000000-0000-4000-8000-000000000001")).toBe(0);
  });

  test("carries the notice that a device is gone", async () => {
    const server = await serve();
    const stream = keepAlive(server, (await server.session()).token);
    await stream.renew();
    server.core.notify("00000000-0000-4000-8000-000000000001", { kind: "deviceRemoved", device: NVME });
    await stream.renew();
    expect(stream.messages[1]).toEqual({
      leaseRemainingMs: 1234, // what remains at the notice, not what the last renewal gave
      notice: { deviceRemoved: { device: "devices/0000:01:00.0" } },
    });
    stream.call.end();
  });

  test("ends with LEASE_EXPIRED when the session ends", async () => {
    const server = await serve();
    const session = await server.session();
    const stream = keepAlive(server, session.token);
    await stream.renew();
    server.core.expire(session.token);
    const error = await stream.ended;
    expect([error?.codeName, error?.reason]).toEqual(["FAILED_PRECONDITION", "LEASE_EXPIRED"]);
  });

  test("ends with the error of a renewal that is refused", async () => {
    const server = await serve();
    const stream = keepAlive(server, (await server.session()).token);
    await stream.renew();
    server.core.sessions.renew = () => {
      throw new BrokerError("lease_expired", "too late");
    };
    stream.call.write({});
    expect((await stream.ended)?.message).toBe("too late");
  });

  test("tells DRAINING and ends with UNAVAILABLE when the daemon drains", async () => {
    const server = await serve();
    const stream = keepAlive(server, (await server.session()).token);
    await stream.renew();
    await server.handle.drain();
    const error = await stream.ended;
    expect([error?.codeName, error?.reason]).toEqual(["UNAVAILABLE", "DRAINING"]);
    expect(stream.messages.at(-1)).toEqual({ leaseRemainingMs: 1234, notice: { draining: { graceMs: 1500 } } });
  });

  test("is not read from while its client does not read either", async () => {
    const server = await serve();
    const { token } = await server.session();
    const connection = http2.connect("http://localhost", {
      createConnection: () => net.connect(server.target.replace("unix:", "")),
      settings: { initialWindowSize: 64 }, // room for eight answers
    });
    for (const event of ["error", "goaway"]) connection.on(event, () => undefined); // the server goes first
    const stream = connection.request({
      ":method": "POST",
      ":path": BROKER.keepSessionAlive.path,
      "content-type": "application/grpc",
      te: "trailers",
      "iommubroker-session-token": token,
    });
    const total = 1000;
    stream.write(Buffer.alloc(5 * total)); // as many empty messages, each five bytes of zeros
    const renewals = () => server.core.asked.filter(({ verb }) => verb === "sessions.renew").length;
    expect(await settled(renewals)).toBeLessThan(total / 10);
    expect(renewals()).toBeGreaterThan(1);
    connection.destroy();
  });

  test("whose client does not read its notices is ended, and told the limit", async () => {
    const server = await serve();
    const stream = keepAlive(server, (await server.session()).token);
    await stream.renew();
    for (let removed = 0; removed < 1000; removed++) {
      server.core.notify("00000000-0000-4000-8000-000000000001", { kind: "deviceRemoved", device: NVME });
    }
    const error = await stream.ended;
    expect([error?.reason, error?.metadata.limit]).toEqual(["LIMIT_REACHED", "queued_notices"]);
  });

  test("needs a token", async () => {
    const server = await serve();
    const error = await keepAlive(server, "nobody").ended;
    expect(error?.codeName).toBe("UNAUTHENTICATED");
  });

  test("has at most eight streams a session, and room again when one ends", async () => {
    const server = await serve();
    const { token } = await server.session();
    const streams = Array.from({ length: 8 }, () => keepAlive(server, token));
    await Promise.all(streams.map((stream) => stream.renew()));
    const refused = await keepAlive(server, token).ended;
    expect([refused?.reason, refused?.metadata.limit]).toEqual(["LIMIT_REACHED", "keep_alive_streams_per_session"]);
    streams[0]?.call.end();
    await streams[0]?.ended;
    const next = keepAlive(server, token);
    await next.renew();
    expect(next.messages).toHaveLength(1);
    for (const stream of [...streams, next]) stream.call.cancel();
  });
});

const HOLDINGS = {
  addressSpaces: ["addressSpaces/11111111-2222-4333-8444-555555555555"],
  virtualIommus: ["virtualIommus/66666666-7777-4888-9999-aaaaaaaaaaaa"],
  devices: [
    {
      device: "devices/0000:01:00.0",
      virtualIommu: "virtualIommus/66666666-7777-4888-9999-aaaaaaaaaaaa",
      generation: 2n ** 53n - 1n,
      rebindRequired: true,
    },
  ],
};

describe("ResumeSession", () => {
  test("needs nothing but the token, gives what the session has, and the token goes on", async () => {
    const server = await serve();
    const { token, name } = await server.session();
    server.core.expire(token); // to authenticate by would be refused
    const { session, holdings } = await server.client().resumeSession(token);
    expect([session.name, session.token]).toEqual([name, token]);
    expect(holdings).toEqual(HOLDINGS);
    expect(server.core.argsOf("sessions.resume")).toEqual([token, SELF]);
  });

  test("keeps the answers of before: a retry over the loss is the same call", async () => {
    const server = await serve();
    const session = await server.session();
    const first = await session.createAddressSpace({ requestId: "once" });
    const resumed = await server.client().resumeSession(session.token, { keepAlive: false });
    expect(await resumed.session.createAddressSpace({ requestId: "once" })).toEqual(first);
    expect(server.core.asked.filter(({ verb }) => verb === "addressSpaces.create")).toHaveLength(1);
  });

  test("without a token, or with one that never was, is UNAUTHENTICATED", async () => {
    const server = await serve();
    const channel = new Channel(server.target, {});
    onTestFinished(() => channel.close());
    for (const token of [undefined, "never"]) {
      const error = await refusal(channel.unary(BROKER.resumeSession, {}, token));
      expect(error.codeName, String(token)).toBe("UNAUTHENTICATED");
    }
  });
});

describe("ClaimSession", () => {
  const CLAIM = { liveness: Liveness.LIVENESS_TTL, leaseTtlMs: 1500, transferableTo: ["uid:9"], keepAlive: false };

  test("asks for the session by name on the claimer's terms, and gives a new token and what the session has", async () => {
    const server = await serve();
    const { token, name } = await server.session();
    const { session, holdings } = await server.client().claimSession(name, CLAIM);
    expect(session.token).toBe(`${token}-claimed`);
    expect(holdings).toEqual(HOLDINGS);
    const wish = { liveness: "ttl", ttlMs: 1500, transferableTo: ["uid:9"] };
    expect(server.core.argsOf("sessions.claim")).toEqual([SELF, wish]);
  });

  test("is answered again by its request_id, with the same token", async () => {
    const server = await serve();
    const { name } = await server.session();
    const client = server.client();
    const claims = [
      await client.claimSession(name, { ...CLAIM, requestId: "mine" }),
      await client.claimSession(name, { ...CLAIM, requestId: "mine" }),
    ];
    expect(claims[0]?.session.token).toBe(claims[1]?.session.token);
    expect(server.core.asked.filter(({ verb }) => verb === "sessions.claim")).toHaveLength(1);
  });

  test("leaves the claimer none of the answers of who had the session", async () => {
    const server = await serve();
    const before = await server.session();
    await before.createAddressSpace({ requestId: "same" });
    const { session } = await server.client().claimSession(before.name, CLAIM);
    await session.deleteAddressSpace("addressSpaces/11111111-2222-4333-8444-555555555555");
    await session.createAddressSpace({ requestId: "same" });
    expect(server.core.asked.filter(({ verb }) => verb === "addressSpaces.create")).toHaveLength(2);
  });

  test.each([
    ["no session's name", { session: "vm 1" }, ["session"]],
    ["a liveness that is none", { liveness: 9 }, ["liveness"]],
    ["everything wrong", { session: "", liveness: 9, leaseTtlMs: 1 }, ["session", "liveness", "lease_ttl_ms"]],
  ])("refuses %s", async (_what, wrong, paths) => {
    const server = await serve();
    const channel = new Channel(server.target, {});
    onTestFinished(() => channel.close());
    const request = { session: "sessions/00000000-0000-4000-8000-000000000001", ...wrong };
    expect(await faultsOf(channel.unary(BROKER.claimSession, request, undefined))).toEqual(invalid(...paths));
  });
});

describe("a keep-alive stream tells", () => {
  const SESSION = "00000000-0000-4000-8000-000000000001";

  test("a device that is to be taken away, and goes on", async () => {
    const server = await serve();
    const stream = keepAlive(server, (await server.session()).token);
    await stream.renew();
    server.core.notify(SESSION, { kind: "preempted", device: NVME, deadlineMs: 499.5, by: "vm 2", reason: "gold" });
    await stream.renew(); // brings the notice
    await stream.renew();
    expect(stream.messages.map(({ notice }) => notice?.preempted)).toEqual([
      undefined,
      { device: "devices/0000:01:00.0", deadlineMs: 499, by: "vm 2", reason: "gold" },
      undefined,
    ]);
  });

  test.each([
    ["revoked", { kind: "revoked", reason: "maintenance" }, { revoked: { reason: "maintenance" } }],
    ["transferred", { kind: "transferred", to: "uid 7" }, { transferred: { to: "uid 7" } }],
  ] as const)("that its session is %s, and ends", async (reason, notice, message) => {
    const server = await serve();
    const stream = keepAlive(server, (await server.session()).token);
    await stream.renew();
    server.core.notify(SESSION, notice);
    const error = await stream.ended;
    expect([error?.reason, error?.metadata.reason]).toEqual(["LEASE_EXPIRED", reason]);
    expect(stream.messages.at(-1)).toEqual({ leaseRemainingMs: 1234, notice: message });
  });

  test("by its end that its session is lost, and for how long it may be resumed", async () => {
    const server = await serve();
    const stream = keepAlive(server, (await server.session()).token);
    await stream.renew();
    server.core.notify(SESSION, { kind: "lost", reason: "lease_expired", graceMs: 700 });
    const error = await stream.ended;
    expect(error?.reason).toBe("LEASE_EXPIRED");
    expect(error?.metadata).toMatchObject({ reason: "lost", loss: "lease_expired", grace_ms: "700" });
  });
});

describe("CloseSession", () => {
  test("ends the session, and succeeds again when it is gone", async () => {
    const server = await serve();
    const session = await server.session();
    await session.close();
    await session.close();
    expect(server.core.asked.filter(({ verb }) => verb === "sessions.close")).toHaveLength(1);
    expect((await refusal(session.createAddressSpace())).reason).toBe("LEASE_EXPIRED");
  });

  test("succeeds when the lease has lapsed", async () => {
    const server = await serve();
    const session = await server.session();
    server.core.expire(session.token);
    await session.close();
    expect(server.core.asked.some(({ verb }) => verb === "sessions.close")).toBe(false);
  });

  test("is UNAUTHENTICATED for a token that never was", async () => {
    const server = await serve();
    const channel = new Channel(server.target, {});
    onTestFinished(() => channel.close());
    for (const token of [undefined, "never"]) {
      const error = await refusal(channel.unary(BROKER.closeSession, {}, token));
      expect(error.codeName, String(token)).toBe("UNAUTHENTICATED");
    }
  });
});

test("a client over TCP is served like one on a Unix socket", async () => {
  const server = await serve();
  const client = connect(await server.listenTcp());
  onTestFinished(() => client.close());
  expect((await client.openSession({ displayName: "vm", keepAlive: false })).token).toBe("token-1");
});
