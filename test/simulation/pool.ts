// What the simulated world is made of: its sizes, the devices that may be there, and what the policy says of its clients.

import { type DeviceID, deviceID, groupID, iommuID, streamID } from "../../src/backends/ids.ts";
import type { HostDevice } from "../../src/backends/inventory.ts";
import type { SimulatedConfig } from "../../src/backends/sim/inventory.ts";
import type { ProcessCaller } from "../../src/server/core/caller.ts";
import type { Policy } from "../../src/server/core/policy.ts";
import { CALLER, TWO_SMMUS } from "../support/host.ts";
import { rule } from "../support/policy.ts";
import type { Standing } from "./commands.ts";

export const CLIENTS = 3;
export const PAGES = 8;
export const PAGE_BYTES = 4096;
export const FIRST_IPA = 0x4000_0000;
export const LEASE_MS = 1000;
/** For the owner of a device that is preempted. */
export const GRACE_MS = 200;
/** Of a ticket for descriptors of a device. */
export const TICKET_MS = 3000;

/** Devices that the host is started with, and three more that a client may plug: two in one new group, one in an old. */
const EXTRA: SimulatedConfig["devices"] = [
  { id: "sim-a", iommu: "smmu0", group: 6, streamIDs: [0x300] },
  { id: "sim-b", iommu: "smmu0", group: 6, streamIDs: [0x301] },
  { id: "sim-c", iommu: "smmu1", group: 5, streamIDs: [0x101] },
];
export const POOL: readonly HostDevice[] = [...TWO_SMMUS.devices, ...EXTRA].map((device) => ({
  id: deviceID(device.id),
  iommu: iommuID(device.iommu),
  group: groupID(device.group),
  streamIDs: device.streamIDs.map((id) => streamID(id)),
  pasidBits: device.pasidBits ?? 0,
  ats: false,
}));

export function poolDevice(id: DeviceID): HostDevice {
  const found = POOL.find((device) => device.id === id);
  if (found === undefined) throw new Error(`${id} is not in the pool`);
  return found;
}

/** Calls of the backend that may be made to fail. */
export const FAILING_VERBS = [
  "attach",
  "setPlainStage",
  "bindGuestStage",
  "detach",
  "block",
  "reset",
  "map",
  "unmap",
  "createPart",
  "destroyPart",
  "handOut",
  "vend",
  "withhold",
  "reclaim",
] as const;

const FIRST_UID = 1000;
export const UIDS: readonly string[] = Array.from({ length: CLIENTS }, (_, slot) => `uid:${FIRST_UID + slot}`);

/** Each slot is a uid of its own; each session's process is another. */
export function callerOf(slot: number, pid: number): ProcessCaller {
  return { ...CALLER, uid: FIRST_UID + slot, pid };
}

export function slotOf({ uid }: ProcessCaller): number {
  return uid - FIRST_UID;
}

/** What the policy says at first: everything for everybody, the higher slot before the lower one. */
export const RANKED: readonly Standing[] = Array.from({ length: CLIENTS }, (_, slot) => ({
  isAllowed: true,
  sessions: undefined,
  devices: undefined,
  pages: undefined,
  priority: slot,
  mayPreempt: true,
}));

export function policyOf(standings: readonly Standing[]): Policy {
  return {
    rules: standings.map(({ isAllowed, sessions, devices, pages, priority, mayPreempt }, slot) =>
      rule(`slot ${slot}`, {
        effect: isAllowed ? "allow" : "deny",
        who: [{ fact: "uid", oneOf: [FIRST_UID + slot] }],
        quotas: {
          ...(sessions === undefined ? {} : { sessions }),
          ...(devices === undefined ? {} : { devices }),
          ...(pages === undefined ? {} : { mapped_bytes: pages * PAGE_BYTES }),
        },
        priority,
        mayPreempt,
      }),
    ),
  };
}
