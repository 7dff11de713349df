// The look for what has run out of time, at an interval.

import type { Core } from "../core/core.ts";
import type { Log } from "../log.ts";

/**
 * Looks for lapsed leases at an interval, also while an earlier look is still giving back what it found: a look that
 * does not come is how core knows that the daemon stood still.
 */
export function startReaping(core: Core, intervalMs: number, log: Log, alsoReap: () => void): { stop(): void } {
  const timer = setInterval(() => {
    alsoReap();
    core.reapExpired().catch((error: unknown) => log.error({ error }, "bug: reaping failed"));
  }, intervalMs).unref();
  return { stop: () => clearInterval(timer) };
}
