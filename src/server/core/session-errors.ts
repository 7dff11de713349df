// How a session refuses: each time with what became of it and what to do instead.

import { BrokerError } from "../../backends/errors.ts";
import { requestRefused } from "./answers.ts";
import { type Caller, describeCaller } from "./caller.ts";
import { isOver, type LossReason, reasonOfLapse, type SessionRecord } from "./session.ts";

/** Why a session is no more. */
export type EndReason = "closed" | "revoked" | LossReason;
/** Why a session that goes on has another token. */
export type ReplacedReason = "transferred" | "replaced";
/** Why a token is of no use any more. */
export type VoidReason = EndReason | ReplacedReason;

const MESSAGES = {
  closed: "the session was closed: open another",
  revoked: "the session was revoked by an administrator: ask them before opening another",
  lease_expired: "the session's lease lapsed: open another",
  peer_died: "the session ended with the process it hung on: open another",
  not_resumed: "the session was not resumed in time after a restart of the broker: open another",
  transferred: "the session was claimed by another process, which has a new token: open another",
  replaced: "the call that gave this token was repeated, and its answer had a new one: go on with that",
} as const satisfies Record<VoidReason, string>;

const LOSSES = {
  lease_expired: "its lease lapsed",
  peer_died: "the process it hung on ended",
  not_resumed: "it was not resumed in time after a restart of the broker",
} as const satisfies Record<LossReason, string>;

export function ended(reason: VoidReason): BrokerError {
  return new BrokerError("lease_expired", MESSAGES[reason], { reason });
}

/** For a session that is lost or has lapsed: whether it may be resumed still. */
export function notLive(session: SessionRecord, nowMs: number): BrokerError {
  const reason = reasonOfLapse(session);
  if (isOver(session, nowMs)) return ended(reason);
  return new BrokerError(
    "lease_expired",
    `the session is lost, ${LOSSES[reason]}: its devices are at abort and are kept for ${session.graceMs} ms since then; call ResumeSession`,
    { reason: "lost", loss: reason, grace_ms: session.graceMs, session: session.id },
  );
}

export function anotherIdentity(session: SessionRecord, caller: Caller): BrokerError {
  return new BrokerError(
    "unauthenticated",
    `the session token is not ${describeCaller(caller)}'s: sessions are used by the identity that opened them`,
    { session: session.id },
  );
}

export function unknownToken(): BrokerError {
  return new BrokerError("unauthenticated", "the session token is not one of this daemon's: call OpenSession", {});
}

export function unknownSession(id: string): BrokerError {
  return new BrokerError("session_unknown", `there is no session ${id} to claim: ask its opener for the name`, {
    session: id,
  });
}

/** For a repeated OpenSession or ClaimSession of before a restart. */
export function tokenUsed(session: SessionRecord, requestID: string): BrokerError {
  const what = `opened or claimed session ${session.id}, whose token has been used since and is not kept`;
  return requestRefused(requestID, what, "go on with that token, or use a new request_id");
}

export function notTransferable(session: SessionRecord, caller: Caller): BrokerError {
  return new BrokerError(
    "policy_denied",
    `session ${session.id} is not to be claimed by ${describeCaller(caller)}: its opener names who may, in OpenSession.transferable_to`,
    { session: session.id },
  );
}

export function callerGone(): BrokerError {
  return new BrokerError("call_over", "the calling process has ended");
}

/** @param reason  reads on after a colon */
export function cannotWatch(reason: string): BrokerError {
  const why = `LIVENESS_PEER_PROCESS is not possible: ${reason}; ask for LIVENESS_TTL and keep the session alive`;
  return new BrokerError("argument_invalid", why, {}, { fields: [{ path: "liveness", description: why }] });
}
