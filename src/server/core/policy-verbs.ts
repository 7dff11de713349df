// The verbs of the policy: every RPC by its name, and the groups that rules may name instead.
// Some verbs keep or give back what a session holds; the policy never refuses those to a session's owner.

export const VERB_GROUPS = ["read", "use", "simulate", "admin"] as const;
/** read: what there is. use: sessions and what they hold. simulate: plays hardware. admin: the admin socket's own. */
export type VerbGroup = (typeof VERB_GROUPS)[number];

/** Every RPC. A test holds it against the services' tables. */
export const VERBS: Readonly<Record<VerbGroup, readonly string[]>> = {
  read: ["GetCapabilities", "ListDevices", "GetDevice", "WatchDevices"],
  use: [
    "OpenSession",
    "ResumeSession",
    "ClaimSession",
    "KeepSessionAlive",
    "CloseSession",
    "CreateAddressSpace",
    "DeleteAddressSpace",
    "MapMemory",
    "UnmapMemory",
    "PresentMemory",
    "CreateVirtualIommu",
    "DeleteVirtualIommu",
    "SetVirtualIommuMode",
    "AttachDevice",
    "DetachDevice",
    "ResetDevice",
    "GetDeviceDescriptor",
    "VendDevice",
    "BindGuestStage",
    "BatchBindGuestStage",
    "UnbindGuestStage",
    "InvalidateCache",
    "StreamInvalidations",
    "WatchFaults",
    "ListFaults",
    "RespondToFault",
    "ExplainTranslation",
  ],
  simulate: [
    "AddDevice",
    "RemoveDevice",
    "Dma",
    "Translate",
    "ReadMemory",
    "WriteMemory",
    "ReadStructures",
    "ListMsis",
  ],
  admin: [
    "ListSessions",
    "RevokeSession",
    "ForceReleaseDevice",
    "UnquarantineDevice",
    "GetEffectivePolicy",
    "GetLogLevel",
    "SetLogLevel",
    "Drain",
  ],
};

/**
 * Needs a session's token and no permission: a policy that became stricter takes nothing away, and nobody is kept from
 * letting go. InvalidateCache and StreamInvalidations are here because a guest whose invalidations are refused would go on
 * with stale translations, RespondToFault because its device would wait until it is aborted.
 */
const KEEPING: ReadonlySet<string> = new Set([
  "ResumeSession",
  "KeepSessionAlive",
  "CloseSession",
  "DeleteAddressSpace",
  "UnmapMemory",
  "DeleteVirtualIommu",
  "DetachDevice",
  "UnbindGuestStage",
  "InvalidateCache",
  "StreamInvalidations",
  "RespondToFault",
]);

const GROUP_OF: ReadonlyMap<string, VerbGroup> = new Map(
  VERB_GROUPS.flatMap((group) => VERBS[group].map((verb) => [verb, group] as const)),
);

/** Undefined: no RPC has this name. */
export function verbGroup(verb: string): VerbGroup | undefined {
  return GROUP_OF.get(verb);
}

export function isKeeping(verb: string): boolean {
  return KEEPING.has(verb);
}
