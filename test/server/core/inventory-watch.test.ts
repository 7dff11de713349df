import { beforeEach, describe, expect, test } from "vitest";
import { type DeviceID, deviceID, groupID, streamID } from "../../../src/backends/ids.ts";
import type { DeviceBatch, DeviceSubscription, DeviceWatchRequest } from "../../../src/server/core/device-verbs.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import {
  attach,
  detach,
  FAR,
  type Guest,
  guest,
  NIC,
  NVME,
  refusal,
  SMMU0,
  SMMU1,
  type TestHost,
  testHost,
  turn,
} from "../../support/host.ts";

let host: TestHost;
let vmm: Guest;
beforeEach(async () => {
  await start();
});

async function start(records: readonly DurableRecord[] = []): Promise<void> {
  host = testHost();
  await host.core.recover(records);
  vmm = await guest(host, { iommus: [SMMU0, SMMU1] });
}

const ALL: DeviceWatchRequest = {
  pageSize: 100,
  resumeAfter: undefined,
  iommu: undefined,
  group: undefined,
  ownedByViewer: false,
};

/** What a watcher is told, each batch as one line. */
class Told {
  readonly lines: string[] = [];
  readonly batches: DeviceBatch[] = [];
  readonly subscription: DeviceSubscription;
  isOver = false;
  readonly #ended: Promise<void>;

  constructor(request: Partial<DeviceWatchRequest> = {}, viewer?: string) {
    this.subscription = host.core.devices.watch(viewer, { ...ALL, ...request });
    this.#ended = this.#read();
  }

  get version(): string | undefined {
    return this.batches.at(-1)?.version;
  }

  /** What is told from now on. */
  clear(): void {
    this.lines.length = 0;
  }

  async close(): Promise<void> {
    this.subscription.close();
    await this.#ended;
  }

  async #read(): Promise<void> {
    for (let batch = await this.subscription.next(); batch; batch = await this.subscription.next()) {
      this.batches.push(batch);
      if (batch.mark !== "none") this.lines.push(batch.mark);
      for (const { kind, device } of batch.changes) {
        this.lines.push(`${kind} ${device.id} ${device.state}${device.attached ? " attached" : ""}`);
      }
    }
    this.isOver = true;
  }
}

/** One reader at its own pace. */
async function take(subscription: DeviceSubscription): Promise<string[]> {
  const batch = await subscription.next();
  if (batch === undefined) return ["ended"];
  return [
    ...(batch.mark === "none" ? [] : [batch.mark]),
    ...batch.changes.map(({ kind, device }) => `${kind} ${device.id} ${device.state}`),
  ];
}

async function churn(times: number, device: DeviceID = NVME): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    await attach(host, vmm, device);
    await detach(host, vmm, device);
  }
}

describe("a watch begins with the list", () => {
  test("in order, in pages, closed by SYNCED, and nothing else while nothing changes", async () => {
    const told = new Told({ pageSize: 3 });
    await turn();
    const ids = host.core.devices.list().map(({ id }) => `listed ${id} default-domain`);
    expect(told.lines).toEqual([...ids, "synced"]);
    expect(told.batches.map(({ changes }) => changes.length)).toEqual([3, 3, 2, 0]);
    expect(told.batches.map(({ version }) => version === undefined)).toEqual([true, true, true, false]);
  });

  test("then each change once, in order, with greater versions", async () => {
    const told = new Told();
    await turn();
    told.clear();
    await attach(host, vmm, NVME);
    await turn();
    await detach(host, vmm, NVME);
    await turn();
    expect(told.lines).toEqual([`changed ${NVME} guest-abort attached`, `changed ${NVME} default-domain`]);
    const numbers = told.batches.flatMap(({ changes }) => changes).map(({ version }) => Number(version.split("-")[1]));
    expect(numbers.slice(-2)).toEqual([1, 2]);
  });

  test("what changes while the list is read is told once: in the list, or after it", async () => {
    const subscription = host.core.devices.watch(undefined, { ...ALL, pageSize: 4 });
    const first = await take(subscription); // the first four, NIC among them
    expect(first).toContain(`listed ${NIC} default-domain`);
    await attach(host, vmm, NIC);
    await attach(host, vmm, FAR);
    const lines = [...(await take(subscription)), ...(await take(subscription)), ...(await take(subscription))];
    expect(lines.filter((line) => line.includes(FAR))).toEqual([`listed ${FAR} guest-abort`]);
    expect(lines.slice(-2)).toEqual([`changed ${NIC} guest-abort`, "synced"]);
  });

  test("devices that come and go are told, and what becomes of the rest of their group", async () => {
    const told = new Told();
    await turn();
    told.clear();
    const found = host.backend.inventory.devices().find(({ id }) => id === NVME)!;
    const plugged = { ...found, id: deviceID("plugged"), group: groupID(3), streamIDs: [streamID(0x77)] };
    host.core.simulator?.addDevice(vmm.session, plugged);
    await turn();
    expect(told.lines.map((line) => line.split(" ")[1])).toEqual([
      "0000:02:00.0",
      "0000:02:00.1",
      "0000:02:00.2",
      "plugged",
    ]);
    told.clear();
    await host.core.simulator?.removeDevice(vmm.session, NVME);
    await turn();
    expect(told.lines).toEqual([`removed ${NVME} default-domain`]);
  });
});

describe("resuming", () => {
  test("after a version gives what changed since, and nothing twice", async () => {
    const first = new Told();
    await turn();
    await attach(host, vmm, NVME);
    await turn();
    await first.close();
    await attach(host, vmm, NIC);
    await turn();
    const second = new Told({ resumeAfter: first.version });
    await turn();
    expect(second.lines).toEqual(["synced", `changed ${NIC} guest-abort attached`]);
  });

  test("after the newest version gives nothing", async () => {
    const first = new Told();
    await turn();
    const second = new Told({ resumeAfter: first.version });
    await turn();
    expect(second.lines).toEqual(["synced"]);
  });

  test("after one that the ring no longer has gives RESYNC and the list", async () => {
    const first = new Told();
    await turn();
    await first.close();
    await churn(9); // 18 changes, the ring has 16
    const second = new Told({ resumeAfter: first.version });
    await turn();
    expect(second.lines[0]).toBe("resync");
    expect(second.lines.slice(1)).toEqual([
      ...host.core.devices.list().map(({ id, state }) => `listed ${id} ${state}`),
      "synced",
    ]);
    expect(host.core.census().watches.resyncs).toBe(1);
  });

  test("after the oldest that the ring has is no RESYNC", async () => {
    const first = new Told();
    await turn();
    await first.close();
    await churn(8); // 16 changes
    const second = new Told({ resumeAfter: first.version });
    await turn();
    expect([second.lines[0], second.lines.length]).toEqual(["synced", 17]);
  });

  test.each(["another life", "the future"])("after a version of %s gives RESYNC", async (which) => {
    const first = new Told();
    await turn();
    const version = which === "the future" ? `${first.version?.split("-")[0]}-999` : first.version;
    if (which === "another life") await start(host.durable);
    const second = new Told({ resumeAfter: version });
    await turn();
    expect([second.lines[0], second.lines.at(-1)]).toEqual(["resync", "synced"]);
  });

  test("versions of a later life are greater, whatever the clock says", async () => {
    const epochOf = (version: string | undefined): number => Number(version?.split("-")[0]);
    const before = new Told();
    await turn();
    await start(host.durable); // the clock of the test stands where it stood
    const after = new Told();
    await turn();
    expect(epochOf(after.version)).toBe(epochOf(before.version) + 1);
  });
});

describe("a reader that is too slow", () => {
  test("is given the list anew, with how things are now, and the daemon keeps no more than the ring", async () => {
    const subscription = host.core.devices.watch(undefined, ALL);
    expect(await take(subscription)).toHaveLength(8);
    expect(await take(subscription)).toEqual(["synced"]);
    await churn(20);
    await attach(host, vmm, NVME);
    expect(await take(subscription)).toEqual(["resync"]);
    expect(await take(subscription)).toContain(`listed ${NVME} guest-abort`);
    expect(await take(subscription)).toEqual(["synced"]);
  });

  test("in the middle of the list too", async () => {
    const subscription = host.core.devices.watch(undefined, { ...ALL, pageSize: 4 });
    await take(subscription);
    await churn(9);
    expect(await take(subscription)).toEqual(["resync"]);
    expect((await take(subscription))[0]).toBe(`listed ${NIC} default-domain`);
  });

  test("slows nobody else", async () => {
    const slow = host.core.devices.watch(undefined, ALL);
    const told = new Told();
    await turn();
    told.clear();
    for (let count = 0; count < 20; count += 1) {
      await churn(1);
      await turn();
    }
    expect(told.lines).toHaveLength(40);
    slow.close();
  });

  test("is told what is pending in pages", async () => {
    const subscription = host.core.devices.watch(undefined, { ...ALL, pageSize: 2 });
    for (let page = 0; page < 5; page += 1) await take(subscription);
    await churn(2);
    expect((await take(subscription)).length + (await take(subscription)).length).toBe(4);
  });
});

describe("filters", () => {
  test("by IOMMU and by group show those and no others", async () => {
    const behind = new Told({ iommu: SMMU1 });
    const grouped = new Told({ group: 3 });
    await turn();
    expect(behind.lines).toEqual(["listed 0001:00:01.0 default-domain", `listed ${FAR} default-domain`, "synced"]);
    expect(grouped.lines).toHaveLength(4);
    await attach(host, vmm, NVME);
    await attach(host, vmm, FAR);
    await turn();
    expect(behind.lines.slice(3)).toEqual([`changed ${FAR} guest-abort attached`]);
    expect(grouped.lines).toHaveLength(4);
  });

  test("keep the version going: what is passed over is not told again", async () => {
    const behind = new Told({ iommu: SMMU1 });
    await turn();
    await churn(1);
    await turn();
    expect(behind.subscription.version()?.split("-")[1]).toBe("2");
  });

  test("by owner show what comes to the session and what leaves it", async () => {
    await attach(host, vmm, NVME);
    const mine = new Told({ ownedByViewer: true }, vmm.session);
    await turn();
    expect(mine.lines).toEqual([`listed ${NVME} guest-abort attached`, "synced"]);
    mine.clear();
    await attach(host, vmm, NIC);
    await turn();
    await detach(host, vmm, NVME);
    await turn();
    const other = await guest(host, { name: "other" });
    await attach(host, other, NVME);
    await turn();
    expect(mine.lines).toEqual([`changed ${NIC} guest-abort attached`, `left ${NVME} default-domain`]);
  });
});

test("nothing is told that a crash could take back", async () => {
  const { promise: durable, resolve: written } = Promise.withResolvers<void>();
  const told = new Told();
  await turn();
  told.clear();
  const before = told.version;
  host.beforeDurable = () => durable;
  await attach(host, vmm, NVME);
  await turn();
  expect(told.lines).toEqual([]);
  expect(told.subscription.version()).toBe(before); // a heartbeat must not run ahead of what it stands for
  written();
  await turn();
  expect(told.lines).toEqual([`changed ${NVME} guest-abort attached`]);
  expect(told.subscription.version()).toBe(told.version);
});

test("a watch of a session ends with it, one of nobody does not", async () => {
  const mine = new Told({}, vmm.session);
  const anybodys = new Told();
  await turn();
  await host.core.sessions.close(vmm.session);
  await turn();
  expect([mine.isOver, anybodys.isOver]).toEqual([true, false]);
});

test("one watch too many is refused by the limit's name, and closing one makes room", async () => {
  const open = [1, 2, 3].map(() => host.core.devices.watch(undefined, ALL));
  expect(host.core.census().watches.subscribers).toBe(3);
  const error = await refusal(() => host.core.devices.watch(undefined, ALL));
  expect([error.code, error.facts.limit]).toEqual(["limit_reached", "device_watches_max"]);
  open[0]?.close();
  host.core.devices.watch(undefined, ALL).close();
});
