// Several clients on one daemon: who waits, who watches, what a reset keeps others from, and what a restart leaves.

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  BrokerCallError,
  type BrokerClient,
  type BrokerSession,
  connect,
  type DeviceNews,
  type DeviceWatch,
  Stage1Mode,
  StageState,
} from "../../src/client/client.ts";
import { DaemonDirectory } from "../support/e2e-daemon.ts";

const SMMU = { id: "smmu0", registers: { idr0: 0x0d4c_101b, idr1: 0x0273_0510, idr3: 0x1414, idr5: 0x75, aidr: 0x1 } };
const NVME = "devices/nvme";
const SLOW = "devices/slow";
const STUCK = "devices/stuck";
const SIMULATED = {
  iommus: [SMMU],
  devices: [
    { id: "nvme", iommu: "smmu0", group: 1, stream_ids: [0x8] },
    { id: "slow", iommu: "smmu0", group: 2, stream_ids: [0x10], reset_ms: 1500 },
    { id: "stuck", iommu: "smmu0", group: 3, stream_ids: [0x18], reset: "fails" },
    { id: "fn0", iommu: "smmu0", group: 4, stream_ids: [0x20, 0x21] },
    { id: "fn1", iommu: "smmu0", group: 4, stream_ids: [0x22] },
    { id: "fn2", iommu: "smmu0", group: 4, stream_ids: [0x23] },
  ],
};
const RAM_IPA = 0x4000_0000n;
const RAM_BYTES = 2 * 2 ** 20;
const RAW = { doubleword0: RAM_IPA | 0xbn, doubleword1: 0xd4n }; // V=1, Config 0b101 (§5.2)

async function daemon(settings: Readonly<Record<string, unknown>> = {}) {
  const directory = new DaemonDirectory({ simulated: SIMULATED, ...settings });
  const running = await directory.start();
  const client = connect(directory.target);
  onTestFinished(() => client.close());
  return { directory, running, client };
}

/** A session with memory and a virtual IOMMU. */
async function guest(client: BrokerClient, directory: DaemonDirectory, displayName: string) {
  const session = await client.openSession({ displayName });
  const path = join(directory.memoryRoot, displayName);
  const file = openSync(path, "w", 0o600);
  ftruncateSync(file, RAM_BYTES);
  closeSync(file);
  const space = await session.createAddressSpace();
  await session.mapMemory({
    addressSpace: space.name,
    sources: [{ path }],
    mappings: [{ ipa: RAM_IPA, bytes: BigInt(RAM_BYTES), source: 0, offset: 0n, readable: true, writable: true }],
  });
  const { name: virtualIommu } = await session.createVirtualIommu({
    addressSpace: space.name,
    iommus: ["iommus/smmu0"],
  });
  return { session, virtualIommu };
}

type Guest = Awaited<ReturnType<typeof guest>>;

const attach = ({ session, virtualIommu }: Guest, device: string, more: { waitMs?: number; preempt?: boolean } = {}) =>
  session.attachDevice({ device, virtualIommu, ...more });

async function reasonOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof BrokerCallError) return `${error.codeName} ${error.reason}`;
    throw error;
  }
  return "OK";
}

/** What a watch tells, device by device, until the test ends. */
class Inventory {
  readonly devices = new Map<string, string>();
  readonly marks: string[] = [];

  constructor(watch: DeviceWatch) {
    onTestFinished(() => watch.close());
    void this.#read(watch);
  }

  async #read(watch: DeviceWatch): Promise<void> {
    for await (const news of watch) this.#take(news);
  }

  #take({ changes, mark }: DeviceNews): void {
    if (mark !== "none") this.marks.push(mark);
    if (mark === "resync") this.devices.clear();
    for (const { device } of changes) {
      if (device) this.devices.set(device.name, `${device.ownerDisplayName} ${device.generation}`);
    }
  }
}

describe("WatchDevices", () => {
  test("goes on over a restart of the daemon: nothing is lost, and what is shown is what is", async () => {
    const { client, directory, running } = await daemon();
    const one = await guest(client, directory, "one");
    const inventory = new Inventory(client.watchDevices({ pageSize: 2 }));
    await expect.poll(() => inventory.marks).toEqual(["synced"]);
    await attach(one, NVME);
    await expect.poll(() => inventory.devices.get(NVME)).toBe("one 1");
    running.process.kill("SIGKILL");
    await running.exited;
    await directory.start();
    await client.ready();
    await expect.poll(() => inventory.marks, { timeout: 10_000 }).toEqual(["synced", "resync", "synced"]);
    expect(inventory.devices.get(NVME)).toBe("one 1");
    expect(inventory.devices.size).toBe(SIMULATED.devices.length);
    await one.session.detachDevice({ device: NVME });
    await expect.poll(() => inventory.devices.get(NVME)).toBe(" 2");
  });
});

describe("AttachDevice", () => {
  test("with wait_ms gets the device when its owner leaves", async () => {
    const { client, directory } = await daemon();
    const [one, two] = [await guest(client, directory, "one"), await guest(client, directory, "two")];
    await attach(one, NVME);
    const waiting = attach(two, NVME, { waitMs: 20_000 });
    await expect.poll(async () => (await client.getDevice(NVME)).waiters).toBe(1);
    await one.session.close();
    expect((await waiting).ownerDisplayName).toBe("two");
  });

  test("that waits is over with its deadline, and leaves no place in line", async () => {
    const { client, directory } = await daemon();
    const [one, two] = [await guest(client, directory, "one"), await guest(client, directory, "two")];
    await attach(one, NVME);
    const { session, virtualIommu } = two;
    const request = { device: NVME, virtualIommu, waitMs: 20_000 };
    expect(await reasonOf(session.attachDevice(request, { deadlineMs: 300 }))).toBe("DEADLINE_EXCEEDED ");
    await expect.poll(async () => (await client.getDevice(NVME)).waiters).toBe(0);
  });

  test("that waits is told when the daemon stops", async () => {
    const { client, directory, running } = await daemon();
    const [one, two] = [await guest(client, directory, "one"), await guest(client, directory, "two")];
    await attach(one, NVME);
    const waiting = reasonOf(attach(two, NVME, { waitMs: 20_000 }));
    await expect.poll(async () => (await client.getDevice(NVME)).waiters).toBe(1);
    running.process.kill("SIGTERM");
    expect(await waiting).toBe("UNAVAILABLE DRAINING");
    expect(await running.exited).toBe(0);
  });

  test("with preempt is denied where no policy grants it, and the owner hears nothing", async () => {
    const { client, directory } = await daemon();
    const [one, two] = [await guest(client, directory, "one"), await guest(client, directory, "two")];
    await attach(one, NVME);
    expect(await reasonOf(attach(two, NVME, { preempt: true }))).toBe("PERMISSION_DENIED POLICY_DENIED");
    expect((await client.getDevice(NVME)).ownerDisplayName).toBe("one");
  });
});

describe("ResetDevice", () => {
  test("keeps bind and attach away with DEVICE_RESETTING and lets them in afterwards", async () => {
    const { client, directory } = await daemon();
    const one = await guest(client, directory, "one");
    await attach(one, SLOW);
    const bind = () => one.session.bindGuestStage({ device: SLOW, virtualStreamId: 7, raw: RAW });
    let isOver = false;
    const resetting = one.session.resetDevice({ device: SLOW }).then((device) => {
      isOver = true;
      return device;
    });
    await expect.poll(() => reasonOf(attach(one, SLOW))).toBe("UNAVAILABLE DEVICE_RESETTING");
    expect(await reasonOf(bind())).toBe("UNAVAILABLE DEVICE_RESETTING");
    expect(isOver).toBe(false);
    expect((await resetting).generation).toBe(1n);
    expect(await reasonOf(bind())).toBe("OK");
  });

  test("of a device that fails is INTERNAL; after its owner it is quarantined, over a restart too", async () => {
    const { client, directory, running } = await daemon();
    const one = await guest(client, directory, "one");
    await attach(one, STUCK);
    expect(await reasonOf(one.session.resetDevice({ device: STUCK }))).toBe("INTERNAL BACKEND_FAILED");
    const released = await one.session.detachDevice({ device: STUCK });
    expect(released.state).toBe(StageState.STAGE_STATE_QUARANTINED);
    running.process.kill("SIGKILL");
    await running.exited;
    await directory.start();
    await client.ready();
    expect(await client.getDevice(STUCK)).toEqual({ ...released });
    expect(await reasonOf(attach(one, STUCK, { waitMs: 1000 }))).toBe("FAILED_PRECONDITION DEVICE_QUARANTINED");
  });
});

describe("groups and streams", () => {
  const BYPASS = Stage1Mode.STAGE1_MODE_BYPASS;
  const bypass = (session: BrokerSession, device: string, virtualStreamId: number) =>
    session.bindGuestStage({ device, virtualStreamId, fields: { mode: BYPASS } });

  test("a group of three has one owner, its aliases follow, and members go only when the others are detached", async () => {
    const { client, directory } = await daemon();
    const [one, two] = [await guest(client, directory, "one"), await guest(client, directory, "two")];
    await attach(one, "devices/fn0");
    expect(await reasonOf(attach(two, "devices/fn1"))).toBe("FAILED_PRECONDITION DEVICE_OWNED");
    await attach(one, "devices/fn1");
    await bypass(one.session, "devices/fn1", 9);
    const { simulator } = one.session;
    // Every StreamID of the group is in bypass now: fn0's second one is an alias.
    expect(await simulator.translate("devices/fn0", [{ iova: RAM_IPA, streamIndex: 1 }])).toMatchObject([
      { ipa: RAM_IPA },
    ]);
    expect(await reasonOf(simulator.removeDevice("devices/fn2"))).toBe("FAILED_PRECONDITION IN_USE");
    await one.session.detachDevice({ device: "devices/fn1" });
    await simulator.removeDevice("devices/fn0"); // the last one attached: the group goes back first
    expect((await client.getDevice("devices/fn2")).groupDevices).toEqual(["devices/fn1", "devices/fn2"]);
    expect((await attach(two, "devices/fn1")).ownerDisplayName).toBe("two");
  });

  test("a virtual StreamID is one device's in its virtual IOMMU, and changes only in bypass or abort", async () => {
    const { client, directory } = await daemon();
    const [one, two] = [await guest(client, directory, "one"), await guest(client, directory, "two")];
    await attach(one, NVME);
    await attach(one, SLOW);
    await attach(two, STUCK);
    const bind = (who: Guest, device: string, virtualStreamId: number) =>
      who.session.bindGuestStage({ device, virtualStreamId, raw: RAW });
    await bind(one, NVME, 7);
    expect(await reasonOf(bind(one, SLOW, 7))).toBe("ALREADY_EXISTS ALREADY_EXISTS");
    expect(await reasonOf(bind(two, STUCK, 7))).toBe("OK"); // another virtual IOMMU's
    expect(await reasonOf(bind(one, NVME, 8))).toBe("FAILED_PRECONDITION TRANSITION_ILLEGAL");
    await bypass(one.session, NVME, 7);
    expect(await reasonOf(bind(one, NVME, 8))).toBe("OK");
    expect(await reasonOf(bind(one, SLOW, 7))).toBe("OK");
  });
});
