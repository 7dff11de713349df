// What stands behind the handles that core holds: address spaces and parts, made and taken down. A handle that is not in
// the table is a bug.

import { assert } from "../../spec/assert.ts";
import type { AddressSpaceHandle, PartHandle } from "../backend.ts";
import type { IommuID } from "../ids.ts";
import type { HostIommu } from "../inventory.ts";
import { AddressSpace } from "./address-space.ts";
import type { Kernel } from "./kernel.ts";
import { Part } from "./part.ts";
import type { PartQueues } from "./part-queue.ts";
import type { OnNotice } from "./undo.ts";

export interface ObjectTableOptions {
  readonly kernel: Kernel;
  /** As it is known now. */
  hostOf(iommu: IommuID): HostIommu;
  readonly queues: PartQueues;
  readonly onNotice: OnNotice;
}

export class ObjectTable {
  readonly #options: ObjectTableOptions;
  readonly #spaces = new Map<number, AddressSpace>();
  readonly #parts = new Map<number, Part>();
  #nextID = 1;

  constructor(options: ObjectTableOptions) {
    this.#options = options;
  }

  space(handle: AddressSpaceHandle): AddressSpace {
    const space = this.#spaces.get(handle.id);
    assert(space !== undefined, `address space ${handle.id} does not exist`);
    return space;
  }

  part(handle: PartHandle): Part {
    const part = this.#parts.get(handle.id);
    assert(part !== undefined, `part ${handle.id} does not exist`);
    return part;
  }

  parts(): readonly Part[] {
    return [...this.#parts.values()];
  }

  async createSpace(owner?: string): Promise<AddressSpaceHandle> {
    const { onNotice } = this.#options;
    const kernel = owner === undefined ? this.#options.kernel : this.#options.kernel.ownedBy(owner);
    const id = this.#nextID++;
    this.#spaces.set(id, await AddressSpace.create(kernel, id, onNotice));
    return { id };
  }

  async destroySpace(handle: AddressSpaceHandle): Promise<void> {
    await this.space(handle).destroy();
    this.#spaces.delete(handle.id);
  }

  /** The kernel's objects come with the first device: it makes them for one. */
  createPart(handle: AddressSpaceHandle, iommu: IommuID): PartHandle {
    const { hostOf, onNotice, queues } = this.#options;
    const space = this.space(handle);
    const id = this.#nextID++;
    const part = new Part({ id, host: () => hostOf(iommu), space, queues, onNotice });
    space.parts.add(part);
    this.#parts.set(id, part);
    return { id, iommu };
  }

  async destroyPart(handle: PartHandle): Promise<void> {
    const part = this.part(handle);
    assert(part.users === 0, `part ${part.id} still has a group attached`);
    await part.tearDown();
    part.space.parts.delete(part);
    this.#parts.delete(handle.id);
  }

  /** The daemon goes down: what is left goes with its iommufd. */
  async abandon(): Promise<void> {
    for (const part of this.#parts.values()) await part.abandon();
    for (const space of this.#spaces.values()) await space.abandon();
    this.#parts.clear();
    this.#spaces.clear();
  }
}
