// A daemon that dies, is started again, is started twice, or is stopped while clients are busy.

import { once } from "node:events";
import { closeSync, existsSync, ftruncateSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  BrokerCallError,
  type BrokerSession,
  connect,
  FaultGapReason,
  type Notice,
  Stage1Mode,
} from "../../src/client/client.ts";
import { TOKEN_KEY } from "../../src/server/rpc/token.ts";
import { DaemonDirectory, type RunningDaemon } from "../support/e2e-daemon.ts";
import { bugLines, RawClient } from "../support/e2e-refusal.ts";

const DEVICE = "devices/0000:01:00.0";
const RAM_IPA = 0x4000_0000n;
const RAM_BYTES = 2 * 2 ** 20;

function clientOf(directory: DaemonDirectory) {
  const client = connect(directory.target);
  onTestFinished(() => client.close());
  return client;
}

/** Maps a file and binds the device in bypass, so that DMA passes. */
async function busySession(directory: DaemonDirectory, session: BrokerSession, name: string): Promise<void> {
  const path = join(directory.memoryRoot, name);
  const file = openSync(path, "w", 0o600);
  ftruncateSync(file, RAM_BYTES);
  closeSync(file);
  const space = await session.createAddressSpace();
  await session.mapMemory({
    addressSpace: space.name,
    sources: [{ path }],
    mappings: [{ ipa: RAM_IPA, bytes: BigInt(RAM_BYTES), source: 0, offset: 0n, readable: true, writable: true }],
  });
  const virtual = await session.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/smmu0"] });
  const initialMode = Stage1Mode.STAGE1_MODE_BYPASS;
  await session.attachDevice({ device: DEVICE, virtualIommu: virtual.name, initialMode });
}

/** Replays DMA without end; gives what stopped it, and how many batches went through before. */
async function replayUntilRefused(
  session: BrokerSession,
  onBatch: (batches: number) => void,
): Promise<BrokerCallError> {
  const accesses = Array.from({ length: 4096 }, (_, page) => ({ iova: RAM_IPA + BigInt(page % 512) * 4096n }));
  for (let batches = 1; ; batches += 1) {
    try {
      const answers = await session.simulator.translate(DEVICE, accesses);
      expect(answers).toHaveLength(4096);
      onBatch(batches);
    } catch (error) {
      if (error instanceof BrokerCallError) return error;
      throw error;
    }
  }
}

describe("kill -9", () => {
  test("in the middle of a replay: UNAVAILABLE, and a new daemon takes the stale socket's place", async () => {
    const directory = new DaemonDirectory();
    const first = await directory.start();
    const client = clientOf(directory);
    const session = await client.openSession({ displayName: "replay", leaseTtlMs: 7500 });
    await busySession(directory, session, "ram");
    const before = await client.getDevice(DEVICE);
    const watch = session.watchFaults();
    await watch.ready;
    // Nothing was lost; where the watch is taken up again in time, it is told of the numbers that were set aside.
    const setAside = { device: DEVICE, reason: FaultGapReason.FAULT_GAP_REASON_RESTART, count: 0n };
    const watching = (async () => {
      for await (const batch of watch) for (const gap of batch.gaps) expect(gap).toMatchObject(setAside);
    })().catch((error: unknown) => error);
    const error = await replayUntilRefused(session, (batches) => {
      if (batches === 2) first.process.kill("SIGKILL");
    });
    expect([error.codeName, error.isUnavailable]).toEqual(["UNAVAILABLE", true]);
    expect(await first.exited).toBe(null);
    expect(statSync(directory.socket).isSocket()).toBe(true); // stale: nobody could take it away

    const second = await directory.start();
    expect(second.log.join("\n")).toContain("listening for clients");
    await client.ready();
    // The same session goes on: owner, generation, mappings and the stage are as they were, and DMA passes again.
    expect(await client.getDevice(DEVICE)).toEqual(before);
    expect(await session.simulator.translate(DEVICE, [{ iova: RAM_IPA }])).toMatchObject([{ ipa: RAM_IPA }]);
    expect((await session.getDevice(DEVICE)).virtualIommu).not.toBe("");
    watch.close();
    expect(await watching).toBeUndefined();
    await session.close();
    const heir = await client.openSession({ displayName: "heir" });
    await busySession(directory, heir, "ram");
    await heir.close();
    second.process.kill("SIGTERM");
    expect(await second.exited).toBe(0);
    expect(existsSync(directory.socket)).toBe(false);
    expect(bugLines(second.log)).toEqual([]);
  });

  test("and no new daemon: the client is told that nobody answers when its lease is over, and goes on asking", async () => {
    const directory = new DaemonDirectory({ limits: { lease_ttl_min_ms: 500 } });
    const daemon = await directory.start();
    const { promise: noticed, resolve: onNotice } = Promise.withResolvers<Notice>();
    const session = await clientOf(directory).openSession({ displayName: "orphan", leaseTtlMs: 900, onNotice });
    daemon.process.kill("SIGKILL");
    expect(await noticed).toEqual({ kind: "unanswered", leaseMs: 900 });
    session.abandon();
  });
});

describe("a call that is repeated with its request_id after kill -9", () => {
  async function killed(directory: DaemonDirectory, daemon: RunningDaemon): Promise<RunningDaemon> {
    daemon.process.kill("SIGKILL");
    await daemon.exited;
    return await directory.start();
  }

  test("is answered as it was, and has made one thing; with other content it is ALREADY_EXISTS", async () => {
    const directory = new DaemonDirectory();
    const daemon = await directory.start();
    const session = await clientOf(directory).openSession({ displayName: "vm", requestId: "open" });
    const { name: addressSpace } = await session.createAddressSpace({ requestId: "space" });
    const create = { addressSpace, iommus: ["iommus/smmu0"], requestId: "virtual" };
    const virtual = await session.createVirtualIommu(create);
    const initialMode = Stage1Mode.STAGE1_MODE_ABORT;
    const attach = { device: DEVICE, virtualIommu: virtual.name, initialMode, requestId: "attach" };
    const attached = await session.attachDevice(attach);
    const bind = { device: DEVICE, fields: { mode: Stage1Mode.STAGE1_MODE_BYPASS }, requestId: "bind" };
    const bound = await session.bindGuestStage(bind);

    await killed(directory, daemon);
    const client = clientOf(directory);
    await client.ready();
    const { session: again, holdings } = await client.resumeSession(session.token);
    expect((await again.createAddressSpace({ requestId: "space" })).name).toBe(addressSpace);
    expect(await again.createVirtualIommu(create)).toEqual(virtual);
    expect(await again.attachDevice(attach)).toEqual(attached);
    expect(await again.bindGuestStage(bind)).toEqual(bound);
    expect(holdings).toMatchObject({ addressSpaces: [addressSpace], virtualIommus: [virtual.name] });
    expect((await again.getDevice(DEVICE)).generation).toBe(2n); // attached, bound, nothing twice
    const other = await again.createAddressSpace({ requestId: "space", pinning: 2 }).catch((error: unknown) => error);
    expect(other).toMatchObject({ codeName: "ALREADY_EXISTS", reason: "REQUEST_CONFLICT" });
    session.abandon();
    await again.close();
  });

  test("gives the session that OpenSession opened, with a new token; no token is in the state directory", async () => {
    const directory = new DaemonDirectory();
    const daemon = await directory.start();
    const options = { displayName: "vm", requestId: "open", keepAlive: false };
    const lost = await clientOf(directory).openSession(options);
    const second = await killed(directory, daemon);
    const client = clientOf(directory);
    await client.ready();
    const again = await client.openSession(options);
    expect(again.name).toBe(lost.name);
    expect(again.token).not.toBe(lost.token);
    const { name } = await again.createAddressSpace({ requestId: "space" });
    const used = await lost.createAddressSpace().catch((error: unknown) => error);
    expect(used).toMatchObject({ reason: "LEASE_EXPIRED", metadata: { reason: "replaced" } });
    const closed = await lost.close().catch((error: unknown) => error); // "gone" would not be true
    expect(closed).toMatchObject({ reason: "LEASE_EXPIRED", metadata: { reason: "replaced" } });
    await killed(directory, second);
    await client.ready();
    const late = await client.openSession(options).catch((error: unknown) => error);
    expect(late).toMatchObject({ codeName: "ALREADY_EXISTS", reason: "REQUEST_CONFLICT" });
    const { holdings } = await client.resumeSession(again.token, { keepAlive: false });
    expect(holdings.addressSpaces).toEqual([name]);
    const state = join(directory.path, "state");
    const written = readdirSync(state).map((file) => readFileSync(join(state, file), "latin1"));
    const answers = [...written.join().matchAll(/"answer":"([^"]*)"/g)].map(([, text = ""]) => atob(text));
    expect(answers.join()).toContain(name);
    for (const { token } of [lost, again]) expect([...written, ...answers].join()).not.toContain(token);
  });
});

test("a second daemon on a live socket is refused with the first one's pid, and the first one goes on", async () => {
  const directory = new DaemonDirectory();
  const first = await directory.start();
  const client = clientOf(directory);
  const session = await client.openSession({ displayName: "undisturbed", keepAlive: false });
  const inode = statSync(directory.socket).ino;
  const second = await directory.start();
  expect(await second.exited).toBe(1);
  const said = second.log.join("\n");
  expect(said).toContain(`is in use by pid ${first.process.pid}:`);
  expect(second.process.pid).not.toBe(first.process.pid);
  expect(statSync(directory.socket).ino).toBe(inode);
  await session.createAddressSpace();
  await session.close();
});

describe("SIGTERM", () => {
  /** The grace period is 10 s; nothing here may need it. */
  const QUICK_MS = 5000;

  async function stopMs(daemon: Awaited<ReturnType<DaemonDirectory["start"]>>): Promise<number> {
    const began = performance.now();
    daemon.process.kill("SIGTERM");
    expect(await daemon.exited).toBe(0);
    expect(bugLines(daemon.log)).toEqual([]);
    return performance.now() - began;
  }

  test("with no client exits 0 at once", async () => {
    const directory = new DaemonDirectory();
    expect(await stopMs(await directory.start())).toBeLessThan(QUICK_MS);
  });

  test("with an idle connection exits 0 quickly", async () => {
    const directory = new DaemonDirectory();
    const daemon = await directory.start();
    await clientOf(directory).listDevices();
    expect(await stopMs(daemon)).toBeLessThan(QUICK_MS);
  });

  test("with connections that never said anything exits 0 quickly", async () => {
    const directory = new DaemonDirectory();
    const daemon = await directory.start();
    const silent = connectSocket(directory.socket);
    const half = connectSocket(directory.socket);
    onTestFinished(() => {
      silent.destroy();
      half.destroy();
    });
    await Promise.all([once(silent, "connect"), once(half, "connect")]);
    half.write("PRI * HTTP/2.0\r\n");
    await clientOf(directory).listDevices(); // both are accepted by now
    expect(await stopMs(daemon)).toBeLessThan(QUICK_MS);
  });

  test("with streams open ends them with UNAVAILABLE, tells DRAINING, and exits 0 quickly", async () => {
    const directory = new DaemonDirectory();
    const daemon = await directory.start();
    const notices: string[] = [];
    const session = await clientOf(directory).openSession({
      displayName: "streams",
      onNotice: ({ kind }) => notices.push(kind),
    });
    await busySession(directory, session, "ram");
    const raw = new RawClient(directory.target);
    onTestFinished(() => raw.close());
    const metadata = new Metadata();
    metadata.set(TOKEN_KEY, session.token);
    const ended = ["/iommubroker.v1.IommuBroker/WatchFaults", "/grpc.health.v1.Health/Watch"].map(async (path) => {
      const same = (bytes: Buffer): Buffer => bytes;
      const stream = raw.grpc.makeServerStreamRequest(path, same, same, Buffer.alloc(0), metadata);
      await once(stream, "data");
      return await new Promise<ServiceError>((resolve) => {
        stream.on("error", resolve);
        stream.resume();
      });
    });
    await raw.health();
    await session.createAddressSpace();
    const took = await stopMs(daemon);
    const errors = await Promise.all(ended);
    expect(errors.map(({ code }) => status[code])).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
    // Told by the daemon: a connection that is cut under a stream is UNAVAILABLE too.
    expect(errors.map(({ details }) => details).join()).not.toMatch(/Connection dropped/);
    expect(notices).toEqual(["draining"]);
    expect(took).toBeLessThan(QUICK_MS);
    session.abandon();
  });

  test("with calls in flight finishes them, refuses new ones with UNAVAILABLE, and exits 0 quickly", async () => {
    const directory = new DaemonDirectory();
    const daemon = await directory.start();
    const session = await clientOf(directory).openSession({ displayName: "busy" });
    await busySession(directory, session, "ram");
    let took: Promise<number> | undefined;
    const replays = Array.from({ length: 4 }, () =>
      replayUntilRefused(session, (batches) => {
        if (batches === 2) took ??= stopMs(daemon);
      }),
    );
    const ends = await Promise.all(replays);
    expect(ends.map((error) => error.codeName)).toEqual(["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"]);
    expect(await took).toBeLessThan(QUICK_MS);
    session.abandon();
  });
});
