// Sessions: who is present, and until when. Tokens are kept only as digests.
// Ending a session is two steps: it is marked ended at once, so nothing more is admitted; the reaper then gives back
// what it held. Ended sessions are remembered for a while, so that a late call learns why it is refused.

import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { DeviceID } from "../../backends/ids.ts";
import { assert } from "../../spec/assert.ts";
import { type Caller, describeCaller, isSameIdentity } from "./caller.ts";
import type { SessionNotice } from "./core.ts";
import { type DurableRecord, type DurableSession, sessionRecord } from "./durable.ts";
import type { BrokerEvents } from "./events.ts";
import type { CoreLimits } from "./limits.ts";
import type { Clock, Identifiers } from "./ports.ts";
import { isLapsed, openSession, renewed, type SessionRecord } from "./session.ts";
import type { SessionView } from "./views.ts";

/** How many ended sessions are remembered. */
const ENDED_MAX = 1024;

export type EndReason = "closed" | "lease_expired" | "revoked";

export class Sessions {
  readonly #live = new Map<string, SessionRecord>();
  readonly #byDigest = new Map<string, string>();
  /** Ended, but what they held is not all given back yet. */
  readonly #ending = new Map<string, SessionRecord>();
  readonly #ended = new Map<string, EndReason>();
  readonly #listeners = new Map<string, Set<(notice: SessionNotice) => void>>();
  readonly #deps: { clock: Clock; identifiers: Identifiers; limits: CoreLimits; events: BrokerEvents };
  /** When leases were last looked at by the reaper's clock. */
  #lookedAtMs: number;
  #listener: (records: readonly DurableRecord[]) => void = () => {};

  constructor(deps: { clock: Clock; identifiers: Identifiers; limits: CoreLimits; events: BrokerEvents }) {
    this.#deps = deps;
    this.#lookedAtMs = deps.clock.monotonicMs();
  }

  /** One listener for what shall outlive the daemon: the recorder. */
  onChange(listener: (records: readonly DurableRecord[]) => void): void {
    this.#listener = listener;
  }

  /** All live sessions, as records. */
  durable(): readonly DurableRecord[] {
    return [...this.#live.values()].map(sessionRecord);
  }

  /**
   * Takes in a session of before a restart: its owner could not renew meanwhile, so it has a full lease, and the resume
   * window at least.
   */
  restore(durable: DurableSession): void {
    const { clock, limits } = this.#deps;
    const session = openSession(durable, clock.monotonicMs());
    const leastMs = clock.monotonicMs() + limits.resumeWindowMs;
    this.#live.set(session.id, Object.freeze({ ...session, deadlineMs: Math.max(session.deadlineMs, leastMs) }));
    this.#byDigest.set(session.tokenDigest, session.id);
  }

  open(request: { displayName: string; ttlMs: number | undefined; caller: Caller }): {
    session: SessionView;
    token: string;
  } {
    const { clock, identifiers, limits, events } = this.#deps;
    const ttlMs = this.#ttl(request.ttlMs);
    if (this.#live.size + this.#ending.size >= limits.sessionsMax) {
      throw limitReached("sessions_max", limits.sessionsMax, "close a session, or raise limits.sessions_max");
    }
    const token = identifiers.token();
    const tokenDigest = identifiers.digest(token);
    const { caller, displayName } = request;
    const id = identifiers.uuid();
    const session = openSession({ id, displayName, caller, tokenDigest, ttlMs }, clock.monotonicMs());
    this.#live.set(session.id, session);
    this.#byDigest.set(tokenDigest, session.id);
    this.#listener([sessionRecord(session)]);
    events.emit({ type: "sessionOpened", session: session.id, displayName });
    return { session: sessionView(session), token };
  }

  /** Session id of a token, for the identity that opened it. Throws unauthenticated or lease_expired. */
  authenticate(token: string, caller: Caller): string {
    const digest = this.#deps.identifiers.digest(token);
    const id = this.#byDigest.get(digest);
    if (id !== undefined) {
      const session = this.requireLive(id);
      if (!isSameIdentity(session.caller, caller)) throw anotherIdentity(session, caller);
      return id;
    }
    const reason = this.#ended.get(digest);
    if (reason !== undefined) throw ended(reason);
    throw new BrokerError("unauthenticated", "the session token is not one of this daemon's: call OpenSession", {});
  }

  /** Refuses a session that has ended or whose lease has lapsed, reaped or not. */
  requireLive(id: string): SessionRecord {
    const nowMs = this.#nowMs();
    const session = this.#live.get(id);
    if (!session) throw ended("closed");
    if (isLapsed(session, nowMs)) throw ended("lease_expired");
    return session;
  }

  renew(id: string): number {
    const session = renewed(this.requireLive(id), this.#deps.clock.monotonicMs());
    this.#live.set(id, session);
    return session.ttlMs;
  }

  /** Milliseconds until the lease lapses; 0 when it has, or the session is gone. */
  remaining(id: string): number {
    const session = this.#live.get(id);
    return session ? Math.max(0, session.deadlineMs - this.#deps.clock.monotonicMs()) : 0;
  }

  /** Marks the session ended: from now on nothing more is admitted. False when it already was. */
  end(id: string, reason: EndReason): boolean {
    const session = this.#live.get(id);
    if (!session) return false;
    this.#live.delete(id);
    this.#byDigest.delete(session.tokenDigest);
    this.#ending.set(id, session);
    this.#listener([{ type: "sessionGone", id }]); // after a restart nothing it held is restored
    this.#ended.set(session.tokenDigest, reason);
    if (this.#ended.size > ENDED_MAX) this.#ended.delete(this.#ended.keys().next().value!);
    this.#deps.events.emit({ type: "sessionEnded", session: id, displayName: session.displayName, reason });
    this.#notify(id, { kind: "ended" });
    this.#listeners.delete(id);
    return true;
  }

  /** What it held is given back. */
  forget(id: string): void {
    assert(!this.#live.has(id), "only an ended session is forgotten");
    this.#ending.delete(id);
  }

  /** Ids of sessions whose lease has lapsed, and of ended ones not yet given back. */
  lapsed(): readonly string[] {
    const now = this.#nowMs();
    this.#lookedAtMs = now;
    return [...this.#live.values()].filter((session) => isLapsed(session, now)).map((session) => session.id);
  }

  ending(): readonly string[] {
    return [...this.#ending.keys()];
  }

  /** All that hold something: the live ones, and the ended ones until what they held is given back. */
  held(): readonly SessionRecord[] {
    return [...this.#live.values(), ...this.#ending.values()];
  }

  find(id: string): SessionRecord | undefined {
    return this.#live.get(id) ?? this.#ending.get(id);
  }

  view(id: string): SessionView | undefined {
    const session = this.find(id);
    return session && sessionView(session);
  }

  count(): number {
    return this.#live.size;
  }

  onNotice(id: string, listener: (notice: SessionNotice) => void): () => void {
    this.requireLive(id);
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  notifyDeviceRemoved(id: string, device: DeviceID): void {
    this.#notify(id, { kind: "deviceRemoved", device });
  }

  /**
   * The time, as leases see it. While the daemon itself was away (stopped, or held up) no client could renew: then every
   * lease gets one full length from now, whoever asks first.
   */
  #nowMs(): number {
    const { clock, events, limits } = this.#deps;
    const nowMs = clock.monotonicMs();
    const awayMs = nowMs - this.#lookedAtMs;
    if (awayMs <= limits.leaseStallMs) return nowMs;
    this.#lookedAtMs = nowMs;
    for (const session of this.#live.values()) this.#live.set(session.id, renewed(session, nowMs));
    events.emit({ type: "stalled", awayMs, sessions: this.#live.size });
    return nowMs;
  }

  #notify(id: string, notice: SessionNotice): void {
    for (const listener of this.#listeners.get(id) ?? []) listener(notice);
  }

  #ttl(asked: number | undefined): number {
    const { leaseTtlDefaultMs, leaseTtlMinMs, leaseTtlMaxMs } = this.#deps.limits;
    if (asked === undefined) return leaseTtlDefaultMs;
    if (asked >= leaseTtlMinMs && asked <= leaseTtlMaxMs) return asked;
    const expected = `must be ${leaseTtlMinMs} to ${leaseTtlMaxMs}, or 0 for ${leaseTtlDefaultMs}`;
    throw new BrokerError(
      "argument_invalid",
      `lease_ttl_ms ${asked} ${expected}`,
      { lease_ttl_ms: asked, minimum: leaseTtlMinMs, maximum: leaseTtlMaxMs },
      { fields: [{ path: "lease_ttl_ms", description: expected }] },
    );
  }
}

const ENDED_MESSAGE: Readonly<Record<EndReason, string>> = {
  closed: "the session was closed: open another",
  lease_expired: "the session's lease lapsed: open another",
  revoked: "the session was revoked by an administrator: ask them before opening another",
};

function sessionView(session: SessionRecord): SessionView {
  return Object.freeze({ id: session.id, displayName: session.displayName, ttlMs: session.ttlMs });
}

function anotherIdentity(session: SessionRecord, caller: Caller): BrokerError {
  return new BrokerError(
    "unauthenticated",
    `the session token is not ${describeCaller(caller)}'s: sessions are used by the identity that opened them`,
    { session: session.id },
  );
}

function ended(reason: EndReason): BrokerError {
  return new BrokerError("lease_expired", ENDED_MESSAGE[reason], { reason });
}
