// How late the event loop comes to what is due, between one scrape and the next.
// A timer asks every 20 ms. Not monitorEventLoopDelay: after its reset the next tick is not measured, so that a loop that is
// held up just behind a scrape would have been in time.

import { createHistogram } from "node:perf_hooks";
import type { Registry } from "prom-client";
import { METRICS } from "./catalog.ts";
import { gauge } from "./instruments.ts";

const PERIOD_MS = 20;
const NANOSECONDS = 1e9;

/** Makes the function that shows what was measured since the last time, and measures anew. */
export function lagSampler(registry: Registry): () => void {
  const lag = gauge(registry, METRICS.eventLoopLag);
  const late = createHistogram();
  let previousMs = performance.now();
  setInterval(() => {
    const nowMs = performance.now();
    late.record(Math.max(1, Math.round((nowMs - previousMs - PERIOD_MS) * 1e6))); // a histogram's least value is 1 ns
    previousMs = nowMs;
  }, PERIOD_MS).unref();
  return () => {
    const hasSamples = late.count > 0;
    const measured = { p50: late.percentile(50), p99: late.percentile(99), max: late.max };
    for (const [statistic, nanoseconds] of Object.entries(measured)) {
      lag.set({ statistic }, hasSamples ? nanoseconds / NANOSECONDS : 0);
    }
    late.reset();
  };
}
