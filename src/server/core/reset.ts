// Resets: at the owner's wish, and between owners. A device that cannot be reset, or fails to be, keeps what its last
// owner put into it; nobody gets it until an administrator says so: its group is quarantined, every DMA aborted.
// A reset changes no stage and no generation. While one runs, whoever would change the device's stage is refused at once.

import type { Backend, ResetOutcome } from "../../backends/backend.ts";
import { BrokerError } from "../../backends/errors.ts";
import type { DeviceID } from "../../backends/ids.ts";
import { requireGeneration, requireNotVended, requireOwned } from "./admission.ts";
import type { ArbiterDeps } from "./arbiter.ts";
import type { CallGate } from "./call-gate.ts";
import { detachedDevice } from "./device.ts";
import type { GroupRecord } from "./group.ts";
import type { StageChanges } from "./stage-change.ts";
import { next, type StageTrigger } from "./stage-state.ts";
import type { DeviceView } from "./views.ts";

/** After how long a call that met a reset may be worth another try. */
const RETRY_AFTER_MS = 100;

/** The ways out of an owner's hands, and what the backend does for each. */
const LEAVE = { release: "detach", quarantine: "block", withhold: "withhold" } as const satisfies Partial<
  Record<StageTrigger, keyof Backend>
>;
type Leaving = keyof typeof LEAVE;

interface Unclean {
  readonly device: DeviceID;
  readonly outcome: Exclude<ResetOutcome, { readonly kind: "done" }>;
}

export interface ResetDeps extends ArbiterDeps {
  readonly changes: StageChanges;
  view(device: DeviceID): DeviceView;
}

export class Resets {
  readonly #deps: ResetDeps;
  readonly #running = new Set<number>();

  constructor(deps: ResetDeps) {
    this.#deps = deps;
  }

  /** Refuses a device whose group is being reset. */
  requireNone(id: DeviceID): void {
    const { group } = this.#deps.registry.device(id).host;
    if (!this.isRunning(group)) return;
    throw new BrokerError(
      "device_resetting",
      `device ${id} is being reset: try again`,
      { device: id, group },
      { retryAfterMs: RETRY_AFTER_MS },
    );
  }

  isRunning(group: number): boolean {
    return this.#running.has(group);
  }

  /** At the wish of its owner. A device that does not come out of it stays the owner's, and is quarantined when released. */
  async reset(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate: CallGate | undefined,
  ): Promise<DeviceView> {
    const { changes, queues, registry, sessions, view } = this.#deps;
    if (registry.groupOf(request.device).owner === session) this.requireNone(request.device);
    return await queues.run(
      [changes.keyOf(request.device)],
      async () => {
        const { device, group } = changes.admit(session, request.device);
        requireOwned(group, device, session, sessions.view(session));
        requireNotVended(group, device);
        requireGeneration(group, request.expectedGeneration);
        const unclean = await this.#all(group, [request.device]);
        if (unclean !== undefined) throw refused(unclean);
        return view(request.device);
      },
      gate,
    );
  }

  /**
   * Takes a group from its owner: reset, then the host's default domain or, where a device could not be reset,
   * quarantine. Where others may hold descriptors of it, it is only withheld until they are closed. The group's queue is held.
   *
   * @param leaving  a device that is about to disappear: nobody gets it, so it need not be reset
   */
  async release(group: GroupRecord, session: string, leaving?: DeviceID): Promise<GroupRecord> {
    const { faults } = this.#deps;
    for (const id of group.devices) faults.leave(id);
    try {
      if (group.handedOut) return await this.#withhold(group, session);
      return await this.#giveToHost(group, session, leaving);
    } catch (error) {
      for (const id of group.devices) faults.stay(id);
      throw error;
    }
  }

  /** Gives a withheld group to the host if nobody holds a descriptor of it any more. The group's queue is held. */
  async free(group: GroupRecord): Promise<GroupRecord> {
    if (!(await this.#deps.backend.reclaim(group.id))) return group;
    return await this.#giveToHost(group, undefined, undefined);
  }

  /** It has left its owner whatever comes of the first look at it: a later one may do better. */
  async #withhold(group: GroupRecord, session: string): Promise<GroupRecord> {
    const withheld = await this.#leave(group, "withhold", session);
    try {
      return await this.free(withheld);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.#deps.events.emit({ type: "reapFailed", session: undefined, subject: `group/${group.id}`, error });
      return this.#deps.registry.group(group.id);
    }
  }

  async #giveToHost(
    group: GroupRecord,
    session: string | undefined,
    leaving: DeviceID | undefined,
  ): Promise<GroupRecord> {
    const staying = group.devices.filter((id) => id !== leaving);
    const unclean = await this.#all(group, staying);
    if (unclean === undefined) return await this.#leave(group, "release", session);
    const after = await this.#leave(group, "quarantine", session);
    const { device, outcome } = unclean;
    this.#deps.events.emit({ type: "quarantined", device, group: group.id, reason: outcome.reason });
    return after;
  }

  /** The administrator vouches for a device that cannot be reset; one that can must come out of it now. */
  async unquarantine(id: DeviceID): Promise<DeviceView> {
    const { changes, queues, registry, view } = this.#deps;
    return await queues.run([changes.keyOf(id)], async () => {
      const group = registry.groupOf(id);
      if (group.state !== "quarantined") throw notQuarantined(id, group);
      const unclean = await this.#all(group, group.devices);
      if (unclean?.outcome.kind === "failed") throw refused(unclean);
      await this.#leave(group, "release", undefined);
      return view(id);
    });
  }

  /** Resets them one after the other. @returns the first that did not come out clean */
  async #all(group: GroupRecord, devices: readonly DeviceID[]): Promise<Unclean | undefined> {
    const results: { device: DeviceID; outcome: ResetOutcome }[] = [];
    this.#running.add(group.id);
    try {
      for (const device of devices) results.push({ device, outcome: await this.#one(device) });
    } finally {
      this.#running.delete(group.id);
    }
    for (const { device, outcome } of results) {
      this.#deps.events.emit({ type: "deviceReset", device, result: outcome.kind });
    }
    for (const { device, outcome } of results) if (outcome.kind !== "done") return { device, outcome };
    return undefined;
  }

  /** A backend that cannot say how it went is one that failed. */
  async #one(device: DeviceID): Promise<ResetOutcome> {
    try {
      return await this.#deps.backend.reset(device);
    } catch (error) {
      if (error instanceof BrokerError) return { kind: "failed", reason: error.message };
      throw error;
    }
  }

  async #leave(group: GroupRecord, trigger: Leaving, session: string | undefined): Promise<GroupRecord> {
    const { backend, changes, faults, ports, registry } = this.#deps;
    const to = next(group.state, trigger);
    for (const id of group.devices) ports.deviceTickets.void(id);
    await changes.journaled(trigger, group, session, () => backend[LEAVE[trigger]](group.id));
    for (const id of group.devices) {
      registry.putDevice(detachedDevice(registry.device(id)));
      faults.release(id);
    }
    const nobodys = { owner: undefined, virtualIommu: undefined, vste: undefined };
    return changes.commit(group, trigger, { ...nobodys, state: to, handedOut: trigger === "withhold" });
  }
}

function refused({ device, outcome }: Unclean): BrokerError {
  if (outcome.kind === "absent") {
    return new BrokerError("backend_unsupported", `device ${device} cannot be reset: ${outcome.reason}`, { device });
  }
  return new BrokerError("backend_failed", `device ${device} did not come out of its reset: ${outcome.reason}`, {
    device,
  });
}

function notQuarantined(device: DeviceID, { state }: GroupRecord): BrokerError {
  return new BrokerError("transition_illegal", `device ${device} is not quarantined: it is in state ${state}`, {
    device,
    state,
  });
}
