// The rare facts: what happened that a log or a counter wants to know. Frequent facts are counters that a scrape reads.

import type { DeviceID, GroupID } from "../../backends/ids.ts";
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
    }
  | { readonly type: "sessionOpened"; readonly session: string; readonly displayName: string }
  | {
      readonly type: "sessionEnded";
      readonly session: string;
      readonly displayName: string;
      readonly reason: "closed" | "lease_expired";
    }
  | { readonly type: "reaped"; readonly session: string; readonly devices: number }
  | { readonly type: "reapFailed"; readonly session: string; readonly subject: string; readonly error: unknown }
  | { readonly type: "leaseConflict"; readonly device: DeviceID; readonly session: string; readonly owner: string }
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
