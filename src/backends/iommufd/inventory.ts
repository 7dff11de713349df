// The native backend's inventory: what of a scan a VMM can be given, and what the hardware said of itself so far.
// A device is there while it has a VFIO device node: one that its host drives is not for VMMs, and doctor tells how it could be.
// An IOMMU is unknown until a device behind it was bound and asked (IOMMU_GET_HW_INFO).

import { assert } from "../../spec/assert.ts";
import { STALL_MODEL } from "../../spec/encodings.ts";
import { get } from "../../spec/layout.ts";
import { IDR0 } from "../../spec/registers.ts";
import { BrokerError } from "../errors.ts";
import type { FaultAnswer } from "../faults.ts";
import type { HostFinding } from "../host-finding.ts";
import type { DeviceID, GroupID, IommuID } from "../ids.ts";
import type { HostDevice, HostIommu, Inventory, InventoryChange, ReservedRegion } from "../inventory.ts";
import { STALLED_FAULTS } from "../told-faults.ts";
import type { HostScan, NativeDevice, NativeGroup } from "./devices.ts";

/** What an IOMMU says of itself, and what follows for guests. */
export type IommuFacts = Omit<HostIommu, "id" | "reservedRegions">;

/** A fault queue has two codes, which are these for a stall (uAPI iommu_hwpt_page_response). */
const STALL_ANSWERS: readonly FaultAnswer[] = ["retry", "abort"];

export class NativeInventory implements Inventory {
  readonly #facts = new Map<IommuID, IommuFacts>();
  #scan: HostScan = { iommus: [], groups: [], leftOut: 0 };
  #iommus: readonly HostIommu[] = [];
  #findings: readonly HostFinding[] = [];
  #natives = new Map<DeviceID, NativeDevice>();
  #devices = new Map<DeviceID, HostDevice>();
  #listener: (change: InventoryChange) => void = () => {};

  constructor(scan: HostScan) {
    this.update(scan);
  }

  iommus(): readonly HostIommu[] {
    return this.#iommus;
  }

  devices(): readonly HostDevice[] {
    return [...this.#devices.values()];
  }

  findings(): readonly HostFinding[] {
    return this.#findings;
  }

  /** Takes down what an examination found. */
  tellFindings(findings: readonly HostFinding[]): void {
    this.#findings = findings;
  }

  onChange(listener: (change: InventoryChange) => void): void {
    this.#listener = listener;
  }

  find(id: DeviceID): NativeDevice | undefined {
    return this.#natives.get(id);
  }

  /** Its `cdev` and `iommu` are there. @throws BrokerError device_unknown: it went away, which core may not know yet */
  require(id: DeviceID): NativeDevice {
    return this.#natives.get(id) ?? gone(id);
  }

  /** The same as core knows it. */
  requireHost(id: DeviceID): HostDevice {
    return this.#devices.get(id) ?? gone(id);
  }

  /** A group with at least one device in the inventory, its other members included. */
  requireGroup(id: GroupID): NativeGroup {
    const group = this.#scan.groups.find((one) => one.id === id);
    assert(group !== undefined, `group ${id} is not in the native inventory`);
    return group;
  }

  /** What the hardware said, or that it was not asked yet. */
  factsOf(iommu: IommuID): IommuFacts {
    return this.#facts.get(iommu) ?? unknownFacts(notAsked(iommu));
  }

  /** Takes down what the hardware said. */
  tell(iommu: IommuID, facts: IommuFacts): void {
    this.#facts.set(iommu, facts);
    this.#iommus = this.#scan.iommus.map((id) => this.#iommu(id));
    for (const [id, device] of this.#devices) {
      if (device.iommu === iommu) this.#devices.set(id, Object.freeze({ ...device, ...this.#stall(this.require(id)) }));
    }
  }

  /** Takes over a later scan and tells what has come and gone; one whose node, group or IOMMU changed has done both. */
  update(scan: HostScan): void {
    this.#scan = scan;
    const before = { natives: this.#natives, devices: this.#devices };
    const usable = scan.groups.flatMap((group) => group.devices.filter(isUsable).map((device) => ({ device, group })));
    this.#natives = new Map(usable.map(({ device }) => [device.id, device]));
    for (const id of this.#facts.keys()) if (!scan.iommus.includes(id)) this.#facts.delete(id);
    this.#iommus = scan.iommus.map((id) => this.#iommu(id));
    const stays = (id: DeviceID): boolean => isSame(before.natives.get(id), this.#natives.get(id));
    this.#devices = new Map(
      usable.map(({ device, group }) => {
        const same = stays(device.id) ? before.devices.get(device.id) : undefined;
        return [device.id, same ?? this.#hostDevice(device, group)];
      }),
    );
    for (const device of before.devices.values()) {
      if (!stays(device.id)) this.#listener({ kind: "removed", device });
    }
    for (const device of this.#devices.values()) {
      if (!stays(device.id)) this.#listener({ kind: "added", device });
    }
  }

  #iommu(id: IommuID): HostIommu {
    const behind = [...this.#natives.values()].filter((device) => device.iommu === id);
    const facts = this.factsOf(id);
    const stalls = behind.some((device) => this.#stall(device).stall);
    return Object.freeze({
      ...{ id, reservedRegions: this.#commonRegions(id), ...facts },
      ...(stalls && { faultAnswers: STALL_ANSWERS }),
      // Without a vEVENTQ only what stalls comes, and only where guests' tables can be bound.
      ...(stalls && facts.nesting.supported && facts.toldFaults === undefined && { toldFaults: STALLED_FAULTS }),
    });
  }

  /** As Linux decides it (arm_smmu_probe_device): by the SMMU and the firmware, and never for a PCI device. */
  #stall({ bus, iommu, mayStall }: NativeDevice): { readonly stall?: true } {
    const registers = iommu === undefined ? undefined : this.factsOf(iommu).registers;
    if (registers === undefined || bus === "pci") return {};
    const model = get(Uint32Array.of(registers.idr0), 0, IDR0.STALL_MODEL);
    return model === STALL_MODEL.FORCED || (model === STALL_MODEL.BOTH && mayStall) ? { stall: true } : {};
  }

  /** What is reserved for every group behind it: the MSI window, and what the IOMMU itself cannot translate. */
  #commonRegions(id: IommuID): readonly ReservedRegion[] {
    const [first, ...others] = this.#scan.groups.filter((group) => group.devices.some(({ iommu }) => iommu === id));
    if (first === undefined) return [];
    return first.reservedRegions.filter((region) =>
      others.every(({ reservedRegions }) => reservedRegions.some((other) => isSameRegion(region, other))),
    );
  }

  #hostDevice(device: UsableDevice, group: NativeGroup): HostDevice {
    const common = this.#commonRegions(device.iommu);
    const own = group.reservedRegions.filter((region) => !common.some((other) => isSameRegion(region, other)));
    const { id, iommu, pci } = device;
    const { ats, pasidBits } = pci;
    const stall = this.#stall(device);
    return Object.freeze({ id, iommu, group: group.id, streamIDs: [], pasidBits, ats, reservedRegions: own, ...stall });
  }
}

function gone(id: DeviceID): never {
  throw new BrokerError("device_unknown", `device ${id} is gone: its VFIO node is not there any more`, { device: id });
}

function notAsked(iommu: IommuID): string {
  return `no device behind ${iommu} could be asked yet: bind one to vfio-pci (native.bind_devices, or driver_override), with nobody else using it`;
}

/** Until a device behind it was asked. @param reason  why, and the remedy */
export function unknownFacts(reason: string): IommuFacts {
  return {
    registers: undefined,
    otherHardware: { kind: "unknown", reason },
    ipaBits: 52,
    stage2PageBytes: [],
    nesting: { supported: false, reason },
  };
}

type UsableDevice = NativeDevice & { readonly iommu: IommuID; readonly cdev: string };

function isUsable(device: NativeDevice): device is UsableDevice {
  return device.cdev !== undefined && device.iommu !== undefined;
}

function isSame(one: NativeDevice | undefined, other: NativeDevice | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  return one.cdev === other.cdev && one.group === other.group && one.iommu === other.iommu;
}

function isSameRegion(one: ReservedRegion, other: ReservedRegion): boolean {
  return one.ipa === other.ipa && one.bytes === other.bytes && one.kind === other.kind;
}
