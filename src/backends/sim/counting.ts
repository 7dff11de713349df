// What the simulated host counts: for each SMMU what its model counts, for each attached device its streams' translations
// and its interrupt messages, from its attachment to its release.

import type { DeviceCounters, IommuCounters } from "../counters.ts";
import type { DeviceID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import type { StreamCounters } from "../smmuv3/smmu.ts";
import type { MsiDoorbell } from "./msi-doorbell.ts";
import type { SmmuDriver } from "./smmu-driver.ts";

export class DeviceCounting {
  readonly #doorbell: MsiDoorbell;
  readonly #streams = new Map<DeviceID, readonly StreamCounters[]>();

  constructor(doorbell: MsiDoorbell) {
    this.#doorbell = doorbell;
  }

  begin(device: HostDevice, driver: SmmuDriver): void {
    this.#doorbell.begin(device.id);
    this.#streams.set(
      device.id,
      device.streamIDs.map((streamID) => driver.track(streamID)),
    );
  }

  /** Its log of messages begins anew; what its streams did still counts. */
  reset(id: DeviceID): void {
    if (this.#streams.has(id)) this.#doorbell.begin(id);
  }

  end(device: HostDevice, driver: SmmuDriver): void {
    for (const streamID of device.streamIDs) driver.smmu.untrackStream(streamID);
    this.#doorbell.end(device.id);
    this.#streams.delete(device.id);
  }

  counters(): readonly DeviceCounters[] {
    return [...this.#streams].map(([device, streams]) => deviceCounters(device, streams, this.#doorbell.total(device)));
  }
}

export function iommuCounters({ host, smmu }: SmmuDriver): IommuCounters {
  return {
    iommu: host.id,
    transactions: smmu.counters.transaction,
    tlbHits: smmu.counters.tlbHit,
    tlbMisses: smmu.counters.tlbMiss,
    configCacheMisses: smmu.counters.configCacheMiss,
    transTableWalkAccesses: smmu.counters.transTableWalkAccess,
    configStructAccesses: smmu.counters.configStructAccess,
    commands: smmu.counters.commands,
    eventsRecorded: smmu.counters.eventsRecorded,
    eventsDropped: smmu.counters.eventsDropped,
    eventsMerged: smmu.counters.eventsMerged,
  };
}

function deviceCounters(device: DeviceID, streams: readonly StreamCounters[], msis: number): DeviceCounters {
  const sum = (of: (counters: StreamCounters) => number): number => streams.reduce((total, one) => total + of(one), 0);
  const faults: Record<string, number> = {};
  for (const stream of streams) {
    for (const [type, count] of Object.entries(stream.faults)) faults[type] = (faults[type] ?? 0) + count;
  }
  return {
    device,
    translationsOk: sum((one) => one.translationsOk),
    translationsFaulted: sum((one) => one.translationsFaulted),
    translationsAborted: sum((one) => one.translationsAborted),
    msis,
    faults,
  };
}
