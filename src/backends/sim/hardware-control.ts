// What only a simulated host can do: devices come and go, play their DMA when told to, and their structures and interrupt
// messages can be looked at.

import { assert } from "../../spec/assert.ts";
import type { DeviceID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import type {
  DmaOutcome,
  MsiLog,
  RawStructures,
  SimulatedAccess,
  SimulatedDma,
  TranslationOutcome,
} from "../simulator-control.ts";
import type { Attachments } from "./attachments.ts";
import { DmaMaster } from "./dma-master.ts";
import type { SimulatedHost } from "./host.ts";
import type { Ioas } from "./objects.ts";
import type { SimulatedResets } from "./resets.ts";
import { readStructures } from "./structures.ts";

export class HardwareControl {
  readonly #host: SimulatedHost;
  readonly #attachments: Attachments;
  readonly #resets: SimulatedResets;

  constructor(options: { host: SimulatedHost; attachments: Attachments; resets: SimulatedResets }) {
    this.#host = options.host;
    this.#attachments = options.attachments;
    this.#resets = options.resets;
  }

  addDevice(device: HostDevice): void {
    this.#host.inventory.add(device);
    this.#host.plugIn(device);
  }

  removeDevice(id: DeviceID): void {
    const { inventory } = this.#host;
    const device = inventory.require(id);
    const isAttached = this.#attachments.partOf(device.group) !== undefined;
    assert(!isAttached, `${id} is removed while its group is attached`);
    this.#host.unplug(device);
    this.#resets.forget(id);
    if (inventory.inGroup(device.group).length === 1) this.#attachments.unblock(device.group);
    inventory.remove(id);
  }

  async dma(id: DeviceID, accesses: readonly SimulatedDma[]): Promise<readonly DmaOutcome[]> {
    const master = this.#master(id);
    const outcomes: DmaOutcome[] = [];
    for (const access of accesses) outcomes.push(await master.dma(access));
    return outcomes;
  }

  async translate(
    id: DeviceID,
    accesses: readonly (SimulatedAccess & { readonly access: "read" | "write" | "execute" })[],
  ): Promise<readonly TranslationOutcome[]> {
    return await this.#master(id).translate(accesses);
  }

  structures(id: DeviceID, streamIndex: number, substreamID: number, ioas: Ioas | undefined): RawStructures {
    const { inventory, memory, windows } = this.#host;
    const device = inventory.require(id);
    const { driver } = this.#host.smmu(device.iommu);
    const streamID = device.streamIDs[streamIndex]!;
    return readStructures({ driver, memory, windows, ioas, streamID, substreamID });
  }

  msis(id: DeviceID): MsiLog {
    return this.#host.doorbell.log(id);
  }

  #master(id: DeviceID): DmaMaster {
    const { doorbell, inventory, memory } = this.#host;
    const device = inventory.require(id);
    const { driver, endpoints, events, stalls } = this.#host.smmu(device.iommu);
    const resets = this.#resets.countOf(id);
    const isReset = (): boolean => this.#resets.countOf(id) !== resets || inventory.find(id) !== device;
    return new DmaMaster({
      device: id,
      doorbell,
      smmu: driver.smmu,
      memory,
      events,
      stalls,
      endpoints,
      makesPageRequests: device.pri === true,
      streamIDs: device.streamIDs,
      isReset,
    });
  }
}
