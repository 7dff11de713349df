// What the simulated host counts: for each SMMU what its model counts, for each attached device its streams' translations
// and its interrupt messages, from its attachment to its release.

import { COMMAND } from "../../spec/commands.ts";
import type { DeviceCounters, FaultCount, IommuCounters } from "../counters.ts";
import type { DeviceID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import type { StreamCounters } from "../smmuv3/smmu.ts";
import type { FaultKind } from "../told-faults.ts";
import type { HostSmmu } from "./host.ts";
import type { MsiDoorbell } from "./msi-doorbell.ts";
import type { SmmuDriver } from "./smmu-driver.ts";

export class DeviceCounting {
  readonly #doorbell: MsiDoorbell;
  readonly #streams = new Map<DeviceID, readonly StreamCounters[]>();
  readonly #tells = new Map<DeviceID, readonly FaultKind[]>();

  constructor(doorbell: MsiDoorbell) {
    this.#doorbell = doorbell;
  }

  begin(device: HostDevice, driver: SmmuDriver): void {
    this.#doorbell.begin(device.id);
    this.#tells.set(device.id, driver.host.toldFaults ?? []);
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
    this.#tells.delete(device.id);
  }

  counters(): readonly DeviceCounters[] {
    return [...this.#streams].map(([device, streams]) => ({
      ...deviceCounters(device, streams, this.#doorbell.total(device)),
      tells: this.#tells.get(device) ?? [],
    }));
  }
}

/** Names and opcodes of the commands that invalidate: configuration (§4.3), TLBs (§4.4), ATCs (§4.5.1). */
const INVALIDATIONS = Object.entries(COMMAND).filter(([name]) => /^CMD_(?:CFGI|TLBI|ATC_INV)/.test(name));

export function iommuCounters({ driver: { host, smmu }, stalls }: HostSmmu): IommuCounters {
  return {
    iommu: host.id,
    transactions: smmu.counters.transaction,
    tlbHits: smmu.counters.tlbHit,
    tlbMisses: smmu.counters.tlbMiss,
    configCacheMisses: smmu.counters.configCacheMiss,
    transTableWalkAccesses: smmu.counters.transTableWalkAccess,
    configStructAccesses: smmu.counters.configStructAccess,
    commands: smmu.counters.commands,
    invalidations: Object.fromEntries(
      INVALIDATIONS.map(([name, opcode]) => [name, smmu.counters.commandsByOpcode[opcode] ?? 0]),
    ),
    eventsRecorded: smmu.counters.eventsRecorded,
    eventsDropped: smmu.counters.eventsDropped,
    eventQueueOverflows: smmu.counters.eventQueueOverflows,
    eventsMerged: smmu.counters.eventsMerged,
    stallsOutstanding: stalls.size,
  };
}

function deviceCounters(
  device: DeviceID,
  streams: readonly StreamCounters[],
  msis: number,
): Omit<DeviceCounters, "tells"> {
  const sum = (of: (counters: StreamCounters) => number): number => streams.reduce((total, one) => total + of(one), 0);
  const faults = new Map<number, FaultCount>();
  for (const stream of streams) {
    for (const [key, fault] of stream.faults) {
      faults.set(key, { ...fault, count: fault.count + (faults.get(key)?.count ?? 0) });
    }
  }
  return {
    device,
    translationsOk: sum((one) => one.translationsOk),
    translationsFaulted: sum((one) => one.translationsFaulted),
    translationsAborted: sum((one) => one.translationsAborted),
    msis,
    faults: [...faults.values()],
  };
}
