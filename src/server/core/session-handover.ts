// A session passes into other hands: resumed by its token, given again to the call that opened it, claimed by whom its owner
// named. The devices, the generations and the grace stay; what it hangs on and, but for a resumption, the token are new.
// Who takes it up is told what it has once an abort under way is done. Until then nobody can renew, so no lease runs: else
// the answer could be a refusal, with the token before void already.

import { requestConflict } from "./answers.ts";
import { type Caller, describeCaller, isSameIdentity } from "./caller.ts";
import { matchesIdentity } from "./identity-pattern.ts";
import type { LeaseClock } from "./lease-clock.ts";
import { isOver, reasonOfLapse, renewed, revived, type SessionRecord, withoutDeadline } from "./session.ts";
import * as refusals from "./session-errors.ts";
import type { SessionNotices } from "./session-notices.ts";
import type { SessionTable } from "./session-table.ts";
import { settleTerms, type TermsWish } from "./session-terms.ts";
import type { SessionWatches } from "./session-watches.ts";
import type { SessionsDeps } from "./sessions.ts";
import { type CallIssue, isOfCall, unused, used } from "./token-issue.ts";

export interface HandoverDeps extends SessionsDeps {
  readonly table: SessionTable;
  readonly notices: SessionNotices;
  readonly watches: SessionWatches;
  readonly leaseClock: LeaseClock;
}

export interface Claim {
  readonly caller: Caller;
  readonly wish: Omit<TermsWish, "graceMs">;
  readonly issue: CallIssue | undefined;
}

export class SessionHandover {
  readonly #deps: HandoverDeps;

  constructor(deps: HandoverDeps) {
    this.#deps = deps;
  }

  /** Puts a session into the hands of the process that calls, whatever became of the one before. Gives its id. */
  resume(session: SessionRecord, caller: Caller): string {
    const { events, table, watches } = this.#deps;
    const { id, displayName, state: was } = session;
    this.requireRevivable(id);
    const presence = watches.hang(id, caller, session);
    this.#put(revived(used(session), caller, presence, this.#nowMs()));
    table.seen(id, this.#deps.clock.wallMs());
    events.emit({ type: "sessionResumed", session: id, displayName, was });
    return id;
  }

  /**
   * The session whose token was the answer to this call, in the hands of who repeats it, with a new token: the one that was
   * given is kept as a digest only. Once that has been used the answer cannot have been lost.
   * @throws BrokerError request_conflict when the content is another, or the token was used
   */
  reissue(issue: CallIssue, caller: Caller): { readonly id: string; readonly token: string } | undefined {
    const { clock, events, identifiers, leaseClock, table, watches } = this.#deps;
    const nowMs = leaseClock.nowMs();
    const session = table.present().find((one) => isOfCall(one, issue));
    if (session === undefined || isOver(session, nowMs) || !isSameIdentity(session.caller, caller)) return undefined;
    if (session.issue?.digest !== issue.digest) throw requestConflict(issue.requestID);
    if (session.issue.isUsed) throw refusals.tokenUsed(session, issue.requestID);
    const { id, displayName, state: was } = session;
    const presence = watches.hang(id, caller, session);
    const token = identifiers.token();
    const tokenDigest = identifiers.digest(token);
    this.#put({ ...revived(session, caller, presence, nowMs), tokenDigest }, "replaced");
    table.seen(id, clock.wallMs());
    events.emit({ type: "sessionResumed", session: id, displayName, was });
    return { id, token };
  }

  /** Gives a session to one that its owner named, with a new token; the old one is void. */
  claim(id: string, { caller, wish, issue }: Claim): string {
    const { clock, events, identifiers, limits, notices, table, watches } = this.#deps;
    const terms = settleTerms(wish, limits);
    const session = table.get(id);
    if (!session) throw refusals.unknownSession(id);
    if (!session.transferableTo.some((pattern) => matchesIdentity(pattern, caller))) {
      throw refusals.notTransferable(session, caller);
    }
    this.requireRevivable(id);
    const presence = watches.hang(id, caller, terms);
    const token = identifiers.token();
    const claimed = revived(session, caller, presence, this.#nowMs());
    const { transferableTo } = terms;
    const tokenDigest = identifiers.digest(token);
    this.#put({ ...claimed, tokenDigest, transferableTo, issue: unused(issue) }, "transferred");
    table.seen(id, clock.wallMs());
    const to = describeCaller(caller);
    notices.tellLast(id, { kind: "transferred", to });
    events.emit({ type: "sessionClaimed", session: id, displayName: session.displayName, to });
    return token;
  }

  /** Whether it may still be brought back, as the clock says and not only as the reaper has seen. */
  requireRevivable(id: string): void {
    const nowMs = this.#deps.leaseClock.nowMs();
    const session = this.#deps.table.get(id)!;
    if (isOver(session, nowMs)) throw refusals.ended(reasonOfLapse(session));
  }

  /** The answer can be given: the lease of the session begins. */
  begin(id: string): void {
    const { table } = this.#deps;
    const session = table.get(id);
    if (session !== undefined) table.putDeadline(renewed(session, this.#nowMs()));
  }

  #put(session: SessionRecord, replaces?: refusals.ReplacedReason): void {
    this.#deps.table.put(withoutDeadline(session), replaces);
  }

  #nowMs(): number {
    return this.#deps.clock.monotonicMs();
  }
}
