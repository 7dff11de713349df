import { describe, expect, test, vi } from "vitest";
import type { FaultBatch, FaultWatch } from "../../src/client/client.ts";
import { NIC, NVME } from "../support/fake-core.ts";
import { batchOf, eventBatch, faultEvent, faultGap, resolution } from "../support/fault-samples.ts";
import { type RpcServer, refusal, serve } from "../support/rpc-server.ts";

async function watching(
  server: RpcServer,
  options?: Parameters<Awaited<ReturnType<RpcServer["session"]>>["watchFaults"]>[0],
) {
  const session = await server.session();
  const watch = session.watchFaults(options);
  await watch.ready;
  return { session, watch, iterator: watch[Symbol.asyncIterator]() };
}

async function next(iterator: AsyncIterator<FaultBatch>): Promise<readonly [string, bigint][]> {
  const { value } = await iterator.next();
  const batch: FaultBatch = value;
  return batch.events.map(({ device, sequence }) => [device, sequence]);
}

function askedToResume(server: RpcServer): unknown {
  return server.core.argsOf("faults.subscribe");
}

describe("watchFaults", () => {
  test("is ready when the subscription stands, and gives what comes then", async () => {
    const server = await serve();
    const { iterator } = await watching(server, { devices: ["devices/0000:01:00.0"] });
    expect(server.core.subscriptions).toHaveLength(1);
    server.core.subscriptions[0]?.push(eventBatch(1, 2));
    expect(await next(iterator)).toEqual([
      ["devices/0000:01:00.0", 1n],
      ["devices/0000:01:00.0", 2n],
    ]);
  });

  test("keeps heartbeats to itself", async () => {
    const server = await serve({ heartbeatMs: 10 });
    const { iterator } = await watching(server);
    const first = next(iterator);
    const third = Promise.withResolvers<void>();
    setTimeout(third.resolve, 50); // some heartbeats pass
    await third.promise;
    server.core.subscriptions[0]?.push(eventBatch(1));
    expect(await first).toEqual([["devices/0000:01:00.0", 1n]]);
  });

  test("resumes after what it has seen when the daemon comes back, gaps counted as seen", async () => {
    const server = await serve();
    const { iterator, watch } = await watching(server, { resumeAfter: { "devices/x": 2n ** 60n } });
    server.core.subscriptions[0]?.push({
      ...batchOf(faultEvent(4), faultEvent(5), faultGap({ first: 6, last: 7, reason: "hardware-overflow" })),
      gaps: [faultGap({ device: NIC, first: 1, last: 9 })],
    });
    await next(iterator);
    await server.restart();
    const resumed = next(iterator);
    await vi.waitFor(() => expect(server.core.subscriptions).toHaveLength(2));
    expect(askedToResume(server)).toMatchObject([
      {
        resumeAfter: new Map<string, bigint>([
          ["x", 2n ** 60n],
          [NIC, 9n],
          [NVME, 7n],
        ]),
      },
    ]);
    server.core.subscriptions[1]?.push(eventBatch(8));
    expect(await resumed).toEqual([["devices/0000:01:00.0", 8n]]);
    expect(watch.seen).toEqual({ "devices/x": 2n ** 60n, "devices/0000:02:00.0": 9n, "devices/0000:01:00.0": 8n });
  });

  test("goes on after what the broker says it has dealt with, and misses no device that came meanwhile", async () => {
    const server = await serve({ heartbeatMs: 10 });
    const { iterator, watch } = await watching(server, { types: ["C_BAD_CD"] });
    expect(askedToResume(server)).toMatchObject([{ resumeAfter: new Map(), fromStart: false }]);
    const first = server.core.subscriptions[0];
    if (first !== undefined) first.where = new Map([[NIC, 12]]);
    const resumed = next(iterator);
    await vi.waitFor(() => expect(watch.seen).toEqual({ "devices/0000:02:00.0": 12n }));
    await server.restart();
    await vi.waitFor(() => expect(server.core.subscriptions).toHaveLength(2));
    expect(askedToResume(server)).toMatchObject([{ resumeAfter: new Map([[NIC, 12n]]), fromStart: true }]);
    server.core.subscriptions[1]?.push(batchOf(faultEvent(8, { type: "C_BAD_CD" })));
    expect(await resumed).toEqual([["devices/0000:01:00.0", 8n]]);
  });

  test("forgets numbers that the broker no longer knows", async () => {
    const server = await serve({ heartbeatMs: 10 });
    const { iterator, watch } = await watching(server, { resumeAfter: { "devices/0000:02:00.0": 5000n } });
    const [subscription] = server.core.subscriptions;
    if (subscription !== undefined) subscription.where = new Map([[NIC, 2]]);
    const ended = iterator.next();
    await vi.waitFor(() => expect(watch.seen).toEqual({ "devices/0000:02:00.0": 2n }));
    watch.close();
    expect((await ended).done).toBe(true);
  });

  test("tells once that it broke off, and once that it stands again", async () => {
    const server = await serve();
    const told: string[] = [];
    const { iterator } = await watching(server, {
      onBroken: (error) => told.push(error.codeName),
      onResumed: () => told.push("resumed"),
    });
    const resumed = next(iterator);
    await server.restart();
    await vi.waitFor(() => expect(server.core.subscriptions).toHaveLength(2));
    server.core.subscriptions[1]?.push(eventBatch(1));
    await resumed;
    expect(told).toEqual([expect.stringMatching(/UNAVAILABLE|CANCELLED/), "resumed"]);
  });

  test("asks again for what it asked for, when it is opened again", async () => {
    const server = await serve();
    server.core.faults.diagnose = () => ({ verdict: "not-applicable", summary: "why" });
    const { iterator } = await watching(server, { types: ["F_TRANSLATION"], diagnose: true });
    const resumed = iterator.next();
    await server.restart();
    await vi.waitFor(() => expect(server.core.subscriptions).toHaveLength(2));
    server.core.subscriptions[1]?.push(batchOf(faultEvent(1, { type: "C_BAD_CD" }), faultEvent(2)));
    const { value } = await resumed;
    const batch: FaultBatch = value;
    expect(batch.events).toMatchObject([{ sequence: 2n, diagnosis: { summary: "why" } }]);
  });

  test("gives a message that has resolutions alone", async () => {
    const server = await serve();
    const { iterator } = await watching(server);
    server.core.subscriptions[0]?.push(batchOf(resolution(3)));
    const { value } = await iterator.next();
    const batch: FaultBatch = value;
    expect(batch.resolutions).toMatchObject([{ sequence: 3n }]);
  });

  test("ends with the broker's error when the session is gone", async () => {
    const server = await serve();
    const { session, iterator } = await watching(server);
    server.core.expire(session.token);
    expect((await refusal(iterator.next())).reason).toBe("LEASE_EXPIRED");
  });

  test("that is refused rejects both ready and the iteration", async () => {
    const server = await serve();
    const session = await server.session();
    const watch = session.watchFaults({ devices: ["nonsense"] });
    expect((await refusal(watch.ready)).reason).toBe("ARGUMENT_INVALID");
    expect((await refusal(all(watch))).fields).toMatchObject([{ path: "devices[0]" }]);
  });

  test("ends quietly when it is closed, also while the daemon is away", async () => {
    const server = await serve();
    const here = await watching(server);
    here.watch.close();
    expect((await here.iterator.next()).done).toBe(true);

    const away = await watching(server);
    const ended = away.iterator.next();
    server.stop();
    setTimeout(() => away.watch.close(), 20);
    expect((await ended).done).toBe(true);
  });

  test("lets go of the stream when the loop is left", async () => {
    const server = await serve();
    const { watch } = await watching(server);
    server.core.subscriptions[0]?.push(eventBatch(1));
    for await (const { events } of watch) {
      expect(events).toHaveLength(1);
      break;
    }
    await vi.waitFor(() => expect(server.core.subscriptions[0]?.isClosed).toBe(true));
  });
});

async function all(watch: FaultWatch): Promise<FaultBatch[]> {
  const batches: FaultBatch[] = [];
  for await (const batch of watch) batches.push(batch);
  return batches;
}
