// Preemption: a session that the policy ranks higher takes a device from its owner. The owner is told first and has a
// grace period to leave by itself; then its group, and no other, is set to abort and released. Whoever preempts waits at
// the head of the line; when nobody does any more, the device stays where it is.

import { BrokerError } from "../../backends/errors.ts";
import type { DeviceID, GroupID } from "../../backends/ids.ts";
import type { ArbiterDeps } from "./arbiter.ts";
import type { PreemptionOutcome } from "./events.ts";
import { NO_PRIORITY, type Priority } from "./policy.ts";
import type { Resets } from "./reset.ts";
import type { StageChanges } from "./stage-change.ts";
import type { Waiter, WaitingLines } from "./waiting.ts";

export interface PreemptionDeps extends ArbiterDeps {
  readonly changes: StageChanges;
  readonly resets: Resets;
  readonly lines: WaitingLines;
}

interface Running {
  readonly loser: string;
  readonly cancel: () => void;
  /** Abort and release are under way: too late to call it off. */
  isTaking: boolean;
}

export class Preemptions {
  readonly #deps: PreemptionDeps;
  readonly #running = new Map<GroupID, Running>();

  constructor(deps: PreemptionDeps) {
    this.#deps = deps;
    deps.events.subscribe((event) => {
      if (event.type === "stageChanged") this.#follow(event.group);
      if (event.type === "deviceRemoved") for (const group of this.#running.keys()) this.#follow(group);
    });
  }

  /**
   * Puts the session in line for a device that is another's, and begins to take it.
   * @throws BrokerError policy_denied, naming both priorities, when the session may not
   */
  begin(session: string, device: DeviceID, waitMs: number, busy: BrokerError): Waiter {
    const { lines, registry } = this.#deps;
    const { group } = registry.device(device).host;
    const rank = this.#requireRight(session, device);
    const waiter = lines.join(group, { session, waitMs, busy, rank });
    this.#announce(group, session);
    return waiter;
  }

  /** Calls it off when nobody waits for the device any more who may take it. */
  reconsider(group: GroupID): void {
    const running = this.#running.get(group);
    if (running === undefined || running.isTaking || this.#deps.lines.preemptors(group).length > 0) return;
    this.#end(group, "called_off");
  }

  #requireRight(session: string, device: DeviceID): number {
    const mine = this.#priorityOf(session, device);
    const { owner } = this.#deps.registry.groupOf(device);
    const theirs = owner === undefined || owner === session ? undefined : this.#priorityOf(owner, device).priority;
    if (mine.mayPreempt && (theirs === undefined || mine.priority > theirs)) return mine.priority;
    const why = mine.mayPreempt
      ? `priority ${mine.priority} is not above the owner's, ${theirs}`
      : "the policy grants no may_preempt";
    throw new BrokerError("policy_denied", `device ${device} cannot be preempted: ${why}; wait for it instead`, {
      device,
      priority: mine.priority,
      may_preempt: mine.mayPreempt,
    });
  }

  /** By the rule that lets a session have the device; a session that may have ended. */
  #priorityOf(session: string, device: DeviceID): Priority {
    const { permissions, registry, sessions } = this.#deps;
    const caller = sessions.callerOf(session);
    const { group } = registry.device(device).host;
    return caller === undefined ? NO_PRIORITY : permissions.priorityOf(caller, { kind: "device", id: device, group });
  }

  #announce(group: GroupID, by: string): void {
    const { events, limits, ports, registry, sessions } = this.#deps;
    const record = registry.group(group);
    const loser = record.owner;
    if (loser === undefined || loser === by || this.#running.has(group)) return;
    const graceMs = limits.preemptGraceMs;
    const cancel = ports.alarms.after(graceMs, () => void this.#takeOver(group));
    this.#running.set(group, { loser, cancel, isTaking: false });
    const name = sessions.view(by)?.displayName ?? "";
    for (const device of record.devices) {
      if (!registry.device(device).attached) continue;
      events.emit({ type: "preempted", device, session: loser, by, graceMs });
      sessions.notifyPreempted(loser, device, {
        deadlineMs: graceMs,
        by: name,
        reason: "a session of higher priority asked for the device",
      });
    }
  }

  /** The grace period is over. */
  async #takeOver(group: GroupID): Promise<void> {
    const { changes, lines, queues, registry, resets } = this.#deps;
    try {
      await queues.run([{ kind: "group", id: group }], async () => {
        const running = this.#running.get(group);
        const record = registry.findGroup(group);
        if (running === undefined || record?.owner !== running.loser) return;
        running.isTaking = true;
        const { loser } = running;
        await resets.release(await changes.abort(record, loser), loser);
      });
    } catch (error) {
      this.#end(group, "failed");
      for (const waiter of lines.preemptors(group)) waiter.fail(couldNot(group, error));
    }
  }

  /** The loser does not own it any more: it was taken, or it left by itself. */
  #follow(group: GroupID): void {
    const running = this.#running.get(group);
    if (running === undefined || this.#deps.registry.findGroup(group)?.owner === running.loser) return;
    this.#end(group, running.isTaking ? "taken" : "handed_over");
  }

  #end(group: GroupID, outcome: PreemptionOutcome): void {
    const running = this.#running.get(group);
    if (running === undefined) return;
    running.cancel();
    this.#running.delete(group);
    this.#deps.events.emit({ type: "preemptionEnded", group, session: running.loser, outcome });
  }
}

function couldNot(group: GroupID, cause: unknown): BrokerError {
  const why = cause instanceof Error ? cause.message : "unknown";
  return new BrokerError(
    "backend_failed",
    `the device could not be taken from its owner: ${why}`,
    { group },
    { cause },
  );
}
