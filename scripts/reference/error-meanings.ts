// What each refusal means to a client: the words of docs/errors.md. The type demands a row for every code.

import type { BrokerErrorCode } from "../../src/backends/errors.ts";

interface Meaning {
  readonly means: string;
  readonly remedy: string;
  /** Values that its ErrorInfo has, as far as a client can count on them. */
  readonly facts: readonly string[];
}

export const MEANINGS: Readonly<Record<BrokerErrorCode, Meaning>> = {
  argument_invalid: {
    means: "A field is malformed or out of its bounds; google.rpc.BadRequest has each field's path.",
    remedy: "Mend the request.",
    facts: [],
  },
  vste_invalid: {
    means: "The guest's STE sets bits that a guest may not set, or EATS 2 or 3.",
    remedy: "Mask them before the call, or tell the guest's driver by the virtual ID registers not to set them.",
    facts: [],
  },
  iommu_unknown: { means: "No such host IOMMU.", remedy: "`GetCapabilities` without a name lists them.", facts: [] },
  device_unknown: {
    means: "No such device, or it was unplugged.",
    remedy: "`ListDevices`, `WatchDevices`.",
    facts: ["device"],
  },
  session_unknown: { means: "No such session.", remedy: "Ask its opener for the name.", facts: [] },
  address_space_unknown: {
    means: "No such address space in this session.",
    remedy: "`ResumeSession` lists what the session has.",
    facts: [],
  },
  virtual_iommu_unknown: {
    means: "No such virtual IOMMU in this session.",
    remedy: "`ResumeSession` lists what the session has.",
    facts: [],
  },
  mapping_unknown: {
    means: "Nothing is mapped there, or the range cuts a mapping.",
    remedy: "Unmap ranges as they were mapped.",
    facts: [],
  },
  device_owned: {
    means: "Another session has the device's IOMMU group.",
    remedy: "Wait with `AttachDevice.wait_ms`, watch with `WatchDevices`, or preempt where the policy lets you.",
    facts: ["device", "group", "owner", "owner_session", "state"],
  },
  device_resetting: {
    means: "The device is being reset.",
    remedy: "Try again after the RetryInfo.",
    facts: ["device"],
  },
  device_quarantined: {
    means: "The device could not be reset after its last owner; nobody gets it.",
    remedy: "An operator looks at it and calls `UnquarantineDevice`.",
    facts: ["device"],
  },
  device_releasing: {
    means: "Its last owner is gone, and others may still hold descriptors of the device.",
    remedy: "Wait (`AttachDevice.wait_ms`), or end the processes that hold them: [fd-exchange.md](fd-exchange.md).",
    facts: ["device", "group", "errno", "ioctl"],
  },
  vended: {
    means: "The device was vended: its stage is its holder's, and not the broker's.",
    remedy: "Make the iommufd call yourself, or `DetachDevice` and attach it.",
    facts: ["device", "group"],
  },
  not_owner: {
    means: "The object is not this session's.",
    remedy: "Attach the device first, or use the session that has it.",
    facts: [],
  },
  transition_illegal: {
    means: "The stage table has no such step from the state that the group is in.",
    remedy: "The text says which call comes first, mostly `AttachDevice`.",
    facts: [],
  },
  group_not_singleton: {
    means: "A guest's stage 1 was asked for in an IOMMU group of several devices, which would share it.",
    remedy: "Isolate the device (ACS, another port), or use stage 2 alone.",
    facts: [],
  },
  registers_unfit: {
    means: "The vSMMU's ID registers promise what the host IOMMU does not have; BadRequest has a row for each field.",
    remedy: "Show the guest what `GetCapabilities` offers.",
    facts: [],
  },
  in_use: {
    means: "The object is still used by others.",
    remedy: "The text names them: delete or detach these first.",
    facts: [],
  },
  lease_expired: {
    means: "The session is lost or over; `reason` says how.",
    remedy:
      "With `lost`: `ResumeSession`. Else open another: [the table](sessions-and-arbitration.md#errors-of-sessions).",
    facts: ["reason"],
  },
  already_exists: {
    means: "A name or a range is taken: a virtual StreamID, an IPA range, a label.",
    remedy: "The text names what has it.",
    facts: [],
  },
  request_conflict: {
    means: "The `request_id` was used with other content, or its answer can no longer be given.",
    remedy: "Take a new id for each new request; look at what the first one did.",
    facts: [],
  },
  fenced: {
    means: "`expected_generation` is not the group's: something changed since you looked.",
    remedy: "`GetDevice`, decide anew.",
    facts: ["expected_generation", "generation", "group"],
  },
  unauthenticated: {
    means: "No token, one that is none, or another identity's.",
    remedy: "The token of `OpenSession`, in the metadata, from the identity that opened it.",
    facts: [],
  },
  policy_denied: {
    means: "A rule of the policy refuses it, or none allows it.",
    remedy: "`rule` names it; `iommu-brokerd --explain-policy` shows why: [policy.md](policy.md).",
    facts: ["rule", "identity", "verb"],
  },
  limit_reached: {
    means: "A limit or a quota, named in `limit`.",
    remedy:
      "Give something back, try after the RetryInfo, or have the limit raised: [configuration.md](configuration.md).",
    facts: ["limit", "maximum"],
  },
  fault_not_pending: {
    means: "The event does not wait any more: answered, timed out, or its stage changed.",
    remedy: "Nothing: the answer changed nothing. `resolutions` of the stream says how it ended.",
    facts: ["device"],
  },
  backend_unsupported: {
    means: "This IOMMU, device or kernel cannot do it. It is never done in another way instead.",
    remedy: "The text has the reason; `GetCapabilities` says beforehand.",
    facts: [],
  },
  backend_unavailable: {
    means: "The hardware or the kernel does not answer now, or a capability could not be found out.",
    remedy: "The text has the remedy; `iommuctl doctor` looks at the host.",
    facts: [],
  },
  backend_failed: {
    means: "The hardware, the kernel or the disk failed in a way that has no better word.",
    remedy: "The broker's log has the cause; what changed is told by `GetDevice`.",
    facts: ["id"],
  },
  draining: {
    means: "The broker is stopping.",
    remedy: "Connect again after the RetryInfo; with a state directory everything is there.",
    facts: [],
  },
  call_over: {
    means: "The call was cancelled, or its deadline passed, before it began.",
    remedy: "Nothing was changed; repeat it with its `request_id`.",
    facts: [],
  },
};
