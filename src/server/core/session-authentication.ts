// From a token to the session that calls by it: whose it is, whether it is still live. After a restart the first call shows
// that the owner is there.

import { type Caller, isSameIdentity } from "./caller.ts";
import type { LeaseClock } from "./lease-clock.ts";
import type { Clock, Identifiers } from "./ports.ts";
import { isLapsed, revived, type SessionRecord } from "./session.ts";
import * as refusals from "./session-errors.ts";
import type { SessionTable } from "./session-table.ts";
import type { SessionWatches } from "./session-watches.ts";
import { used } from "./token-issue.ts";

export interface AuthenticationDeps {
  readonly clock: Clock;
  readonly identifiers: Identifiers;
  readonly table: SessionTable;
  readonly watches: SessionWatches;
  readonly leaseClock: LeaseClock;
}

export class SessionAuthentication {
  readonly #deps: AuthenticationDeps;
  /**
   * The token that each connection sent last, and its digest, so that it is not made anew for each call. What the token
   * is good for is looked up every time. Gone with the connection's Caller; HTTP/2 keeps the header as long.
   */
  readonly #lastTokens = new WeakMap<Caller, { readonly token: string; readonly digest: string }>();

  constructor(deps: AuthenticationDeps) {
    this.#deps = deps;
  }

  /** Session id of a token, for the identity it belongs to. Throws unauthenticated or lease_expired. */
  authenticate(token: string, caller: Caller): string {
    const { id } = this.ofToken(token, caller);
    const session = this.requireLive(id);
    if (session.state === "restored") this.#confirm(session, caller);
    if (session.issue?.isUsed === false) this.#noteUse(id);
    this.#deps.table.seen(id, this.#deps.clock.wallMs());
    return id;
  }

  /** Refuses a session that has ended, is lost, or whose lease has lapsed, looked at or not. */
  requireLive(id: string): SessionRecord {
    const nowMs = this.#deps.leaseClock.nowMs();
    const session = this.#deps.table.get(id);
    if (!session) throw refusals.ended("closed");
    if (session.state === "lost" || isLapsed(session, nowMs)) throw refusals.notLive(session, nowMs);
    return session;
  }

  #noteUse(id: string): void {
    const session = this.#deps.table.get(id);
    if (session !== undefined) this.#deps.table.put(used(session));
  }

  /** @throws BrokerError where the token is nobody's, or somebody else's */
  ofToken(token: string, caller: Caller): SessionRecord {
    const session = this.#deps.table.ofDigest(this.#digestOf(token, caller));
    if (!isSameIdentity(session.caller, caller)) throw refusals.anotherIdentity(session, caller);
    return session;
  }

  #digestOf(token: string, caller: Caller): string {
    const last = this.#lastTokens.get(caller);
    if (last?.token === token) return last.digest;
    const digest = this.#deps.identifiers.digest(token);
    this.#lastTokens.set(caller, { token, digest });
    return digest;
  }

  /** The first call after a restart: the owner is there. Where its process cannot be watched it stays on probation. */
  #confirm(session: SessionRecord, caller: Caller): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const presence = session.liveness === "ttl" ? session : this.#deps.watches.adopt(session.id, caller);
    if (presence) this.#deps.table.put(revived(session, caller, presence, nowMs));
  }
}
