// The rate limit of one device's events: a token bucket, and what it holds back summed up by type and page.
// Once dry it stays shut for a moment, so that a storm becomes few long gaps instead of one between any two events.

import type { FaultRecord } from "../../backends/faults.ts";
import type { FaultGap, SuppressedFaults } from "./fault-verbs.ts";
import type { Clock } from "./ports.ts";

/** Kinds in a summary; the rest is told as one. */
export const KINDS_MAX = 16;
/** How long a run of held-back events may grow before it is told. */
export const RUN_MS = 100;
/** How much of a second's allowance there must be before a bucket that ran dry opens again. */
const REOPEN_PART = 0.01;
const PAGE = ~0xfffn;

interface Kind {
  type: string | undefined;
  page: bigint | undefined;
  count: number;
  first: number;
  last: number;
}

export class FaultLimiter {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #reopenAt: number;
  #tokens: number;
  #atMs: number;
  #isShut = false;
  #first = 0;
  #last = 0;
  #count = 0;
  #kinds: Kind[] = [];
  #rest: Kind | undefined;

  /** @param perSecond  0: no limit */
  constructor(clock: Clock, { perSecond, burst }: { readonly perSecond: number; readonly burst: number }) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#reopenAt = Math.min(burst, Math.max(1, perSecond * REOPEN_PART));
    this.#tokens = burst;
    this.#atMs = clock.monotonicMs();
  }

  /** Events are held back since the last gap was taken. */
  get hasRun(): boolean {
    return this.#count > 0;
  }

  /** Takes a token. */
  admits(): boolean {
    if (this.#perSecond === 0) return true;
    const nowMs = this.#clock.monotonicMs();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) * this.#perSecond) / 1000);
    this.#atMs = nowMs;
    this.#isShut = this.#tokens < (this.#isShut ? this.#reopenAt : 1);
    if (!this.#isShut) this.#tokens -= 1;
    return !this.#isShut;
  }

  suppress(fault: FaultRecord, sequence: number): void {
    if (this.#count === 0) this.#first = sequence;
    this.#last = sequence;
    this.#count += 1;
    const address = fault.inputAddress ?? fault.pageRequest?.address;
    const page = address === undefined ? undefined : address & PAGE;
    const kind = this.#kindOf(fault.type, page, sequence);
    kind.count += 1;
    kind.last = sequence;
  }

  /** What was held back, as one gap. There must be a run. */
  take(device: FaultGap["device"]): FaultGap {
    const suppressed: SuppressedFaults[] = this.#rest === undefined ? this.#kinds : [...this.#kinds, this.#rest];
    const gap: FaultGap = {
      kind: "gap",
      device,
      first: this.#first,
      last: this.#last,
      count: this.#count,
      reason: "rate-limit",
      suppressed: Object.freeze(suppressed.map((kind) => Object.freeze(kind))),
    };
    this.#count = 0;
    this.#kinds = [];
    this.#rest = undefined;
    return gap;
  }

  #kindOf(type: string, page: bigint | undefined, sequence: number): Kind {
    for (const kind of this.#kinds) if (kind.type === type && kind.page === page) return kind;
    if (this.#kinds.length < KINDS_MAX) {
      const kind = { type, page, count: 0, first: sequence, last: sequence };
      this.#kinds.push(kind);
      return kind;
    }
    this.#rest ??= { type: undefined, page: undefined, count: 0, first: sequence, last: sequence };
    return this.#rest;
  }
}
