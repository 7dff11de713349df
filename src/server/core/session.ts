// Session lease arithmetic: open, renew, lapsed? Monotonic milliseconds only.

import type { Caller } from "./caller.ts";

export interface SessionRecord {
  readonly id: string;
  readonly displayName: string;
  /** Who opened it. */
  readonly caller: Caller;
  /** One-way digest of the token; the token itself is never kept. */
  readonly tokenDigest: string;
  readonly ttlMs: number;
  /** Monotonic time at which the lease lapses. */
  readonly deadlineMs: number;
}

export function openSession(
  request: { id: string; displayName: string; caller: Caller; tokenDigest: string; ttlMs: number },
  nowMs: number,
): SessionRecord {
  return Object.freeze({ ...request, deadlineMs: nowMs + request.ttlMs });
}

export function renewed(session: SessionRecord, nowMs: number): SessionRecord {
  return Object.freeze({ ...session, deadlineMs: nowMs + session.ttlMs });
}

/** A lease is over at its deadline, not after it. */
export function isLapsed(session: SessionRecord, nowMs: number): boolean {
  return nowMs >= session.deadlineMs;
}
