// Which process each session hangs on. A session has one watch at most; a new one takes the old one's place only once it
// stands, so a refusal leaves the session as it was.

import type { Caller } from "./caller.ts";
import type { ProcessWatch, WatchedProcess, WatchOutcome } from "./ports.ts";
import type { Presence } from "./session.ts";
import { callerGone, cannotWatch } from "./session-errors.ts";
import type { Terms } from "./session-terms.ts";

export class SessionWatches {
  readonly #processes: ProcessWatch;
  readonly #onDeath: (session: string) => void;
  readonly #stops = new Map<string, () => void>();

  constructor(processes: ProcessWatch, onDeath: (session: string) => void) {
    this.#processes = processes;
    this.#onDeath = onDeath;
  }

  /**
   * Hangs a session on the process that calls, or on a lease, as was asked for.
   * @throws BrokerError argument_invalid (peer-process was asked for and cannot be) or call_over (the caller is dead)
   */
  hang(session: string, caller: Caller, { liveness, ttlMs }: Pick<Terms, "liveness" | "ttlMs">): Presence {
    const lease: Presence = { liveness: "ttl", process: undefined, ttlMs };
    if (liveness === "ttl") {
      this.drop(session);
      return lease;
    }
    const outcome = this.#processes.watch(caller, () => this.#onDeath(session));
    if (outcome.kind === "dead") throw callerGone();
    if (outcome.kind === "impossible") {
      if (liveness === "peer-process") throw cannotWatch(outcome.reason);
      this.drop(session);
      return lease;
    }
    return this.#keep(session, outcome);
  }

  /** Hangs a session on the process that calls; undefined when that cannot be. */
  adopt(session: string, caller: Caller): Presence | undefined {
    return this.#keepWatched(
      session,
      this.#processes.watch(caller, () => this.#onDeath(session)),
    );
  }

  /** Hangs a session on the process of before a restart; undefined when that is gone or cannot be found out. */
  hangAgain(session: string, process: WatchedProcess): Presence | undefined {
    return this.#keepWatched(
      session,
      this.#processes.rewatch(process, () => this.#onDeath(session)),
    );
  }

  drop(session: string): void {
    const stop = this.#stops.get(session);
    this.#stops.delete(session);
    stop?.();
  }

  #keepWatched(session: string, outcome: WatchOutcome): Presence | undefined {
    return outcome.kind === "watched" ? this.#keep(session, outcome) : undefined;
  }

  #keep(session: string, { process, stop }: Extract<WatchOutcome, { kind: "watched" }>): Presence {
    this.drop(session);
    this.#stops.set(session, stop);
    return { liveness: "peer-process", process, ttlMs: 0 };
  }
}
