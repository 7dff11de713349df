// How the simulated devices take a function-level reset: at once and with success, unless the configuration says else.
// Devices that were added later are like that too. And how often it came to that: who goes on later looks at the count.

import type { ResetOutcome } from "../backend.ts";
import type { DeviceID } from "../ids.ts";
import type { ResetBehaviour, SimulatedDeviceConfig } from "./inventory.ts";

export class SimulatedResets {
  readonly #devices: ReadonlyMap<string, { readonly behaviour: ResetBehaviour; readonly ms: number }>;
  readonly #counts = new Map<DeviceID, number>();

  constructor(devices: readonly SimulatedDeviceConfig[]) {
    this.#devices = new Map(
      devices.flatMap(({ id, reset = "works", resetMs = 0 }) =>
        reset === "works" && resetMs === 0 ? [] : [[id, { behaviour: reset, ms: resetMs }]],
      ),
    );
  }

  /** Takes the time that the device takes. */
  async reset(id: string): Promise<ResetOutcome> {
    const { behaviour, ms } = this.#devices.get(id) ?? { behaviour: "works", ms: 0 };
    if (behaviour === "absent") return { kind: "absent", reason: "it has no function-level reset" };
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    return behaviour === "works" ? { kind: "done" } : { kind: "failed", reason: "it does not answer any more" };
  }

  /** How often a device was reset, or went back to the host: a DMA that was under way does not go on. */
  countOf(id: DeviceID): number {
    return this.#counts.get(id) ?? 0;
  }

  count(id: DeviceID): void {
    this.#counts.set(id, this.countOf(id) + 1);
  }

  /** The device was removed. */
  forget(id: DeviceID): void {
    this.#counts.delete(id);
  }
}
