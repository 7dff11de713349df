import { describe, expect, onTestFinished, test } from "vitest";
import type { BrokerCallError, Notice } from "../../src/client/client.ts";
import { NVME } from "../support/fake-core.ts";
import { type RpcServer, serve } from "../support/rpc-server.ts";

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
