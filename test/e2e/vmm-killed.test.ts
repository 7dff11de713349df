// A VMM that dies without a word: its device is aborted, then released, within the lease; another VMM can take it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { type BrokerClient, connect, type Device, StageState } from "../../src/client/client.ts";

const DEVICE = "devices/0000:01:00.0";
const LEASE_MS = 1500;
/** The lease, a tick of the reaper, and what a busy machine takes. */
const RELEASE_MAX_MS = LEASE_MS + 3000;

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

test("kill -9 of the VMM: the device is aborted, then released, within the lease", async () => {
  const vmm = spawn(
    process.execPath,
    [
      join(import.meta.dirname, "../support/vmm-process.ts"),
      broker.target,
      join(broker.memoryRoot, "doomed"),
      `${LEASE_MS}`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(vmm.stdout, "data");
  const bound = await client.getDevice(DEVICE);
  expect(bound.state).toBe(StageState.STAGE_STATE_GUEST_NESTED);
  expect(bound.ownerDisplayName).toBe("doomed VMM");

  // Longer than the lease: it is the keep-alive that holds it.
  await sleep(LEASE_MS + 500);
  expect((await client.getDevice(DEVICE)).generation).toBe(bound.generation);

  const killed = performance.now();
  vmm.kill("SIGKILL");
  const released = await untilReleased();
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

async function untilReleased(): Promise<Device> {
  for (;;) {
    const device = await client.getDevice(DEVICE);
    if (device.state === StageState.STAGE_STATE_DEFAULT_DOMAIN) return device;
    await sleep(50);
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
