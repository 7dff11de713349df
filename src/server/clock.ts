// The system's clocks and alarms. Implements core's Clock and Alarms ports.

import type { Alarms, Clock } from "./core/ports.ts";

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/** Of the event loop; none of them keeps the process alive. */
export const systemAlarms: Alarms = {
  after: (ms, ring) => {
    const timer = setTimeout(ring, ms).unref();
    return () => clearTimeout(timer);
  },
};
