import { describe, expect, onTestFinished, test } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import { type BrokerCallError, Liveness, type Notice } from "../../src/client/client.ts";
import { NVME } from "../support/fake-core.ts";
import { type RpcServer, serve, settled } from "../support/rpc-server.ts";

const SESSION = "00000000-0000-4000-8000-000000000001";

/** A session with a short lease, and what its listeners were told. */
async function kept(server: RpcServer, leaseMs: number) {
  const { open } = server.core.sessions;
  server.core.sessions.open = (request) => {
    const opened = open(request);
    return { ...opened, session: { ...opened.session, ttlMs: leaseMs } };
  };
  const lost = Promise.withResolvers<BrokerCallError>();
  const notices: Notice[] = [];
  const noticed = Promise.withResolvers<void>();
  const session = await server.client().openSession({
    displayName: "vm",
    onLost: lost.resolve,
    onNotice: (notice) => {
      notices.push(notice);
      noticed.resolve();
    },
  });
  onTestFinished(() => session.abandon());
  return { session, lost: lost.promise, notices, noticed: noticed.promise };
}

/** Resolves at the nth renewal from now. */
async function renewals(server: RpcServer, count: number): Promise<void> {
  const { renew } = server.core.sessions;
  const enough = Promise.withResolvers<void>();
  let seen = 0;
  server.core.sessions.renew = (session) => {
    seen += 1;
    if (seen === count) enough.resolve();
    return renew(session);
  };
  await enough.promise;
  server.core.sessions.renew = renew;
}

describe("a session without a lease", () => {
  const liveness = Liveness.LIVENESS_PEER_PROCESS;
  const renewed = (server: RpcServer) => server.core.asked.filter(({ verb }) => verb === "sessions.renew").length;

  test("asks nothing of the broker while nobody listens to it", async () => {
    const server = await serve();
    await server.client().openSession({ displayName: "vm", liveness });
    expect(await settled(() => renewed(server))).toBe(0);
    expect(server.core.listeners(SESSION)).toBe(0);
  });

  test("has a stream for its notices, which is not renewed", async () => {
    const server = await serve();
    const told = Promise.withResolvers<Notice>();
    const session = await server.client().openSession({ displayName: "vm", liveness, onNotice: told.resolve });
    onTestFinished(() => session.abandon());
    expect(await settled(() => renewed(server))).toBe(2); // as the stream opened, and its first message
    server.core.notify(SESSION, { kind: "preempted", device: NVME, deadlineMs: 500, by: "vm 2", reason: "gold" });
    const device = "devices/0000:01:00.0";
    expect(await told.promise).toEqual({ kind: "preempted", device, deadlineMs: 500, by: "vm 2", reason: "gold" });
  });

  test.each([
    ["revoked", { kind: "revoked", reason: "maintenance" }],
    ["transferred", { kind: "transferred", to: "uid 7" }],
  ] as const)("that is %s is told so, and then that it is lost", async (_how, notice) => {
    const server = await serve();
    const heard: unknown[] = [];
    const lost = Promise.withResolvers<BrokerCallError>();
    const listeners = { onNotice: (each: Notice) => heard.push(each), onLost: lost.resolve };
    await server.client().openSession({ displayName: "vm", liveness, ...listeners });
    await settled(() => renewed(server));
    server.core.notify(SESSION, notice);
    expect((await lost.promise).metadata.reason).toBe(notice.kind);
    expect(heard).toEqual([notice]);
  });

  test("finds its daemon again after a restart, for its notices", async () => {
    const server = await serve();
    const told = Promise.withResolvers<Notice>();
    const session = await server.client().openSession({ displayName: "vm", liveness, onNotice: told.resolve });
    onTestFinished(() => session.abandon());
    await settled(() => renewed(server));
    await server.restart();
    await renewals(server, 1);
    server.core.notify(SESSION, { kind: "deviceRemoved", device: NVME });
    expect(await told.promise).toEqual({ kind: "deviceRemoved", device: "devices/0000:01:00.0" });
  });
});

describe("an open session", () => {
  test("renews its lease again and again by itself", async () => {
    const server = await serve();
    await kept(server, 60);
    await renewals(server, 6);
  });

  test("passes notices on", async () => {
    const server = await serve();
    const { notices, noticed } = await kept(server, 60);
    await renewals(server, 2);
    server.core.notify(SESSION, { kind: "deviceRemoved", device: NVME });
    await noticed;
    expect(notices).toEqual([{ kind: "deviceRemoved", device: "devices/0000:01:00.0" }]);
  });

  test("is told that the daemon drains", async () => {
    const server = await serve();
    const { notices, noticed } = await kept(server, 60);
    await renewals(server, 2);
    await server.handle.drain();
    await noticed;
    expect(notices).toEqual([{ kind: "draining", graceMs: 1500 }]);
  });

  test("is lost when the broker ends it, with the broker's reason", async () => {
    const server = await serve();
    const { session, lost } = await kept(server, 60);
    await renewals(server, 2);
    server.core.expire(session.token);
    expect((await lost).reason).toBe("LEASE_EXPIRED");
  });

  test("lives on over a daemon that goes and comes back within the lease", async () => {
    const server = await serve();
    await kept(server, 3000);
    await renewals(server, 1);
    await server.restart();
    await renewals(server, 2);
  });

  test("that nobody answers for its whole length is told once, and renewed again when the daemon is back", async () => {
    const server = await serve();
    const { notices, noticed } = await kept(server, 90);
    await renewals(server, 1);
    server.stop();
    await noticed;
    expect(notices).toEqual([{ kind: "unanswered", leaseMs: 90 }]);
    await server.restart();
    await renewals(server, 3);
  });

  test("is renewed no more, without a throw, once the whole client is closed", async () => {
    const server = await serve();
    const client = server.client();
    await client.openSession({ displayName: "vm", leaseTtlMs: 1000 });
    const { promise: fired, resolve } = Promise.withResolvers<unknown>();
    const onThrow = (error: unknown) => resolve(error);
    process.once("uncaughtException", onThrow);
    onTestFinished(() => void process.off("uncaughtException", onThrow));
    client.close();
    expect(await Promise.race([fired, new Promise((quiet) => setTimeout(quiet, 500, "quiet"))])).toBe("quiet");
  });

  test.each([
    ["a failure that is a bug of the broker's", () => new Error("a bug")],
    ["a limit", () => new BrokerError("limit_reached", "too many streams", { limit: "streams", maximum: 8 })],
  ])("lives on over %s, and its stream is opened again", async (_what, failure) => {
    const server = await serve();
    const { lost } = await kept(server, 60);
    await renewals(server, 2);
    const { renew } = server.core.sessions;
    const failed = Promise.withResolvers<void>();
    server.core.sessions.renew = () => {
      server.core.sessions.renew = renew;
      failed.resolve();
      throw failure();
    };
    await failed.promise;
    const outcome = await Promise.race([lost, renewals(server, 3).then(() => "renewed")]);
    expect(outcome).toBe("renewed");
  });

  test("is lost when its token is none to the broker", async () => {
    const server = await serve();
    const { lost } = await kept(server, 60);
    await renewals(server, 2);
    server.core.sessions.renew = () => {
      throw new BrokerError("unauthenticated", "no such session token");
    };
    expect((await lost).reason).toBe("UNAUTHENTICATED");
  });

  test("is not renewed any more once it is closed, and is not called lost", async () => {
    const server = await serve();
    const { session, lost } = await kept(server, 60);
    await renewals(server, 2);
    await session.close();
    const after = server.core.asked.filter(({ verb }) => verb === "sessions.renew").length;
    const outcome = await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, 100, "quiet"))]);
    expect(outcome).toBe("quiet");
    expect(server.core.asked.filter(({ verb }) => verb === "sessions.renew")).toHaveLength(after);
  });
});
