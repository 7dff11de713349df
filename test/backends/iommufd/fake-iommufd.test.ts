// The fake kernel obeys the reference's tables: what the backend is tested against is what a kernel would do.

import { describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import {
  attachPt,
  bindIommufd,
  destroy,
  detachPt,
  faultQueueAlloc,
  getHwInfo,
  hwptAlloc,
  hwptInvalidate,
  ioasAlloc,
  ioasIovaRanges,
  ioasMap,
  ioasMapFile,
  ioasUnmap,
  type KernelFile,
  openCdev,
  openIommufd,
  option,
  vdeviceAlloc,
  veventqAlloc,
  vfioDeviceInfo,
  vfioReset,
  viommuAlloc,
} from "../../../src/backends/iommufd/ioctl.ts";
import * as uapi from "../../../src/backends/iommufd/structs.ts";
import { FakeIommufd, type FakeMachine } from "../../support/fake-iommufd.ts";
import { fakeDevice, fakeSmmu } from "../../support/fake-iommufd-machine.ts";

const IPA = 0x4000_0000n;
const MIB = 2n ** 20n;

/** Two dwords of an STE as they lie in memory. */
function ste(dword0: bigint, dword1 = 0n): Uint8Array {
  return new Uint8Array(BigUint64Array.of(dword0, dword1).buffer);
}

const ABORT = ste(0x1n);
const BYPASS = ste(0x9n);
/** V, Config 5, context at IPA 0x4001_0000; S1CIR and S1COR write-back, S1CSH inner. */
const STAGE1 = ste(0x4001_000bn, 0xd4n);

async function errnoOf(call: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof call === "function" ? call() : call);
  } catch (error) {
    if (error instanceof BrokerError) return error.facts.errno;
    throw error;
  }
  return "none";
}

const SMMU = fakeSmmu();
const OTHER = fakeSmmu({ name: "smmu3.1" });
const [FIRST, SECOND, ELSEWHERE] = [fakeDevice(1, SMMU), fakeDevice(2, SMMU), fakeDevice(3, OTHER)];

async function world(machine: Partial<FakeMachine> = {}) {
  const kernel = new FakeIommufd({ devices: [FIRST, SECOND, ELSEWHERE], ...machine });
  const file: KernelFile = { kernel, fd: await openIommufd(kernel, "/dev/iommu") };
  const open = async (path: string): Promise<KernelFile> => ({ kernel, fd: await openCdev(kernel, path) });
  const bind = async (path: string) => {
    const cdev = await open(path);
    return { cdev, id: await bindIommufd(cdev, file.fd) };
  };
  const map = (ioas: number, iova: bigint, length: bigint) =>
    ioasMapFile(file, { ioas, iova, length, readable: true, writable: true, fd: 3, start: 0n });
  return { kernel, file, open, bind, map };
}

/** Bound, with 64 MiB of RAM, a nesting parent that is attached, and a vIOMMU. */
async function nested(machine: Partial<FakeMachine> = {}) {
  const made = await world(machine);
  const { file } = made;
  const { cdev, id: device } = await made.bind(FIRST.path);
  const ioas = await ioasAlloc(file);
  await made.map(ioas, IPA, 64n * MIB);
  const parent = await hwptAlloc(file, device, { kind: "nest_parent", ioas });
  await attachPt(cdev, parent);
  const viommu = await viommuAlloc(file, device, parent);
  const stage = (bytes: Uint8Array) => hwptAlloc(file, device, { kind: "arm_smmuv3", viommu, ste: bytes });
  return { ...made, cdev, device, ioas, parent, viommu, stage };
}

describe("binding", () => {
  test("a group has one iommufd, and a device is bound once", async () => {
    const { kernel, file, open, bind } = await world();
    const { cdev } = await bind(FIRST.path);
    expect(await errnoOf(bindIommufd(cdev, file.fd))).toBe("EINVAL");
    const second = await openIommufd(kernel, "/dev/iommu");
    // vfio_df_open looks at the open count before it looks at whose iommufd it is.
    expect(await errnoOf(bindIommufd(await open(FIRST.path), second))).toBe("EINVAL");
    expect(await errnoOf(bindIommufd(await open(SECOND.path), cdev.fd))).toBe("EBADFD");
    expect(await errnoOf(bindIommufd(await open(SECOND.path), 7))).toBe("EBADF");
  });

  test("a node whose descriptor was passed on is bound until its last copy is closed", async () => {
    const { kernel, file, open, bind } = await world();
    const { cdev } = await bind(FIRST.path);
    const copy = kernel.dup(cdev.fd);
    await kernel.close(cdev.fd);
    expect(await errnoOf(bindIommufd(await open(FIRST.path), file.fd))).toBe("EINVAL");
    await kernel.close(copy);
    expect(await bindIommufd(await open(FIRST.path), file.fd)).toBeGreaterThan(0);
  });

  test("what the host does not allow is refused", async () => {
    const unsafe = await world({ unsafeInterrupts: true });
    expect(await errnoOf(unsafe.bind(FIRST.path))).toBe("EPERM");
    const owned = await world({ hostGroups: [1] });
    expect(await errnoOf(owned.bind(FIRST.path))).toBe("EBUSY");
    expect(await errnoOf(owned.open("/dev/vfio/devices/vfio9"))).toBe("ENOENT");
  });

  test("before it nothing else is taken", async () => {
    const { open } = await world();
    const cdev = await open(FIRST.path);
    expect(await errnoOf(vfioDeviceInfo(cdev))).toBe("EINVAL");
    expect(await errnoOf(attachPt(cdev, 1))).toBe("EINVAL");
  });

  test("hardware info, device info and reset answer for a bound device", async () => {
    const { kernel, file, bind } = await world();
    const { cdev, id } = await bind(FIRST.path);
    const info = getHwInfo(file, id);
    expect([info.type, info.data.byteLength, info.capabilities, info.maxPasidLog2]).toEqual([2, 40, 8n, 0]);
    expect(new DataView(info.data.buffer).getUint32(8, true)).toBe(0x0d44_101b);
    expect((await vfioDeviceInfo(cdev)).flags).toBe(3);
    await vfioReset(cdev);
    expect(kernel.resets.get(FIRST.path)).toBe(1);
    expect(await errnoOf(() => getHwInfo(file, 77))).toBe("ENOENT");
  });

  test("how memory is counted is chosen before the first object", async () => {
    const { file } = await world();
    await option(file, { option: 0, object: 0, value: 1n });
    await ioasAlloc(file);
    expect(await errnoOf(option(file, { option: 0, object: 0, value: 1n }))).toBe("EBUSY");
  });
});

describe("mapping", () => {
  test("what overlaps is refused, and what is not aligned once there are pages", async () => {
    const { file, bind, map } = await world();
    const ioas = await ioasAlloc(file);
    await map(ioas, IPA, MIB);
    expect(await errnoOf(map(ioas, IPA + MIB - 4096n, 8192n))).toBe("EEXIST");
    expect(await errnoOf(map(ioas, IPA, 0n))).toBe("EINVAL");
    expect(await errnoOf(map(ioas, 2n ** 64n - 4096n, 8192n))).toBe("EOVERFLOW");
    const { id } = await bind(FIRST.path);
    await hwptAlloc(file, id, { kind: "nest_parent", ioas });
    expect(await errnoOf(map(ioas, IPA + MIB, 100n))).toBe("EINVAL");
  });

  test("mappings go whole, and those before one that is cut are gone", async () => {
    const { file, map } = await world();
    const ioas = await ioasAlloc(file);
    await map(ioas, IPA, MIB);
    await map(ioas, IPA + 2n * MIB, MIB);
    expect(await errnoOf(ioasUnmap(file, { ioas, iova: IPA, length: 2n * MIB + 4096n }))).toBe("ENOENT");
    expect(await errnoOf(ioasUnmap(file, { ioas, iova: IPA, length: MIB }))).toBe("ENOENT");
    expect(await ioasUnmap(file, { ioas, iova: IPA, length: 4n * MIB })).toBe(MIB);
    expect(await ioasUnmap(file, { ioas, iova: 0n, length: 2n ** 64n - 1n })).toBe(0n);
  });

  test("the MSI window is nobody's once a device is attached", async () => {
    const { file, bind, map } = await world();
    const { cdev, id } = await bind(FIRST.path);
    const ioas = await ioasAlloc(file);
    expect((await ioasIovaRanges(file, ioas)).ranges).toEqual([{ start: 0n, last: 2n ** 64n - 1n }]);
    await map(ioas, 0x800_0000n, 4096n);
    const parent = await hwptAlloc(file, id, { kind: "nest_parent", ioas });
    expect(await errnoOf(attachPt(cdev, parent))).toBe("EADDRINUSE");
    await ioasUnmap(file, { ioas, iova: 0x800_0000n, length: 4096n });
    await attachPt(cdev, parent);
    expect(await errnoOf(map(ioas, 0x80f_f000n, 4096n))).toBe("EINVAL");
    expect(await ioasIovaRanges(file, ioas)).toEqual({
      ranges: [
        { start: 0n, last: 0x7ff_ffffn },
        { start: 0x810_0000n, last: 2n ** 64n - 1n },
      ],
      alignment: 4096n,
    });
  });

  test("more ranges than are first asked for come with a second question", async () => {
    const reserved = Array.from({ length: 20 }, (_, n) => ({
      start: MIB * BigInt(2 * n),
      last: MIB * BigInt(2 * n + 1) - 1n,
    }));
    const device = fakeDevice(1, SMMU, { reserved });
    const { kernel, file, bind } = await world({ devices: [device] });
    const { cdev } = await bind(device.path);
    const ioas = await ioasAlloc(file);
    await attachPt(cdev, ioas);
    const { ranges } = await ioasIovaRanges(file, ioas);
    expect([ranges.length, ranges[0], ranges[19]?.last]).toEqual([
      20,
      { start: MIB, last: 2n * MIB - 1n },
      2n ** 64n - 1n,
    ]);
    expect(kernel.calls.filter((name) => name === "ioas_iova_ranges")).toHaveLength(2);
  });

  test("memory of one's own is mapped too, and its view is counted until it is given back", async () => {
    const { kernel, file } = await world();
    const ioas = await ioasAlloc(file);
    const userVa = await kernel.mapFile({ fd: 3, offset: 0, bytes: 4096, writable: false });
    await ioasMap(file, { ioas, iova: IPA, length: 4096n, readable: true, writable: false, userVa });
    expect(
      await errnoOf(ioasMap(file, { ioas, iova: 0n, length: 4096n, readable: false, writable: false, userVa })),
    ).toBe("EINVAL");
    expect(kernel.alive().views).toBe(1);
    await ioasUnmap(file, { ioas, iova: IPA, length: 4096n });
    await kernel.unmapFile(userVa, 4096);
    expect(kernel.alive().views).toBe(0);
  });

  test("pages are pinned at the first HWPT, and too many of them are refused there", async () => {
    const { kernel, file, bind, map } = await world({ lockedMemoryMax: 2n * MIB });
    const { id } = await bind(FIRST.path);
    const ioas = await ioasAlloc(file);
    await map(ioas, IPA, 4n * MIB);
    expect(kernel.pinned()).toEqual([]);
    expect(await errnoOf(hwptAlloc(file, id, { kind: "nest_parent", ioas }))).toBe("ENOMEM");
    await ioasUnmap(file, { ioas, iova: IPA, length: 4n * MIB });
    await map(ioas, IPA, 2n * MIB);
    await hwptAlloc(file, id, { kind: "nest_parent", ioas });
    expect(await errnoOf(map(ioas, IPA + 8n * MIB, MIB))).toBe("ENOMEM");
    expect(kernel.pinned()).toEqual([{ start: IPA, last: IPA + 2n * MIB - 1n, source: "file", ioas }]);
  });
});

describe("nesting", () => {
  test("takes hardware and firmware that can", async () => {
    const plain = fakeDevice(1, fakeSmmu({ nesting: false }));
    const { file, bind } = await world({ devices: [plain] });
    const { id } = await bind(plain.path);
    const ioas = await ioasAlloc(file);
    expect(await errnoOf(hwptAlloc(file, id, { kind: "nest_parent", ioas }))).toBe("EOPNOTSUPP");
    const incoherent = fakeDevice(1, fakeSmmu({ coherentWalks: false }));
    expect(await errnoOf(nested({ devices: [{ ...incoherent, path: FIRST.path }] }))).toBe("EOPNOTSUPP");
  });

  test("a vIOMMU stands on a nesting parent of its own SMMU", async () => {
    const { file, bind, device, ioas, parent } = await nested();
    const plain = await hwptAlloc(file, device, { kind: "paging", ioas });
    expect(await errnoOf(viommuAlloc(file, device, plain))).toBe("EINVAL");
    const { id } = await bind(ELSEWHERE.path);
    expect(await errnoOf(viommuAlloc(file, id, parent))).toBe("EINVAL");
    expect(await errnoOf(viommuAlloc(file, device, ioas))).toBe("ENOENT");
  });

  test.each([
    ["abort", ABORT, "none"],
    ["bypass", BYPASS, "none"],
    ["V = 0", ste(0n, 2n ** 64n - 1n), "none"],
    ["stage 1", STAGE1, "none"],
    ["Config 7", ste(0xfn), "EIO"],
    ["MEV, bit 83", ste(0x9n, 2n ** 19n), "EIO"],
    ["EATS 2", ste(0xbn, 2n ** 29n), "EIO"],
    ["a context above 52 bits", ste(2n ** 52n + 0xbn), "EIO"],
  ])("a vSTE with %s: %s", async (_, bytes, errno) => {
    const { stage } = await nested();
    expect(await errnoOf(stage(bytes))).toBe(errno);
  });

  test("stage 1 is attached only with a vDEVICE; abort and bypass without", async () => {
    const { kernel, cdev, file, viommu, device, stage } = await nested();
    const stage1 = await stage(STAGE1);
    await attachPt(cdev, await stage(ABORT));
    expect(await errnoOf(attachPt(cdev, stage1))).toBe("ENOENT");
    expect(kernel.translation(FIRST.path)).not.toBe(`nested ${stage1}`);
    await vdeviceAlloc(file, { viommu, device, virtualID: 0x123n });
    await attachPt(cdev, stage1);
    expect(kernel.translation(FIRST.path)).toBe(`nested ${stage1}`);
  });

  test("a virtual StreamID names one device, and a device has one", async () => {
    const { file, bind, viommu, device } = await nested();
    await vdeviceAlloc(file, { viommu, device, virtualID: 5n });
    expect(await errnoOf(vdeviceAlloc(file, { viommu, device, virtualID: 6n }))).toBe("EEXIST");
    const { id: second } = await bind(SECOND.path);
    expect(await errnoOf(vdeviceAlloc(file, { viommu, device: second, virtualID: 5n }))).toBe("EEXIST");
    const { id: elsewhere } = await bind(ELSEWHERE.path);
    expect(await errnoOf(vdeviceAlloc(file, { viommu, device: elsewhere, virtualID: 7n }))).toBe("EINVAL");
  });

  test("nothing is destroyed under what stands on it, and everything in order", async () => {
    const { kernel, file, cdev, viommu, device, parent, ioas, stage } = await nested();
    const vdevice = await vdeviceAlloc(file, { viommu, device, virtualID: 5n });
    const events = await veventqAlloc(file, viommu, 4);
    const faults = await faultQueueAlloc(file);
    const stage1 = await stage(STAGE1);
    await attachPt(cdev, stage1);
    for (const id of [ioas, parent, viommu, stage1, device, events.id, faults.id]) {
      expect(await errnoOf(destroy(file, id)), `${id}`).toBe("EBUSY");
    }
    await detachPt(cdev);
    expect(kernel.translation(FIRST.path)).toBe("blocked");
    await kernel.close(events.fd);
    await kernel.close(faults.fd);
    for (const id of [stage1, vdevice, events.id, faults.id, viommu, parent, ioas]) await destroy(file, id);
    await kernel.close(cdev.fd);
    await kernel.close(file.fd);
    expect(kernel.alive()).toEqual({ files: 0, views: 0, objects: [] });
  });

  test("closing the device takes its name away, and its number does not come back", async () => {
    const { kernel, file, cdev, viommu, device, stage } = await nested();
    const vdevice = await vdeviceAlloc(file, { viommu, device, virtualID: 5n });
    await attachPt(cdev, await stage(STAGE1));
    await kernel.close(cdev.fd);
    expect(kernel.translation(FIRST.path)).toBe("host");
    expect(await errnoOf(destroy(file, vdevice))).toBe("ENOENT");
  });
});

describe("VT-d", () => {
  const VTD = fakeSmmu({ name: "dmar0", kind: "vtd", hwInfo: new Uint8Array(24) });
  const device = fakeDevice(1, VTD);
  const table = { flags: 1n, pgtblAddr: 0x4000_0000n, addrWidth: 48 };

  test("nests on the parent itself, invalidates the nested HWPT, and has no vIOMMU", async () => {
    const { kernel, file, bind } = await world({ devices: [device] });
    const { cdev, id } = await bind(device.path);
    expect(getHwInfo(file, id)).toMatchObject({ type: 1, data: new Uint8Array(24) });
    const ioas = await ioasAlloc(file);
    const parent = await hwptAlloc(file, id, { kind: "nest_parent", ioas });
    expect(await errnoOf(viommuAlloc(file, id, parent))).toBe("EOPNOTSUPP");
    const nestedHwpt = await hwptAlloc(file, id, { kind: "vtd_s1", parent, table });
    await attachPt(cdev, nestedHwpt);
    const entries = uapi.IOMMU_HWPT_VTD_S1_INVALIDATE.create({ addr: 0n, npages: 2n ** 64n - 1n });
    hwptInvalidate(file, { target: nestedHwpt, dataType: 0, entryBytes: 24, entries });
    expect(kernel.invalidated).toEqual([{ target: nestedHwpt, bytes: entries }]);
    expect(await errnoOf(destroy(file, parent))).toBe("EBUSY");
  });

  test("an Arm stage on the parent, and a VT-d table on an SMMU, are refused", async () => {
    const { file, device: arm, parent } = await nested();
    expect(await errnoOf(hwptAlloc(file, arm, { kind: "vtd_s1", parent, table }))).toBe("EOPNOTSUPP");
    expect(await errnoOf(hwptAlloc(file, arm, { kind: "arm_smmuv3", viommu: parent, ste: BYPASS }))).toBe("EOPNOTSUPP");
  });
});

describe("attaching", () => {
  test("an IOAS chooses an HWPT, which goes with the last device", async () => {
    const { kernel, file, bind } = await world();
    const [first, second] = [await bind(FIRST.path), await bind(SECOND.path)];
    const ioas = await ioasAlloc(file);
    const hwpt = await attachPt(first.cdev, ioas);
    expect(await attachPt(second.cdev, ioas)).toBe(hwpt);
    await detachPt(first.cdev);
    expect(kernel.alive().objects).toContain(`paging ${hwpt}`);
    await detachPt(second.cdev);
    expect(kernel.alive().objects).not.toContain(`paging ${hwpt}`);
  });

  test("the second device of a group goes where the first is, and replacing moves both", async () => {
    const [a, b] = [fakeDevice(1, SMMU), { ...fakeDevice(2, SMMU), group: 1 }];
    const { kernel, file, bind } = await world({ devices: [a, b] });
    const [first, second] = [await bind(a.path), await bind(b.path)];
    const ioas = await ioasAlloc(file);
    const one = await hwptAlloc(file, first.id, { kind: "paging", ioas });
    const two = await hwptAlloc(file, first.id, { kind: "paging", ioas });
    await attachPt(first.cdev, one);
    expect(await errnoOf(attachPt(second.cdev, two))).toBe("EINVAL");
    await attachPt(second.cdev, one);
    await attachPt(second.cdev, two);
    expect(kernel.translation(a.path)).toBe(`paging ${two}`);
  });

  test("an HWPT of another SMMU is refused, and so is what is none", async () => {
    const { file, bind, parent, viommu, cdev } = await nested();
    const elsewhere = await bind(ELSEWHERE.path);
    expect(await errnoOf(attachPt(elsewhere.cdev, parent))).toBe("EINVAL");
    expect(await errnoOf(attachPt(cdev, viommu))).toBe("EINVAL");
    expect(await errnoOf(attachPt(cdev, 99))).toBe("ENOENT");
    expect(file.fd).toBeGreaterThan(0);
  });
});

describe("invalidation", () => {
  const command = (dword0: bigint, dword1 = 0n): Uint8Array => ste(dword0, dword1);
  const batch = (target: number, ...entries: Uint8Array[]) => ({
    target,
    dataType: 1,
    entryBytes: 16,
    entries: new Uint8Array(Buffer.concat(entries)),
  });

  test("a batch is taken up to the first command that is refused, and says how far", async () => {
    const { kernel, file, viommu, device } = await nested();
    await vdeviceAlloc(file, { viommu, device, virtualID: 5n });
    const [all, ofStream, ofOther] = [command(0x10n), command(0x5_0000_0006n), command(0x6_0000_0006n)];
    hwptInvalidate(file, batch(viommu, all, ofStream));
    expect(kernel.invalidated).toHaveLength(2);
    const refused = () => hwptInvalidate(file, batch(viommu, all, all, all, ofOther, all));
    expect(refused).toThrow(expect.objectContaining({ facts: expect.objectContaining({ errno: "EIO", handled: 3 }) }));
  });

  test.each([
    ["CFGI_STE", 0x3n],
    ["CMD_SYNC", 0x46n],
    ["ATC_INV on an SMMU without ATS", 0x5_0000_0040n],
  ])("%s is not for guests", async (_, dword0) => {
    const { file, viommu, device } = await nested();
    await vdeviceAlloc(file, { viommu, device, virtualID: 5n });
    expect(await errnoOf(() => hwptInvalidate(file, batch(viommu, command(dword0))))).toBe("EIO");
  });

  test("only a vIOMMU takes one, and not an empty one", async () => {
    const { file, viommu, parent, stage } = await nested();
    const stage1 = await stage(STAGE1);
    expect(await errnoOf(() => hwptInvalidate(file, batch(viommu)))).toBe("EINVAL");
    expect(await errnoOf(() => hwptInvalidate(file, batch(stage1, command(0x10n))))).toBe("EOPNOTSUPP");
    expect(await errnoOf(() => hwptInvalidate(file, batch(parent, command(0x10n))))).toBe("EINVAL");
  });
});

describe("events", () => {
  test("come numbered; a queue that was full says so once, with the last number it lost", async () => {
    const { kernel, file, viommu, device } = await nested();
    await vdeviceAlloc(file, { viommu, device, virtualID: 5n });
    const { fd } = await veventqAlloc(file, viommu, 2);
    expect(await errnoOf(veventqAlloc(file, viommu, 2))).toBe("EEXIST");
    const told = Promise.withResolvers<void>();
    const stop = kernel.onReadable(fd, () => told.resolve());
    for (let n = 0; n < 4; n++) kernel.raiseEvent(FIRST.path, new Uint8Array(32).fill(n + 1));
    await told.promise;
    const into = new Uint8Array(4096);
    expect(kernel.readNow(fd, into.subarray(0, 4))).toBe(-22);
    expect(kernel.readNow(fd, into.subarray(0, 39))).toBe(-22);
    expect(kernel.readNow(fd, into)).toBe(40 + 40 + 8);
    const words = new Uint32Array(into.buffer);
    // flags and sequence of each: two events, then LOST_EVENTS; ten words lie between
    expect([...words.slice(0, 2), ...words.slice(10, 12), ...words.slice(20, 22)]).toEqual([0, 0, 0, 1, 1, 3]);
    expect(into[8]).toBe(1);
    kernel.raiseEvent(FIRST.path, new Uint8Array(32));
    expect([kernel.readNow(fd, into), words[0], words[1], kernel.readNow(fd, into)]).toEqual([40, 0, 4, 0]);
    stop();
  });

  test("page faults come as whole groups and are answered by cookie", async () => {
    const { kernel, file, cdev, device, viommu } = await nested();
    await vdeviceAlloc(file, { viommu, device, virtualID: 5n });
    const { id: faultQueue, fd } = await faultQueueAlloc(file);
    const hwpt = await hwptAlloc(file, device, { kind: "arm_smmuv3", viommu, ste: STAGE1, faultQueue });
    await attachPt(cdev, hwpt);
    kernel.raisePageFault(FIRST.path, [{ grpid: 3 }, { grpid: 3, flags: 2, cookie: 9 }]);
    expect(kernel.readNow(fd, new Uint8Array(41))).toBe(-29);
    expect(kernel.readNow(fd, new Uint8Array(40))).toBe(-22);
    expect(kernel.readNow(fd, new Uint8Array(80))).toBe(80);
    expect(kernel.writeNow(fd, new Uint8Array(7))).toBe(-22);
    expect(kernel.writeNow(fd, new Uint8Array(16))).toBe(16);
    expect(kernel.responses).toHaveLength(2);
  });
});

describe("failures that a test asks for", () => {
  test("the n-th call fails, once, and a named one for as long as it should", async () => {
    const { kernel, file } = await world();
    kernel.failCall(2, "ENOMEM");
    await ioasAlloc(file);
    expect(await errnoOf(ioasAlloc(file))).toBe("ENOMEM");
    await ioasAlloc(file);
    const stop = kernel.failAll("ioas_alloc", "EIO");
    expect([await errnoOf(ioasAlloc(file)), await errnoOf(ioasAlloc(file))]).toEqual(["EIO", "EIO"]);
    stop();
    await ioasAlloc(file);
  });

  test("an older kernel does not know an ioctl", async () => {
    const { file } = await world({ unknown: ["fault_queue_alloc"] });
    await expect(faultQueueAlloc(file)).rejects.toThrow(/Linux 6.11/);
  });
});
