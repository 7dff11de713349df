// Asking a played kernel; what it leaves behind is counted.

import { expect, test } from "vitest";
import { deviceID, groupID, iommuID } from "../../../src/backends/ids.ts";
import type { NativeDevice } from "../../../src/backends/iommufd/devices.ts";
import { askingProbe } from "../../../src/backends/iommufd/doctor-hardware.ts";
import { HOST_ROOTS } from "../../../src/backends/iommufd/host-files.ts";
import { deviceProbe } from "../../../src/backends/iommufd/probe.ts";
import { FakeIommufd } from "../../support/fake-iommufd.ts";
import { fakeDevice, fakeSmmu } from "../../support/fake-iommufd-machine.ts";

const SMMU = iommuID("smmu3.0x0000000009050000");

function device(n: number): NativeDevice {
  const pci = { pasidBits: 0, ats: false, pri: false };
  const cdev = `/dev/vfio/devices/vfio${n}`;
  return {
    id: deviceID(`0000:00:0${n}.0`),
    bus: "pci",
    iommu: SMMU,
    group: groupID(n),
    driver: "vfio-pci",
    cdev,
    pci,
    mayStall: false,
  };
}

function kernelWith(options: Parameters<typeof fakeSmmu>[0] = {}): FakeIommufd {
  const iommu = fakeSmmu(options);
  return new FakeIommufd({ devices: [fakeDevice(1, iommu), fakeDevice(2, iommu)] });
}

test("an idle device tells the registers, and that a guest could nest; nothing stays open", async () => {
  const kernel = kernelWith();
  const answer = await deviceProbe(kernel, HOST_ROOTS)(device(1));
  expect(answer).toMatchObject({
    kind: "answered",
    hardware: { kind: "smmuv3", registers: { idr0: 0x0d44_101b, idr5: 0x74 } },
    nestingRefusal: undefined,
    hasEvents: true,
  });
  expect(kernel.files.size).toBe(0);
});

test("an older kernel has no queue of events for guests, and nothing stays open", async () => {
  const iommu = fakeSmmu();
  const kernel = new FakeIommufd({ devices: [fakeDevice(1, iommu)], unknown: ["veventq_alloc"] });
  const answer = await deviceProbe(kernel, HOST_ROOTS)(device(1));
  expect(answer).toMatchObject({ kind: "answered", nestingRefusal: undefined, hasEvents: false });
  expect(kernel.files.size).toBe(0);
});

test("a kernel that gives no virtual IOMMU is quoted", async () => {
  const kernel = kernelWith({ nesting: false });
  const answer = await deviceProbe(kernel, HOST_ROOTS)(device(1));
  expect(answer).toMatchObject({
    kind: "answered",
    nestingRefusal: expect.stringContaining("EOPNOTSUPP"),
    hasEvents: false,
  });
  expect(kernel.files.size).toBe(0);
});

test.each(["open", "bind_iommufd", "get_hw_info"] as const)(
  "%s that fails is a refusal, and nothing stays open",
  async (call) => {
    const kernel = kernelWith();
    kernel.failAll(call, "EPERM");
    expect(await deviceProbe(kernel, HOST_ROOTS)(device(1))).toMatchObject({ kind: "refused" });
    expect(kernel.files.size).toBe(0);
  },
);

test("where somebody uses a device the next one is asked, and four at most", async () => {
  const kernel = kernelWith();
  const asked: string[] = [];
  const probe = deviceProbe(kernel, HOST_ROOTS);
  const asking = askingProbe(async (one) => {
    asked.push(one.id);
    return await probe(one);
  });
  kernel.failCall(3, "EBUSY"); // open, open, bind
  expect(await asking(SMMU, [device(1), device(2)])).toMatchObject({ kind: "answered", facts: { ipaBits: 44 } });
  expect(asked).toEqual(["0000:00:01.0", "0000:00:02.0"]);
  kernel.failAll("bind_iommufd", "EBUSY");
  asked.length = 0;
  expect(await asking(SMMU, [1, 2, 3, 4, 5, 6].map(device))).toMatchObject({ kind: "refused" });
  expect(asked).toHaveLength(4);
});
