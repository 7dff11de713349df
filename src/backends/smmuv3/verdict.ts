// What becomes of a transaction, as the translator says it: where it leads, or why it goes nowhere. Nothing was recorded
// or answered yet; respond.ts does that.

import type { Fault } from "./fault.ts";
import type { MemoryAttributes, Outcome, Transaction } from "./transaction.ts";

/** An untranslated transaction without its address. */
export type Request = Omit<Transaction, "iova" | "translated">;

/** Where a transaction that succeeded leads, as halves; ipaHi is -1 when stage 2 took no part, pageBits 0 when bypassed. */
export interface Answer {
  readonly paHi: number;
  readonly paLo: number;
  readonly ipaHi: number;
  readonly ipaLo: number;
  readonly pageBits: number;
  /** Ten bits of memory attributes; what a transaction with hints of its own goes out with, attributesOf() says. */
  readonly attributes: number;
  /** Memory attributes that this transaction, the last one, went out with. */
  attributesOf(tx: Request): MemoryAttributes;
}

/** What became of a transaction before anything was recorded or answered. */
export type Verdict = { readonly kind: "ok"; readonly outcome: Outcome } | Refusal;

export type Refusal =
  | { readonly kind: "silent-abort" }
  | {
      readonly kind: "fault";
      readonly fault: Fault;
      readonly response: "abort" | "raz-wi" | "stall";
      readonly record: boolean;
    };
