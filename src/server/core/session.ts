// A session as a record, and every way in which it changes: pure, on monotonic milliseconds.
//   live ──────▶ lost ──▶ ended     lost: its process died, its lease lapsed; its devices are at abort, it may be resumed
//   restored ─▶ live or lost        restored: of before a restart of the daemon; its owner has not shown itself yet
// A deadline is where a state ends by itself: a lease, the time to come back after a restart, the grace of a lost session.

import type { Caller } from "./caller.ts";
import type { WatchedProcess } from "./ports.ts";
import type { TokenIssue } from "./token-issue.ts";

/** How the broker decides that a session's owner is gone: its process ended, or its lease was not renewed. */
export type Liveness = "peer-process" | "ttl";

export const SESSION_STATES = ["live", "restored", "lost"] as const;
export type SessionState = (typeof SESSION_STATES)[number];

export const LOSS_REASONS = ["lease_expired", "peer_died", "not_resumed"] as const;
export type LossReason = (typeof LOSS_REASONS)[number];

/** A group that was set to abort because its session was lost, and the generation that made. */
export interface AbortedGroup {
  readonly group: number;
  readonly generation: number;
}

/** What says whether the owner is there. */
export interface Presence {
  readonly liveness: Liveness;
  /** Present with peer-process. */
  readonly process: WatchedProcess | undefined;
  /** 0 with peer-process. */
  readonly ttlMs: number;
}

export interface SessionRecord extends Presence {
  readonly id: string;
  readonly displayName: string;
  /** Who opened it, or resumed or claimed it last. */
  readonly caller: Caller;
  /** One-way digest of the token; the token itself is never kept. */
  readonly tokenDigest: string;
  /** Undefined: to a call without a request_id, or by a caller who is nobody's to know again. */
  readonly issue?: TokenIssue | undefined;
  /** How long a lost session keeps what it has. */
  readonly graceMs: number;
  /** Patterns of the identities that may claim it. */
  readonly transferableTo: readonly string[];
  /** Milliseconds since 1970. */
  readonly openedMs: number;
  readonly state: SessionState;
  /** Present while lost. */
  readonly lossReason: LossReason | undefined;
  /** Of its last loss. */
  readonly aborted: readonly AbortedGroup[];
  /** Monotonic time at which the state ends by itself; infinite for a live session that hangs on its process. */
  readonly deadlineMs: number;
}

export type NewSession = Omit<SessionRecord, "state" | "lossReason" | "aborted" | "deadlineMs">;

export function openSession(request: NewSession, nowMs: number): SessionRecord {
  const fresh: SessionRecord = { ...request, state: "live", lossReason: undefined, aborted: [], deadlineMs: nowMs };
  return renewed(fresh, nowMs);
}

/** A live session's deadline counts from now again. One that waits for a process to hang on waits no longer for it. */
export function renewed(session: SessionRecord, nowMs: number): SessionRecord {
  if (session.state !== "live") return session;
  return Object.freeze({ ...session, deadlineMs: nowMs + leaseMs(session) });
}

/** The session in the hands of a caller who is there now. */
export function revived(session: SessionRecord, caller: Caller, presence: Presence, nowMs: number): SessionRecord {
  return renewed({ ...session, ...presence, caller, state: "live", lossReason: undefined }, nowMs);
}

/** Until it is renewed a live session does not end by itself. */
export function withoutDeadline(session: SessionRecord): SessionRecord {
  return Object.freeze({ ...session, deadlineMs: Number.POSITIVE_INFINITY });
}

export function lost(session: SessionRecord, lossReason: LossReason, nowMs: number): SessionRecord {
  const deadlineMs = nowMs + session.graceMs;
  return Object.freeze({ ...session, state: "lost", lossReason, aborted: [], deadlineMs });
}

/** How long a session of before a restart may wait: its owner could not renew or resume, so it has the window at least. */
export function comebackMs({ graceMs, state, ttlMs }: SessionRecord, windowMs: number): number {
  if (state === "lost") return graceMs === 0 ? 0 : Math.max(windowMs, graceMs);
  return Math.max(windowMs, ttlMs);
}

/** @param usedMs  of the time to come back, in earlier lives of the daemon */
export function afterRestart(session: SessionRecord, windowMs: number, usedMs: number, nowMs: number): SessionRecord {
  const state = session.state === "lost" ? "lost" : "restored";
  return Object.freeze({ ...session, state, deadlineMs: nowMs + Math.max(0, comebackMs(session, windowMs) - usedMs) });
}

/** Whether a change of a session begins its absence anew, or ends it: it has another state, or its owner was there. */
export function endsAbsence(
  before: { readonly state: string } | undefined,
  after: { readonly state: string },
): boolean {
  return before?.state !== "lost" || after.state !== "lost";
}

/** While the daemon stood still nobody could renew or resume: the full time again, whatever the state. */
export function afterStall(session: SessionRecord, windowMs: number, nowMs: number): SessionRecord {
  switch (session.state) {
    case "live":
      return renewed(session, nowMs);
    case "restored":
      return Object.freeze({ ...session, deadlineMs: nowMs + comebackMs(session, windowMs) });
    case "lost":
      return Object.freeze({ ...session, deadlineMs: nowMs + session.graceMs });
  }
}

/** A state is over at its deadline, not after it. */
export function isLapsed(session: SessionRecord, nowMs: number): boolean {
  return nowMs >= session.deadlineMs;
}

/** Nothing can bring it back any more, whether the reaper has been there yet or not. */
export function isOver(session: SessionRecord, nowMs: number): boolean {
  return nowMs >= (session.state === "lost" ? session.deadlineMs : session.deadlineMs + session.graceMs);
}

/** Why a session that has come to its deadline is lost. */
export function reasonOfLapse(session: SessionRecord): LossReason {
  if (session.lossReason !== undefined) return session.lossReason;
  return session.state === "restored" && session.liveness === "peer-process" ? "not_resumed" : "lease_expired";
}

function leaseMs({ liveness, ttlMs }: Presence): number {
  return liveness === "peer-process" ? Number.POSITIVE_INFINITY : ttlMs;
}
