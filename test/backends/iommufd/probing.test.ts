import { expect, test } from "vitest";
import type { Notice } from "../../../src/backends/faults.ts";
import { deviceID, groupID, iommuID } from "../../../src/backends/ids.ts";
import type { HostScan } from "../../../src/backends/iommufd/devices.ts";
import { HOST_ROOTS } from "../../../src/backends/iommufd/host-files.ts";
import { NativeInventory } from "../../../src/backends/iommufd/inventory.ts";
import { type DeviceProbe, deviceProbe } from "../../../src/backends/iommufd/probe.ts";
import { ASKED_MAX, type Probing, probeIommus } from "../../../src/backends/iommufd/probing.ts";
import { FakeIommufd } from "../../support/fake-iommufd.ts";
import { fakeDevice, fakeSmmu } from "../../support/fake-iommufd-machine.ts";

const SMMU = fakeSmmu();
/** Nobody has anything, and nothing else is under way. */
const ALONE: Pick<Probing, "inTurn" | "isFree" | "isIdle"> = {
  isIdle: () => true,
  isFree: () => true,
  inTurn: (_, act) => act(),
};

/** So many devices behind one SMMU, each alone in its group, of which the first ones are a driver of the host's. */
function hostOf(count: number, refusing: number) {
  const numbers = Array.from({ length: count }, (_, index) => index);
  const devices = numbers.map((n) => fakeDevice(n, SMMU, { group: n }));
  const kernel = new FakeIommufd({ devices, hostGroups: numbers.slice(0, refusing) });
  const scan: HostScan = {
    iommus: [iommuID(SMMU.name)],
    leftOut: 0,
    groups: numbers.map((n) => ({
      id: groupID(n),
      blockers: [],
      reservedRegions: [],
      needsIdentity: false,
      devices: [
        {
          id: deviceID(`0000:${n.toString(16).padStart(2, "0")}:00.0`),
          bus: "pci",
          iommu: iommuID(SMMU.name),
          group: groupID(n),
          driver: "vfio-pci",
          cdev: devices[n]!.path,
          pci: { pasidBits: 0, ats: false, pri: false },
          mayStall: false,
        },
      ],
    })),
  };
  const inventory = new NativeInventory(scan);
  const asked: string[] = [];
  const ask = deviceProbe(kernel, HOST_ROOTS);
  const probe: DeviceProbe = async (device) => {
    asked.push(device.id);
    return await ask(device);
  };
  const notices: Notice[] = [];
  const onNotice = (notice: Notice): void => void notices.push(notice);
  return {
    asked,
    inventory,
    kernel,
    notices,
    look: () => probeIommus({ inventory, probe, ...ALONE, onNotice }),
  };
}

test("devices that refuse are passed by until one answers, of which nobody is told; the answer is not asked for again", async () => {
  const { asked, inventory, look, notices } = hostOf(4, 2);
  await look();
  await look();
  expect(asked).toEqual(["0000:00:00.0", "0000:01:00.0", "0000:02:00.0"]);
  expect([notices, inventory.iommus()[0]?.registers?.idr0]).toEqual([[], 0x0d44_101b]);
});

test("of many devices that all refuse a look asks a few, and tells the first one's reason", async () => {
  const { asked, inventory, kernel, look, notices } = hostOf(ASKED_MAX + 4, ASKED_MAX + 4);
  await look();
  expect(asked).toHaveLength(ASKED_MAX);
  expect(notices).toMatchObject([{ level: "warn", facts: { device: "0000:00:00.0" } }]);
  expect(inventory.iommus()[0]?.otherHardware).toMatchObject({ kind: "unknown" });
  expect(kernel.files.size).toBe(0);
});

test("what no kernel said ends the look", async () => {
  const { inventory } = hostOf(1, 0);
  const bug = new Error("not a refusal");
  const probe: DeviceProbe = async () => {
    throw bug;
  };
  await expect(probeIommus({ inventory, probe, ...ALONE, onNotice: () => {} })).rejects.toBe(bug);
});

test("a device that is somebody's by the time its turn comes is not asked, and of it nobody is told", async () => {
  const { asked, inventory, notices, kernel } = hostOf(2, 0);
  const taken = new Set<number>();
  const probe: DeviceProbe = async (device) => {
    asked.push(device.id);
    return await deviceProbe(kernel, HOST_ROOTS)(device);
  };
  await probeIommus({
    ...ALONE,
    inventory,
    probe,
    isIdle: ({ group }) => !taken.has(group),
    isFree: ({ group }) => group !== 0,
    inTurn: (_, act) => {
      taken.add(1);
      return act();
    },
    onNotice: (notice) => notices.push(notice),
  });
  expect(asked).toEqual(["0000:00:00.0"]); // the one that was free went first, and was taken
  expect([notices, inventory.iommus()[0]?.registers?.idr0]).toEqual([[], 0x0d44_101b]);
});

test("of two looks at once the one that is refused does not unsay what the other was told", async () => {
  const { inventory, kernel, notices } = hostOf(1, 0);
  const first = Promise.withResolvers<void>();
  const ask = deviceProbe(kernel, HOST_ROOTS);
  const refused = await deviceProbe(
    new FakeIommufd({ devices: [] }),
    HOST_ROOTS,
  )(inventory.require(deviceID("0000:00:00.0")));
  const slow: DeviceProbe = async () => {
    await first.promise;
    return refused;
  };
  const onNotice = (notice: Notice): void => void notices.push(notice);
  const late = probeIommus({ ...ALONE, inventory, probe: slow, onNotice });
  await probeIommus({ ...ALONE, inventory, probe: ask, onNotice });
  first.resolve();
  await late;
  expect([notices, inventory.iommus()[0]?.registers?.idr0]).toEqual([[], 0x0d44_101b]);
});
