// Bind and unbind: a guest's stage 1, or a plain one, on a device that is attached.

import type { BindPreview, PartHandle, PlainStage } from "../../backends/backend.ts";
import { BrokerError } from "../../backends/errors.ts";
import type { DeviceID, VirtualStreamID } from "../../backends/ids.ts";
import { checkPageTable, type PageTable, requirePageTables } from "../../backends/page-table.ts";
import type { VSTE } from "../../backends/vste.ts";
import { assert } from "../../spec/assert.ts";
import { get } from "../../spec/layout.ts";
import { IDR1 } from "../../spec/registers.ts";
import {
  type BindDecision,
  decideBind,
  decideTableBind,
  requireAttached,
  requireGeneration,
  requireNotVended,
} from "./admission.ts";
import type { ArbiterDeps } from "./arbiter.ts";
import type { CallGate } from "./call-gate.ts";
import { steRefusal, translateRefusal } from "./capability.ts";
import { type DeviceRecord, namedDevice } from "./device.ts";
import type { GroupRecord } from "./group.ts";
import type { VirtualIommuRecord } from "./registry.ts";
import type { Resets } from "./reset.ts";
import type { StageChanges, Subject } from "./stage-change.ts";
import type { BindOutcome, BindRequest } from "./stage-verbs.ts";
import { keepStallPromise } from "./stall-promise.ts";
import type { DeviceView } from "./views.ts";
import type { QueueKey } from "./work-queues.ts";

export interface BindDeps extends ArbiterDeps {
  readonly changes: StageChanges;
  readonly resets: Resets;
  view(device: DeviceID): DeviceView;
}

export class Binds {
  readonly #deps: BindDeps;

  constructor(deps: BindDeps) {
    this.#deps = deps;
  }

  async bind(session: string, request: BindRequest, gate: CallGate | undefined): Promise<BindOutcome> {
    const { changes, queues, registry, resets } = this.#deps;
    const found = registry.groupOf(request.device);
    if (found.owner === session) resets.requireNone(request.device);
    const virtual =
      found.owner === session && found.virtualIommu !== undefined
        ? registry.virtualIommu(found.virtualIommu, session)
        : undefined;
    const keys: QueueKey[] = [changes.keyOf(request.device)];
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
    gate: CallGate | undefined,
  ): Promise<DeviceView> {
    const { changes, queues, registry, resets, view } = this.#deps;
    if (registry.groupOf(request.device).owner === session) resets.requireNone(request.device);
    return await queues.run(
      [changes.keyOf(request.device)],
      async () => {
        const { device, group } = changes.admit(session, request.device);
        requireNotVended(group, device);
        requireGeneration(group, request.expectedGeneration);
        if (device.attached && group.state !== "nest-parent") {
          await changes.setPlain(group, "unbind", "bypass", session);
        }
        return view(request.device);
      },
      gate,
    );
  }

  async #bind(session: string, request: BindRequest): Promise<BindOutcome> {
    const { backend, changes, registry, view } = this.#deps;
    const { device, group } = changes.admit(session, request.device);
    if ("pageTable" in request) return await this.#bindTable(session, { device, group }, request);
    const { disposition } = request.vste;
    requireNotVended(group, device);
    requireAttached(group, device, disposition === "translate" ? "bindTranslate" : "bindBypass");
    requireGeneration(group, request.expectedGeneration);
    const virtual = registry.virtualIommu(group.virtualIommu!, session);
    if (disposition === "translate") {
      const host = registry.iommu(group.iommu);
      const refusal = translateRefusal(device, group, host) ?? steRefusal(host);
      if (refusal) throw refusal;
    }
    const siblings = request.virtualStreamID === undefined ? [] : this.#siblings(virtual, device);
    const streamBits = get(new Uint32Array([virtual.registers.idr1]), 0, IDR1.SIDSIZE);
    const decision = decideBind(group, device, disposition, request.virtualStreamID, siblings, streamBits);
    const hostVSTE = keepStallPromise(request.vste, virtual.registers, registry.iommu(group.iommu).registers);
    if (request.validateOnly) {
      const preview = backend.previewStage(request.device, changes.partOf(group), hostVSTE);
      return { device: view(request.device), disposition, preview };
    }
    await this.#populated(virtual, session, disposition !== "abort", () =>
      this.#install(session, { device, group }, { vste: request.vste, hostVSTE }, decision),
    );
    return { device: view(request.device), disposition, preview: undefined };
  }

  /** @throws BrokerError backend_unsupported where the IOMMU's architecture has no such tables, argument_invalid for a bad one */
  async #bindTable(
    session: string,
    { device, group }: Subject,
    request: Extract<BindRequest, { readonly pageTable: PageTable }>,
  ): Promise<BindOutcome> {
    const { backend, changes, registry, view } = this.#deps;
    const { expectedGeneration, pageTable, validateOnly } = request;
    requireAttached(group, device, "bindTranslate");
    requireGeneration(group, expectedGeneration);
    const host = registry.iommu(group.iommu);
    const form = requirePageTables(host);
    const refusal = translateRefusal(device, group, host);
    if (refusal) throw refusal;
    checkPageTable(form, pageTable);
    const { to, trigger } = decideTableBind(group, request.virtualStreamID);
    const outcome = (preview: BindPreview | undefined): BindOutcome => {
      return { device: view(request.device), disposition: "translate", preview };
    };
    if (validateOnly) return outcome({ hostSTE: [], wouldFault: [] });
    const virtual = registry.virtualIommu(group.virtualIommu!, session);
    await this.#populated(virtual, session, true, async () => {
      const part = changes.partOf(group);
      await changes.journaled(trigger, group, session, () =>
        backend.bindGuestStage({ device: device.host.id, part, pageTable }),
      );
      const { owner, virtualIommu } = group;
      changes.commit(group, trigger, { state: to, owner, virtualIommu, vste: undefined, pageTable });
    });
    return outcome(undefined);
  }

  /** Whom a new name could belong to already. */
  #siblings(virtual: VirtualIommuRecord, device: DeviceRecord): DeviceRecord[] {
    const all = this.#deps.registry.devicesOfVirtualIommu(virtual.id);
    return all.filter((other) => other.host.id !== device.host.id);
  }

  async #install(
    session: string,
    subject: Subject,
    { vste, hostVSTE }: { readonly vste: VSTE; readonly hostVSTE: VSTE },
    decision: BindDecision,
  ): Promise<void> {
    const { backend, changes, registry } = this.#deps;
    const { device, group } = subject;
    const part = changes.partOf(group);
    const { trigger, to, virtualStreamID } = decision;
    await changes.journaled(trigger, group, session, async () => {
      if (vste.disposition === "translate") {
        assert(virtualStreamID !== undefined, "TRANSLATE was admitted without a virtual StreamID");
        await backend.bindGuestStage({ device: device.host.id, part, virtualStreamID, vste: hostVSTE });
      } else {
        await this.#installPlain(subject, part, vste.disposition, virtualStreamID);
      }
    });
    registry.putDevice(namedDevice(device, virtualStreamID));
    const { owner, virtualIommu } = group;
    changes.commit(group, trigger, { state: to, owner, virtualIommu, vste });
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
}

/** The queues were chosen by where the device was; it moved while the call waited. */
function movedMeanwhile(device: DeviceID, group: GroupRecord): BrokerError {
  return new BrokerError("fenced", `device ${device} changed hands while the call waited: read the device again`, {
    device,
    generation: group.generation,
  });
}
