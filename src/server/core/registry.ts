// What there is: groups, devices, address spaces, virtual IOMMUs, as immutable snapshots in maps.
// Holds no rule: lookups that say what is unknown. Every map is bounded by a limit that the verbs enforce, or by the
// inventory. What others may see of a record, record-views.ts says.

import type { AddressSpaceHandle, PartHandle } from "../../backends/backend.ts";
import { BrokerError } from "../../backends/errors.ts";
import type { HostFinding } from "../../backends/host-finding.ts";
import { type DeviceID, type GroupID, groupID, type IommuID } from "../../backends/ids.ts";
import type { HostIommu, IdRegisters, Inventory } from "../../backends/inventory.ts";
import { assert } from "../../spec/assert.ts";
import { type DeviceRecord, newDevice } from "./device.ts";
import {
  addressSpaceRecords,
  type DurableRecord,
  deviceRecord,
  groupRecord,
  hostDeviceRecord,
  isNoteworthy,
  virtualIommuRecord,
} from "./durable.ts";
import { GoneGroups } from "./gone-groups.ts";
import { type GroupRecord, newGroup, withDevice, withoutDevice } from "./group.ts";
import type { MappingTable } from "./mapping-table.ts";
import type { Pinning } from "./views.ts";

export interface AddressSpaceRecord {
  readonly id: string;
  readonly session: string;
  readonly pinning: Pinning;
  /** The backend has the mappings. */
  readonly populated: boolean;
  readonly handle: AddressSpaceHandle;
  readonly table: MappingTable;
}

export interface VirtualIommuRecord {
  readonly id: string;
  readonly session: string;
  readonly addressSpace: string;
  readonly registers: IdRegisters;
  /** Host IOMMUs named at creation; the registers fit all of them. */
  readonly declared: readonly IommuID[];
  /** Host IOMMUs with a nesting parent of their own in this virtual IOMMU. */
  readonly parts: ReadonlyMap<IommuID, PartHandle>;
}

export class Registry {
  readonly #inventory: Inventory;
  readonly #devices = new Map<DeviceID, DeviceRecord>();
  /** Ids in order, while nothing came or went. */
  #order: readonly DeviceID[] | undefined;
  readonly #groups = new Map<GroupID, GroupRecord>();
  readonly #gone = new GoneGroups();
  /** Groups by the session that owns them: what a session has is asked at every bind, whatever the host's size. */
  readonly #owned = new Map<string, Set<GroupID>>();
  readonly #spaces = new Map<string, AddressSpaceRecord>();
  readonly #virtualIommus = new Map<string, VirtualIommuRecord>();
  /** Devices that were not there at the start. */
  readonly #added = new Set<DeviceID>();
  readonly #removed = new Set<DeviceID>();
  #listener: (records: readonly DurableRecord[]) => void = () => {};
  #deviceListener: (device: DeviceID, change: "changed" | "leaving") => void = () => {};

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
    for (const device of inventory.devices()) this.addDevice(newDevice(device));
  }

  /** One listener for what shall outlive the daemon: the recorder. */
  onChange(listener: (records: readonly DurableRecord[]) => void): void {
    this.#listener = listener;
  }

  /** One listener for what a device looks like: the inventory's watch. `leaving`: it is about to be removed. */
  onDevice(listener: (device: DeviceID, change: "changed" | "leaving") => void): void {
    this.#deviceListener = listener;
  }

  /** All that is, as records. */
  durable(): readonly DurableRecord[] {
    return [
      ...[...this.#removed].map((id): DurableRecord => ({ type: "deviceRemoved", id })),
      ...[...this.#added].map((id) => hostDeviceRecord(this.device(id).host)),
      ...this.addressSpaces().flatMap((space) => addressSpaceRecords(undefined, space)),
      ...this.virtualIommus().map(virtualIommuRecord),
      ...this.groups()
        .filter(({ generation }) => generation > 0)
        .map(groupRecord),
      ...this.devices().filter(isNoteworthy).map(deviceRecord),
      ...this.#gone.durable(),
    ];
  }

  /** Takes in, of before a restart, where groups begin that come again. */
  restoreGone(generations: Iterable<readonly [number, number]>, floor: number): void {
    this.#gone.restoreFloor(floor);
    for (const [id, generation] of generations) this.#gone.restore(groupID(id), generation);
  }

  // Host IOMMUs ----------------------------------------------------------------------------------------------------

  iommus(): readonly HostIommu[] {
    return this.#inventory.iommus();
  }

  findings(): readonly HostFinding[] {
    return this.#inventory.findings?.() ?? [];
  }

  iommu(id: IommuID): HostIommu {
    const found = this.#inventory.iommus().find((iommu) => iommu.id === id);
    if (found) return found;
    const known = this.#inventory.iommus().map((iommu) => iommu.id);
    throw new BrokerError("iommu_unknown", `no IOMMU ${id}; this host has ${known.join(", ")}`, { iommu: id });
  }

  // Devices and groups ---------------------------------------------------------------------------------------------

  addDevice(device: DeviceRecord): void {
    const { id, group } = device.host;
    assert(!this.#devices.has(id), `device ${id} appeared twice`);
    this.#devices.set(id, device);
    this.#order = undefined;
    const record = this.#groups.get(group);
    this.#groups.set(group, record ? withDevice(record, id) : newGroup(device.host, this.#gone.take(group)));
  }

  /** A device that appears while the daemon runs. A new group's record voids that of one which had its number before. */
  plugDevice(device: DeviceRecord): void {
    const isNewGroup = !this.#groups.has(device.host.group);
    this.addDevice(device);
    this.#added.add(device.host.id);
    const group = this.groupOf(device.host.id);
    this.#listener([hostDeviceRecord(device.host), ...(isNewGroup ? [groupRecord(group)] : [])]);
    for (const id of group.devices) this.#deviceListener(id, "changed");
  }

  removeDevice(id: DeviceID): void {
    const group = this.group(this.device(id).host.group);
    this.#deviceListener(id, "leaving");
    this.#devices.delete(id);
    this.#order = undefined;
    if (!this.#added.delete(id)) this.#removed.add(id);
    this.#listener([{ type: "deviceRemoved", id }]);
    const left = withoutDevice(group, id);
    if (left.devices.length > 0) this.#groups.set(group.id, left);
    else {
      this.#groups.delete(group.id);
      this.#listener(this.#gone.add(group.id, group.generation));
      this.#own(group.id, group.owner, undefined);
    }
    for (const sibling of left.devices) this.#deviceListener(sibling, "changed");
  }

  /** In order of id. */
  devices(): readonly DeviceRecord[] {
    this.#order ??= [...this.#devices.keys()].sort();
    return this.#order.map((id) => this.#devices.get(id)!);
  }

  findDevice(id: DeviceID): DeviceRecord | undefined {
    return this.#devices.get(id);
  }

  device(id: DeviceID): DeviceRecord {
    const found = this.#devices.get(id);
    if (found) return found;
    throw new BrokerError("device_unknown", `no device ${id}; ListDevices tells which there are`, { device: id });
  }

  putDevice(device: DeviceRecord): void {
    assert(this.#devices.has(device.host.id), `device ${device.host.id} is not in the registry`);
    this.#devices.set(device.host.id, device);
    this.#listener([deviceRecord(device)]);
    this.#deviceListener(device.host.id, "changed");
  }

  findGroup(id: number): GroupRecord | undefined {
    return this.#groups.get(groupID(id));
  }

  group(id: GroupID): GroupRecord {
    const found = this.#groups.get(id);
    assert(found !== undefined, `group ${id} has devices but no record`);
    return found;
  }

  groupOf(device: DeviceID): GroupRecord {
    return this.group(this.device(device).host.group);
  }

  groups(): readonly GroupRecord[] {
    return [...this.#groups.values()];
  }

  groupsOwnedBy(session: string): readonly GroupRecord[] {
    const groups = [...(this.#owned.get(session) ?? [])].map((id) => this.group(id));
    return groups.sort((a, b) => ((a.devices[0] ?? "") < (b.devices[0] ?? "") ? -1 : 1));
  }

  putGroup(group: GroupRecord): void {
    this.#own(group.id, this.#groups.get(group.id)?.owner, group.owner);
    this.#groups.set(group.id, group);
    this.#listener([groupRecord(group)]);
    for (const id of group.devices) this.#deviceListener(id, "changed");
  }

  /** In order of id. */
  devicesOfVirtualIommu(virtualIommu: string): readonly DeviceRecord[] {
    const session = this.#virtualIommus.get(virtualIommu)?.session;
    if (session === undefined) return [];
    const groups = this.groupsOwnedBy(session).filter((group) => group.virtualIommu === virtualIommu);
    return this.#attachedOf(groups).sort((a, b) => (a.host.id < b.host.id ? -1 : 1));
  }

  attachedCount(session: string): number {
    return this.#attachedOf(this.groupsOwnedBy(session)).length;
  }

  #attachedOf(groups: readonly GroupRecord[]): DeviceRecord[] {
    return groups.flatMap(({ devices }) => devices.map((id) => this.device(id)).filter(({ attached }) => attached));
  }

  #own(group: GroupID, before: string | undefined, after: string | undefined): void {
    if (before === after) return;
    const left = before === undefined ? undefined : this.#owned.get(before);
    left?.delete(group);
    if (before !== undefined && left?.size === 0) this.#owned.delete(before);
    if (after === undefined) return;
    this.#owned.set(after, (this.#owned.get(after) ?? new Set()).add(group));
  }

  // Address spaces -------------------------------------------------------------------------------------------------

  addressSpace(id: string, session: string): AddressSpaceRecord {
    const found = this.#spaces.get(id);
    if (!found) throw new BrokerError("address_space_unknown", `no address space ${id}`, { address_space: id });
    if (found.session !== session) throw notYours("address space", id);
    return found;
  }

  hasAddressSpace(id: string): boolean {
    return this.#spaces.has(id);
  }

  addressSpacesOf(session: string): readonly AddressSpaceRecord[] {
    return [...this.#spaces.values()].filter((space) => space.session === session);
  }

  putAddressSpace(space: AddressSpaceRecord): void {
    const before = this.#spaces.get(space.id);
    this.#spaces.set(space.id, Object.freeze(space));
    this.#listener(addressSpaceRecords(before, space));
  }

  deleteAddressSpace(id: string): void {
    this.#spaces.delete(id);
    this.#listener([{ type: "addressSpaceGone", id }]);
  }

  addressSpaces(): readonly AddressSpaceRecord[] {
    return [...this.#spaces.values()];
  }

  // Virtual IOMMUs -------------------------------------------------------------------------------------------------

  virtualIommu(id: string, session: string): VirtualIommuRecord {
    const found = this.#virtualIommus.get(id);
    if (!found) throw new BrokerError("virtual_iommu_unknown", `no virtual IOMMU ${id}`, { virtual_iommu: id });
    if (found.session !== session) throw notYours("virtual IOMMU", id);
    return found;
  }

  hasVirtualIommu(id: string): boolean {
    return this.#virtualIommus.has(id);
  }

  virtualIommusOf(session: string): readonly VirtualIommuRecord[] {
    return this.virtualIommus().filter((virtual) => virtual.session === session);
  }

  virtualIommusIn(addressSpace: string): readonly VirtualIommuRecord[] {
    return this.virtualIommus().filter((virtual) => virtual.addressSpace === addressSpace);
  }

  virtualIommus(): readonly VirtualIommuRecord[] {
    return [...this.#virtualIommus.values()];
  }

  putVirtualIommu(virtual: VirtualIommuRecord): void {
    this.#virtualIommus.set(virtual.id, Object.freeze(virtual));
    this.#listener([virtualIommuRecord(virtual)]);
  }

  deleteVirtualIommu(id: string): void {
    this.#virtualIommus.delete(id);
    this.#listener([{ type: "virtualIommuGone", id }]);
  }
}

function notYours(what: string, id: string): BrokerError {
  return new BrokerError("not_owner", `${what} ${id} belongs to another session`, { id });
}
