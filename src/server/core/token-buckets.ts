// Token buckets: calls per second with a burst, one for each name.
// Bounded: a bucket that nobody asked for the longest is forgotten first, and would then be full again.

import type { CallRate } from "./policy.ts";
import type { Clock } from "./ports.ts";

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** Identities that are calling at a time; more of them than this and one may get its burst early. */
export const BUCKETS_MAX = 4096;

export class TokenBuckets {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token; gives 0, or the milliseconds after which there will be one. */
  take(name: string, rate: CallRate): number {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#buckets.get(name) ?? { tokens: rate.burst, atMs: nowMs };
    const refilled = before.tokens + ((nowMs - before.atMs) * rate.perSecond) / 1000;
    const tokens = Math.min(rate.burst, refilled);
    this.#buckets.delete(name); // so that it is the newest again
    this.#buckets.set(name, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > BUCKETS_MAX && oldest !== undefined) this.#buckets.delete(oldest);
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 1000) / rate.perSecond);
  }

  clear(): void {
    this.#buckets.clear();
  }
}
