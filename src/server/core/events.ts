// The rare facts: what happened that a log or a counter wants to know. Frequent facts are counters that a scrape reads.

import type { DeviceID, GroupID } from "../../backends/ids.ts";
import type { VSTE } from "../../backends/vste.ts";
import type { Caller } from "./caller.ts";
import type { Quota } from "./policy.ts";
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
    }
  | { readonly type: "sessionOpened"; readonly session: string; readonly displayName: string }
  | {
      readonly type: "sessionEnded";
      readonly session: string;
      readonly displayName: string;
      readonly reason: "closed" | "lease_expired" | "revoked";
    }
  | { readonly type: "reaped"; readonly session: string; readonly devices: number }
  | { readonly type: "reapFailed"; readonly session: string; readonly subject: string; readonly error: unknown }
  | { readonly type: "leaseConflict"; readonly device: DeviceID; readonly session: string; readonly owner: string }
  | { readonly type: "deviceAdded"; readonly device: DeviceID }
  | { readonly type: "deviceRemoved"; readonly device: DeviceID; readonly session: string | undefined }
  /** After a restart: a session of before is there again, or was given up as a whole. */
  | { readonly type: "sessionRestored"; readonly session: string; readonly displayName: string }
  | {
      readonly type: "sessionGivenUp";
      readonly session: string;
      readonly displayName: string;
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
