// An IOMMU group: the unit that has an owner, a stage state and a generation. Immutable; the registry swaps snapshots.

import type { DeviceID, GroupID, IommuID } from "../../backends/ids.ts";
import type { HostDevice } from "../../backends/inventory.ts";
import type { PageTable } from "../../backends/page-table.ts";
import type { VSTE } from "../../backends/vste.ts";
import type { StageState } from "./stage-state.ts";

export interface GroupRecord {
  readonly id: GroupID;
  readonly iommu: IommuID;
  /** Every device of the group, in order of id. */
  readonly devices: readonly DeviceID[];
  readonly state: StageState;
  /** Counts stage changes; 2^53 of them outlast any host. */
  readonly generation: number;
  /** Session id. */
  readonly owner: string | undefined;
  readonly virtualIommu: string | undefined;
  /** The guest STE in force; undefined while there is no owner. */
  readonly vste: VSTE | undefined;
  /** The guest's bare page table in force, in place of an STE. */
  readonly pageTable?: PageTable | undefined;
  /** Others than the broker have, or may have, descriptors of its devices: who has one can attach and detach by itself. */
  readonly handedOut: boolean;
}

/** What a stage change sets. */
export type StageChange = Pick<GroupRecord, "state" | "owner" | "virtualIommu" | "vste" | "pageTable"> & {
  /** Absent: as it was. */
  readonly handedOut?: boolean;
};

/** A group as it is found: no owner, the host's default domain. @param generation  above 0: it has been here before */
export function newGroup(device: HostDevice, generation = 0): GroupRecord {
  return Object.freeze({
    id: device.group,
    iommu: device.iommu,
    devices: [device.id],
    state: "default-domain",
    generation,
    owner: undefined,
    virtualIommu: undefined,
    vste: undefined,
    handedOut: false,
  });
}

export function withDevice(group: GroupRecord, device: DeviceID): GroupRecord {
  return Object.freeze({ ...group, devices: [...group.devices, device].sort() });
}

export function withoutDevice(group: GroupRecord, device: DeviceID): GroupRecord {
  return Object.freeze({ ...group, devices: group.devices.filter((member) => member !== device) });
}

/** The group after a stage change. */
export function staged(group: GroupRecord, change: StageChange): GroupRecord {
  return Object.freeze({ ...group, pageTable: undefined, ...change, generation: group.generation + 1 });
}
