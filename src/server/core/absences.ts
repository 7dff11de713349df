// How much of the time to come back each session has used whose owner has not shown itself since a restart. It counts over
// restarts, or a daemon that dies again and again would keep a dead client's devices for ever.
// Counted is what the daemon lives while it waits, by the monotonic clock of each life: while it was down nobody could come,
// and no clock that is set, and no reboot, makes that time longer or shorter. Each life pays a share in advance, so
// that the shortest ones come to an end too.

import type { DurableRecord } from "./durable.ts";

/** A share is this part of a session's time; so many restarts at most does it outlast. */
const SHARES = 64;

interface Absence {
  readonly shareMs: number;
  usedMs: number;
  /** What the journal says: at least what is used. */
  notedMs: number;
}

export class Absences {
  readonly #absences = new Map<string, Absence>();
  #lookedAtMs = 0;
  #listener: (records: readonly DurableRecord[]) => void = () => {};

  onChange(listener: (records: readonly DurableRecord[]) => void): void {
    this.#listener = listener;
  }

  /**
   * A session waits for its owner, since now in this life.
   * @param allMs  how long it may, over all lives
   * @param usedMs  of earlier lives
   */
  begin(session: string, allMs: number, usedMs: number, nowMs: number): void {
    const shareMs = allMs / SHARES;
    this.#lookedAtMs = nowMs;
    this.#absences.set(session, { shareMs, usedMs, notedMs: usedMs + shareMs });
  }

  /** Its owner is there, or it waits no more. */
  end(session: string): void {
    this.#absences.delete(session);
  }

  /** Counts what has passed since the last look. */
  look(nowMs: number): void {
    const passedMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    for (const [session, absence] of this.#absences) {
      absence.usedMs += passedMs;
      if (absence.usedMs < absence.notedMs) continue;
      absence.notedMs = absence.usedMs + absence.shareMs;
      this.#listener([record(session, absence)]);
    }
  }

  /** The daemon itself was away since the last look: nobody could come, so it does not count. */
  skip(nowMs: number): void {
    this.#lookedAtMs = nowMs;
  }

  durable(): readonly DurableRecord[] {
    return [...this.#absences].map(([session, absence]) => record(session, absence));
  }
}

function record(id: string, { notedMs }: Absence): DurableRecord {
  return { type: "sessionAbsence", id, usedMs: notedMs };
}
