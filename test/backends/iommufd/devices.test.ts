// Discovery over made-up hosts, laid out as the real ones in the kernel's documentation.

import { expect, test } from "vitest";
import { scanHost } from "../../../src/backends/iommufd/devices.ts";
import type { HostFiles } from "../../../src/backends/iommufd/host-files.ts";
import { hostFiles } from "../../../src/os/host-files.ts";
import { configSpace, FakeSysfs } from "../../support/fake-sysfs.ts";

const SMMU = "smmu3.0x0000000009050000";

test("a device on vfio-pci has its group, IOMMU, driver and device node", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:00:02.0", group: 1, driver: "vfio-pci", cdev: "vfio0" });
  const scan = await scanHost(hostFiles, sysfs.roots);
  expect(scan.iommus).toEqual([SMMU]);
  expect(scan.leftOut).toBe(0);
  expect(scan.groups).toEqual([
    {
      id: 1,
      devices: [
        {
          id: "0000:00:02.0",
          bus: "pci",
          iommu: SMMU,
          group: 1,
          driver: "vfio-pci",
          cdev: `${sysfs.roots.dev}/vfio/devices/vfio0`,
          pci: { pasidBits: 0, ats: false, pri: false },
          mayStall: false,
        },
      ],
      blockers: [],
      reservedRegions: [{ ipa: 0x0800_0000, bytes: 0x10_0000, kind: "msi" }],
      needsIdentity: false,
    },
  ]);
});

test("a sibling with a driver of its own blocks the group; bridges, stubs and driverless ones do not", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:01:00.0", group: 7, driver: "vfio-pci", cdev: "vfio3" });
  sysfs.add({ id: "0000:00:01.0", group: 7, driver: "pcieport" });
  sysfs.add({ id: "0000:01:00.1", group: 7, driver: "snd_hda_intel" });
  sysfs.add({ id: "0000:01:00.2", group: 7, driver: "pci-stub" });
  sysfs.add({ id: "0000:01:00.3", group: 7 });
  sysfs.add({ id: "0000:01:00.4", group: 7, driver: "mlx5_vfio_pci", cdev: "vfio4" });
  const [group] = (await scanHost(hostFiles, sysfs.roots)).groups;
  expect(group?.devices).toHaveLength(6);
  expect(group?.blockers).toEqual([{ device: "0000:01:00.1", driver: "snd_hda_intel" }]);
});

test("groups come in order of their numbers, and IOMMUs without devices are there too", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:00:03.0", group: 10, iommu: "dmar1" });
  sysfs.add({ id: "0000:00:02.0", group: 9, iommu: "dmar1" });
  sysfs.link("/nowhere", "sys/class/iommu/dmar0");
  const scan = await scanHost(hostFiles, sysfs.roots);
  expect(scan.groups.map(({ id }) => id)).toEqual([9, 10]);
  expect(scan.iommus).toEqual(["dmar0", "dmar1"]);
});

test("config space shows ATS, PRI and the width of PASIDs; a virtual function has its physical function's", async () => {
  const sysfs = new FakeSysfs();
  // PASID capability register: Max PASID Width (bits 12:8) 16, execute and privileged supported.
  const physical = configSpace([
    [0x0f, 0],
    [0x13, 0],
    [0x1b, 0x1006],
  ]);
  sysfs.add({ id: "0000:01:00.0", group: 1, config: physical });
  sysfs.add({ id: "0000:01:00.1", group: 2, config: configSpace([[0x0f, 0]]), physfn: "0000:01:00.0" });
  const devices = (await scanHost(hostFiles, sysfs.roots)).groups.flatMap((group) => group.devices);
  expect(devices.map(({ pci }) => pci)).toEqual([
    { pasidBits: 16, ats: true, pri: true },
    { pasidBits: 16, ats: true, pri: false },
  ]);
});

test("a platform device has a bus of its own and no PCI capabilities", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "9060000.dma", group: 4, bus: "platform", driver: "vfio-platform", cdev: "vfio9" });
  const [group] = (await scanHost(hostFiles, sysfs.roots)).groups;
  expect(group?.devices[0]).toMatchObject({ bus: "platform", pci: { pasidBits: 0, ats: false } });
});

test("a name that is no identifier leaves its device out and is counted, and still blocks its group", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "-bad name", group: 3, driver: "nvme" });
  sysfs.add({ id: "0000:02:00.0", group: 3, driver: "vfio-pci", cdev: "vfio0" });
  const scan = await scanHost(hostFiles, sysfs.roots);
  expect(scan.leftOut).toBe(1);
  expect(scan.groups[0]?.devices.map(({ id }) => id)).toEqual(["0000:02:00.0"]);
  expect(scan.groups[0]?.blockers).toEqual([{ device: "-bad name", driver: "nvme" }]);
});

test("a device that goes away between two reads is left out", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:00:02.0", group: 1 });
  sysfs.add({ id: "0000:00:03.0", group: 2 });
  const vanishing: HostFiles = {
    ...hostFiles,
    list: async (path, entriesMax) => {
      const names = await hostFiles.list(path, entriesMax);
      if (path.endsWith("/iommu_groups/2/devices")) sysfs.remove("0000:00:03.0", 2);
      return names;
    },
  };
  const scan = await scanHost(vanishing, sysfs.roots);
  expect(scan.groups.map(({ id }) => id)).toEqual([1]);
});

test("a host without an IOMMU has nothing to find", async () => {
  const sysfs = new FakeSysfs();
  const nowhere = { sys: `${sysfs.root}/none`, dev: sysfs.roots.dev, proc: sysfs.roots.proc };
  for (const roots of [sysfs.roots, nowhere]) {
    expect(await scanHost(hostFiles, roots)).toEqual({ iommus: [], groups: [], leftOut: 0 });
  }
});
