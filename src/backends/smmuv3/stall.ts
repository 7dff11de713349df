// Stalled transactions, by STAG, until software resumes or terminates them.
// The model has no clock and holds no promise: whoever owns the device collects the answers with take().
// At most STALL_MAX are held, and as many answers kept as there are STAGs.
// Source: IHI 0070G.b §3.12.2, §4.7.1.

import type { Outcome, Transaction } from "./transaction.ts";

/** A stalled transaction that has been answered. */
export interface ResumedTransaction {
  readonly stag: number;
  readonly transaction: Transaction;
  readonly outcome: Outcome;
}

/** A transaction that is still stalled. */
export interface StalledTransaction {
  readonly stag: number;
  readonly transaction: Transaction;
}

const STAG_COUNT = 65_536;

export class StallTable {
  readonly #max: number;
  readonly #held = new Map<number, Transaction>();
  readonly #unrecorded = new Set<number>();
  readonly #answered = new Set<ResumedTransaction>();
  #nextTag = 0;

  /** @param max IDR5.STALL_MAX; 0: nothing stalls */
  constructor(max: number) {
    this.#max = max;
  }

  hasRoom(): boolean {
    return this.#held.size < this.#max;
  }

  /** Holds a transaction; the caller has asked hasRoom(). */
  hold(transaction: Transaction): number {
    while (this.#held.has(this.#nextTag)) this.#nextTag = (this.#nextTag + 1) % STAG_COUNT;
    const stag = this.#nextTag;
    this.#held.set(stag, transaction);
    this.#nextTag = (stag + 1) % STAG_COUNT;
    return stag;
  }

  /** @returns the transaction, no longer held; undefined for an unknown STAG or one of another stream (§4.7.1) */
  release(streamID: number, stag: number): Transaction | undefined {
    const transaction = this.#held.get(stag);
    if (transaction === undefined || transaction.streamID !== streamID) return undefined;
    this.#held.delete(stag);
    this.#unrecorded.delete(stag);
    return transaction;
  }

  /** What is held for a stream, or at all. */
  held(streamID?: number): StalledTransaction[] {
    const all = [...this.#held].map(([stag, transaction]) => ({ stag, transaction }));
    return streamID === undefined ? all : all.filter((each) => each.transaction.streamID === streamID);
  }

  /** The record of this stall found no room yet. */
  setUnrecorded(stag: number): void {
    this.#unrecorded.add(stag);
  }

  /** The oldest stall without a record, which the caller now records. */
  nextUnrecorded(): StalledTransaction | undefined {
    for (const stag of this.#unrecorded) {
      this.#unrecorded.delete(stag);
      const transaction = this.#held.get(stag);
      if (transaction !== undefined) return { stag, transaction };
    }
    return undefined;
  }

  /** Where nobody collects, the oldest answer goes: by then its STAG has been another transaction's. */
  answer(resumed: ResumedTransaction): void {
    for (const oldest of this.#answered) {
      if (this.#answered.size < STAG_COUNT) break;
      this.#answered.delete(oldest);
    }
    this.#answered.add(resumed);
  }

  /** The answers since the last call, the last 65,536 of them. */
  take(): readonly ResumedTransaction[] {
    const answered = [...this.#answered];
    this.#answered.clear();
    return answered;
  }
}
