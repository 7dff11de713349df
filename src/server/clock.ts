// The system's clocks. Implements core's Clock port.

import type { Clock } from "./core/ports.ts";

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};
