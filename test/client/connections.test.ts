import { describe, expect, onTestFinished, test } from "vitest";
import { limitReached } from "../../src/backends/errors.ts";
import type { BrokerCallError, BrokerClient, FaultBatch, Notice } from "../../src/client/client.ts";
import { eventBatch } from "../support/fault-samples.ts";
import { refusal, serve } from "../support/rpc-server.ts";
import { SilentProxy } from "../support/silent-proxy.ts";

const SOON = { timeout: 5000 };
/** So long that what a test sees is not the pings' doing. */
const NO_PINGS = { "grpc.keepalive_time_ms": 600_000 };
const QUICK_PINGS = { "grpc.keepalive_time_ms": 50, "grpc.keepalive_timeout_ms": 50 };

async function behindProxy(channelOptions: Readonly<Record<string, number>> = NO_PINGS) {
  const server = await serve();
  const proxy = await SilentProxy.before(await server.listenTcp());
  const client: BrokerClient = server.client(proxy.target, channelOptions);
  return { client, proxy, server };
}

describe("on a connection that falls silent", () => {
  test("a fault watch is opened again on a new one after three missed heartbeats, and nothing is lost", async () => {
    const { client, proxy, server } = await behindProxy();
    const { token } = await client.openSession({ displayName: "vm", keepAlive: false });
    const told: string[] = [];
    const watch = client.watchFaults(token, {
      heartbeatMs: 100,
      onBroken: (error) => told.push(`${error.codeName} ${error.message}`),
      onResumed: () => told.push("resumed"),
    });
    onTestFinished(() => watch.close());
    await watch.ready;
    const seen: bigint[] = [];
    const follow = async () => {
      for await (const { events } of watch as AsyncIterable<FaultBatch>) seen.push(...events.map((e) => e.sequence));
    };
    const followed = follow();
    server.core.subscriptions[0]?.push(eventBatch(1, 2));
    await expect.poll(() => seen, SOON).toEqual([1n, 2n]);
    proxy.silence();
    server.core.subscriptions[0]?.push(eventBatch(3));
    await expect.poll(() => server.core.subscriptions.length, SOON).toBe(2);
    expect(server.core.argsOf("faults.subscribe")).toMatchObject([
      { resumeAfter: new Map([["0000:01:00.0", 2n]]), fromStart: true },
    ]);
    server.core.subscriptions[1]?.push(eventBatch(3, 4));
    await expect.poll(() => seen, SOON).toEqual([1n, 2n, 3n, 4n]);
    expect(told).toEqual(["UNAVAILABLE nothing came from the broker for 300 ms, not even a heartbeat", "resumed"]);
    expect(proxy.connections).toBe(2);
    watch.close();
    await followed;
  });

  test("a fault watch waits for room where the broker still counts the silent stream, which a first one does not", async () => {
    const { client, proxy, server } = await behindProxy();
    const { token } = await client.openSession({ displayName: "vm", keepAlive: false });
    const watch = client.watchFaults(token, { heartbeatMs: 100 });
    onTestFinished(() => watch.close());
    await watch.ready;
    const { subscribe } = server.core.faults;
    let refused = 0;
    server.core.faults.subscribe = (...args) => {
      refused += 1;
      if (refused > 2) return subscribe(...args);
      throw limitReached("fault_streams_per_session", 1, "close another");
    };
    expect((await refusal(client.watchFaults(token).ready)).codeName).toBe("RESOURCE_EXHAUSTED");
    const first = watch[Symbol.asyncIterator]().next();
    proxy.silence();
    await expect.poll(() => server.core.subscriptions.length, SOON).toBe(2);
    expect(refused).toBe(3);
    server.core.subscriptions[1]?.push(eventBatch(1));
    expect((await first).value.events).toHaveLength(1);
  });

  test("a device watch is opened again on a new one after three missed heartbeats", async () => {
    const { client, proxy, server } = await behindProxy();
    const told: string[] = [];
    const watch = client.watchDevices({
      heartbeatMs: 100,
      onBroken: () => told.push("broken"),
      onResumed: () => told.push("resumed"),
    });
    onTestFinished(() => watch.close());
    const versions: string[] = [];
    const follow = async () => {
      for await (const { resourceVersion } of watch) versions.push(resourceVersion);
    };
    const followed = follow();
    await expect.poll(() => server.core.watches.length, SOON).toBe(1);
    server.core.watches[0]?.push({ mark: "synced", changes: [], version: "7-1" });
    await expect.poll(() => versions, SOON).toEqual(["7-1"]);
    proxy.silence();
    await expect.poll(() => server.core.watches.length, SOON).toBe(2);
    server.core.watches[1]?.push({ mark: "synced", changes: [], version: "7-2" });
    await expect.poll(() => versions, SOON).toEqual(["7-1", "7-2"]);
    expect(told).toEqual(["broken", "resumed"]);
    watch.close();
    await followed;
  });

  test("a lease is renewed on a new one before it is over", async () => {
    const { client, proxy, server } = await behindProxy();
    const { lost, notices, renewals } = await leased(client, server, 900);
    await expect.poll(renewals, SOON).toBeGreaterThan(2);
    proxy.silence();
    await expect.poll(() => proxy.connections, SOON).toBe(2);
    const before = renewals();
    await expect.poll(renewals, SOON).toBeGreaterThan(before + 2);
    expect(notices).toEqual([]);
    expect(lost).toEqual([]);
  });

  test("a lease that lapsed meanwhile is told as lost, as soon as the broker can say so", async () => {
    const { client, proxy, server } = await behindProxy();
    const { lost, renewals, session } = await leased(client, server, 300);
    await expect.poll(renewals, SOON).toBeGreaterThan(2);
    proxy.silence();
    server.core.expire(session.token);
    await expect.poll(() => lost.map(({ reason }) => reason), SOON).toEqual(["LEASE_EXPIRED"]);
    expect(proxy.connections).toBe(2);
  });

  test("a lease renewed by hand goes over a new one after the first renewal that nobody answered", async () => {
    const { client, proxy } = await behindProxy();
    const { token } = await client.openSession({ displayName: "vm", keepAlive: false });
    proxy.silence();
    expect((await refusal(client.renewLease(token, 100))).codeName).toBe("DEADLINE_EXCEEDED");
    expect(await client.renewLease(token)).toBeGreaterThan(0);
    expect(proxy.connections).toBe(2);
  });

  test("a call fails once the ping has had no answer, and the next goes over a new one", async () => {
    const { client, proxy } = await behindProxy(QUICK_PINGS);
    await client.ready();
    proxy.silence();
    expect((await refusal(client.getCapabilities())).codeName).toBe("UNAVAILABLE");
    await client.getCapabilities();
    expect(proxy.connections).toBe(2);
  });

  test("a watch without heartbeats of its own is opened again once the ping has had no answer", async () => {
    const { client, proxy, server } = await behindProxy(QUICK_PINGS);
    const watch = client.watchDevices();
    onTestFinished(() => watch.close());
    const first = watch[Symbol.asyncIterator]().next();
    await expect.poll(() => server.core.watches.length, SOON).toBe(1);
    proxy.silence();
    await expect.poll(() => server.core.watches.length, SOON).toBe(2);
    server.core.watches[1]?.push({ mark: "synced", changes: [], version: "7-1" });
    expect((await first).value.mark).toBe("synced");
  });
});

async function leased(client: BrokerClient, server: Awaited<ReturnType<typeof serve>>, leaseMs: number) {
  const { open } = server.core.sessions;
  server.core.sessions.open = (request) => {
    const opened = open(request);
    return { ...opened, session: { ...opened.session, ttlMs: leaseMs } };
  };
  const lost: BrokerCallError[] = [];
  const notices: Notice[] = [];
  const session = await client.openSession({
    displayName: "vm",
    onLost: (error) => lost.push(error),
    onNotice: (notice) => notices.push(notice),
  });
  onTestFinished(() => session.abandon());
  const renewals = () => server.core.asked.filter(({ verb }) => verb === "sessions.renew").length;
  return { lost, notices, renewals, session };
}
