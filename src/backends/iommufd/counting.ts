// What is counted natively: the faults that were told, by device, type, stage and class, and what the SMMUs' own counters
// (pmcg.ts) say. Of a device's transactions the kernel counts nothing for anybody, so there are no such numbers.

import type { BackendCounters, FaultCount, IommuCounters } from "../counters.ts";
import type { FaultRecord } from "../faults.ts";
import type { DeviceID } from "../ids.ts";
import type { FaultKind } from "../told-faults.ts";

const UNCOUNTED = {
  translationsOk: undefined,
  translationsFaulted: undefined,
  translationsAborted: undefined,
  msis: undefined,
};

/** A group may be open, and its pinned counters still count nothing: others have the hardware. */
function isCounting(of: IommuCounters): boolean {
  return [of.transactions, of.tlbMisses, of.configCacheMisses, of.transTableWalkAccesses].some(
    (value) => value !== undefined,
  );
}

export class FaultCounting {
  readonly #faults = new Map<DeviceID, Map<string, FaultCount>>();

  begin(device: DeviceID): void {
    this.#faults.set(device, new Map());
  }

  count({ class: accessed, device, stage, type }: FaultRecord): void {
    const counts = this.#faults.get(device);
    const kind = `${type} ${stage} ${accessed}`;
    const count = (counts?.get(kind)?.count ?? 0) + 1;
    counts?.set(kind, { type, stage, class: accessed, count });
  }

  end(device: DeviceID): void {
    this.#faults.delete(device);
  }

  /**
   * @param iommus  of the SMMUs' own counters
   * @param tellsOf  which faults can be told of a device
   */
  counters(iommus: readonly IommuCounters[], tellsOf: (device: DeviceID) => readonly FaultKind[]): BackendCounters {
    const devices = [...this.#faults].map(([device, faults]) => ({
      ...UNCOUNTED,
      device,
      tells: tellsOf(device),
      faults: [...faults.values()],
    }));
    return { hasTranslationCounters: iommus.some(isCounting), iommus, devices };
  }
}
