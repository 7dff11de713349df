// Calls that stand in line for a device, as the world that made them knows them: who was there before whom, and who may
// pass whom. Whoever is passed and goes on waiting was overtaken.

import { expect } from "vitest";
import type { BrokerError } from "../../src/backends/errors.ts";
import type { DeviceID, GroupID } from "../../src/backends/ids.ts";
import type { CallGate } from "../../src/server/core/call-gate.ts";

export interface Wait {
  readonly session: string;
  readonly slot: number;
  readonly device: DeviceID;
  readonly group: GroupID;
  /** The step it was made in; calls of one step have no order. */
  readonly step: number;
  /** Of one that preempts: its priority; undefined: it merely waits. */
  readonly rank: number | undefined;
  readonly hasDeadline: boolean;
  readonly gate: CallGate & { end(error: BrokerError): void };
  isAnswered: boolean;
}

export class Waits {
  readonly #waits = new Set<Wait>();
  readonly #passed: { readonly wait: Wait; readonly by: string }[] = [];

  begin(wait: Wait): void {
    this.#waits.add(wait);
  }

  answered(wait: Wait): void {
    wait.isAnswered = true;
    this.#waits.delete(wait);
  }

  of(slot: number): readonly Wait[] {
    return [...this.#waits].filter((wait) => wait.slot === slot);
  }

  all(): readonly Wait[] {
    return [...this.#waits];
  }

  in(group: GroupID): readonly Wait[] {
    return [...this.#waits].filter((wait) => wait.group === group);
  }

  /**
   * A free group became a session's: nobody who was in line before it goes on waiting.
   * @returns how many were in line
   */
  taken(group: GroupID, session: string, step: number): number {
    const line = this.in(group);
    const own = line.filter((wait) => wait.session === session);
    const since = Math.min(step, ...own.map((wait) => wait.step));
    const ranks = own.flatMap(({ rank }) => (rank === undefined ? [] : [rank]));
    for (const wait of line) {
      if (wait.session === session || wait.step >= since) continue;
      const isOutranked = ranks.length > 0 && (wait.rank === undefined || wait.rank < Math.max(...ranks));
      if (!isOutranked) this.#passed.push({ wait, by: session });
    }
    return line.length;
  }

  check(): void {
    for (const { wait, by } of this.#passed.splice(0)) {
      const { device, isAnswered, session } = wait;
      expect({ device, session, overtakenBy: isAnswered ? "nobody" : by }).toEqual({
        device,
        session,
        overtakenBy: "nobody",
      });
    }
  }

  /** The broker died, and with it every line. */
  restart(): void {
    this.#passed.length = 0;
  }
}

/** The caller's end of a waiting call. */
export function waitingGate(): Wait["gate"] {
  let over: BrokerError | undefined;
  let listener: (error: BrokerError) => void = () => {};
  return {
    requireOpen: () => {
      if (over !== undefined) throw over;
    },
    onOver: (told) => {
      if (over !== undefined) told(over); // it began to wait as the broker died
      listener = told;
      return () => {
        listener = () => {};
      };
    },
    end: (error) => {
      over = error;
      listener(error);
    },
  };
}
