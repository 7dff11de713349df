// What a run of the fuzzer reached: a run that reaches little proves little.

import type { Outcome, PageRequestOutcome, TranslationResponse } from "../../src/backends/smmuv3/smmu.ts";

export interface FuzzFigures {
  rounds: number;
  steps: number;
  outcomes: Record<Outcome["kind"], number>;
  /** Answers to translation requests, and what became of page requests. */
  answers: Record<TranslationResponse["kind"], number>;
  pages: Record<PageRequestOutcome, number>;
  resumed: number;
  commands: number;
  events: number;
  /** CMD_ATC_INV that a device did not answer. */
  timeouts: number;
  /** Doublewords read through windows. */
  windowReads: number;
  /** The most doublewords one transaction, and one register write, asked for. */
  transactionMax: number;
  registerWriteMax: number;
  slowestStepMs: number;
}

export function newFuzzFigures(): FuzzFigures {
  return {
    rounds: 0,
    steps: 0,
    outcomes: { ok: 0, abort: 0, "raz-wi": 0, stalled: 0 },
    answers: { success: 0, "completer-abort": 0, "unsupported-request": 0 },
    pages: { queued: 0, "auto-response": 0, discarded: 0 },
    resumed: 0,
    commands: 0,
    events: 0,
    timeouts: 0,
    windowReads: 0,
    transactionMax: 0,
    registerWriteMax: 0,
    slowestStepMs: 0,
  };
}
