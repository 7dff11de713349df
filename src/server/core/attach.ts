// Attach and detach: from the host's default domain into a virtual IOMMU and back.
// Whoever may wait does so outside the queues, in the group's line, and tries again when its turn comes.

import type { AddressSpaceHandle, PartHandle, PlainStage } from "../../backends/backend.ts";
import { BrokerError, invalidField, limitReached } from "../../backends/errors.ts";
import type { DeviceID, IommuID } from "../../backends/ids.ts";
import { ABORT_VSTE, BYPASS_VSTE } from "../../backends/vste.ts";
import { requireGeneration, requireNotQuarantined, requireNotReleasing, requireNotVended } from "./admission.ts";
import type { ArbiterDeps } from "./arbiter.ts";
import type { CallGate } from "./call-gate.ts";
import { requireFit } from "./capability.ts";
import { attachedDevice, type DeviceRecord, detachedDevice } from "./device.ts";
import type { GroupRecord } from "./group.ts";
import type { Subject } from "./policy.ts";
import type { Preemptions } from "./preemption.ts";
import type { VirtualIommuRecord } from "./registry.ts";
import type { Resets } from "./reset.ts";
import type { StageChanges } from "./stage-change.ts";
import { next } from "./stage-state.ts";
import type { AttachRequest } from "./stage-verbs.ts";
import type { DeviceView } from "./views.ts";
import type { Waiter, WaitingLines } from "./waiting.ts";

export interface AttachDeps extends ArbiterDeps {
  readonly changes: StageChanges;
  readonly resets: Resets;
  readonly lines: WaitingLines;
  readonly preemptions: Preemptions;
  view(device: DeviceID): DeviceView;
}

export class Attachments {
  readonly #deps: AttachDeps;

  constructor(deps: AttachDeps) {
    this.#deps = deps;
  }

  async attach(session: string, request: AttachRequest, gate: CallGate | undefined): Promise<DeviceView> {
    const { limits, permissions, sessions } = this.#deps;
    const { attachWaitMaxMs } = limits;
    const { caller } = sessions.requireLive(session);
    permissions.admit(caller, "AttachDevice", this.#policySubject(request.device));
    const { preempt = false, waitMs = 0 } = request;
    if (waitMs > attachWaitMaxMs) {
      throw invalidField("wait_ms", `${waitMs} is above limits.attach_wait_max_ms (${attachWaitMaxMs})`, {
        wait_ms: waitMs,
        attach_wait_max_ms: attachWaitMaxMs,
      });
    }
    try {
      return await this.#try(session, request, undefined, gate);
    } catch (error) {
      if (!((preempt || waitMs > 0) && error instanceof BrokerError && isBusy(error))) throw error;
      return await this.#inLine(session, request, error, gate);
    }
  }

  async detach(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate: CallGate | undefined,
  ): Promise<DeviceView> {
    const { changes, queues, view } = this.#deps;
    return await queues.run(
      [changes.keyOf(request.device)],
      async () => {
        const { device, group } = changes.admit(session, request.device);
        requireGeneration(group, request.expectedGeneration);
        if (device.attached) await this.#detach(device, group, session);
        return view(request.device);
      },
      gate,
    );
  }

  /** Waits for the device, and tries whenever it may be had. However it ends, the next in line gets its chance. */
  async #inLine(
    session: string,
    request: AttachRequest,
    busy: BrokerError,
    gate: CallGate | undefined,
  ): Promise<DeviceView> {
    const { limits, lines, preemptions, registry } = this.#deps;
    const { group } = registry.device(request.device).host;
    const { preempt = false, waitMs = 0 } = request;
    const waiter = preempt
      ? preemptions.begin(session, request.device, waitMs === 0 ? limits.attachWaitMaxMs : waitMs, busy)
      : lines.join(group, { session, waitMs, busy, rank: undefined });
    const forget = gate?.onOver?.((error) => waiter.fail(error));
    try {
      for (;;) {
        await waiter.turn();
        try {
          return await this.#try(session, request, waiter, gate);
        } catch (error) {
          if (!(error instanceof BrokerError && isBusy(error))) throw error;
        }
      }
    } finally {
      forget?.();
      waiter.leave();
      preemptions.reconsider(group);
    }
  }

  /** @param waiter  whose turn it is; undefined: one that has not waited */
  async #try(
    session: string,
    request: AttachRequest,
    waiter: Waiter | undefined,
    gate: CallGate | undefined,
  ): Promise<DeviceView> {
    const { changes, queues, registry, resets, view } = this.#deps;
    const virtual = registry.virtualIommu(request.virtualIommu, session);
    resets.requireNone(request.device);
    return await queues.run(
      [
        { kind: "address-space", id: virtual.addressSpace },
        { kind: "virtual-iommu", id: virtual.id },
        changes.keyOf(request.device),
      ],
      async () => {
        await this.#attach(session, request, waiter);
        return view(request.device);
      },
      gate,
    );
  }

  async #attach(session: string, request: AttachRequest, waiter: Waiter | undefined): Promise<void> {
    const { backend, changes, limits, lines, permissions, registry, sessions } = this.#deps;
    const { device, group } = changes.admit(session, request.device);
    const virtual = registry.virtualIommu(request.virtualIommu, session);
    requireGeneration(group, request.expectedGeneration);
    requireNotQuarantined(group, device);
    requireNotReleasing(backend, group, device);
    requireNotVended(group, device);
    if (group.virtualIommu !== undefined && group.virtualIommu !== virtual.id) throw elsewhere(device, group);
    if (device.attached) return;
    if (registry.attachedCount(session) >= limits.devicesPerSessionMax) {
      throw limitReached("devices_per_session_max", limits.devicesPerSessionMax, "detach a device first");
    }
    if (group.owner === undefined && !lines.isNext(group.id, waiter)) throw promised(device, group);
    const { caller } = sessions.requireLive(session);
    const subject = this.#policySubject(request.device);
    const settle = permissions.reserve(caller, { verb: "AttachDevice", subject, quota: "devices", amount: 1 });
    try {
      if (group.owner === undefined) await this.#attachGroup(session, { device, group }, virtual, request.initial);
      else registry.putDevice(attachedDevice(device));
    } finally {
      settle();
    }
  }

  #policySubject(id: DeviceID): Subject {
    return { kind: "device", id, group: this.#deps.registry.findDevice(id)?.host.group };
  }

  /** Default domain → the virtual IOMMU's stage 2, making its part for this host IOMMU if it has none yet. */
  async #attachGroup(
    session: string,
    { device, group }: { device: DeviceRecord; group: GroupRecord },
    virtual: VirtualIommuRecord,
    initial: PlainStage,
  ): Promise<void> {
    const { backend, changes, faults, registry, sessions, spaces } = this.#deps;
    const host = registry.iommu(group.iommu);
    const space = registry.addressSpace(virtual.addressSpace, session);
    const trigger = initial === "bypass" ? "attach" : "attachAborted";
    const to = next(group.state, trigger);
    requireFit(host, virtual.registers, () => "virtual_iommu");
    spaces.requireReach(space, host);
    const part = virtual.parts.get(host.id) ?? (await this.#addPart(virtual, space.handle, host.id));
    try {
      sessions.requireLive(session); // making the part took its time
      await changes.journaled(trigger, group, session, () => backend.attach(group.id, part, initial));
    } catch (error) {
      if (!virtual.parts.has(host.id)) await this.#removePart(virtual.id, session, host.id);
      throw error;
    }
    for (const id of group.devices) faults.claim(id, session);
    registry.putDevice(attachedDevice(device));
    const vste = initial === "bypass" ? BYPASS_VSTE : ABORT_VSTE;
    changes.commit(group, trigger, { state: to, owner: session, virtualIommu: virtual.id, vste });
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
    const { backend, changes, ports, registry, resets } = this.#deps;
    const others = group.devices.filter((id) => id !== device.host.id && registry.device(id).attached);
    if (others.length === 0) {
      await resets.release(group, session);
      return;
    }
    ports.deviceTickets.void(device.host.id);
    if (device.virtualStreamID !== undefined) {
      await backend.setVirtualStreamID(device.host.id, changes.partOf(group), undefined);
    }
    registry.putDevice(detachedDevice(device));
  }
}

/** What passes by itself: worth waiting for. */
function isBusy({ code }: BrokerError): boolean {
  return code === "device_owned" || code === "device_resetting" || code === "device_releasing";
}

/** Refuses one that has not waited a device that somebody does. */
export function promised(device: DeviceRecord, group: GroupRecord): BrokerError {
  const { id } = device.host;
  return new BrokerError(
    "device_owned",
    `device ${id} is promised to a session that waits for it: set wait_ms to stand in line`,
    { device: id, group: group.id, state: group.state },
  );
}

function elsewhere(device: DeviceRecord, group: GroupRecord): BrokerError {
  return new BrokerError(
    "transition_illegal",
    `device ${device.host.id} is in virtual IOMMU ${group.virtualIommu}: detach its IOMMU group first`,
    { device: device.host.id, group: group.id, virtual_iommu: group.virtualIommu ?? "", state: group.state },
  );
}
