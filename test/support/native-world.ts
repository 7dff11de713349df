// The native backend on a kernel that is played: one SMMU as QEMU's with Linux 7.3, four devices behind it, two of them in
// one group. Every kernel object and descriptor can be counted.

import type { AddressSpaceHandle, PartHandle } from "../../src/backends/backend.ts";
import type { FaultNotice, FaultRecord, Notice } from "../../src/backends/faults.ts";
import { type DeviceID, deviceID, type GroupID, groupID, iommuID, virtualStreamID } from "../../src/backends/ids.ts";
import type { HostDevice } from "../../src/backends/inventory.ts";
import { createNativeBackend, type NativeBackend } from "../../src/backends/iommufd/backend.ts";
import { HOST_ROOTS } from "../../src/backends/iommufd/host-files.ts";
import type { Experiments } from "../../src/backends/iommufd/hw-info.ts";
import { NativeInventory } from "../../src/backends/iommufd/inventory.ts";
import type { PmcgCounters } from "../../src/backends/iommufd/pmcg.ts";
import { deviceProbe } from "../../src/backends/iommufd/probe.ts";
import { checkVSTE, type VSTE } from "../../src/backends/vste.ts";
import { FakeIommufd, type FakeMachine } from "./fake-iommufd.ts";
import { fakeDevice, fakeSmmu } from "./fake-iommufd-machine.ts";
import type { FakeIommu } from "./fake-iommufd-rules.ts";
import { BufferFile } from "./memory-file.ts";

export const BASE = 0x4000_0000;
export const MEMORY_BYTES = 2 ** 21;
export const CONTEXT = BASE + 0x1_0000;
/** V=1, Config 0b101, S1CIR=S1COR=WB, S1CSH=ISH (IHI 0070 §5.2). */
export const TRANSLATE = checkVSTE(0xbn | BigInt(CONTEXT), 0xd4n);

/** Memory that has a descriptor, which no kernel here looks at. */
export class PassedFile extends BufferFile {
  readonly descriptor = 77;
  isSealed = true;

  poke(offset: number, value: bigint): void {
    new DataView(this.data.buffer).setBigUint64(offset, value, true);
  }
}

const NO_PCI = { pasidBits: 0, ats: false, pri: false } as const;
const MSI_REGION = { ipa: 0x800_0000, bytes: 2 ** 20, kind: "msi" } as const;

function scanOf(iommu: FakeIommu, groups: readonly (readonly number[])[], mayStall: boolean) {
  const id = iommuID(iommu.name);
  return {
    iommus: [id],
    leftOut: 0,
    groups: groups.map((numbers, index) => ({
      id: groupID(index + 1),
      blockers: [],
      reservedRegions: [MSI_REGION],
      needsIdentity: false,
      devices: numbers.map((n) => ({
        id: deviceID(`0000:00:0${n}.0`),
        bus: mayStall ? "platform" : "pci",
        iommu: id,
        group: groupID(index + 1),
        driver: "vfio-pci",
        cdev: nodeOf(n),
        pci: NO_PCI,
        mayStall,
      })),
    })),
  };
}

function nodeOf(n: number): string {
  return `/dev/vfio/devices/vfio${n}`;
}

export interface WorldOptions {
  readonly iommu?: FakeIommu;
  readonly machine?: Partial<Omit<FakeMachine, "devices">>;
  readonly resets?: boolean;
  readonly experiments?: Experiments;
  /** Devices are no PCI devices, and their firmware says that they may stall. */
  readonly mayStall?: boolean;
  /** The SMMUs' own. */
  readonly counters?: PmcgCounters;
  /** The one of a daemon before. */
  readonly kernel?: FakeIommufd;
}

const GROUPS = [[1], [2], [3, 4]];

/** Devices 1 and 2 alone in groups 1 and 2; 3 and 4 together in group 3. */
export async function nativeWorld(options: WorldOptions = {}) {
  const { counters, experiments, iommu = fakeSmmu(), machine = {}, mayStall = false, resets = true } = options;
  const devices = GROUPS.flatMap((numbers, index) =>
    numbers.map((n) => fakeDevice(n, iommu, { group: index + 1, resets })),
  );
  const kernel = options.kernel ?? new FakeIommufd({ ...machine, devices });
  const inventory = new NativeInventory(scanOf(iommu, GROUPS, mayStall));
  const probe = deviceProbe(kernel, HOST_ROOTS);
  const optional = { ...(experiments && { experiments }), ...(counters && { counters }) };
  const backend = await createNativeBackend({ kernel, inventory, probe, ...optional });
  const faults: FaultNotice[] = [];
  const notices: Notice[] = [];
  backend.onFault((notice) => faults.push(notice));
  backend.onNotice((notice) => notices.push(notice));
  return new NativeWorld(kernel, backend, faults, notices);
}

export class NativeWorld {
  readonly kernel: FakeIommufd;
  readonly backend: NativeBackend;
  readonly faults: FaultNotice[];
  readonly notices: Notice[];
  readonly file = new PassedFile("/memory/a", MEMORY_BYTES);

  constructor(kernel: FakeIommufd, backend: NativeBackend, faults: FaultNotice[], notices: Notice[]) {
    this.kernel = kernel;
    this.backend = backend;
    this.faults = faults;
    this.notices = notices;
  }

  device(n: number): HostDevice {
    return this.backend.inventory.devices().find(({ id }) => id === `0000:00:0${n}.0`)!;
  }

  /** What a look at the host finds from now on: the devices of these numbers have a VFIO node, and no others. */
  look(...numbers: readonly number[]): void {
    const groups = GROUPS.map((group) => group.filter((n) => numbers.includes(n)));
    this.backend.inventory.update(scanOf(this.kernel.machine.devices[0]!.iommu, groups, false));
  }

  group(n: number): GroupID {
    return this.device(n).group;
  }

  /** An address space with memory at BASE, and a part. */
  async part(): Promise<{ readonly space: AddressSpaceHandle; readonly part: PartHandle }> {
    const space = await this.backend.createAddressSpace();
    await this.backend.map(space, [this.mapping()]);
    return { space, part: await this.backend.createPart(space, this.device(1).iommu) };
  }

  mapping(change: { ipa?: number; bytes?: number; file?: BufferFile; offset?: number; writable?: boolean } = {}) {
    const whole = { ipa: BASE, bytes: MEMORY_BYTES, file: this.file, offset: 0 };
    return { ...whole, readable: true, writable: true, ...change };
  }

  bind(n: number, part: PartHandle, name = 0x30, vste: VSTE = TRANSLATE): Promise<void> {
    return this.backend.bindGuestStage({
      device: this.device(n).id,
      part,
      virtualStreamID: virtualStreamID(name),
      vste,
    });
  }

  /** "host", "blocked", "stage 2", or the two doublewords of the STE that it was given. */
  stage(n: number): string {
    const [kind, id] = this.kernel.translation(nodeOf(n)).split(" ");
    if (kind === "paging") return "stage 2";
    if (kind !== "nested") return kind!;
    const object = this.kernel.contexts().flatMap((context) => {
      const entry = context.attached.get(Number(this.group(n)));
      const found = context.objects.get(Number(id));
      return entry?.hwpt === Number(id) && found?.kind === "nested" ? [found] : [];
    })[0]!;
    const view = new DataView(object.data.buffer, object.data.byteOffset, object.data.byteLength);
    return `${view.getBigUint64(0, true).toString(16)} ${view.getBigUint64(8, true).toString(16)}`;
  }

  /** An event as the SMMU records it, for a device that is bound. */
  raise(n: number, words: readonly bigint[]): void {
    const bytes = new Uint8Array(32);
    words.forEach((word, index) => {
      new DataView(bytes.buffer).setBigUint64(8 * index, word, true);
    });
    this.kernel.raiseEvent(nodeOf(n), bytes);
  }

  records(): readonly FaultRecord[] {
    return this.faults.flatMap((notice) => (notice.kind === "fault" ? [notice.fault] : []));
  }
}

export function devicePath(id: DeviceID): string {
  return nodeOf(Number(id.at(-3)));
}
