// Faults as a backend reports them, and what subscribers were given, in words that a test can compare.

import type { FaultRecord, PendingFault } from "../../src/backends/faults.ts";
import type { DeviceID } from "../../src/backends/ids.ts";
import type { FaultBatch, FaultEntry, FaultGap } from "../../src/server/core/fault-verbs.ts";
import type { FaultCensus } from "../../src/server/core/views.ts";

/** An F_TRANSLATION of stage 1 (event 0x10, IHI 0070G.b §7.3.13), but for what is said otherwise. */
export function faultOf(device: DeviceID, over: Partial<FaultRecord> = {}): FaultRecord {
  return {
    device,
    virtualStreamID: undefined,
    substreamID: undefined,
    type: "F_TRANSLATION",
    typeNumber: 0x10,
    stage: 1,
    class: "IN",
    inputAddress: 0n,
    ipa: undefined,
    fetchAddress: undefined,
    read: true,
    instruction: false,
    privileged: false,
    transition: false,
    hostOnly: false,
    pending: undefined,
    pageRequest: undefined,
    record: new Uint8Array(32),
    ...over,
  };
}

export function stallOf(cookie: number): PendingFault {
  return { kind: "stall", cookie, stag: cookie };
}

export function pageRequestOf(cookie: number): PendingFault {
  return { kind: "page-request", cookie, stag: undefined };
}

export function entriesOf(batch: FaultBatch | undefined): FaultEntry[] {
  return (batch?.slices ?? []).flatMap(({ segment, from, to }) => segment.entries.slice(from, to));
}

/** Events and gaps of a device in order of their numbers, resolutions where they stand: "3", "4-9 rate-limit", "3 answered". */
export function wordsOf(entry: FaultEntry): string {
  switch (entry.kind) {
    case "event":
      return `${entry.fault.device}#${entry.sequence}`;
    case "gap":
      return gapWords(entry);
    case "resolution":
      return `${entry.device}#${entry.sequence} ${entry.outcome}`;
  }
}

function gapWords({ device, first, last, reason }: FaultGap): string {
  return `${device}#${first}-${last} ${reason}`;
}

/** The reader's own gaps, and what the slices hold. */
export function shown(batch: FaultBatch | undefined): { gaps: string[]; entries: string[] } | undefined {
  return batch && { gaps: batch.gaps.map(gapWords), entries: entriesOf(batch).map(wordsOf) };
}

/** Nothing happened yet. */
export const NO_FAULTS: FaultCensus = {
  recorded: 0,
  delivered: 0,
  suppressed: 0,
  hostOnly: 0,
  dropped: { unrouted: 0, overrun: 0, released: 0, hardwareOverflow: 0 },
  held: 0,
  pending: 0,
  resolutions: { answered: 0, "timed-out": 0, "owner-gone": 0, "stage-changed": 0 },
  subscribers: { owner: 0, observer: 0 },
  diagnoses: { made: 0, cached: 0, overBudget: 0 },
};
