// What every change of a group's stage has in common: who may, what is journaled around the backend's call, and how the
// records are swapped and the change told. The group's queue is held throughout.

import type { PartHandle, PlainStage } from "../../backends/backend.ts";
import type { DeviceID } from "../../backends/ids.ts";
import { ABORT_VSTE, BYPASS_VSTE } from "../../backends/vste.ts";
import { assert } from "../../spec/assert.ts";
import { requireNotOthers } from "./admission.ts";
import type { ArbiterDeps } from "./arbiter.ts";
import type { DeviceRecord } from "./device.ts";
import { type GroupRecord, type StageChange, staged } from "./group.ts";
import { next, type StageTrigger } from "./stage-state.ts";
import type { QueueKey } from "./work-queues.ts";

/** A device and the group it is in. */
export interface Subject {
  readonly device: DeviceRecord;
  readonly group: GroupRecord;
}

export class StageChanges {
  readonly #deps: ArbiterDeps;

  constructor(deps: ArbiterDeps) {
    this.#deps = deps;
  }

  keyOf(device: DeviceID): QueueKey {
    return { kind: "group", id: this.#deps.registry.device(device).host.group };
  }

  /** The device and its group, refused when the session is gone or the group is another's. */
  admit(session: string, id: DeviceID): Subject {
    const { events, registry, sessions } = this.#deps;
    sessions.requireLive(session);
    const device = registry.device(id);
    const group = registry.group(device.host.group);
    if (group.owner !== undefined && group.owner !== session) {
      const ownerState = sessions.view(group.owner)?.state ?? "ending";
      events.emit({ type: "leaseConflict", device: id, session, owner: group.owner, ownerState });
    }
    requireNotOthers(group, device, session, group.owner === undefined ? undefined : sessions.owner(group.owner));
    return { device, group };
  }

  partOf(group: GroupRecord): PartHandle {
    const { registry } = this.#deps;
    assert(group.owner !== undefined && group.virtualIommu !== undefined, `group ${group.id} has no virtual IOMMU`);
    const part = registry.virtualIommu(group.virtualIommu, group.owner).parts.get(group.iommu);
    assert(part !== undefined, `virtual IOMMU ${group.virtualIommu} has no part for ${group.iommu}`);
    return part;
  }

  /**
   * Sets a whole group to stage-1 bypass or abort.
   * @throws what the backend threw; the previous stage is then still installed
   */
  async setPlain(group: GroupRecord, trigger: StageTrigger, stage: PlainStage, session: string): Promise<GroupRecord> {
    const to = next(group.state, trigger);
    const part = this.partOf(group);
    await this.journaled(trigger, group, session, () => this.#deps.backend.setPlainStage(group.id, part, stage));
    const vste = stage === "bypass" ? BYPASS_VSTE : ABORT_VSTE;
    const { owner, virtualIommu } = group;
    return this.commit(group, trigger, { state: to, owner, virtualIommu, vste });
  }

  /** @param session  on whose behalf; undefined: the administrator's */
  async journaled(
    verb: string,
    group: GroupRecord,
    session: string | undefined,
    act: () => Promise<void>,
  ): Promise<void> {
    const { journal } = this.#deps.ports;
    const entry = { verb, session, subject: `group/${group.id}`, generation: group.generation };
    await journal.append({ ...entry, kind: "intent", result: "pending" });
    try {
      await act();
    } catch (error) {
      await journal.append({ ...entry, kind: "outcome", result: "failed" });
      throw error;
    }
    await journal.append({ ...entry, kind: "outcome", result: "done" });
  }

  /** Sets a group to abort whose owner is gone. Not one that is vended: its DMA is the holder's of its descriptors. */
  async abort(group: GroupRecord, session: string): Promise<GroupRecord> {
    if (group.state === "guest-abort" || group.state === "vended") return group;
    return await this.setPlain(group, "ownerLost", "abort", session);
  }

  commit(before: GroupRecord, trigger: StageTrigger, change: StageChange): GroupRecord {
    const { events, registry } = this.#deps;
    const after = staged(registry.group(before.id), change);
    registry.putGroup(after);
    events.emit({
      type: "stageChanged",
      group: after.id,
      devices: after.devices,
      from: before.state,
      to: after.state,
      trigger,
      generation: after.generation,
      session: before.owner ?? after.owner,
      vste: { from: before.vste, to: after.vste },
      pageTable: after.pageTable,
    });
    return after;
  }
}
