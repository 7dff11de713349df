// What a verdict does to the world: the record in the Event queue, the answer to the client, or a stall.
// A stalled transaction whose record found no room is tried again when the queue becomes writable: an invalidation in
// between may have changed its fate, and then it is the new one that is recorded.
// Source: IHI 0070G.b §3.12, §5.5, §7.2.1, §4.7.1, §4.7.2.

import type { EventQueue } from "./event-queue.ts";
import { encodeEvent } from "./event-record.ts";
import { type ResumedTransaction, StallTable } from "./stall.ts";
import type { Outcome, Transaction } from "./transaction.ts";
import type { Translator } from "./translate.ts";
import type { Verdict } from "./verdict.ts";

export type ResumeAction = "retry" | "abort" | "raz-wi";

const SILENT_ABORT: Outcome = Object.freeze({ kind: "abort", fault: undefined, recorded: false });

export class Responder {
  readonly #translator: Translator;
  readonly #events: EventQueue;
  readonly #stalls: StallTable;

  /** @param stallMax IDR5.STALL_MAX */
  constructor(translator: Translator, events: EventQueue, stallMax: number) {
    this.#translator = translator;
    this.#events = events;
    this.#stalls = new StallTable(stallMax);
  }

  /** Records and answers one transaction. */
  settle(tx: Transaction, verdict: Verdict): Outcome {
    if (verdict.kind === "ok") return verdict.outcome;
    if (verdict.kind === "silent-abort") return SILENT_ABORT;
    const { fault, response, record } = verdict;
    if (response === "stall" && this.#stalls.hasRoom()) {
      const stag = this.#stalls.hold(tx);
      if (!this.#events.recordStall(encodeEvent(fault, stag))) this.#stalls.setUnrecorded(stag);
      return { kind: "stalled", stag, fault };
    }
    // with no room to stall, an implementation may terminate at once (§5.5)
    const recorded = record && this.#events.record(encodeEvent(fault), this.#translator.mayMerge(fault));
    return { kind: response === "stall" ? "abort" : response, fault, recorded };
  }

  /** CMD_RESUME. A STAG that is unknown, or another stream's, has no effect. */
  resume(streamID: number, stag: number, action: ResumeAction): void {
    const transaction = this.#stalls.release(streamID, stag);
    if (transaction === undefined) return;
    const outcome: Outcome =
      action === "retry"
        ? this.settle(transaction, this.#translator.translate(transaction))
        : { kind: action, fault: undefined, recorded: false };
    this.#stalls.answer({ stag, transaction, outcome });
  }

  /** CMD_STALL_TERM for one stream; without a stream, what clearing SMMUEN does. */
  terminateStalls(streamID?: number): void {
    for (const { stag, transaction } of this.#stalls.held(streamID)) this.resume(transaction.streamID, stag, "abort");
  }

  /** The Event queue may have become writable: stalls that wait for their record get it, or go on. */
  flush(): void {
    while (this.#events.isWritable()) {
      const waiting = this.#stalls.nextUnrecorded();
      if (waiting === undefined) return;
      const { stag, transaction } = waiting;
      const verdict = this.#translator.translate(transaction);
      if (verdict.kind === "fault" && verdict.response === "stall") {
        this.#events.recordStall(encodeEvent(verdict.fault, stag));
        continue;
      }
      this.#stalls.release(transaction.streamID, stag);
      this.#stalls.answer({ stag, transaction, outcome: this.settle(transaction, verdict) });
    }
  }

  takeResumed(): readonly ResumedTransaction[] {
    return this.#stalls.take();
  }
}
