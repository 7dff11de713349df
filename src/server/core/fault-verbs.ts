// What the edge may ask about faults: a subscription, and the batches and gaps that come from it.
// fault-router.ts answers.

import type { FaultRecord } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";

/** An event with its place in its device's sequence. */
export interface SequencedFault {
  /** From 1. */
  readonly sequence: number;
  readonly wallMs: number;
  readonly fault: FaultRecord;
}

export interface FaultGap {
  readonly device: DeviceID;
  readonly first: number;
  readonly last: number;
  readonly reason: "ring-overrun" | "hardware-overflow" | "released";
}

export interface FaultBatch {
  readonly events: readonly SequencedFault[];
  readonly gaps: readonly FaultGap[];
}

export interface FaultSubscription {
  /**
   * Resolves with what is new, at most faultBatchEventsMax events; with undefined once the subscription ended (its
   * session ended, or close() was called). Only one call at a time.
   */
  next(): Promise<FaultBatch | undefined>;
  close(): void;
}

export interface FaultVerbs {
  /** `devices` empty: all the session owns, now and later. Throws not_owner for a named device it does not own. */
  subscribe(
    session: string,
    request: { devices: readonly DeviceID[]; resumeAfter: ReadonlyMap<DeviceID, bigint> },
  ): FaultSubscription;
}
