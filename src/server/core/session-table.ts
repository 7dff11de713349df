// The records of all sessions, by name and by token digest; what shall outlive the daemon is told as it changes.
// Of an ended session the record stays until what it held is given back, and why its token is void is remembered a while.

import { assert } from "../../spec/assert.ts";
import type { Absences } from "./absences.ts";
import { type DurableRecord, sessionRecord } from "./durable.ts";
import { afterStall, endsAbsence, type SessionRecord, type SessionState } from "./session.ts";
import { type EndReason, ended, type ReplacedReason, unknownToken, type VoidReason } from "./session-errors.ts";
import type { OwnerView, SessionView } from "./views.ts";

/** How many void tokens are remembered. */
const VOID_MAX = 1024;

export class SessionTable {
  /** Every session that has not ended. */
  readonly #present = new Map<string, SessionRecord>();
  readonly #byDigest = new Map<string, string>();
  /** Ended, but what they held is not all given back yet. */
  readonly #ending = new Map<string, SessionRecord>();
  readonly #void = new Map<string, VoidReason>();
  /** Wall time of each present session's last call. */
  readonly #seenMs = new Map<string, number>();
  readonly #absences: Absences;
  #listener: (records: readonly DurableRecord[]) => void = () => {};

  constructor(absences: Absences) {
    this.#absences = absences;
  }

  onChange(listener: (records: readonly DurableRecord[]) => void): void {
    this.#listener = listener;
  }

  durable(): readonly DurableRecord[] {
    return [...this.present().map(sessionRecord), ...this.#absences.durable()];
  }

  get(id: string): SessionRecord | undefined {
    return this.#present.get(id);
  }

  /** @throws BrokerError unauthenticated, or lease_expired where it is known why the token is void */
  ofDigest(digest: string): SessionRecord {
    const session = this.#present.get(this.#byDigest.get(digest) ?? "");
    if (session !== undefined) return session;
    const reason = this.#void.get(digest);
    throw reason === undefined ? unknownToken() : ended(reason);
  }

  present(): readonly SessionRecord[] {
    return [...this.#present.values()];
  }

  ending(): readonly string[] {
    return [...this.#ending.keys()];
  }

  /** Present and ending: both hold things. */
  get size(): number {
    return this.#present.size + this.#ending.size;
  }

  count(): number {
    return this.#present.size;
  }

  states(): Readonly<Record<SessionState, number>> {
    const states = { live: 0, restored: 0, lost: 0 };
    for (const { state } of this.#present.values()) states[state] += 1;
    return states;
  }

  /**
   * A change that shall outlive the daemon.
   * @param replaces  with a new token: why the one before is void
   */
  put(session: SessionRecord, replaces?: ReplacedReason): void {
    const before = this.#present.get(session.id);
    if (endsAbsence(before, session)) this.#absences.end(session.id);
    if (before !== undefined && replaces !== undefined) this.#revoke(before.tokenDigest, replaces);
    this.putDeadline(session);
    this.#listener([sessionRecord(session)]);
  }

  /** A change of nothing but deadlines, which are monotonic time and mean nothing to another daemon. */
  putDeadline(session: SessionRecord): void {
    this.#present.set(session.id, Object.freeze(session));
    this.#byDigest.set(session.tokenDigest, session.id);
  }

  /** Nobody could renew for a while: every deadline is put off by one full length from now. */
  putOffAll(resumeWindowMs: number, nowMs: number): void {
    for (const session of this.present()) this.putDeadline(afterStall(session, resumeWindowMs, nowMs));
  }

  /** Gives the record when it was present until now. */
  end(id: string, reason: EndReason): SessionRecord | undefined {
    const session = this.#present.get(id);
    if (!session) return undefined;
    this.#present.delete(id);
    this.#seenMs.delete(id);
    this.#absences.end(id);
    this.#ending.set(id, session);
    this.#revoke(session.tokenDigest, reason);
    this.#listener([{ type: "sessionGone", id }]); // after a restart nothing it held is restored
    return session;
  }

  /** What it held is given back. */
  forget(id: string): void {
    assert(!this.#present.has(id), "only an ended session is forgotten");
    this.#ending.delete(id);
  }

  /** @param wallMs  of a call of this session */
  seen(id: string, wallMs: number): void {
    if (this.#present.has(id)) this.#seenMs.set(id, wallMs);
  }

  /** Present and ending. */
  held(): readonly SessionRecord[] {
    return [...this.#present.values(), ...this.#ending.values()];
  }

  find(id: string): SessionRecord | undefined {
    return this.#present.get(id) ?? this.#ending.get(id);
  }

  view(id: string): SessionView | undefined {
    const session = this.find(id);
    if (!session) return undefined;
    const { displayName, liveness, ttlMs, state, graceMs, transferableTo, openedMs } = session;
    const seenMs = this.#seenMs.get(id) ?? openedMs;
    return Object.freeze({ id, displayName, liveness, ttlMs, state, graceMs, transferableTo, openedMs, seenMs });
  }

  owner(id: string): OwnerView | undefined {
    const session = this.find(id);
    return session && { id, displayName: session.displayName };
  }

  #revoke(digest: string, reason: VoidReason): void {
    this.#byDigest.delete(digest);
    this.#void.set(digest, reason);
    if (this.#void.size > VOID_MAX) this.#void.delete(this.#void.keys().next().value!);
  }
}
