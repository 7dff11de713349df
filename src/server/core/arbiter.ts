// The arbiter: every change of a group's stage passes here, one at a time for each group.
// The path is always the same: admit (pure, on snapshots, inside the queues) → journal the intent → ask the backend →
// journal the outcome → swap the records → tell. A refusal or a failure leaves records and hardware as they were.

import type { AddressSpaceHandle, Backend, PartHandle, PlainStage } from "../../backends/backend.ts";
import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { DeviceID, IommuID, VirtualStreamID } from "../../backends/ids.ts";
import { ABORT_VSTE, BYPASS_VSTE, type VSTE } from "../../backends/vste.ts";
import { assert } from "../../spec/assert.ts";
import { get } from "../../spec/layout.ts";
import { IDR1 } from "../../spec/registers.ts";
import type { AddressSpaces } from "./address-space.ts";
import { type BindDecision, decideBind, requireAttached, requireGeneration, requireNotOthers } from "./admission.ts";
import { requireFit, translateRefusal } from "./capability.ts";
import type { BindOutcome, CallGate, StageVerbs } from "./core.ts";
import { attachedDevice, type DeviceRecord, detachedDevice, namedDevice } from "./device.ts";
import type { BrokerEvents } from "./events.ts";
import type { FaultRouter } from "./fault-router.ts";
import { type GroupRecord, staged } from "./group.ts";
import type { CoreLimits } from "./limits.ts";
import type { Permissions } from "./permissions.ts";
import type { Subject as PolicySubject } from "./policy.ts";
import type { Ports } from "./ports.ts";
import { deviceView, type Registry, type VirtualIommuRecord } from "./registry.ts";
import type { Sessions } from "./sessions.ts";
import { next, type StageTrigger } from "./stage-state.ts";
import type { DeviceView } from "./views.ts";
import type { QueueKey, WorkQueues } from "./work-queues.ts";

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

interface BindRequest {
  readonly device: DeviceID;
  readonly virtualStreamID: VirtualStreamID | undefined;
  readonly vste: VSTE;
  readonly validateOnly: boolean;
  readonly expectedGeneration: bigint | undefined;
}

interface Subject {
  readonly device: DeviceRecord;
  readonly group: GroupRecord;
}

export class Arbiter implements StageVerbs {
  readonly #deps: ArbiterDeps;

  constructor(deps: ArbiterDeps) {
    this.#deps = deps;
  }

  view(device: DeviceID): DeviceView {
    const { registry, sessions } = this.#deps;
    return deviceView(
      registry,
      device,
      (id) => sessions.view(id) ?? { id, displayName: "a session that is being ended", ttlMs: 0 },
    );
  }

  async attach(
    session: string,
    request: {
      device: DeviceID;
      virtualIommu: string;
      initial: PlainStage;
      expectedGeneration: bigint | undefined;
    },
    gate?: CallGate,
  ): Promise<DeviceView> {
    const { permissions, queues, registry, sessions } = this.#deps;
    const { caller } = sessions.requireLive(session);
    permissions.admit(caller, "AttachDevice", this.#policySubject(request.device));
    const virtual = registry.virtualIommu(request.virtualIommu, session);
    return await queues.run(
      [
        { kind: "address-space", id: virtual.addressSpace },
        { kind: "virtual-iommu", id: virtual.id },
        this.#groupKey(request.device),
      ],
      () => this.#attach(session, request),
      gate,
    );
  }

  async detach(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate?: CallGate,
  ): Promise<DeviceView> {
    return await this.#deps.queues.run(
      [this.#groupKey(request.device)],
      async () => {
        const { device, group } = this.#admit(session, request.device);
        requireGeneration(group, request.expectedGeneration);
        if (device.attached) await this.#detach(device, group, session);
        return this.view(request.device);
      },
      gate,
    );
  }

  async bind(session: string, request: BindRequest, gate?: CallGate): Promise<BindOutcome> {
    const { queues, registry } = this.#deps;
    const found = registry.groupOf(request.device);
    const virtual =
      found.owner === session && found.virtualIommu !== undefined
        ? registry.virtualIommu(found.virtualIommu, session)
        : undefined;
    const keys: QueueKey[] = [this.#groupKey(request.device)];
    if (virtual) {
      keys.unshift({ kind: "virtual-iommu", id: virtual.id });
      // ON_FIRST_BIND: populated or not, another bind may be filling the address space, or taking that back.
      const { pinning } = registry.addressSpace(virtual.addressSpace, session);
      if (pinning === "on-first-bind") keys.unshift({ kind: "address-space", id: virtual.addressSpace });
    }
    return await queues.run(
      keys,
      () => {
        const group = registry.groupOf(request.device);
        if (group.owner === session && group.virtualIommu !== virtual?.id) throw movedMeanwhile(request.device, group);
        return this.#bind(session, request);
      },
      gate,
    );
  }

  async unbind(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate?: CallGate,
  ): Promise<DeviceView> {
    return await this.#deps.queues.run(
      [this.#groupKey(request.device)],
      async () => {
        const { device, group } = this.#admit(session, request.device);
        requireGeneration(group, request.expectedGeneration);
        if (device.attached && group.state !== "nest-parent") {
          await this.setPlain(group, "unbind", "bypass", session);
        }
        return this.view(request.device);
      },
      gate,
    );
  }

  /**
   * Sets a whole group to stage-1 bypass or abort. The group's queue is held.
   * @throws what the backend threw; the previous stage is then still installed
   */
  async setPlain(group: GroupRecord, trigger: StageTrigger, stage: PlainStage, session: string): Promise<GroupRecord> {
    const to = next(group.state, trigger);
    const part = this.#partOf(group);
    await this.#journaled(trigger, group, session, () => this.#deps.backend.setPlainStage(group.id, part, stage));
    const vste = stage === "bypass" ? BYPASS_VSTE : ABORT_VSTE;
    const { owner, virtualIommu } = group;
    return this.#commit(group, trigger, { state: to, owner, virtualIommu, vste });
  }

  /** Gives a group back to the host's default domain, whoever owned it. The group's queue is held. */
  async release(group: GroupRecord, session: string): Promise<GroupRecord> {
    const to = next(group.state, "release");
    await this.#journaled("release", group, session, () => this.#deps.backend.detach(group.id));
    for (const id of group.devices) {
      this.#deps.registry.putDevice(detachedDevice(this.#deps.registry.device(id)));
      this.#deps.faults.release(id);
    }
    return this.#commit(group, "release", { state: to, owner: undefined, virtualIommu: undefined, vste: undefined });
  }

  /** The device and its group, refused when the session is gone or the group is another's. */
  #admit(session: string, id: DeviceID): Subject {
    const { events, registry, sessions } = this.#deps;
    sessions.requireLive(session);
    const device = registry.device(id);
    const group = registry.group(device.host.group);
    if (group.owner !== undefined && group.owner !== session) {
      events.emit({ type: "leaseConflict", device: id, session, owner: group.owner });
    }
    requireNotOthers(group, device, session, group.owner === undefined ? undefined : sessions.view(group.owner));
    return { device, group };
  }

  async #attach(
    session: string,
    request: { device: DeviceID; virtualIommu: string; initial: PlainStage; expectedGeneration: bigint | undefined },
  ): Promise<DeviceView> {
    const { limits, permissions, registry, sessions } = this.#deps;
    const { device, group } = this.#admit(session, request.device);
    const virtual = registry.virtualIommu(request.virtualIommu, session);
    requireGeneration(group, request.expectedGeneration);
    if (group.virtualIommu !== undefined && group.virtualIommu !== virtual.id) throw elsewhere(device, group);
    if (device.attached) return this.view(request.device);
    if (registry.attachedCount(session) >= limits.devicesPerSessionMax) {
      throw limitReached("devices_per_session_max", limits.devicesPerSessionMax, "detach a device first");
    }
    const { caller } = sessions.requireLive(session);
    const subject = this.#policySubject(request.device);
    const settle = permissions.reserve(caller, { verb: "AttachDevice", subject, quota: "devices", amount: 1 });
    try {
      if (group.owner === undefined) await this.#attachGroup(session, group, virtual, request.initial);
      registry.putDevice(attachedDevice(registry.device(request.device)));
    } finally {
      settle();
    }
    return this.view(request.device);
  }

  /** Default domain → the virtual IOMMU's stage 2, making its part for this host IOMMU if it has none yet. */
  async #attachGroup(
    session: string,
    group: GroupRecord,
    virtual: VirtualIommuRecord,
    initial: PlainStage,
  ): Promise<void> {
    const { backend, faults, registry, sessions, spaces } = this.#deps;
    const host = registry.iommu(group.iommu);
    const space = registry.addressSpace(virtual.addressSpace, session);
    const trigger = initial === "bypass" ? "attach" : "attachAborted";
    const to = next(group.state, trigger);
    requireFit(host, virtual.registers, () => "virtual_iommu");
    spaces.requireReach(space, host);
    const part = virtual.parts.get(host.id) ?? (await this.#addPart(virtual, space.handle, host.id));
    try {
      sessions.requireLive(session); // making the part took its time
      await this.#journaled(trigger, group, session, () => backend.attach(group.id, part, initial));
    } catch (error) {
      if (!virtual.parts.has(host.id)) await this.#removePart(virtual.id, session, host.id);
      throw error;
    }
    for (const id of group.devices) faults.claim(id);
    const vste = initial === "bypass" ? BYPASS_VSTE : ABORT_VSTE;
    this.#commit(group, trigger, { state: to, owner: session, virtualIommu: virtual.id, vste });
  }

  /** The part is in the record as soon as there is one, so that nobody has to remember it who may fail. */
  async #addPart(virtual: VirtualIommuRecord, space: AddressSpaceHandle, iommu: IommuID): Promise<PartHandle> {
    const { backend, registry } = this.#deps;
    const part = await backend.createPart(space, iommu);
    registry.putVirtualIommu({ ...virtual, parts: new Map([...virtual.parts, [iommu, part]]) });
    return part;
  }

  /** A part that cannot be taken down stays in the record, and goes with its virtual IOMMU. */
  async #removePart(id: string, session: string, iommu: IommuID): Promise<void> {
    const { backend, registry } = this.#deps;
    const virtual = registry.virtualIommu(id, session);
    const parts = new Map(virtual.parts);
    try {
      await backend.destroyPart(parts.get(iommu)!);
    } catch {
      return;
    }
    parts.delete(iommu);
    registry.putVirtualIommu({ ...virtual, parts });
  }

  async #detach(device: DeviceRecord, group: GroupRecord, session: string): Promise<void> {
    const { backend, registry } = this.#deps;
    const others = group.devices.filter((id) => id !== device.host.id && registry.device(id).attached);
    if (others.length === 0) {
      await this.release(group, session);
      return;
    }
    if (device.virtualStreamID !== undefined) {
      await backend.setVirtualStreamID(device.host.id, this.#partOf(group), undefined);
    }
    registry.putDevice(detachedDevice(device));
  }

  async #bind(session: string, request: BindRequest): Promise<BindOutcome> {
    const { backend, registry } = this.#deps;
    const { device, group } = this.#admit(session, request.device);
    const { disposition } = request.vste;
    requireAttached(group, device, disposition === "translate" ? "bindTranslate" : "bindBypass");
    requireGeneration(group, request.expectedGeneration);
    const virtual = registry.virtualIommu(group.virtualIommu!, session);
    if (disposition === "translate") {
      const refusal = translateRefusal(device, group, registry.iommu(group.iommu));
      if (refusal) throw refusal;
    }
    const siblings = registry.devicesOfVirtualIommu(virtual.id).filter((other) => other.host.id !== device.host.id);
    const streamBits = get(new Uint32Array([virtual.registers.idr1]), 0, IDR1.SIDSIZE);
    const decision = decideBind(group, device, disposition, request.virtualStreamID, siblings, streamBits);
    if (request.validateOnly) {
      const preview = backend.previewStage(request.device, this.#partOf(group), request.vste);
      return { device: this.view(request.device), disposition, preview };
    }
    await this.#populated(virtual, session, disposition !== "abort", () =>
      this.#install(session, { device, group }, request.vste, decision),
    );
    return { device: this.view(request.device), disposition, preview: undefined };
  }

  async #install(session: string, subject: Subject, vste: VSTE, decision: BindDecision): Promise<void> {
    const { backend, registry } = this.#deps;
    const { device, group } = subject;
    const part = this.#partOf(group);
    const { trigger, to, virtualStreamID } = decision;
    await this.#journaled(trigger, group, session, async () => {
      if (vste.disposition === "translate") {
        assert(virtualStreamID !== undefined, "TRANSLATE was admitted without a virtual StreamID");
        await backend.bindGuestStage({ device: device.host.id, part, virtualStreamID, vste });
      } else {
        await this.#installPlain(subject, part, vste.disposition, virtualStreamID);
      }
    });
    registry.putDevice(namedDevice(device, virtualStreamID));
    const { owner, virtualIommu } = group;
    this.#commit(group, trigger, { state: to, owner, virtualIommu, vste });
  }

  /** The name first, then the stage: a stage that fails takes the old name back. */
  async #installPlain(
    { device, group }: Subject,
    part: PartHandle,
    stage: PlainStage,
    name: VirtualStreamID | undefined,
  ): Promise<void> {
    const { backend } = this.#deps;
    const renamed = name !== device.virtualStreamID;
    if (renamed) await backend.setVirtualStreamID(device.host.id, part, name);
    try {
      await backend.setPlainStage(group.id, part, stage);
    } catch (error) {
      if (renamed) await backend.setVirtualStreamID(device.host.id, part, device.virtualStreamID);
      throw error;
    }
  }

  /** Runs `install` with the address space populated if DMA shall pass; takes that back if `install` fails. */
  async #populated(
    virtual: VirtualIommuRecord,
    session: string,
    needed: boolean,
    install: () => Promise<void>,
  ): Promise<void> {
    const { spaces } = this.#deps;
    const filled = needed && (await spaces.populate(virtual.addressSpace, session));
    try {
      await install();
    } catch (error) {
      if (filled) await spaces.depopulate(virtual.addressSpace, session);
      throw error;
    }
  }

  async #journaled(verb: string, group: GroupRecord, session: string, act: () => Promise<void>): Promise<void> {
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

  #commit(
    before: GroupRecord,
    trigger: StageTrigger,
    change: Pick<GroupRecord, "state" | "owner" | "virtualIommu" | "vste">,
  ): GroupRecord {
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
    });
    return after;
  }

  #policySubject(id: DeviceID): PolicySubject {
    return { kind: "device", id, group: this.#deps.registry.findDevice(id)?.host.group };
  }

  #groupKey(device: DeviceID): QueueKey {
    return { kind: "group", id: this.#deps.registry.device(device).host.group };
  }

  #partOf(group: GroupRecord): PartHandle {
    const { registry } = this.#deps;
    assert(group.owner !== undefined && group.virtualIommu !== undefined, `group ${group.id} has no virtual IOMMU`);
    const part = registry.virtualIommu(group.virtualIommu, group.owner).parts.get(group.iommu);
    assert(part !== undefined, `virtual IOMMU ${group.virtualIommu} has no part for ${group.iommu}`);
    return part;
  }
}

/** The queues were chosen by where the device was; it moved while the call waited. */
function movedMeanwhile(device: DeviceID, group: GroupRecord): BrokerError {
  return new BrokerError("fenced", `device ${device} changed hands while the call waited: read the device again`, {
    device,
    generation: group.generation,
  });
}

function elsewhere(device: DeviceRecord, group: GroupRecord): BrokerError {
  return new BrokerError(
    "transition_illegal",
    `device ${device.host.id} is in virtual IOMMU ${group.virtualIommu}: detach its IOMMU group first`,
    { device: device.host.id, group: group.id, virtual_iommu: group.virtualIommu ?? "", state: group.state },
  );
}
