// Events that wait for an answer: who may give it, until when, and how each came to its one end.
// A token is good once and only for the session that owned the device when the event was recorded. Whoever answers, the
// hardware is asked; until it has said how that went the event is neither free nor over.

import { BrokerError, invalidField } from "../../backends/errors.ts";
import type { FaultAnswer, PendingFault } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { CallGate } from "./call-gate.ts";
import type { FaultResolution, ResolutionOutcome, SequencedFault } from "./fault-verbs.ts";
import type { Alarms, Clock } from "./ports.ts";

/** One event that waits, or has waited. */
export interface WaitingFault {
  readonly device: DeviceID;
  /** Who may answer. */
  readonly session: string;
  readonly event: SequencedFault;
  readonly pending: PendingFault;
  readonly token: string;
  deadlineMs: number;
  state: "waiting" | "answering" | "over";
  /** The hardware ended it while it was being answered. */
  endedAs: ResolutionOutcome | undefined;
  /** Once over: how, and the entry's position. */
  resolution: FaultResolution | undefined;
  resolvedAt: number;
}

export interface PendingDeps {
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly responseMs: number;
  /** Backend.respondToFault. */
  respond(device: DeviceID, cookie: number, answer: FaultAnswer): Promise<void>;
  /** Called once for each event that waited. */
  onOver(waiting: WaitingFault, outcome: ResolutionOutcome): void;
}

const ANSWERS: Readonly<Record<PendingFault["kind"], readonly FaultAnswer[]>> = {
  stall: ["retry", "abort", "terminate"],
  "page-request": ["success", "invalid", "failure"],
};

/** What a device is told when nobody answers: the words that every backend has. It may ask for the page again. */
export function refusalOf(pending: PendingFault): FaultAnswer {
  return pending.kind === "stall" ? "abort" : "invalid";
}

export class FaultPending {
  readonly #deps: PendingDeps;
  /** By token, in order of deadline: all are given the same time. */
  readonly #waiting = new Map<string, WaitingFault>();
  #callOff: (() => void) | undefined;

  constructor(deps: PendingDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#waiting.size;
  }

  add(waiting: WaitingFault): void {
    this.#waiting.set(waiting.token, waiting);
    this.#arm();
  }

  /** @throws BrokerError fault_not_pending, argument_invalid, or what the backend throws; it then waits as before */
  async answer(session: string, token: string, answer: FaultAnswer, gate: CallGate | undefined): Promise<WaitingFault> {
    const waiting = this.#waiting.get(token);
    if (waiting?.session !== session || waiting.state !== "waiting") throw notPending();
    const { kind } = waiting.pending;
    if (!ANSWERS[kind].includes(answer)) {
      const message = `${answer} does not answer a ${kind}: give one of ${ANSWERS[kind].join(", ")}`;
      throw invalidField("action", message, { answer, kind });
    }
    gate?.requireOpen();
    waiting.state = "answering";
    try {
      await this.#deps.respond(waiting.device, waiting.pending.cookie, answer);
    } catch (error) {
      if (isNotPending(error)) this.#over(waiting, waiting.endedAs ?? "stage-changed");
      else this.#waitOn(waiting);
      throw error;
    }
    this.#over(waiting, "answered");
    return waiting;
  }

  /** The hardware ended it. */
  ended(waiting: WaitingFault, outcome: ResolutionOutcome): void {
    if (waiting.state === "answering") waiting.endedAs ??= outcome;
    else this.#over(waiting, outcome);
  }

  /** It is over whatever the hardware is doing. */
  drop(waiting: WaitingFault, outcome: ResolutionOutcome): void {
    this.#over(waiting, waiting.endedAs ?? outcome);
  }

  /** Nobody will answer it: the hardware is told so. */
  async refuse(waiting: WaitingFault): Promise<void> {
    if (waiting.state !== "waiting") return;
    waiting.state = "answering";
    try {
      await this.#deps.respond(waiting.device, waiting.pending.cookie, refusalOf(waiting.pending));
    } catch (error) {
      if (isNotPending(error)) this.#over(waiting, waiting.endedAs ?? "stage-changed");
      else this.#retryLater(waiting); // the hardware still waits, whatever was wrong
      return;
    }
    this.#over(waiting, "timed-out");
  }

  /** The answer came to nothing: it waits for what is left of its time. */
  #waitOn(waiting: WaitingFault): void {
    if (waiting.state === "over") return;
    waiting.state = "waiting";
    if (waiting.endedAs !== undefined) this.#over(waiting, waiting.endedAs);
    else if (waiting.deadlineMs <= this.#deps.clock.monotonicMs()) void this.refuse(waiting);
  }

  #retryLater(waiting: WaitingFault): void {
    if (waiting.state === "over") return;
    waiting.deadlineMs = this.#deps.clock.monotonicMs() + this.#deps.responseMs;
    this.#waiting.delete(waiting.token);
    this.#waiting.set(waiting.token, waiting);
    waiting.state = "waiting";
    if (waiting.endedAs !== undefined) this.#over(waiting, waiting.endedAs);
    this.#arm();
  }

  #over(waiting: WaitingFault, outcome: ResolutionOutcome): void {
    if (waiting.state === "over") return;
    waiting.state = "over";
    this.#waiting.delete(waiting.token);
    if (this.#waiting.size === 0) this.#disarm();
    this.#deps.onOver(waiting, outcome);
  }

  #arm(): void {
    if (this.#callOff !== undefined) return;
    const [first] = this.#waiting.values();
    if (first === undefined) return;
    const { alarms, clock } = this.#deps;
    this.#callOff = alarms.after(Math.max(0, first.deadlineMs - clock.monotonicMs()), () => this.#ring());
  }

  #disarm(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  #ring(): void {
    this.#callOff = undefined;
    const nowMs = this.#deps.clock.monotonicMs();
    for (const waiting of this.#waiting.values()) {
      if (waiting.deadlineMs > nowMs) break;
      void this.refuse(waiting);
    }
    const next = [...this.#waiting.values()].find(({ deadlineMs }) => deadlineMs > nowMs);
    if (next === undefined) return;
    this.#callOff = this.#deps.alarms.after(next.deadlineMs - nowMs, () => this.#ring());
  }
}

function isNotPending(error: unknown): boolean {
  return error instanceof BrokerError && error.code === "fault_not_pending";
}

function notPending(): BrokerError {
  return new BrokerError(
    "fault_not_pending",
    "nothing waits under this response token: it was answered, its time was over, or it is another session's",
  );
}
