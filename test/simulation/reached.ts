// How often scripts come to what they are after: a simulation that never gets a device preempted proves nothing about it.

import type { BrokerEvent } from "../../src/server/core/events.ts";

export class Reached {
  readonly #times = new Map<string, number>();

  add(what: string): void {
    this.#times.set(what, (this.#times.get(what) ?? 0) + 1);
  }

  hear(event: BrokerEvent): void {
    switch (event.type) {
      case "preemptionEnded":
        this.add(`preemption ${event.outcome}`);
        return;
      case "sessionEnded":
        this.add(`session ${event.reason}`);
        return;
      case "deviceReset":
        this.add(`reset ${event.result}`);
        return;
      case "stageChanged":
        this.add(event.from === "releasing" ? `from releasing to ${event.to}` : `to ${event.to}`);
        return;
      case "handedOut":
        this.add(`handed out ${event.how}`);
        return;
      case "quotaReached":
      case "policyDenied":
      case "sessionResumed":
      case "sessionClaimed":
      case "sessionRestored":
      case "sessionGivenUp":
      case "groupHeld":
      case "deviceForced":
      case "deviceAdded":
      case "deviceRemoved":
        this.add(event.type);
    }
  }

  toString(): string {
    return [...this.#times]
      .map(([what, times]) => `${what} ${times}`)
      .sort()
      .join(", ");
  }
}
