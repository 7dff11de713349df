// Faults made by hand, for tests that need some: what they say is in no relation to any hardware.

import type { FaultRecord } from "../../src/backends/faults.ts";
import { virtualStreamID } from "../../src/backends/ids.ts";
import type {
  FaultBatch,
  FaultEntry,
  FaultGap,
  FaultResolution,
  SequencedFault,
} from "../../src/server/core/fault-verbs.ts";
import { NVME } from "./fake-core.ts";

export const FAULT: FaultRecord = {
  device: NVME,
  virtualStreamID: virtualStreamID(8),
  substreamID: 0xf_ffff,
  type: "F_TRANSLATION",
  typeNumber: 0x10,
  stage: 2,
  class: "TTD",
  inputAddress: 2n ** 64n - 1n,
  ipa: 2 ** 52 - 4096,
  fetchAddress: 0x40,
  read: true,
  instruction: false,
  privileged: true,
  transition: false,
  hostOnly: false,
  pending: undefined,
  pageRequest: undefined,
  record: Uint8Array.from({ length: 32 }, (_, index) => index),
};

/** A record that carries nothing that an event may leave out. */
export const BARE_FAULT: FaultRecord = {
  ...FAULT,
  virtualStreamID: undefined,
  substreamID: undefined,
  stage: undefined,
  class: undefined,
  inputAddress: undefined,
  ipa: undefined,
  fetchAddress: undefined,
  read: undefined,
  instruction: undefined,
  privileged: undefined,
};

export const WALL_MS = 1_700_000_000_250;

export function faultEvent(sequence: number, change: Partial<FaultRecord> = {}): SequencedFault {
  return { kind: "event", sequence, wallMs: WALL_MS, fault: { ...FAULT, ...change }, response: undefined };
}

/** A stalled transaction that waits, with a token of its own. */
export function stalled(sequence: number, change: Partial<FaultRecord> = {}): SequencedFault {
  const pending = { kind: "stall", cookie: sequence, stag: 0xffff } as const;
  const response = { token: `answer-${sequence}`, deadlineWallMs: WALL_MS + 10_000 };
  return { ...faultEvent(sequence, { pending, ...change }), response };
}

export function faultGap(change: Partial<FaultGap> = {}): FaultGap {
  return { kind: "gap", device: NVME, first: 3, last: 9, count: 7, reason: "ring-overrun", suppressed: [], ...change };
}

export function resolution(sequence: number, change: Partial<FaultResolution> = {}): FaultResolution {
  return { kind: "resolution", device: NVME, sequence, outcome: "answered", wallMs: WALL_MS, ...change };
}

/** One segment, all of it. */
export function batchOf(...entries: FaultEntry[]): FaultBatch {
  return { slices: [{ segment: { device: NVME, entries }, from: 0, to: entries.length }], gaps: [] };
}

/** Events of these numbers in one segment. */
export function eventBatch(...sequences: number[]): FaultBatch {
  return batchOf(...sequences.map((sequence) => faultEvent(sequence)));
}
