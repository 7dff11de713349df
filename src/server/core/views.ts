// What core tells the outside about its records: plain, frozen, without secrets. rpc/convert.ts turns them into messages.

import type { DeviceID, GroupID, IommuID, StreamID, VirtualStreamID } from "../../backends/ids.ts";
import type { IdRegisters } from "../../backends/inventory.ts";
import type { VSTE } from "../../backends/vste.ts";
import type { ResolutionOutcome } from "./fault-verbs.ts";
import type { Liveness, SessionState } from "./session.ts";
import type { StageState } from "./stage-state.ts";

/** What anybody may know of a session. */
export interface OwnerView {
  readonly id: string;
  readonly displayName: string;
}

/** What a session's owner and an operator may know of it. */
export interface SessionView extends OwnerView {
  readonly liveness: Liveness;
  /** 0 where there is no lease. */
  readonly ttlMs: number;
  readonly state: SessionState;
  readonly graceMs: number;
  readonly transferableTo: readonly string[];
  /** Milliseconds since 1970. */
  readonly openedMs: number;
  /** The same of its last call or renewal; after a restart, of its opening until the next one. */
  readonly seenMs: number;
}

/** What a session has, for who takes it up again. */
export interface HeldView {
  readonly addressSpaces: readonly string[];
  readonly virtualIommus: readonly string[];
  readonly devices: readonly {
    readonly id: DeviceID;
    readonly virtualIommu: string;
    readonly generation: number;
    /** It was set to abort when the session was lost, and nothing was bound since. */
    readonly rebindRequired: boolean;
  }[];
}

export interface DeviceView {
  readonly id: DeviceID;
  readonly iommu: IommuID;
  readonly group: GroupID;
  readonly groupDevices: readonly DeviceID[];
  readonly streamIDs: readonly StreamID[];
  readonly state: StageState;
  readonly generation: number;
  readonly attached: boolean;
  readonly owner: OwnerView | undefined;
  readonly virtualIommu: string | undefined;
  readonly virtualStreamID: VirtualStreamID | undefined;
  /** The guest STE in force; undefined while the group has no owner. */
  readonly vste: VSTE | undefined;
  /** Only the broker can change the stage. */
  readonly stageAuthoritative: boolean;
  /** Calls that stand in line for the group. */
  readonly waiters: number;
}

export type Pinning = "eager" | "on-first-bind";

export interface AddressSpaceView {
  readonly id: string;
  readonly pinning: Pinning;
  readonly populated: boolean;
  readonly mappingCount: number;
  readonly mappedBytes: number;
  /** Labels of memory that was passed as a descriptor before a restart and has not been presented again. */
  readonly missing: readonly string[];
}

export interface VirtualIommuView {
  readonly id: string;
  readonly addressSpace: string;
  readonly registers: IdRegisters;
  readonly iommus: readonly IommuID[];
  readonly devices: readonly DeviceID[];
}

/** What the broker holds, counted for a scrape. */
export interface Census {
  readonly sessions: number;
  readonly sessionStates: Readonly<Record<SessionState, number>>;
  /** Those that hang on a lease and not on a process. */
  readonly leases: Readonly<Record<SessionState, number>>;
  readonly addressSpaces: number;
  readonly virtualIommus: number;
  readonly mappedBytes: number;
  /** Of address spaces that are in stage-2 tables: what a kernel pins. */
  readonly pinnedBytes: number;
  readonly devices: readonly {
    readonly id: DeviceID;
    readonly iommu: IommuID;
    readonly state: StageState;
    readonly generation: number;
    readonly attached: boolean;
  }[];
  /** One entry for each name that has a session. */
  readonly clients: readonly ClientCensus[];
  readonly faults: FaultCensus;
  /** Calls that stand in line for a device. */
  readonly waiters: number;
  /** Calls that hold an address space, a virtual IOMMU or an IOMMU group, or wait for one. */
  readonly queueDepth: number;
  readonly watches: WatchCensus;
}

/** What the sessions have that one rule of the policy speaks for. */
export interface ClientCensus {
  /** The rule's, or "default deny" where none would let them attach a device now. */
  readonly name: string;
  readonly sessions: number;
  readonly devices: number;
  readonly mappedBytes: number;
}

export interface WatchCensus {
  readonly subscribers: number;
  /** Times a watcher was given the whole list again. */
  readonly resyncs: number;
}

export interface FaultCensus {
  /** Events of owned devices, held-back ones included. */
  readonly recorded: number;
  /** Events handed to subscribers, once for each. */
  readonly delivered: number;
  /** Events that the rate limit held back. */
  readonly suppressed: number;
  /** Recorded events that are the host's business. */
  readonly hostOnly: number;
  readonly dropped: {
    /** Events that had no owner to go to. */
    readonly unrouted: number;
    /** Pushed out of a ring before a subscriber took them, once for each. */
    readonly overrun: number;
    /** Not taken when the device left its owner, once for each subscriber. */
    readonly released: number;
    /** Times that a queue of the hardware or the kernel lost events: how many, nobody tells. */
    readonly hardwareOverflow: number;
  };
  /** Entries in all rings. */
  readonly held: number;
  /** Events that wait for an answer. */
  readonly pending: number;
  readonly resolutions: Readonly<Record<ResolutionOutcome, number>>;
  readonly subscribers: { readonly owner: number; readonly observer: number };
  readonly diagnoses: { readonly made: number; readonly cached: number; readonly overBudget: number };
}
