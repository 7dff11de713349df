// How an access is translated, step by step, as every backend tells it.
// An address is an IPA where the guest owns what lies there, a PA where the host does; PAs are there only when asked for.

import type { FaultClass } from "./faults.ts";
import type { DeviceID } from "./ids.ts";

export interface ExplainRequest {
  readonly device: DeviceID;
  /** Which of the device's StreamIDs; the caller has checked it. */
  readonly streamIndex: number;
  /** 64 bits. */
  readonly iova: bigint;
  /** Below 2^20. Undefined: the access has none. */
  readonly substreamID: number | undefined;
  readonly access: "read" | "write" | "execute";
  readonly privileged: boolean;
  /** True: with the host's structures and addresses. */
  readonly showsHost: boolean;
}

export interface ExplainedStep {
  /** "STE", "stage 1 level 2 descriptor", "stage 2, for CD". */
  readonly structure: string;
  /** Of the structure; of a stage 2 step, what it translated. */
  readonly ipa: bigint | undefined;
  readonly pa: bigint | undefined;
  /** Doublewords; empty where there is none to show. */
  readonly raw: readonly bigint[];
  readonly fields: Readonly<Record<string, bigint>>;
  /** What was decided and why, one sentence. */
  readonly decision: string;
  readonly section: string;
}

export interface ExplainedFault {
  /** Event name, verbatim: "C_BAD_CD". */
  readonly type: string;
  readonly typeNumber: number;
  readonly stage: 1 | 2 | undefined;
  readonly class: FaultClass | undefined;
  readonly inputAddress: bigint | undefined;
  readonly ipa: bigint | undefined;
  readonly fetchAddress: bigint | undefined;
  readonly read: boolean | undefined;
  readonly instruction: boolean | undefined;
  readonly privileged: boolean | undefined;
}

export type ExplainedEnd =
  | {
      readonly kind: "ok";
      readonly bypass: boolean;
      readonly ipa: bigint | undefined;
      readonly pa: bigint | undefined;
      /** 0: bypass. */
      readonly pageBytes: bigint;
    }
  | {
      readonly kind: "abort" | "raz-wi" | "stalled";
      /** Undefined: terminated silently. */
      readonly fault: ExplainedFault | undefined;
      /** The fault calls for a record. */
      readonly recorded: boolean;
    }
  | { readonly kind: "not-covered"; readonly reason: string };

/** A descriptor that the hardware would update. */
export interface ExplainedWrite {
  readonly ipa: bigint | undefined;
  readonly pa: bigint | undefined;
  /** As it would lie in memory, little-endian. */
  readonly value: bigint;
}

export interface Explanation {
  readonly steps: readonly ExplainedStep[];
  readonly end: ExplainedEnd;
  readonly writes: readonly ExplainedWrite[];
}
