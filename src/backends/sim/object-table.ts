// The kernel objects that the arbiter has handles of: address spaces (IOAS) and virtual IOMMUs' parts.
// A handle that is not in the table is a bug of the caller.

import { assert } from "../../spec/assert.ts";
import type { AddressSpaceHandle, PartHandle } from "../backend.ts";
import type { IommuID } from "../ids.ts";
import { FrameShare } from "./frames.ts";
import type { SimulatedHost } from "./host.ts";
import { Ioas, Part, TABLES_MAX } from "./objects.ts";
import type { SmmuDriver } from "./smmu-driver.ts";
import { Stage2Tables } from "./stage2-tables.ts";

export class ObjectTable {
  readonly #host: SimulatedHost;
  readonly #spaces = new Map<number, Ioas>();
  readonly #parts = new Map<number, Part>();
  #nextID = 1;

  constructor(host: SimulatedHost) {
    this.#host = host;
  }

  space(handle: AddressSpaceHandle): Ioas {
    const space = this.#spaces.get(handle.id);
    assert(space !== undefined, `IOAS ${handle.id} does not exist`);
    return space;
  }

  part(handle: PartHandle): Part {
    const part = this.#parts.get(handle.id);
    assert(part !== undefined, `part ${handle.id} does not exist`);
    return part;
  }

  createSpace(): AddressSpaceHandle {
    const space = new Ioas(this.#nextID++, this.#host.windows);
    this.#spaces.set(space.id, space);
    return { id: space.id };
  }

  destroySpace(handle: AddressSpaceHandle): void {
    this.space(handle).destroy();
    this.#spaces.delete(handle.id);
  }

  /** With all that the address space maps, in turns. */
  async createPart(handle: AddressSpaceHandle, iommu: IommuID): Promise<PartHandle> {
    const { driver, vmids } = this.#host.smmu(iommu);
    const ioas = this.space(handle);
    const frames = new FrameShare(this.#host.frames, TABLES_MAX);
    const tables = new Stage2Tables(this.#host.memory, frames, driver.host.ipaBits);
    let vmid: number | undefined;
    let part: Part;
    try {
      vmid = vmids.take();
      this.#mapDoorbell(tables, driver);
      part = new Part({ id: this.#nextID++, ioas, driver, vmid, tables, frames });
      await ioas.addPart(part);
    } catch (error) {
      tables.destroy();
      if (vmid !== undefined) vmids.give(vmid);
      throw error;
    }
    this.#parts.set(part.id, part);
    return { id: part.id, iommu };
  }

  destroyPart(handle: PartHandle): void {
    const part = this.part(handle);
    part.destroy();
    this.#host.smmu(part.iommu).vmids.give(part.vmid);
    this.#parts.delete(part.id);
  }

  /** The host goes down: the files of guests are let go. */
  abandon(): void {
    for (const space of this.#spaces.values()) space.abandon();
    this.#spaces.clear();
  }

  /**
   * The host's MSI window, in every stage 2 before any device uses it; no guest mapping may overlap it, so it stays as
   * long as the tables do. Readable too: what a read gets is the doorbell's answer, a bus error, not a stage-2 fault.
   */
  #mapDoorbell(tables: Stage2Tables, driver: SmmuDriver): void {
    for (const { bytes, ipa, kind } of driver.host.reservedRegions) {
      if (kind !== "msi") continue;
      tables.map(ipa, this.#host.doorbell.base, bytes, { readable: true, writable: true, device: true });
    }
  }
}
