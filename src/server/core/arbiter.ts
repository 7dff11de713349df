// The arbiter: every change of a group's stage passes here, one at a time for each group.
// The path is always the same: admit (pure, on snapshots, inside the queues) → journal the intent → ask the backend →
// journal the outcome → swap the records → tell. A refusal or a failure leaves records and hardware as they were.
// Each verb has its file: attach.ts, bind.ts, reset.ts, descriptors.ts, releasing.ts;
// waiting.ts and preemption.ts for a device that is another's.

import type { Backend, PlainStage } from "../../backends/backend.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { AddressSpaces } from "./address-space.ts";
import { Attachments } from "./attach.ts";
import { Binds } from "./bind.ts";
import type { CallGate } from "./call-gate.ts";
import { Descriptors } from "./descriptors.ts";
import type { BrokerEvents } from "./events.ts";
import type { FaultRouter } from "./fault-router.ts";
import type { GroupRecord } from "./group.ts";
import type { CoreLimits } from "./limits.ts";
import type { Permissions } from "./permissions.ts";
import type { Ports } from "./ports.ts";
import { Preemptions } from "./preemption.ts";
import { deviceView } from "./record-views.ts";
import type { Registry } from "./registry.ts";
import { Releasing } from "./releasing.ts";
import { Resets } from "./reset.ts";
import type { Sessions } from "./sessions.ts";
import { StageChanges } from "./stage-change.ts";
import type { StageTrigger } from "./stage-state.ts";
import type { AttachRequest, BindOutcome, BindRequest, HandedOut, StageVerbs, VendRequest } from "./stage-verbs.ts";
import type { DeviceView } from "./views.ts";
import { WaitingLines } from "./waiting.ts";
import type { WorkQueues } from "./work-queues.ts";

export interface ArbiterDeps {
  readonly backend: Backend;
  readonly ports: Ports;
  readonly limits: CoreLimits;
  readonly registry: Registry;
  readonly sessions: Sessions;
  readonly queues: WorkQueues;
  readonly spaces: AddressSpaces;
  readonly faults: FaultRouter;
  readonly events: BrokerEvents;
  readonly permissions: Permissions;
}

interface DeviceRequest {
  readonly device: DeviceID;
  readonly expectedGeneration: bigint | undefined;
}

export class Arbiter implements StageVerbs {
  readonly #deps: ArbiterDeps;
  readonly #changes: StageChanges;
  readonly #resets: Resets;
  readonly #lines: WaitingLines;
  readonly #attachments: Attachments;
  readonly #binds: Binds;
  readonly #descriptors: Descriptors;
  readonly #releasing: Releasing;

  constructor(deps: ArbiterDeps) {
    this.#deps = deps;
    const changes = new StageChanges(deps);
    const view = (device: DeviceID): DeviceView => this.view(device);
    const resets = new Resets({ ...deps, changes, view });
    const { alarms } = deps.ports;
    const lines = new WaitingLines({ ...deps, alarms, isResetting: (group) => resets.isRunning(group) });
    const preemptions = new Preemptions({ ...deps, changes, resets, lines });
    this.#attachments = new Attachments({ ...deps, changes, resets, lines, preemptions, view });
    this.#binds = new Binds({ ...deps, changes, resets, view });
    this.#descriptors = new Descriptors({ ...deps, changes, resets, lines, view });
    this.#releasing = new Releasing({ ...deps, resets });
    this.#changes = changes;
    this.#resets = resets;
    this.#lines = lines;
  }

  view(device: DeviceID): DeviceView {
    const { registry, sessions } = this.#deps;
    return deviceView(registry, device, {
      owner: (id) => sessions.owner(id) ?? { id, displayName: "a session that is being ended" },
      waiters: (group) => this.#lines.count(group),
    });
  }

  /** Calls that wait for a device. */
  waiting(): number {
    return this.#lines.total();
  }

  async attach(session: string, request: AttachRequest, gate?: CallGate): Promise<DeviceView> {
    return await this.#attachments.attach(session, request, gate);
  }

  async detach(session: string, request: DeviceRequest, gate?: CallGate): Promise<DeviceView> {
    return await this.#attachments.detach(session, request, gate);
  }

  async bind(session: string, request: BindRequest, gate?: CallGate): Promise<BindOutcome> {
    return await this.#binds.bind(session, request, gate);
  }

  async unbind(session: string, request: DeviceRequest, gate?: CallGate): Promise<DeviceView> {
    return await this.#binds.unbind(session, request, gate);
  }

  async reset(session: string, request: DeviceRequest, gate?: CallGate): Promise<DeviceView> {
    return await this.#resets.reset(session, request, gate);
  }

  async unquarantine(device: DeviceID): Promise<DeviceView> {
    return await this.#resets.unquarantine(device);
  }

  /** Refuses a device whose group is being reset. */
  requireNotResetting(device: DeviceID): void {
    this.#resets.requireNone(device);
  }

  async getDescriptor(session: string, request: DeviceRequest, gate?: CallGate): Promise<HandedOut> {
    return await this.#descriptors.get(session, request, gate);
  }

  async vend(session: string, request: VendRequest, gate?: CallGate): Promise<HandedOut> {
    return await this.#descriptors.vend(session, request, gate);
  }

  /** Sets a group to abort whose owner is gone, as far as that is in the broker's power. The group's queue is held. */
  async abort(group: GroupRecord, session: string): Promise<GroupRecord> {
    return await this.#changes.abort(group, session);
  }

  /** Gives a withheld group to the host if nobody holds a descriptor of it any more. The group's queue is held. */
  async free(group: GroupRecord): Promise<GroupRecord> {
    return await this.#resets.free(group);
  }

  /** Looks at every withheld group: the daemon's tick, where nobody tells that the last copy was closed. */
  async freeAll(): Promise<void> {
    await this.#releasing.freeAll();
  }

  /**
   * Sets a whole group to stage-1 bypass or abort. The group's queue is held.
   * @throws what the backend threw; the previous stage is then still installed
   */
  async setPlain(group: GroupRecord, trigger: StageTrigger, stage: PlainStage, session: string): Promise<GroupRecord> {
    return await this.#changes.setPlain(group, trigger, stage, session);
  }

  /**
   * Gives a group back, whoever owned it: reset, then the host's default domain, or quarantine. The group's queue is held.
   * @param leaving  a device that is about to disappear
   */
  async release(group: GroupRecord, session: string, leaving?: DeviceID): Promise<GroupRecord> {
    return await this.#resets.release(group, session, leaving);
  }
}
