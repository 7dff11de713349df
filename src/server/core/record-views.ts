// The registry's records as views: what an owner, an operator or anybody may see of a device, an address space, a virtual
// IOMMU, and of all that a session has.

import type { DeviceID, GroupID } from "../../backends/ids.ts";
import { missingLabels } from "./awaited-memory.ts";
import { mappedBytesOf } from "./mapping-table.ts";
import type { AddressSpaceRecord, Registry, VirtualIommuRecord } from "./registry.ts";
import type { AbortedGroup } from "./session.ts";
import type { AddressSpaceView, DeviceView, HeldView, OwnerView, VirtualIommuView } from "./views.ts";

/** What the registry does not know of a device. */
interface Around {
  owner(session: string): OwnerView;
  waiters(group: GroupID): number;
}

export function deviceView(registry: Registry, id: DeviceID, around: Around): DeviceView {
  const device = registry.device(id);
  const group = registry.group(device.host.group);
  return Object.freeze({
    id,
    iommu: device.host.iommu,
    group: group.id,
    groupDevices: group.devices,
    streamIDs: device.host.streamIDs,
    state: group.state,
    generation: group.generation,
    attached: device.attached,
    owner: group.owner === undefined ? undefined : around.owner(group.owner),
    virtualIommu: group.virtualIommu,
    virtualStreamID: device.virtualStreamID,
    vste: group.vste,
    stageAuthoritative: !group.handedOut,
    waiters: around.waiters(group.id),
  });
}

/** What a session has. @param aborted  groups that its loss set to abort, and their generation then */
export function heldBy(registry: Registry, session: string, aborted: readonly AbortedGroup[]): HeldView {
  const devices = registry.groupsOwnedBy(session).flatMap((group) => {
    const rebindRequired = aborted.some(
      ({ group: id, generation }) => id === group.id && generation === group.generation,
    );
    const { generation, virtualIommu = "" } = group;
    const attached = group.devices.filter((id) => registry.device(id).attached);
    return attached.map((id) => ({ id, virtualIommu, generation, rebindRequired }));
  });
  return {
    addressSpaces: registry.addressSpacesOf(session).map(({ id }) => id),
    virtualIommus: registry.virtualIommusOf(session).map(({ id }) => id),
    devices,
  };
}

export function addressSpaceView(space: AddressSpaceRecord): AddressSpaceView {
  return Object.freeze({
    id: space.id,
    pinning: space.pinning,
    populated: space.populated,
    mappingCount: space.table.length,
    mappedBytes: mappedBytesOf(space.table),
    missing: missingLabels(new Set(space.table.map(({ file }) => file))),
  });
}

export function virtualIommuView(registry: Registry, virtual: VirtualIommuRecord): VirtualIommuView {
  return Object.freeze({
    id: virtual.id,
    addressSpace: virtual.addressSpace,
    registers: virtual.registers,
    iommus: [...new Set([...virtual.declared, ...virtual.parts.keys()])],
    devices: registry.devicesOfVirtualIommu(virtual.id).map((device) => device.host.id),
  });
}
