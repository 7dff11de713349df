// The rare facts: what happened that a log or a counter wants to know. Frequent facts are counters that a scrape reads.

import type { DeviceID, GroupID } from "../../backends/ids.ts";
import type { PageTable } from "../../backends/page-table.ts";
import type { VSTE } from "../../backends/vste.ts";
import type { Caller } from "./caller.ts";
import type { Quota } from "./policy.ts";
import type { LossReason, SessionState } from "./session.ts";
import type { EndReason } from "./session-errors.ts";
import type { StageState, StageTrigger } from "./stage-state.ts";

export type BrokerEvent =
  | {
      readonly type: "stageChanged";
      readonly group: GroupID;
      readonly devices: readonly DeviceID[];
      readonly from: StageState;
      readonly to: StageState;
      readonly trigger: StageTrigger;
      readonly generation: number;
      readonly session: string | undefined;
      /** The guest STE in force before and after; undefined: no guest's. */
      readonly vste: { readonly from: VSTE | undefined; readonly to: VSTE | undefined };
      /** The guest's bare page table that is in force now. */
      readonly pageTable?: PageTable | undefined;
    }
  | { readonly type: "sessionOpened"; readonly session: string; readonly displayName: string }
  | {
      readonly type: "sessionEnded";
      readonly session: string;
      readonly displayName: string;
      readonly reason: EndReason;
    }
  /** Its devices go to abort; what it has is kept for graceMs. */
  | {
      readonly type: "sessionLost";
      readonly session: string;
      readonly displayName: string;
      readonly reason: LossReason;
      readonly graceMs: number;
    }
  | {
      readonly type: "sessionResumed";
      readonly session: string;
      readonly displayName: string;
      readonly was: SessionState;
    }
  /** `to`: who has it now. */
  | { readonly type: "sessionClaimed"; readonly session: string; readonly displayName: string; readonly to: string }
  | { readonly type: "reaped"; readonly session: string; readonly devices: number }
  /** `session`: whose it was; undefined: nobody's any more. */
  | {
      readonly type: "reapFailed";
      readonly session: string | undefined;
      readonly subject: string;
      readonly error: unknown;
    }
  | {
      readonly type: "leaseConflict";
      readonly device: DeviceID;
      readonly session: string;
      readonly owner: string;
      /** What became of the owner: it holds the device as long as its session has not ended. */
      readonly ownerState: SessionState | "ending";
    }
  /** A session of higher priority asked for it: the owner has been told and has until then to leave. */
  | {
      readonly type: "preempted";
      readonly device: DeviceID;
      readonly session: string;
      readonly by: string;
      readonly graceMs: number;
    }
  | {
      readonly type: "preemptionEnded";
      readonly group: GroupID;
      readonly session: string;
      readonly outcome: PreemptionOutcome;
    }
  | { readonly type: "deviceReset"; readonly device: DeviceID; readonly result: "done" | "absent" | "failed" }
  /** It could not be reset after its last owner: nobody gets it until an administrator says so. */
  | { readonly type: "quarantined"; readonly device: DeviceID; readonly group: GroupID; readonly reason: string }
  /** Its owner was given a ticket for its descriptors: the cdev alone, or with the iommufd (vended). */
  | {
      readonly type: "handedOut";
      readonly device: DeviceID;
      readonly session: string;
      readonly how: "brokered" | "vended";
    }
  /** They were fetched. */
  | { readonly type: "descriptorsTaken"; readonly device: DeviceID; readonly session: string }
  /** They were not fetched in time. */
  | { readonly type: "deviceTicketExpired"; readonly device: string; readonly uid: number; readonly pid: number }
  | { readonly type: "deviceAdded"; readonly device: DeviceID }
  | { readonly type: "deviceRemoved"; readonly device: DeviceID; readonly session: string | undefined }
  /** A descriptor that a process put was mapped by nobody in time; it is closed. */
  | { readonly type: "ticketExpired"; readonly label: string; readonly uid: number; readonly pid: number }
  /** The ticket of a descriptor was used. */
  | { readonly type: "ticketUsed" }
  /** A process could not put a descriptor, or did not in time. */
  | {
      readonly type: "putRefused";
      readonly uid: number;
      readonly pid: number;
      readonly why: string;
      /** The limit that refused it. */
      readonly limit: string | undefined;
    }
  /** After a restart: a session of before is there again, or was given up as a whole. */
  | { readonly type: "sessionRestored"; readonly session: string; readonly displayName: string }
  | {
      readonly type: "sessionGivenUp";
      readonly session: string;
      readonly displayName: string;
      readonly error: unknown;
    }
  /** After a restart: a restored session lost this group, whose descriptors others have held since before. */
  | {
      readonly type: "groupHeld";
      readonly session: string;
      readonly group: GroupID;
      readonly devices: readonly DeviceID[];
      readonly generation: number;
      readonly error: unknown;
    }
  | {
      readonly type: "memoryChanged";
      readonly session: string;
      readonly addressSpace: string;
      readonly change: "mapped" | "unmapped";
      readonly ranges: number;
      readonly bytes: number;
    }
  /** `rule`: its name, or "default deny". `subject`: the device or path that was asked for. */
  | {
      readonly type: "policyDenied";
      readonly caller: Caller;
      readonly verb: string;
      readonly rule: string;
      readonly subject: string | undefined;
    }
  | {
      readonly type: "quotaReached";
      readonly quota: Quota | "calls_per_second";
      readonly identity: string;
      readonly rule: string;
    }
  /** An administrator took a device from the session that owned it. */
  | { readonly type: "deviceForced"; readonly device: DeviceID; readonly session: string; readonly reason: string }
  /** The daemon did not run for a while: every lease was given its full length again. */
  | { readonly type: "stalled"; readonly awayMs: number; readonly sessions: number };

/** taken: after the grace period. handed_over: the owner left by itself. called_off: nobody waited for it any more. */
export type PreemptionOutcome = "taken" | "handed_over" | "called_off" | "failed";

export type BrokerEventListener = (event: BrokerEvent) => void;

/** Tells every listener, in order of subscription. Listeners must not throw and must not call back into core. */
export class BrokerEvents {
  readonly #listeners: BrokerEventListener[] = [];

  subscribe(listener: BrokerEventListener): void {
    this.#listeners.push(listener);
  }

  emit(event: BrokerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
