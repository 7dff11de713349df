// Between the broker and the simulated backend: calls that fail, devices that do not come out of a reset, and what was made
// and not destroyed. The hardware of a broker that has died tells nobody anything.

import type { AddressSpaceHandle, Backend, PartHandle, ResetOutcome } from "../../src/backends/backend.ts";
import type { FaultNotice } from "../../src/backends/faults.ts";
import type { DeviceID } from "../../src/backends/ids.ts";
import type { SimulatorControl } from "../../src/backends/simulator-control.ts";
import { Failures } from "../support/host.ts";

export interface HardwareListener {
  onFault(notice: FaultNotice): void;
  onReset(device: DeviceID): void;
}

type Verbs = "createAddressSpace" | "destroyAddressSpace" | "createPart" | "destroyPart" | "onFault" | "reset";

export class Hardware {
  readonly failures = new Failures();
  /** Of devices that do not simply come out of a reset. */
  readonly wear = new Map<DeviceID, ResetOutcome["kind"]>();
  /** Address spaces and parts: HWPTs and VMIDs. */
  readonly spaces = new Set<AddressSpaceHandle>();
  readonly parts = new Set<PartHandle>();
  readonly #listener: HardwareListener;
  #current: Backend | undefined;

  constructor(listener: HardwareListener) {
    this.#listener = listener;
  }

  /** What a new broker is given for a backend. */
  under(backend: Backend & SimulatorControl): Backend {
    this.#current = backend;
    this.spaces.clear();
    this.parts.clear();
    const own = this.#verbs(backend);
    const watched = new Proxy(backend, {
      get: (target, key) => {
        const value: unknown = Reflect.get(key in own ? own : target, key, key in own ? own : target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    return this.failures.wrap(watched);
  }

  #verbs(backend: Backend): Pick<Backend, Verbs> {
    const isCurrent = () => this.#current === backend;
    return {
      createAddressSpace: async () => {
        const made = await backend.createAddressSpace();
        if (isCurrent()) this.spaces.add(made);
        return made;
      },
      destroyAddressSpace: async (space) => {
        await backend.destroyAddressSpace(space);
        if (isCurrent()) this.spaces.delete(space);
      },
      createPart: async (space, iommu) => {
        const made = await backend.createPart(space, iommu);
        if (isCurrent()) this.parts.add(made);
        return made;
      },
      destroyPart: async (part) => {
        await backend.destroyPart(part);
        if (isCurrent()) this.parts.delete(part);
      },
      onFault: (listener) =>
        backend.onFault((notice) => {
          if (isCurrent()) this.#listener.onFault(notice);
          listener(notice);
        }),
      reset: (device) => this.#reset(backend, device),
    };
  }

  /** Takes its time, so that others come upon it. */
  async #reset(backend: Backend, id: DeviceID): Promise<ResetOutcome> {
    await new Promise((resolve) => setImmediate(resolve));
    const outcome = this.wear.get(id) ?? "done";
    if (outcome !== "done") return { kind: outcome, reason: `${id} is worn` };
    const done = await backend.reset(id);
    if (this.#current === backend && done.kind === "done") this.#listener.onReset(id);
    return done;
  }
}
