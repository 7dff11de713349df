// The simulated host's hardware: one physical address space with its MSI doorbell, and for each IOMMU an SMMU with the
// drivers of its queues and the ATCs behind it. What an SMMU's event queue holds goes to `deliver`, in the guest's terms.
// Whose a stream is when its record is taken off, attachments.ts knows.

import { assert } from "../../spec/assert.ts";
import type { FaultNotice } from "../faults.ts";
import type { IommuID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import { MemoryMap } from "../smmuv3/memory.ts";
import type { Attachments } from "./attachments.ts";
import { Endpoints } from "./endpoints.ts";
import { EventQueueDriver } from "./eventq-driver.ts";
import { FileWindows } from "./file-windows.ts";
import { Frames } from "./frames.ts";
import type { SimulatedInventory, SimulatedIommu } from "./inventory.ts";
import { abortSTE, defaultDomainSTE, type SteWords } from "./make-ste.ts";
import { MsiDoorbell } from "./msi-doorbell.ts";
import { Vmids } from "./objects.ts";
import { PriQueueDriver } from "./priq-driver.ts";
import { SmmuDriver } from "./smmu-driver.ts";
import { Stalls } from "./stalls.ts";

export interface HostSmmu {
  readonly driver: SmmuDriver;
  readonly events: EventQueueDriver;
  readonly vmids: Vmids;
  readonly endpoints: Endpoints;
  readonly pageRequests: PriQueueDriver;
  readonly stalls: Stalls;
}

/** Who hears what the SMMUs record. */
export type Deliver = (iommu: IommuID, notice: FaultNotice) => void;

export class SimulatedHost {
  readonly inventory: SimulatedInventory;
  readonly memory = new MemoryMap();
  readonly frames = new Frames(this.memory);
  readonly doorbell = new MsiDoorbell(this.memory);
  readonly windows: FileWindows;
  readonly #attachments: Attachments;
  readonly #deliver: Deliver;
  readonly #smmus = new Map<IommuID, HostSmmu>();

  constructor(options: {
    inventory: SimulatedInventory;
    attachments: Attachments;
    mergesEvents: boolean;
    deliver: Deliver;
  }) {
    this.inventory = options.inventory;
    this.#attachments = options.attachments;
    this.#deliver = options.deliver;
    for (const iommu of this.inventory.iommus()) this.#addSmmu(iommu, options.mergesEvents);
    const drivers = [...this.#smmus.values()].map((smmu) => smmu.driver);
    this.windows = new FileWindows(this.memory, Math.min(...drivers.map((driver) => driver.features.oasBits)));
    for (const device of this.inventory.devices()) this.plugIn(device);
  }

  smmu(id: IommuID): HostSmmu {
    const smmu = this.#smmus.get(id);
    assert(smmu !== undefined, `IOMMU ${id} is not simulated`);
    return smmu;
  }

  /** In the order of the configuration. */
  smmus(): readonly HostSmmu[] {
    return [...this.#smmus.values()];
  }

  /** A device's ATCs, and the default domain's STE on each of its streams. */
  plugIn(device: HostDevice): void {
    const { driver, endpoints } = this.smmu(device.iommu);
    for (const streamID of device.streamIDs) {
      if (device.ats) endpoints.add(streamID);
      driver.installSTE(streamID, hostSTE(driver, streamID));
    }
  }

  /** The device's streams are aborted: whoever gets one of its StreamIDs begins there. */
  unplug(device: HostDevice): void {
    const { driver, endpoints } = this.smmu(device.iommu);
    for (const streamID of device.streamIDs) driver.installSTE(streamID, abortSTE());
    for (const streamID of device.streamIDs) endpoints.remove(streamID);
  }

  /** A CMD_SYNC through every command queue: it is consumed, or this throws. */
  ping(): void {
    for (const { driver } of this.#smmus.values()) driver.issue([]);
  }

  close(): void {
    for (const { endpoints, events, pageRequests, stalls } of this.#smmus.values()) {
      events.stop();
      pageRequests.stop();
      endpoints.close();
      stalls.close();
    }
  }

  /** Takes off what the devices behind an IOMMU have recorded and asked for so far. */
  drain(iommu: IommuID): void {
    const { events, pageRequests } = this.smmu(iommu);
    events.drainAll();
    pageRequests.drain();
  }

  /** Ends what waits of a device: stalls are aborted, page requests fail. The queues have been drained. */
  endPending({ iommu, streamIDs }: HostDevice): void {
    const { pageRequests, stalls } = this.smmu(iommu);
    stalls.end(streamIDs);
    pageRequests.end(streamIDs);
  }

  #addSmmu(host: SimulatedIommu, mergesEvents: boolean): void {
    const endpoints = new Endpoints();
    const driver: SmmuDriver = new SmmuDriver(host, this.memory, this.frames, {
      onEvents: () => events.schedule(),
      onPageRequests: () => pageRequests.schedule(),
      mergesEvents,
      endpoints,
    });
    let cookie = 0;
    const parts = {
      driver,
      memory: this.memory,
      findOwner: (streamID: number) => this.#attachments.ownerOf(host.id, streamID),
      nextCookie: () => ++cookie,
      deliver: (notice: FaultNotice) => this.#deliver(host.id, notice),
    };
    const pageRequests: PriQueueDriver = new PriQueueDriver(parts);
    const stalls = new Stalls(parts);
    const events: EventQueueDriver = new EventQueueDriver({
      ...parts,
      stalls,
      toGuest: (device, pa) => this.#attachments.ipaOf(device, pa),
      devices: () => this.#attachments.devicesBehind(host.id),
    });
    const vmids = new Vmids(driver.features.vmid16 ? 16 : 8);
    this.#smmus.set(host.id, { driver, events, vmids, endpoints, pageRequests, stalls });
  }
}

/** The default domain's STE for one stream. */
export function hostSTE(driver: SmmuDriver, streamID: number): SteWords {
  return defaultDomainSTE(driver.contextOf(streamID), driver.features);
}
