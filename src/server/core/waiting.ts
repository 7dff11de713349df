// A line for each IOMMU group that somebody waits for: first come, first served; who preempts stands by its priority.
// A waiter is woken when it may try, never promised success: it tries inside the group's queue like anybody else, and
// leaves the line whatever comes of it, so that the next one gets its chance. A line that nobody stands in takes no memory.

import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { GroupID } from "../../backends/ids.ts";
import { assert } from "../../spec/assert.ts";
import type { BrokerEvents } from "./events.ts";
import type { CoreLimits } from "./limits.ts";
import type { Alarms } from "./ports.ts";
import type { Registry } from "./registry.ts";

export interface WaitingDeps {
  readonly registry: Registry;
  readonly limits: CoreLimits;
  readonly alarms: Alarms;
  readonly events: BrokerEvents;
  /** The group is being reset: nobody can have it yet. */
  isResetting(group: GroupID): boolean;
}

export interface WaiterRequest {
  readonly session: string;
  readonly waitMs: number;
  /** Why it has to wait: what it is told when it has waited in vain. */
  readonly busy: BrokerError;
  /** Of one that preempts: it stands before those of lower rank. Undefined: it stands at the end. */
  readonly rank: number | undefined;
}

/** One call that waits. */
export interface Waiter {
  readonly session: string;
  readonly rank: number | undefined;
  /** Resolves when it may try. @throws BrokerError why it need not wait any longer */
  turn(): Promise<void>;
  /** Ends the waiting with an error, now or at the next turn(). */
  fail(error: BrokerError): void;
  /** Done with it, one way or the other. */
  leave(): void;
}

interface Place extends Waiter {
  wake: (() => void) | undefined;
}

export class WaitingLines {
  readonly #deps: WaitingDeps;
  readonly #lines = new Map<GroupID, Place[]>();

  constructor(deps: WaitingDeps) {
    this.#deps = deps;
    deps.events.subscribe((event) => {
      if (event.type === "stageChanged") this.#stir(event.group);
      if (event.type === "deviceReset" || event.type === "deviceRemoved") this.#stirAll();
      if (event.type === "sessionEnded") this.#drop(event.session);
    });
  }

  /** @throws BrokerError limit_reached when too many wait already */
  join(group: GroupID, request: WaiterRequest): Waiter {
    const { alarms, limits } = this.#deps;
    const line = this.#lines.get(group) ?? [];
    if (line.length >= limits.waitersPerGroupMax) {
      const max = limits.waitersPerGroupMax;
      throw limitReached("waiters_per_group_max", max, "too many wait for this device already; ask again later");
    }
    let failure: BrokerError | undefined;
    const { session, rank } = request;
    const place: Place = {
      session,
      rank,
      wake: undefined,
      turn: async () => {
        assert(place.wake === undefined, "one turn() of a waiter at a time");
        while (failure === undefined && !this.#mayTry(group, place)) {
          await new Promise<void>((resolve) => {
            place.wake = resolve;
          });
          place.wake = undefined;
        }
        if (failure !== undefined) throw failure;
      },
      fail: (error) => {
        failure ??= error;
        place.wake?.();
      },
      leave: () => {
        cancel();
        this.#leave(group, place);
      },
    };
    const cancel = alarms.after(request.waitMs, () => place.fail(inVain(request)));
    line.splice(placeOf(line, rank), 0, place);
    this.#lines.set(group, line);
    return place;
  }

  /** Nobody is before `waiter` in line; undefined: somebody who does not wait. */
  isNext(group: GroupID, waiter: Waiter | undefined): boolean {
    return this.#lines.get(group)?.[0] === waiter;
  }

  count(group: GroupID): number {
    return this.#lines.get(group)?.length ?? 0;
  }

  /** All that wait, for a metric. */
  total(): number {
    let sum = 0;
    for (const line of this.#lines.values()) sum += line.length;
    return sum;
  }

  /** Those in line that preempt, first come first. */
  preemptors(group: GroupID): readonly Waiter[] {
    return (this.#lines.get(group) ?? []).filter(({ rank }) => rank !== undefined);
  }

  #mayTry(group: GroupID, place: Place): boolean {
    const record = this.#deps.registry.findGroup(group);
    if (record === undefined) return true; // to be told that the device is gone
    if (this.#deps.isResetting(group)) return false;
    if (record.state === "releasing") return false;
    if (record.owner !== undefined) return record.owner === place.session;
    return this.isNext(group, place);
  }

  #stir(group: GroupID): void {
    for (const place of this.#lines.get(group) ?? []) if (this.#mayTry(group, place)) place.wake?.();
  }

  #stirAll(): void {
    for (const group of this.#lines.keys()) this.#stir(group);
  }

  #leave(group: GroupID, place: Place): void {
    const line = this.#lines.get(group) ?? [];
    const index = line.indexOf(place);
    if (index >= 0) line.splice(index, 1);
    if (line.length === 0) this.#lines.delete(group);
    this.#stir(group);
  }

  #drop(session: string): void {
    for (const line of this.#lines.values()) {
      for (const place of line) if (place.session === session) place.fail(sessionEnded());
    }
  }
}

/** Before the first that has a lower rank; those that do not preempt have the lowest. */
function placeOf(line: readonly Place[], rank: number | undefined): number {
  if (rank === undefined) return line.length;
  const index = line.findIndex((other) => other.rank === undefined || other.rank < rank);
  return index < 0 ? line.length : index;
}

function inVain({ busy, waitMs }: WaiterRequest): BrokerError {
  return new BrokerError(busy.code, `waited ${waitMs} ms in vain: ${busy.message}`, {
    ...busy.facts,
    waited_ms: waitMs,
  });
}

function sessionEnded(): BrokerError {
  return new BrokerError("lease_expired", "the session has ended while it waited: open another", {});
}
