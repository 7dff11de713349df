// What is counted natively: the faults that were told, by device and name. Of transactions, TLBs and walks the kernel counts
// nothing for anybody, so there are no such numbers.

import type { BackendCounters } from "../counters.ts";
import type { FaultRecord } from "../faults.ts";
import type { DeviceID } from "../ids.ts";

const UNCOUNTED = {
  translationsOk: undefined,
  translationsFaulted: undefined,
  translationsAborted: undefined,
  msis: undefined,
};

export class FaultCounting {
  readonly #faults = new Map<DeviceID, Map<string, number>>();

  begin(device: DeviceID): void {
    this.#faults.set(device, new Map());
  }

  count({ device, type }: FaultRecord): void {
    const counts = this.#faults.get(device);
    counts?.set(type, (counts.get(type) ?? 0) + 1);
  }

  end(device: DeviceID): void {
    this.#faults.delete(device);
  }

  counters(): BackendCounters {
    const devices = [...this.#faults].map(([device, faults]) => ({
      ...UNCOUNTED,
      device,
      faults: Object.fromEntries(faults),
    }));
    return { iommus: [], devices };
  }
}
