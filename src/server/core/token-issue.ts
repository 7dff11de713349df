// Which call a session's token was given to. The token itself is on no disk; so a call of which the answer was lost with
// the daemon is known again by this, and is given another token for the same session.

/** By what a call is known again. */
export interface CallIssue {
  /** Of caller.ts, lastingScope(). */
  readonly scope: string;
  readonly requestID: string;
  /** Of the method and the request's bytes. */
  readonly digest: string;
}

export interface TokenIssue extends CallIssue {
  /** Its holder has called: the answer has arrived. */
  readonly isUsed: boolean;
}

interface Issued {
  readonly issue?: TokenIssue | undefined;
}

export function unused(issue: CallIssue | undefined): TokenIssue | undefined {
  return issue && { ...issue, isUsed: false };
}

/** The session once its token has been used. */
export function used<S extends Issued>(session: S): S {
  return session.issue === undefined ? session : { ...session, issue: { ...session.issue, isUsed: true } };
}

/** Whether a session's token was given to a call of this request_id, whatever its content. */
export function isOfCall({ issue }: Issued, { requestID, scope }: CallIssue): boolean {
  return issue?.scope === scope && issue.requestID === requestID;
}
