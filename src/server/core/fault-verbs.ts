// What the edge may ask of core about faults. A device's events are kept in segments that all readers share: a segment
// that was handed out never changes, so that what is made of it (its bytes on the wire) can be made once.

import type { FaultDiagnosis } from "../../backends/diagnosis.ts";
import type { FaultAnswer, FaultRecord } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { CallGate } from "./call-gate.ts";

/**
 * How what waited came to its end. What waits is not journaled: after a restart nobody knows of it any more, the hardware is
 * set up anew, and the gap with the reason "restart" stands for the ends of all that waited before it.
 */
export type ResolutionOutcome = "answered" | "timed-out" | "owner-gone" | "stage-changed";

/** An event with its place in its device's sequence. */
export interface SequencedFault {
  readonly kind: "event";
  /** From 1. */
  readonly sequence: number;
  readonly wallMs: number;
  readonly fault: FaultRecord;
  /** Present when fault.pending is. */
  readonly response: { readonly token: string; readonly deadlineWallMs: number } | undefined;
}

/** Events of one type and page that were held back. */
export interface SuppressedFaults {
  /** Undefined: several. */
  readonly type: string | undefined;
  readonly page: bigint | undefined;
  readonly count: number;
  readonly first: number;
  readonly last: number;
}

export interface FaultGap {
  readonly kind: "gap";
  readonly device: DeviceID;
  readonly first: number;
  readonly last: number;
  /** 0: not known. */
  readonly count: number;
  readonly reason: "ring-overrun" | "hardware-overflow" | "released" | "rate-limit" | "restart";
  readonly suppressed: readonly SuppressedFaults[];
}

export interface FaultResolution {
  readonly kind: "resolution";
  readonly device: DeviceID;
  /** Of the event that waited. */
  readonly sequence: number;
  readonly outcome: ResolutionOutcome;
  readonly wallMs: number;
}

export type FaultEntry = SequencedFault | FaultGap | FaultResolution;

/** A closed run of a device's entries, in order. Frozen; the same object for every reader. */
export interface FaultSegment {
  readonly device: DeviceID;
  readonly entries: readonly FaultEntry[];
}

/** Entries from…to−1 of a segment. */
export interface FaultSlice {
  readonly segment: FaultSegment;
  readonly from: number;
  readonly to: number;
}

export interface FaultBatch {
  readonly slices: readonly FaultSlice[];
  /** What this reader alone lost. Of a device they come before its slices. */
  readonly gaps: readonly FaultGap[];
}

export interface FaultSubscription {
  /** The owner's, which may answer, or an observer's. */
  readonly view: "owner" | "observer";
  /**
   * Resolves with what is new, at most faultBatchEventsMax entries in segments of feeds, and what was lost besides; with
   * undefined once the subscription ended (its session ended, or close() was called). Only one call at a time.
   */
  next(): Promise<FaultBatch | undefined>;
  /**
   * Of devices the last number that next() has dealt with, or of before the subscription began: who has all that next() gave
   * may resume after these. Those that are others than the last time, at most `max`; one of which it cannot be said yet comes
   * later.
   */
  positions(max: number): ReadonlyMap<DeviceID, number>;
  close(): void;
}

export interface FaultWatchRequest {
  /** Empty: all there are to see, now and later. */
  readonly devices: readonly DeviceID[];
  /** 0, and a number that no device's event has had: all since the device was attached; for an observer all there is. */
  readonly resumeAfter: ReadonlyMap<DeviceID, bigint>;
  /** Other devices as if they were there with 0; without it they start with what comes from now on. */
  readonly fromStart?: boolean;
}

export interface FaultListRequest {
  readonly devices: readonly DeviceID[];
  /** Event names; empty: all. */
  readonly types: readonly string[];
  /** At most 1,000 count. */
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface FaultPage {
  /** The newest first. A page may be shorter than was asked for, or empty, and have a next one all the same. */
  readonly events: readonly SequencedFault[];
  /** Empty: these were the oldest. */
  readonly nextPageToken: string;
}

/** `session` undefined: an observer on the admin socket, who sees every device and may answer nothing. */
export interface FaultVerbs {
  /** Throws not_owner for a named device that is not the session's. */
  subscribe(session: string | undefined, request: FaultWatchRequest): FaultSubscription;
  /** What the rings hold. Throws not_owner as subscribe does, argument_invalid for a page token that is none. */
  list(session: string | undefined, request: FaultListRequest): FaultPage;
  /**
   * Answers what waits, once.
   * @throws BrokerError fault_not_pending: no such token, answered, or too late; argument_invalid: not an answer to it
   */
  respond(
    session: string,
    request: { readonly token: string; readonly answer: FaultAnswer },
    gate?: CallGate,
  ): Promise<{ readonly device: DeviceID; readonly sequence: number }>;
  /** Why an event happened; undefined: over the budget of limits.faultDiagnosesPerSecond. Kept for a moment for each page. */
  diagnose(event: SequencedFault): FaultDiagnosis | undefined;
}
