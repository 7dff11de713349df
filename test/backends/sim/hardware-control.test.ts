import { expect, test } from "vitest";
import { NIC, NVME } from "../../support/host.ts";
import { smallHost } from "../../support/simulated-host.ts";

test("a device that is removed leaves an abort STE, and its StreamID can be another's", async () => {
  const backend = smallHost();
  const nvme = backend.inventory.devices().find(({ id }) => id === NVME)!;
  await backend.removeDevice(NVME);
  expect(backend.inventory.devices().map(({ id }) => id)).toEqual([NIC]);
  backend.addDevice(nvme);
  expect(backend.structures(NVME, 0, 0, undefined).ste[0]! & 0xfn).toBe(0b1011n); // Config 0b101
});

test("a device whose group is attached cannot be removed: that is a bug of the caller", async () => {
  const backend = smallHost();
  const nvme = backend.inventory.devices().find(({ id }) => id === NVME)!;
  const part = await backend.createPart(await backend.createAddressSpace(), nvme.iommu);
  await backend.attach(nvme.group, part, "abort");
  await expect(backend.removeDevice(NVME)).rejects.toThrow("is removed while its group is attached");
  await backend.detach(nvme.group);
  await backend.removeDevice(NVME);
  expect(backend.inventory.devices().map(({ id }) => id)).toEqual([NIC]);
});
