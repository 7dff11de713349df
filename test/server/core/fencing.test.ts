// Generations only grow, whatever becomes of the device, the daemon, or both.

import { expect, test } from "vitest";
import { deviceID, groupID, iommuID, streamID } from "../../../src/backends/ids.ts";
import type { HostDevice } from "../../../src/backends/inventory.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import { attach, detach, type Guest, guest, NVME, refusal, type TestHost, testHost } from "../../support/host.ts";

async function begun(records: readonly DurableRecord[], after?: TestHost): Promise<TestHost> {
  const host = testHost(after === undefined ? {} : { after });
  await host.core.recover(records);
  return host;
}

function pluggable(id: number): HostDevice {
  const iommu = iommuID("smmu0");
  return { id: deviceID(`plug-${id}`), iommu, group: groupID(id), streamIDs: [streamID(id)], pasidBits: 0, ats: false };
}

function generation(host: TestHost, id = NVME): number {
  return host.core.devices.get(id).generation;
}

/** Attached and detached: two stage changes. */
async function used(host: TestHost, vmm: Guest): Promise<HostDevice> {
  await attach(host, vmm, NVME);
  await detach(host, vmm, NVME);
  return host.backend.inventory.devices().find(({ id }) => id === NVME)!;
}

test("a device that is removed and added again fences whoever knew it before", async () => {
  const host = await begun([]);
  const vmm = await guest(host);
  const device = await used(host, vmm);
  await host.core.simulator?.removeDevice(vmm.session, NVME);
  host.core.simulator?.addDevice(vmm.session, device);
  const request = { device: NVME, virtualIommu: vmm.virtualIommu, initial: "abort" } as const;
  const stale = await refusal(() => host.core.stages.attach(vmm.session, { ...request, expectedGeneration: 2n }));
  expect(stale.code).toBe("fenced");
  expect(generation(host)).toBe(3);
});

test("also when the daemon is restarted while it is away, after it has come again, and once more", async () => {
  const host = await begun([]);
  const vmm = await guest(host);
  const device = await used(host, vmm);
  await host.core.simulator?.removeDevice(vmm.session, NVME);
  for (const records of [host.durable, host.core.image()]) {
    const second = await begun(records, host);
    second.core.simulator?.addDevice(vmm.session, device);
    expect(generation(second)).toBe(3);
    const third = await begun([...records, ...second.durable], second);
    expect(generation(third)).toBe(3);
    await third.core.simulator?.removeDevice(vmm.session, NVME);
    third.core.simulator?.addDevice(vmm.session, device);
    expect(generation(third)).toBe(4);
    const fourth = await begun(third.core.image(), third);
    expect(generation(fourth)).toBe(4);
  }
});

test("removed while it is its owner's: the owner is restored without it, and it counts on", async () => {
  const host = await begun([]);
  const vmm = await guest(host);
  await attach(host, vmm, NVME);
  const device = host.backend.inventory.devices().find(({ id }) => id === NVME)!;
  await host.core.simulator?.removeDevice(vmm.session, NVME);
  const second = await begun(host.durable, host);
  expect(second.core.census().sessions).toBe(1);
  second.core.simulator?.addDevice(vmm.session, device);
  expect(generation(second)).toBe(3); // attached 1, released 2
});

test("more devices than can be remembered come and go: one that was forgotten counts on all the same", async () => {
  const host = await begun([]);
  const vmm = await guest(host);
  const device = await used(host, vmm);
  await host.core.simulator?.removeDevice(vmm.session, NVME);
  const { simulator } = host.core;
  for (let id = 1000; id < 1000 + 1024; id += 1) {
    const plug = pluggable(id);
    simulator?.addDevice(vmm.session, plug);
    await attach(host, vmm, plug.id); // 1; released and removed: 2
    await simulator?.removeDevice(vmm.session, plug.id);
  }
  const second = await begun(host.durable, host);
  for (const each of [host, second]) {
    each.core.simulator?.addDevice(vmm.session, device);
    expect(generation(each)).toBe(3);
    const unknown = pluggable(9999);
    each.core.simulator?.addDevice(vmm.session, unknown);
    expect(generation(each, unknown.id)).toBe(3); // the floor
  }
});
