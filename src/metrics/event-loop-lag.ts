// How late the event loop comes to what is due, in the last half minute to minute: whoever asks takes nothing from others.
// A timer asks every 20 ms. Not monitorEventLoopDelay: after its reset the next tick is not measured, so that a loop that is
// held up just behind a reset would have been in time.

import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import type { Registry } from "prom-client";
import { METRICS } from "./catalog.ts";
import { gauge } from "./instruments.ts";

const PERIOD_MS = 20;
/** After so long the newer half of what is shown becomes the older. */
const HALF_MS = 30_000;
const NANOSECONDS = 1e9;

/** Two halves of a window that goes on by itself. Times are of a monotonic clock. */
export class LagWindow {
  #older = createHistogram();
  #newer = createHistogram();
  #beganMs: number;

  constructor(nowMs: number) {
    this.#beganMs = nowMs;
  }

  /** @param lateMs  below 0 counts as in time */
  record(lateMs: number, nowMs: number): void {
    if (nowMs - this.#beganMs >= HALF_MS) {
      [this.#older, this.#newer] = [this.#newer, this.#older];
      this.#newer.reset();
      if (nowMs - this.#beganMs >= 2 * HALF_MS) this.#older.reset();
      this.#beganMs = nowMs;
    }
    this.#newer.record(Math.max(1, Math.round(lateMs * 1e6))); // a histogram's least value is 1 ns
  }

  /** Of both halves. */
  shown(): RecordableHistogram {
    const all = createHistogram();
    all.add(this.#older);
    all.add(this.#newer);
    return all;
  }
}

/** Makes the function that shows what was measured lately. */
export function lagSampler(registry: Registry): () => void {
  const lag = gauge(registry, METRICS.eventLoopLag);
  let previousMs = performance.now();
  const window = new LagWindow(previousMs);
  setInterval(() => {
    const nowMs = performance.now();
    window.record(nowMs - previousMs - PERIOD_MS, nowMs);
    previousMs = nowMs;
  }, PERIOD_MS).unref();
  return () => {
    const late = window.shown();
    const hasSamples = late.count > 0;
    const measured = { p50: late.percentile(50), p99: late.percentile(99), max: late.max };
    for (const [statistic, nanoseconds] of Object.entries(measured)) {
      lag.set({ statistic }, hasSamples ? nanoseconds / NANOSECONDS : 0);
    }
  };
}
