// The time, as leases see it. While the daemon itself was away (stopped, or held up) no client could renew: who asks first
// after that finds out, before anything is taken for lapsed. Reading it is not looking: only the reaper looks, at
// intervals, and a look that does not come says that the daemon stood still.

import type { Clock } from "./ports.ts";

export class LeaseClock {
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #onAway: (awayMs: number, nowMs: number) => void;
  #lookedAtMs: number;

  /** @param onAway  told before nowMs() answers, once for each time that the last look was more than stallMs ago */
  constructor(clock: Clock, stallMs: number, onAway: (awayMs: number, nowMs: number) => void) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#onAway = onAway;
    this.#lookedAtMs = clock.monotonicMs();
  }

  nowMs(): number {
    const nowMs = this.#clock.monotonicMs();
    const awayMs = nowMs - this.#lookedAtMs;
    if (awayMs <= this.#stallMs) return nowMs;
    this.#lookedAtMs = nowMs;
    this.#onAway(awayMs, nowMs);
    return nowMs;
  }

  /** The reaper's look at all leases. */
  look(): number {
    const nowMs = this.nowMs();
    this.#lookedAtMs = nowMs;
    return nowMs;
  }
}
