// What the edge may ask about sessions: open, take up, renew, end. sessions.ts and create-core.ts answer.

import type { Caller } from "./caller.ts";
import type { SessionNotice } from "./session-notices.ts";
import type { TermsWish } from "./session-terms.ts";
import type { CallIssue } from "./token-issue.ts";
import type { HeldView, SessionView } from "./views.ts";

/** A session that somebody has taken up, and what it has. */
export interface TakenUp {
  readonly session: SessionView;
  readonly held: HeldView;
}

export interface OpenRequest extends TermsWish {
  readonly displayName: string;
  readonly caller: Caller;
  /** By what a repeated call is known. */
  readonly issue?: CallIssue | undefined;
}

export interface SessionVerbs {
  open(request: OpenRequest): { session: SessionView; token: string };
  /**
   * The session that this very call was given before, with a new token, as long as nobody used the one that was given: of
   * that there is no copy. Undefined: there is none. Throws request_conflict.
   */
  reissue(issue: CallIssue, caller: Caller): Promise<(TakenUp & { token: string }) | undefined>;
  /** Puts the session of a token into the hands of the process that calls, also when it is lost and in its grace. */
  resume(token: string, caller: Caller): Promise<TakenUp>;
  /** Takes over a session whose owner named the caller; the token before is void. */
  claim(
    session: string,
    caller: Caller,
    wish: Omit<TermsWish, "graceMs">,
    issue?: CallIssue,
  ): Promise<TakenUp & { token: string }>;
  /** Ends a session by somebody else's decision, and tells its owner why. False when there is none. */
  revoke(session: string, reason: string): Promise<boolean>;
  /** The session of a token. Throws unauthenticated (unknown token, or another identity's) or lease_expired. */
  authenticate(token: string, caller: Caller): string;
  /** The same for whoever gives the session up: one that is lost may be closed. */
  authenticateToClose(token: string, caller: Caller): string;
  /** Renews the lease; returns the milliseconds until it lapses. */
  renew(session: string): number;
  /** Milliseconds until the lease lapses; 0 when it has, or the session is gone. */
  remaining(session: string): number;
  close(session: string): Promise<void>;
  /** Notices for the session's keep-alive stream, until the returned function is called. */
  onNotice(session: string, listener: (notice: SessionNotice) => void): () => void;
}
