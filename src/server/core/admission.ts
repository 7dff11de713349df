// May this request run now? Pure checks on snapshots, each refusal typed: owner, fence, transition, names.
// The arbiter asks these inside the objects' queues, so what they see is what the backend will find.

import type { Backend } from "../../backends/backend.ts";
import { BrokerError, invalidField } from "../../backends/errors.ts";
import type { VirtualStreamID } from "../../backends/ids.ts";
import type { Disposition } from "../../backends/vste.ts";
import type { DeviceRecord } from "./device.ts";
import type { GroupRecord } from "./group.ts";
import { bindTrigger, next, type StageState, type StageTrigger } from "./stage-state.ts";
import type { OwnerView } from "./views.ts";

/** Refuses a group that another session owns, by the owner's display name. */
export function requireNotOthers(
  group: GroupRecord,
  device: DeviceRecord,
  session: string,
  owner: OwnerView | undefined,
): void {
  if (group.owner === undefined || group.owner === session) return;
  const name = owner?.displayName ?? "a session that is being ended";
  throw new BrokerError(
    "device_owned",
    `device ${device.host.id} belongs to ${JSON.stringify(name)} and is in state ${group.state}; wait until it is released`,
    { device: device.host.id, group: group.id, owner: name, owner_session: group.owner, state: group.state },
  );
}

/** Refuses a group that is not this session's: another's by its owner's name, nobody's with the remedy. */
export function requireOwned(
  group: GroupRecord,
  device: DeviceRecord,
  session: string,
  owner: OwnerView | undefined,
): void {
  requireNotOthers(group, device, session, owner);
  if (group.owner !== undefined) return;
  const { id } = device.host;
  throw new BrokerError("not_owner", `device ${id} is not this session's: attach it first`, { device: id });
}

/** Refuses a group that could not be reset after its last owner. */
export function requireNotQuarantined(group: GroupRecord, device: DeviceRecord): void {
  if (group.state !== "quarantined") return;
  const { id } = device.host;
  throw new BrokerError(
    "device_quarantined",
    `device ${id} could not be reset after its last owner: an administrator must release it from quarantine`,
    { device: id, group: group.id, state: group.state },
  );
}

/** Refuses a group of which somebody may still hold descriptors that its last owner was given. */
export function requireNotReleasing(
  backend: Pick<Backend, "refusalOf">,
  group: GroupRecord,
  device: DeviceRecord,
): void {
  if (group.state === "releasing") throw stillHeld(backend, group, device);
}

/** What can be done about it, for whoever wants the device and for an administrator alike. */
export function stillHeld(
  backend: Pick<Backend, "refusalOf">,
  group: GroupRecord,
  { host: { id } }: Pick<DeviceRecord, "host">,
): BrokerError {
  const refusal = backend.refusalOf?.(group.id);
  const said = refusal === undefined ? "" : `; asked for it last, the kernel said: ${refusal.message}`;
  const { errno, ioctl } = refusal?.facts ?? {};
  return new BrokerError(
    "device_releasing",
    `device ${id} is being released: a process still holds a copy of a descriptor that its last owner was given, and nobody can take that away; it is free once every copy is closed: end those processes${said}`,
    {
      device: id,
      group: group.id,
      state: group.state,
      ...(errno !== undefined && { errno }),
      ...(ioctl !== undefined && { ioctl }),
    },
    refusal === undefined ? {} : { cause: refusal },
  );
}

/** Refuses what is the holder's to do while a device is vended. */
export function requireNotVended(group: GroupRecord, device: DeviceRecord): void {
  if (group.state !== "vended") return;
  const { id } = device.host;
  throw new BrokerError(
    "vended",
    `device ${id} is vended: its stages are set through the iommufd that was handed out, not through the broker; detach it to have it brokered`,
    { device: id, group: group.id, state: group.state },
  );
}

/** Refuses a caller that has not seen the group's latest stage change. */
export function requireGeneration(group: GroupRecord, expected: bigint | undefined): void {
  if (expected === undefined || expected === BigInt(group.generation)) return;
  throw new BrokerError(
    "fenced",
    `expected generation ${expected}, group ${group.id} is at ${group.generation}: read the device again`,
    { expected_generation: expected, generation: group.generation, group: group.id },
  );
}

/** Refuses a device that its owner has not attached: the state table's row for it. */
export function requireAttached(group: GroupRecord, device: DeviceRecord, trigger: StageTrigger): void {
  if (device.attached) return;
  if (group.owner === undefined) next(group.state, trigger);
  throw new BrokerError("transition_illegal", `device ${device.host.id} is not attached: attach the device first`, {
    device: device.host.id,
    state: group.state,
    trigger,
  });
}

export interface BindDecision {
  readonly trigger: StageTrigger;
  readonly to: StageState;
  /** The name the device will have; undefined: none. */
  readonly virtualStreamID: VirtualStreamID | undefined;
}

/**
 * Decides a bind on a device that is attached: the transition and the device's name after it.
 *
 * @param asked       the name in the request
 * @param siblings    the other devices attached to the same virtual IOMMU; of no account where no name is asked for
 * @param streamBits  SIDSIZE of the virtual IOMMU's frozen registers
 */
export function decideBind(
  group: GroupRecord,
  device: DeviceRecord,
  disposition: Disposition,
  asked: VirtualStreamID | undefined,
  siblings: readonly DeviceRecord[],
  streamBits: number,
): BindDecision {
  const trigger = bindTrigger(disposition);
  const to = next(group.state, trigger);
  const virtualStreamID = asked ?? device.virtualStreamID;
  if (disposition === "translate" && virtualStreamID === undefined) {
    throw invalidField("virtual_stream_id", "is required for TRANSLATE: the guest's StreamID for this device");
  }
  if (asked !== undefined) requireName(group, device, asked, siblings, streamBits);
  return { trigger, to, virtualStreamID };
}

/** Decides a bind of a guest's bare page table, which has no StreamIDs, on a device that is attached. */
export function decideTableBind(group: GroupRecord, asked: VirtualStreamID | undefined): BindDecision {
  const trigger = bindTrigger("translate");
  const to = next(group.state, trigger);
  if (asked !== undefined) {
    throw invalidField("virtual_stream_id", "is for an STE: a page table goes by device, leave it out");
  }
  return { trigger, to, virtualStreamID: undefined };
}

function requireName(
  group: GroupRecord,
  device: DeviceRecord,
  asked: VirtualStreamID,
  siblings: readonly DeviceRecord[],
  streamBits: number,
): void {
  if (asked >= 2 ** streamBits) {
    throw invalidField("virtual_stream_id", `${asked} does not fit the virtual IOMMU's ${streamBits}-bit StreamIDs`, {
      virtual_stream_id: asked,
      bits: streamBits,
    });
  }
  if (asked === device.virtualStreamID) return;
  if (device.virtualStreamID !== undefined && group.state === "guest-nested") {
    throw new BrokerError(
      "transition_illegal",
      `virtual StreamID ${device.virtualStreamID} of ${device.host.id} can be changed only in BYPASS or ABORT: bind one of them first`,
      { device: device.host.id, state: group.state, virtual_stream_id: device.virtualStreamID, asked },
    );
  }
  const holder = siblings.find((sibling) => sibling.virtualStreamID === asked);
  if (holder) {
    throw new BrokerError(
      "already_exists",
      `virtual StreamID ${asked} is ${holder.host.id}'s in this virtual IOMMU`,
      { virtual_stream_id: asked, device: holder.host.id },
      { fields: [{ path: "virtual_stream_id", description: `taken by ${holder.host.id}` }] },
    );
  }
}
