// A VMM that dies without a word: its device is aborted, then released, within the lease or, where the session hangs on
// its process, at once; another VMM can take it. One that is stopped keeps what it has.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import {
  type BrokerClient,
  connect,
  type Device,
  type Notice,
  Stage1Mode,
  StageState,
} from "../../src/client/client.ts";
import { DaemonDirectory } from "../support/e2e-daemon.ts";

const DEVICE = "devices/0000:01:00.0";
const LEASE_MS = 1500;
/** The lease, a tick of the reaper, and what a busy machine takes. */
const RELEASE_MAX_MS = LEASE_MS + 3000;

/** Longer than what a test waits for. */
const GRACE_MS = 60_000;
/** The promise is 100 ms; the rest is what a busy machine takes to run three processes. */
const ABORT_MAX_MS = 1000;

let broker: BrokerProcess;
let client: BrokerClient;

beforeAll(async () => {
  broker = await startBroker({ log: { level: "debug" } });
  client = connect(broker.target);
});

afterAll(async () => {
  client.close();
  expect(await broker.stop()).toBe(0);
});

/** A VMM that has the device bound; its session's token. */
async function vmmProcess(name: string, leaseMs: number, graceMs = 0): Promise<{ vmm: ChildProcess; token: string }> {
  const script = join(import.meta.dirname, "../support/vmm-process.ts");
  const words = [script, broker.target, join(broker.memoryRoot, name), `${leaseMs}`, `${graceMs}`];
  const vmm = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void vmm.kill("SIGKILL"));
  const [token] = await once(vmm.stdout, "data");
  return { vmm, token: String(token).trim() };
}

test("kill -9 of the VMM: the device is aborted, then released, within the lease", async () => {
  const { vmm } = await vmmProcess("leased", LEASE_MS);
  const bound = await client.getDevice(DEVICE);
  expect(bound.state).toBe(StageState.STAGE_STATE_GUEST_NESTED);
  expect(bound.ownerDisplayName).toBe("doomed VMM");

  // Longer than the lease: it is the keep-alive that holds it.
  await sleep(LEASE_MS + 500);
  expect((await client.getDevice(DEVICE)).generation).toBe(bound.generation);

  const killed = performance.now();
  vmm.kill("SIGKILL");
  const released = await until(StageState.STAGE_STATE_DEFAULT_DOMAIN);
  expect(performance.now() - killed).toBeLessThan(RELEASE_MAX_MS);
  expect(released).toMatchObject({ ownerDisplayName: "", virtualIommu: "", attached: false });
  // Two changes since the bind: to abort, and from abort to the default domain.
  expect(released.generation).toBe(bound.generation + 2n);
  expect(stageChanges()).toEqual(
    expect.arrayContaining(["guest-nested → guest-abort (ownerLost)", "guest-abort → default-domain (release)"]),
  );

  const heir = await client.openSession({ displayName: "heir" });
  const space = await heir.createAddressSpace();
  const virtual = await heir.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/smmu0"] });
  const taken = await heir.attachDevice({ device: DEVICE, virtualIommu: virtual.name });
  expect(taken.ownerDisplayName).toBe("heir");
  await heir.close();
});

describe("a VMM whose session hangs on its process", () => {
  test("keeps its device while it is stopped, and loses it to abort the moment it is killed", async () => {
    const { vmm, token } = await vmmProcess("hanging", 0, GRACE_MS);
    const bound = await client.getDevice(DEVICE);
    expect(bound.state).toBe(StageState.STAGE_STATE_GUEST_NESTED);
    vmm.kill("SIGSTOP");
    await sleep(2 * LEASE_MS); // longer than any lease here, and many looks of the reaper
    expect(await client.getDevice(DEVICE)).toEqual(bound);

    const killed = performance.now();
    vmm.kill("SIGKILL");
    const aborted = await until(StageState.STAGE_STATE_GUEST_ABORT);
    const tookMs = performance.now() - killed;
    process.stdout.write(`aborted ${tookMs.toFixed(0)} ms after the kill\n`);
    expect(tookMs).toBeLessThan(ABORT_MAX_MS);
    expect(aborted).toMatchObject({ ownerDisplayName: "doomed VMM", generation: bound.generation + 1n });

    const { session, holdings } = await client.resumeSession(token);
    expect(holdings.devices).toMatchObject([{ device: DEVICE, generation: aborted.generation, rebindRequired: true }]);
    const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: 0x4000_0000n };
    await session.bindGuestStage({ device: DEVICE, fields });
    expect((await client.getDevice(DEVICE)).state).toBe(StageState.STAGE_STATE_GUEST_NESTED);
    await session.close();
  });

  test("gives it back when its grace is over", async () => {
    const { vmm, token } = await vmmProcess("graced", 0, 300);
    vmm.kill("SIGKILL");
    await until(StageState.STAGE_STATE_DEFAULT_DOMAIN);
    await expect(client.resumeSession(token)).rejects.toMatchObject({ metadata: { reason: "peer_died" } });
  });

  test("is live again at once after the daemon was killed, with no call of its own", async () => {
    const directory = new DaemonDirectory();
    const first = await directory.start();
    const script = join(import.meta.dirname, "../support/vmm-process.ts");
    const words = [script, directory.target, join(directory.memoryRoot, "ram"), "0", "60000"];
    const vmm = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void vmm.kill("SIGKILL"));
    await once(vmm.stdout, "data");
    const watcher = connect(directory.target);
    onTestFinished(() => watcher.close());
    const before = await watcher.getDevice(DEVICE);
    first.process.kill("SIGKILL");
    await first.exited;
    await directory.start();
    await watcher.ready();
    expect(await watcher.getDevice(DEVICE)).toEqual(before);
    vmm.kill("SIGKILL");
    await until(StageState.STAGE_STATE_GUEST_ABORT, watcher);
  });
});

test("an orchestrator reserves a device, and the VMM that it names claims it", async () => {
  const orchestrator = connect(broker.target);
  onTestFinished(() => orchestrator.close());
  const { promise: told, resolve: onNotice } = Promise.withResolvers<Notice>();
  const transferableTo = [`uid:${process.getuid?.()}`];
  const opened = await orchestrator.openSession({ displayName: "orchestrator", transferableTo, onNotice });
  const space = await opened.createAddressSpace();
  const virtual = await opened.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/smmu0"] });
  await opened.attachDevice({ device: DEVICE, virtualIommu: virtual.name });
  const { session, holdings } = await client.claimSession(opened.name);
  expect(holdings).toMatchObject({ addressSpaces: [space.name], virtualIommus: [virtual.name] });
  expect(await told).toMatchObject({ kind: "transferred" });
  await expect(opened.createAddressSpace()).rejects.toMatchObject({ metadata: { reason: "transferred" } });
  await session.detachDevice({ device: DEVICE });
  await session.close();
});

test("a broker that stood still longer than a lease takes no device away", async () => {
  let lost = false;
  const onLost = (): void => {
    lost = true;
  };
  const session = await client.openSession({ displayName: "patient VMM", leaseTtlMs: LEASE_MS, onLost });
  const space = await session.createAddressSpace();
  const virtual = await session.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/smmu0"] });
  const attached = await session.attachDevice({ device: DEVICE, virtualIommu: virtual.name });
  broker.process.kill("SIGSTOP");
  await sleep(2 * LEASE_MS);
  broker.process.kill("SIGCONT");
  await sleep(2 * LEASE_MS); // beyond the one lease that the broker gives: the client renews it again
  expect(lost).toBe(false);
  const after = await client.getDevice(DEVICE);
  expect([after.ownerDisplayName, after.generation]).toEqual(["patient VMM", attached.generation]);
  await session.close();
});

async function until(state: Device["state"], asked = client): Promise<Device> {
  for (;;) {
    const device = await asked.getDevice(DEVICE);
    if (device.state === state) return device;
    await sleep(5);
  }
}

/** What the broker's log says of stages, in order. */
function stageChanges(): string[] {
  return broker.log.flatMap((line) => {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== "object" || entry === null || !("from" in entry) || !("to" in entry)) return [];
    return [`${String(entry.from)} → ${String(entry.to)} (${"trigger" in entry ? String(entry.trigger) : ""})`];
  });
}
