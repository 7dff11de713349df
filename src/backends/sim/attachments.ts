// Where each IOMMU group of the simulated host is: in a part, in the default domain, or blocked; and what a guest calls
// its devices. Changes no hardware: stages.ts does that and then writes down here what is so.

import { assert } from "../../spec/assert.ts";
import type { StreamOwner } from "../fault-record.ts";
import type { DeviceID, GroupID, IommuID, VirtualStreamID } from "../ids.ts";
import type { SimulatedInventory } from "./inventory.ts";
import type { Part } from "./objects.ts";

export class Attachments {
  readonly #inventory: SimulatedInventory;
  /** Groups not in the map are in the default domain, or blocked. */
  readonly #parts = new Map<GroupID, Part>();
  readonly #names = new Map<DeviceID, VirtualStreamID>();
  /** Groups that nobody may use: neither attached nor in the default domain. */
  readonly #blocked = new Set<GroupID>();

  constructor(inventory: SimulatedInventory) {
    this.#inventory = inventory;
  }

  partOf(group: GroupID): Part | undefined {
    return this.#parts.get(group);
  }

  enter(group: GroupID, part: Part): void {
    this.#parts.set(group, part);
    part.users += 1;
  }

  leave(group: GroupID, part: Part): void {
    this.#parts.delete(group);
    part.users -= 1;
  }

  isBlocked(group: GroupID): boolean {
    return this.#blocked.has(group);
  }

  block(group: GroupID): void {
    this.#blocked.add(group);
  }

  unblock(group: GroupID): void {
    this.#blocked.delete(group);
  }

  nameOf(device: DeviceID): VirtualStreamID | undefined {
    return this.#names.get(device);
  }

  /** Names the device in its part, in place of the name it had; undefined takes its name away. */
  name(device: DeviceID, part: Part, virtual: VirtualStreamID | undefined): void {
    const before = this.#names.get(device);
    if (before !== undefined) part.names.delete(before);
    if (virtual === undefined) {
      this.#names.delete(device);
      return;
    }
    assert(!part.names.has(virtual), `virtual StreamID ${virtual} is taken in part ${part.id}`);
    part.names.set(virtual, device);
    this.#names.set(device, virtual);
  }

  /** Who has a StreamID now, and by what name. */
  ownerOf(iommu: IommuID, streamID: number): StreamOwner | undefined {
    const device = this.#inventory.withStream(iommu, streamID);
    return device && { device: device.id, virtualStreamID: this.#names.get(device.id) };
  }

  /** A physical address as the device's guest knows it; undefined: none of its memory, or no guest. */
  ipaOf(device: DeviceID, pa: number): number | undefined {
    return this.#parts.get(this.#inventory.require(device).group)?.ioas.ipaOf(pa);
  }

  /** Attached devices behind an IOMMU. */
  devicesBehind(iommu: IommuID): readonly DeviceID[] {
    return this.#inventory
      .devices()
      .filter((device) => device.iommu === iommu && this.#parts.has(device.group))
      .map((device) => device.id);
  }
}
