// Which calls are made again by themselves, and when: only those that cannot happen twice by it.
// A refusal by the broker has changed nothing (docs/errors.md), so it may be tried again whatever the call was. A call whose
// connection broke may have been carried out: it is repeated where that changes nothing, or where it has a request_id.

import { setTimeout as sleep } from "node:timers/promises";
import type { BrokerCallError } from "./error.ts";

/** RPCs that leave the same behind however often they are made. */
const REPEATABLE: ReadonlySet<string> = new Set([
  "GetCapabilities",
  "ListDevices",
  "GetDevice",
  "ResumeSession",
  "CloseSession",
  "DeleteAddressSpace",
  "DeleteVirtualIommu",
  "InvalidateCache",
  "ListFaults",
  "ExplainTranslation",
  "ListSessions",
  "GetEffectivePolicy",
  "GetLogLevel",
  "SetLogLevel",
  "ReadMemory",
  "ReadStructures",
  "ListMsis",
]);

const BACKOFF_MS = { first: 50, max: 1000 };

export interface RepeatOptions {
  /** From the first attempt on; 0: one attempt. */
  readonly forMs: number;
  /** RPC name, "GetDevice". */
  readonly rpc: string;
  /** The request has an idempotence key: the broker does it once. */
  readonly hasRequestID: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Makes an attempt, and others after it while they are safe and there is time. */
export async function repeatedly<T>(
  attempt: () => Promise<T>,
  asError: (error: unknown) => BrokerCallError,
  options: RepeatOptions,
): Promise<T> {
  const endMs = performance.now() + options.forMs;
  for (let backoffMs = BACKOFF_MS.first; ; backoffMs = Math.min(2 * backoffMs, BACKOFF_MS.max)) {
    try {
      return await attempt();
    } catch (error) {
      const failure = asError(error);
      const waitMs = Math.max(failure.retryAfterMs ?? 0, backoffMs * (0.5 + Math.random() / 2));
      if (!maySucceedLater(failure, options) || performance.now() + waitMs > endMs) throw failure;
      await sleep(waitMs, undefined, { signal: options.signal }).catch(() => {
        throw failure;
      });
    }
  }
}

function maySucceedLater(failure: BrokerCallError, { hasRequestID, rpc, signal }: RepeatOptions): boolean {
  if (signal?.aborted) return false;
  if (failure.reason !== "") return failure.isUnavailable;
  return failure.isBrokenOff && (hasRequestID || REPEATABLE.has(rpc));
}
