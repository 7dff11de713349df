import { expect, test } from "vitest";
import { deviceID, groupID, iommuID } from "../../../src/backends/ids.ts";
import type { InventoryChange } from "../../../src/backends/inventory.ts";
import { scanHost } from "../../../src/backends/iommufd/devices.ts";
import { iommuFacts } from "../../../src/backends/iommufd/hw-info.ts";
import { NativeInventory } from "../../../src/backends/iommufd/inventory.ts";
import { hostFiles } from "../../../src/os/host-files.ts";
import { FakeSysfs, MSI_LINE } from "../../support/fake-sysfs.ts";

const SMMU = "smmu3.0x0000000009050000";

async function inventoryOf(sysfs: FakeSysfs) {
  const inventory = new NativeInventory(await scanHost(hostFiles, sysfs.roots));
  const changes: string[] = [];
  inventory.onChange((change: InventoryChange) => changes.push(`${change.kind} ${change.device.id}`));
  const rescan = async (): Promise<string[]> => {
    inventory.update(await scanHost(hostFiles, sysfs.roots));
    return changes.splice(0);
  };
  return { inventory, rescan };
}

test("a device is there while it has a device node; its StreamIDs are nobody's to know", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:00:02.0", group: 1, driver: "vfio-pci", cdev: "vfio0" });
  sysfs.add({ id: "0000:00:03.0", group: 2, driver: "nvme" });
  const { inventory } = await inventoryOf(sysfs);
  expect(inventory.devices()).toEqual([
    { id: "0000:00:02.0", iommu: SMMU, group: 1, streamIDs: [], pasidBits: 0, ats: false, reservedRegions: [] },
  ]);
  expect(inventory.require(deviceID("0000:00:02.0")).driver).toBe("vfio-pci");
  expect(inventory.find(deviceID("0000:00:03.0"))).toBeUndefined();
});

test("an IOMMU is unknown, with a remedy, until the hardware was asked; then it is what it said", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:00:02.0", group: 1, driver: "vfio-pci", cdev: "vfio0" });
  const { inventory } = await inventoryOf(sysfs);
  expect(inventory.iommus()[0]).toMatchObject({
    registers: undefined,
    otherHardware: { kind: "unknown", reason: expect.stringContaining("vfio-pci") },
    nesting: { supported: false },
  });
  const registers = { idr0: 3, idr1: 0, idr2: 0, idr3: 0, idr4: 0, idr5: 0, idr6: 0, iidr: 0, aidr: 0 };
  const nesting = { supported: true } as const;
  inventory.tell(iommuID(SMMU), { registers, ipaBits: 44, stage2PageBytes: [4096], nesting });
  expect(inventory.iommus()).toEqual([
    {
      id: SMMU,
      registers,
      ipaBits: 44,
      stage2PageBytes: [4096],
      nesting,
      reservedRegions: [{ ipa: 0x0800_0000, bytes: 0x10_0000, kind: "msi" }],
    },
  ]);
});

test("what all groups reserve is the IOMMU's, the rest the device's own", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:00:02.0", group: 1, driver: "vfio-pci", cdev: "vfio0" });
  sysfs.add({ id: "0000:00:03.0", group: 2, driver: "vfio-pci", cdev: "vfio1" });
  sysfs.write(
    "sys/kernel/iommu_groups/2/reserved_regions",
    `${MSI_LINE}0x0000000010000000 0x0000000010000fff reserved\n`,
  );
  const { inventory } = await inventoryOf(sysfs);
  expect(inventory.iommus()[0]?.reservedRegions).toEqual([{ ipa: 0x0800_0000, bytes: 0x10_0000, kind: "msi" }]);
  expect(inventory.devices().map((device) => device.reservedRegions)).toEqual([
    [],
    [{ ipa: 0x1000_0000, bytes: 0x1000, kind: "reserved" }],
  ]);
});

test("what comes, goes, or gets another device node is told; what stays is not", async () => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:00:02.0", group: 1, driver: "vfio-pci", cdev: "vfio0" });
  sysfs.add({ id: "0000:00:03.0", group: 2 });
  const { inventory, rescan } = await inventoryOf(sysfs);
  expect(await rescan()).toEqual([]);
  sysfs.drive("0000:00:03.0", "vfio-pci", "vfio1");
  expect(await rescan()).toEqual(["added 0000:00:03.0"]);
  sysfs.drive("0000:00:03.0", "vfio-pci", "vfio2");
  expect(await rescan()).toEqual(["removed 0000:00:03.0", "added 0000:00:03.0"]);
  sysfs.remove("0000:00:02.0", 1);
  expect(await rescan()).toEqual(["removed 0000:00:02.0"]);
  expect(inventory.devices().map(({ id }) => id)).toEqual(["0000:00:03.0"]);
  expect(() => inventory.requireGroup(groupID(1))).toThrow("not in the native inventory");
});

// IDR0.STALL_MODEL is [25:24]: 0 both, 1 terminate only, 2 stalls forced (IHI 0070G.b §6.3.1).
test.each([
  ["platform", true, 0, true],
  ["platform", true, 1, false],
  ["platform", false, 0, false],
  ["platform", false, 2, true],
  ["pci", true, 0, false],
  ["pci", true, 2, false],
] as const)("a device on %s, marked %s, with STALL_MODEL %d: it stalls: %s", async (bus, isMarked, model, stalls) => {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:00:02.0", group: 1, driver: "vfio-platform", cdev: "vfio0", bus });
  sysfs.add({ id: "0000:00:03.0", group: 2, driver: "vfio-pci", cdev: "vfio1" });
  if (isMarked) sysfs.write("sys/devices/pci0000:00/0000:00:02.0/of_node/dma-can-stall", "");
  const { inventory } = await inventoryOf(sysfs);
  expect(inventory.devices().map(({ stall }) => stall)).toEqual([undefined, undefined]);
  const idr0 = 0x0c44_101b + model * 0x100_0000;
  const registers = { idr0, idr1: 0, idr2: 0, idr3: 0, idr4: 0, idr5: 0x74, idr6: 0, iidr: 0, aidr: 1 };
  inventory.tell(iommuID(SMMU), iommuFacts({ kind: "smmuv3", registers }));
  expect(inventory.devices().map(({ stall }) => stall === true)).toEqual([stalls, false]);
  expect(inventory.iommus()[0]?.faultAnswers).toEqual(stalls ? ["retry", "abort"] : undefined);
});
