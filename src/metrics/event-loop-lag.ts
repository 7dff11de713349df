// How late the event loop comes to what is due, between one scrape and the next.
// A native timer that fires every 10 ms measures it; a loop that comes in time is that period late by less than a millisecond.

import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Registry } from "prom-client";
import { METRICS } from "./catalog.ts";
import { gauge } from "./instruments.ts";

const PERIOD_MS = 10;
const NANOSECONDS = 1e9;

/** Makes the function that shows what was measured since the last time, and measures anew. */
export function lagSampler(registry: Registry): () => void {
  const lag = gauge(registry, METRICS.eventLoopLag);
  const delay = monitorEventLoopDelay({ resolution: PERIOD_MS });
  delay.enable();
  return () => {
    const measured = { p50: delay.percentile(50), p99: delay.percentile(99), max: delay.max };
    const hasSamples = delay.count > 0;
    for (const [statistic, nanoseconds] of Object.entries(measured)) {
      // the timer's own period is in what it measures
      const late = hasSamples ? nanoseconds / NANOSECONDS - PERIOD_MS / 1000 : 0;
      lag.set({ statistic }, Math.max(0, late));
    }
    delay.reset();
  };
}
