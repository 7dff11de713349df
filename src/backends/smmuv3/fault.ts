// A fault: the value that any step of a translation returns instead of an address.
// It says what the architecture's record says, in the record's own words; event-record.ts turns it into bits.
// Source: IHI 0070G.b §7.3.

import type { EventName } from "../../spec/events.ts";

export type FaultClass = "CD" | "TTD" | "IN";

/** A fault as the step that found it knows it; translate.ts adds whose transaction it was. */
export interface StageFault {
  readonly type: EventName;
  /** The stage whose walk or check failed; absent for configuration errors. */
  readonly stage?: 1 | 2;
  readonly class?: FaultClass;
  /** Stage 2 faults: the address that stage 2 was translating. */
  readonly ipa?: number;
  /** Fetch aborts: the physical address of the access that was aborted. */
  readonly fetchAddress?: number;
  /** Stage 2 F_PERMISSION with class TTD: the table access that failed was a read. */
  readonly tableRead?: boolean;
}

/** A fault of a transaction: everything its event record holds. */
export interface Fault extends StageFault {
  readonly streamID: number;
  /** Absent: SSV=0. */
  readonly substreamID?: number;
  /** The device's address as it came in. Absent in records that have no InputAddr. */
  readonly inputAddr?: bigint;
  /** Attributes of the device's access after STE overrides. */
  readonly privileged?: boolean;
  readonly instruction?: boolean;
  readonly read?: boolean;
  /** F_BAD_ATS_TREQ: what the translation request asked for, before STE overrides; reading is always asked for. */
  readonly asked?: { readonly write: boolean; readonly execute: boolean; readonly privileged: boolean };
}
