// Sessions: who is present, and until when. Tokens are kept only as digests. session.ts has the states.
// Losing and ending are marked at once, so nothing more is admitted; the reaper then sets devices to abort and gives back
// what an ended session held.

import { limitReached } from "../../backends/errors.ts";
import type { DeviceID } from "../../backends/ids.ts";
import { Absences } from "./absences.ts";
import type { Caller } from "./caller.ts";
import type { DurableRecord, DurableSession } from "./durable.ts";
import type { BrokerEvents } from "./events.ts";
import { LeaseClock } from "./lease-clock.ts";
import type { CoreLimits } from "./limits.ts";
import type { Clock, Identifiers, ProcessWatch } from "./ports.ts";
import {
  type AbortedGroup,
  afterRestart,
  comebackMs,
  isLapsed,
  type LossReason,
  lost,
  openSession,
  reasonOfLapse,
  renewed,
  revived,
  type SessionRecord,
  type SessionState,
} from "./session.ts";
import { SessionAuthentication } from "./session-authentication.ts";
import type { EndReason } from "./session-errors.ts";
import { SessionHandover } from "./session-handover.ts";
import { type NoticeListener, type Preemption, SessionNotices } from "./session-notices.ts";
import { SessionTable } from "./session-table.ts";
import { settleTerms, type TermsWish } from "./session-terms.ts";
import type { OpenRequest } from "./session-verbs.ts";
import { SessionWatches } from "./session-watches.ts";
import { type CallIssue, unused } from "./token-issue.ts";
import type { OwnerView, SessionView } from "./views.ts";

export interface SessionsDeps {
  readonly clock: Clock;
  readonly identifiers: Identifiers;
  readonly limits: CoreLimits;
  readonly events: BrokerEvents;
  readonly processes: ProcessWatch;
}

export class Sessions {
  readonly #absences = new Absences();
  readonly #table = new SessionTable(this.#absences);
  readonly #notices = new SessionNotices();
  readonly #watches: SessionWatches;
  readonly #handover: SessionHandover;
  readonly #authentication: SessionAuthentication;
  readonly #deps: SessionsDeps;
  readonly #leaseClock: LeaseClock;
  #onLost: (session: SessionRecord) => void = () => {};

  constructor(deps: SessionsDeps) {
    this.#deps = deps;
    const { clock, events, limits } = deps;
    this.#leaseClock = new LeaseClock(clock, limits.leaseStallMs, (awayMs, nowMs) => {
      this.#absences.skip(nowMs);
      this.#table.putOffAll(limits.resumeWindowMs, nowMs);
      events.emit({ type: "stalled", awayMs, sessions: this.#table.count() });
    });
    this.#watches = new SessionWatches(deps.processes, (session) => this.lose(session, "peer_died"));
    const parts = { table: this.#table, notices: this.#notices, watches: this.#watches, leaseClock: this.#leaseClock };
    this.#handover = new SessionHandover({ ...deps, ...parts });
    this.#authentication = new SessionAuthentication({ ...deps, ...parts });
  }

  /** One listener for what shall outlive the daemon: the recorder. */
  onChange(listener: (records: readonly DurableRecord[]) => void): void {
    this.#table.onChange(listener);
    this.#absences.onChange(listener);
  }

  /** One listener for sessions that were lost just now: the reaper. */
  onLost(listener: (session: SessionRecord) => void): void {
    this.#onLost = listener;
  }

  /** All sessions that have not ended, as records. */
  durable(): readonly DurableRecord[] {
    return this.#table.durable();
  }

  /** What waiting for their owners costs the sessions that were restored. */
  absences(): readonly DurableRecord[] {
    return this.#absences.durable();
  }

  /**
   * Takes in a session of before a restart. One whose process runs on is live at once.
   * @param usedMs  of its time to come back, in earlier lives of the daemon
   */
  restore(durable: DurableSession, usedMs = 0): void {
    const { resumeWindowMs } = this.#deps.limits;
    const nowMs = this.#deps.clock.monotonicMs();
    const process = durable.process ?? undefined;
    const before = { ...durable, process, lossReason: durable.lossReason ?? undefined, deadlineMs: nowMs };
    const session = afterRestart(before, resumeWindowMs, usedMs, nowMs);
    const runsOn =
      session.state === "restored" && process !== undefined ? this.#watches.hangAgain(session.id, process) : undefined;
    if (runsOn === undefined) this.#absences.begin(session.id, comebackMs(session, resumeWindowMs), usedMs, nowMs);
    this.#table.putDeadline(runsOn ? revived(session, session.caller, runsOn, nowMs) : session);
  }

  open(request: OpenRequest): { session: SessionView; token: string } {
    const { clock, identifiers, limits, events } = this.#deps;
    const { caller, displayName } = request;
    const terms = settleTerms(request, limits);
    if (this.#table.size >= limits.sessionsMax) {
      throw limitReached("sessions_max", limits.sessionsMax, "close a session, or raise limits.sessions_max");
    }
    const token = identifiers.token();
    const tokenDigest = identifiers.digest(token);
    const id = identifiers.uuid();
    const presence = this.#watches.hang(id, caller, terms);
    const { graceMs, transferableTo } = terms;
    const openedMs = clock.wallMs();
    const issue = unused(request.issue);
    const opened = { id, displayName, caller, tokenDigest, issue, ...presence, graceMs, transferableTo, openedMs };
    this.#table.put(openSession(opened, clock.monotonicMs()));
    events.emit({ type: "sessionOpened", session: id, displayName });
    return { session: this.#table.view(id)!, token };
  }

  /** As SessionAuthentication.authenticate(). */
  authenticate(token: string, caller: Caller): string {
    return this.#authentication.authenticate(token, caller);
  }

  /** Session id of a token for whoever gives up the session, lost or not. Throws as authenticate() where it is over. */
  authenticateToClose(token: string, caller: Caller): string {
    const { id } = this.#authentication.ofToken(token, caller);
    this.#handover.requireRevivable(id);
    return id;
  }

  /** As SessionAuthentication.requireLive(). */
  requireLive(id: string): SessionRecord {
    return this.#authentication.requireLive(id);
  }

  renew(id: string): number {
    const session = renewed(this.requireLive(id), this.#deps.clock.monotonicMs());
    this.#table.putDeadline(session);
    this.#table.seen(id, this.#deps.clock.wallMs());
    return session.ttlMs;
  }

  /** Milliseconds until the lease lapses; 0 when it has, when there is none, or the session is gone. */
  remaining(id: string): number {
    const session = this.#table.get(id);
    if (!session || session.liveness === "peer-process") return 0;
    if (!Number.isFinite(session.deadlineMs)) return session.ttlMs; // it begins with an answer that is on its way
    return Math.max(0, session.deadlineMs - this.#deps.clock.monotonicMs());
  }

  /** As SessionHandover.resume(). Gives the session's id. */
  resume(token: string, caller: Caller): string {
    return this.#handover.resume(this.#authentication.ofToken(token, caller), caller);
  }

  /** As SessionHandover.reissue(). */
  reissue(issue: CallIssue, caller: Caller): { readonly id: string; readonly token: string } | undefined {
    return this.#handover.reissue(issue, caller);
  }

  /** As SessionHandover.claim(). Gives the token. */
  claim(id: string, caller: Caller, wish: Omit<TermsWish, "graceMs">, issue?: CallIssue): string {
    return this.#handover.claim(id, { caller, wish, issue });
  }

  /** What a session has can be told to who took it up: from now on its lease runs. */
  takenUp(id: string): void {
    this.#handover.begin(id);
  }

  /** Marks a session lost: only ResumeSession and ClaimSession are admitted. False when it was, or is no more. */
  lose(id: string, reason: LossReason): boolean {
    const session = this.#table.get(id);
    if (!session || session.state === "lost") return false;
    this.#watches.drop(id);
    const after = lost(session, reason, this.#deps.clock.monotonicMs());
    this.#table.put(after);
    const { displayName, graceMs } = session;
    this.#deps.events.emit({ type: "sessionLost", session: id, displayName, reason, graceMs });
    if (graceMs > 0) this.#notices.tell(id, { kind: "lost", reason, graceMs });
    this.#onLost(after);
    return true;
  }

  /** Marks the session ended: from now on nothing more is admitted. False when it already was. */
  end(id: string, reason: EndReason): boolean {
    const session = this.#table.end(id, reason);
    if (!session) return false;
    this.#watches.drop(id);
    this.#deps.events.emit({ type: "sessionEnded", session: id, displayName: session.displayName, reason });
    this.#notices.tellLast(id, { kind: "ended" });
    return true;
  }

  /** What it held is given back. */
  forget(id: string): void {
    this.#table.forget(id);
  }

  /** Sessions that have come to their deadline, and why that is. */
  lapsed(): readonly { readonly id: string; readonly state: SessionState; readonly reason: LossReason }[] {
    const now = this.#leaseClock.look();
    this.#absences.look(now);
    const over = this.#table.present().filter((session) => isLapsed(session, now));
    return over.map((session) => ({ id: session.id, state: session.state, reason: reasonOfLapse(session) }));
  }

  ending(): readonly string[] {
    return this.#table.ending();
  }

  /** Sessions whose devices shall be at abort. */
  lost(): readonly string[] {
    return this.#table.present().flatMap(({ id, state }) => (state === "lost" ? [id] : []));
  }

  isLost(id: string): boolean {
    return this.#table.get(id)?.state === "lost";
  }

  /** Remembers which groups its loss set to abort, for whoever resumes it. */
  noteAborted(id: string, aborted: AbortedGroup): void {
    const session = this.#table.get(id);
    if (session) this.#table.put({ ...session, aborted: [...session.aborted, aborted] });
  }

  aborted(id: string): readonly AbortedGroup[] {
    return this.#table.get(id)?.aborted ?? [];
  }

  present(): readonly SessionRecord[] {
    return this.#table.present();
  }

  /** All that hold something: those that are present, and the ended ones until what they held is given back. */
  held(): readonly SessionRecord[] {
    return this.#table.held();
  }

  find(id: string): SessionRecord | undefined {
    return this.#table.find(id);
  }

  view(id: string): SessionView | undefined {
    return this.#table.view(id);
  }

  /** What others may know of it. */
  owner(id: string): OwnerView | undefined {
    return this.#table.owner(id);
  }

  /** Who has a session, as long as it holds something. */
  callerOf(id: string): Caller | undefined {
    return this.find(id)?.caller;
  }

  count(): number {
    return this.#table.count();
  }

  states(): Readonly<Record<SessionState, number>> {
    return this.#table.states();
  }

  onNotice(id: string, listener: NoticeListener): () => void {
    this.requireLive(id);
    return this.#notices.subscribe(id, listener);
  }

  notifyDeviceRemoved(id: string, device: DeviceID): void {
    this.#notices.tell(id, { kind: "deviceRemoved", device });
  }

  notifyPreempted(id: string, device: DeviceID, preemption: Preemption): void {
    this.#notices.tell(id, { kind: "preempted", device, ...preemption });
  }

  /** Told before the session is ended by somebody else's decision. */
  notifyRevoked(id: string, reason: string): void {
    this.#notices.tellLast(id, { kind: "revoked", reason });
  }
}
