// Hears every event of the broker as it happens and asks of each whether there was a reason for it: a session ends because
// somebody ended it, a stage is taken away because its owner is gone, a device goes back to the host after a reset.
// A listener must not throw, so what is wrong is kept until the step is over.

import type { DeviceID, GroupID } from "../../src/backends/ids.ts";
import type { BrokerEvent } from "../../src/server/core/events.ts";
import type { StageState } from "../../src/server/core/stage-state.ts";
import type { DeviceView } from "../../src/server/core/views.ts";
import type { Standing } from "./commands.ts";
import { LEASE_MS, poolDevice } from "./pool.ts";
import type { Waits } from "./waits.ts";

type StageChanged = Extract<BrokerEvent, { type: "stageChanged" }>;

/** What the world asked for and the broker may refer to. Empty again when a step is over. */
export class Requests {
  readonly closed = new Set<string>();
  readonly revoked = new Set<string>();
  readonly forced = new Set<GroupID>();
  readonly unplugged = new Set<DeviceID>();
  readonly vouched = new Set<GroupID>();
  hasNewPolicy = false;

  clear(): void {
    for (const each of [this.closed, this.revoked, this.forced, this.unplugged, this.vouched]) each.clear();
    this.hasNewPolicy = false;
  }
}

/** What the witness sees of the world. */
export interface Scene {
  nowMs(): number;
  devices(): readonly DeviceView[];
  standingOf(session: string): Standing | undefined;
  isDead(session: string): boolean;
}

export class Witness {
  readonly requests = new Requests();
  readonly wrong: string[] = [];
  /** By group: where its stage is, or would begin again. */
  readonly #stages = new Map<GroupID, { readonly generation: number; readonly state: StageState }>();
  /** Devices that a guest had and that were not reset since. */
  readonly #used = new Set<DeviceID>();
  /** Devices whose last reset did not succeed. */
  readonly #unclean = new Set<DeviceID>();
  readonly #gone = new Set<string>();
  /** By session: when its lease was renewed last; of sessions that have one. */
  readonly #renewedMs = new Map<string, number>();
  readonly #preemptions = new Map<GroupID, { readonly loser: string; readonly deadlineMs: number }>();
  readonly #unplugged: DeviceID[] = [];
  #step = 0;
  readonly #scene: Scene;
  readonly #waits: Waits;

  constructor(scene: Scene, waits: Waits) {
    this.#scene = scene;
    this.#waits = waits;
  }

  /** Another broker, on other hardware that has been rebuilt. */
  restart(): void {
    for (const each of [this.#stages, this.#used, this.#unclean, this.#gone, this.#renewedMs, this.#preemptions])
      each.clear();
    this.requests.clear();
    for (const { generation, group, id, owner, state } of this.#scene.devices()) {
      this.#stages.set(group, { generation, state });
      if (owner !== undefined || state === "quarantined") this.#used.add(id);
    }
  }

  renewed(session: string): void {
    this.#renewedMs.set(session, this.#scene.nowMs());
  }

  /** A guest's device begins something. @returns takes it back, when it was refused */
  wasUsed(device: DeviceID): () => void {
    if (this.#used.has(device)) return () => {};
    this.#used.add(device);
    return () => this.#used.delete(device);
  }

  wasReset(device: DeviceID): void {
    this.#used.delete(device);
  }

  /** Groups whose owner has been told to leave. */
  preempted(): readonly GroupID[] {
    return [...this.#preemptions.keys()];
  }

  /** Devices that have disappeared since the last time it was asked. */
  takeUnplugged(): readonly DeviceID[] {
    return this.#unplugged.splice(0);
  }

  /** @param step  of the script */
  hear(event: BrokerEvent, step: number): void {
    this.#step = step;
    switch (event.type) {
      case "stageChanged":
        this.#stageChanged(event);
        return;
      case "sessionLost":
      case "sessionEnded":
        this.#requireReason(event.session, event.reason, event.type);
        this.#gone.add(event.session);
        return;
      case "sessionResumed":
      case "sessionClaimed":
        this.#gone.delete(event.session);
        this.renewed(event.session);
        return;
      case "preempted":
        this.#preempted(event);
        return;
      case "preemptionEnded":
        this.#preemptionEnded(event);
        return;
      case "deviceReset":
        if (event.result === "done") this.#unclean.delete(event.device);
        else this.#unclean.add(event.device);
        return;
      case "deviceRemoved":
        this.#removed(event.device);
        return;
    }
  }

  #stageChanged(event: StageChanged): void {
    const { from, generation, group, session, to, trigger } = event;
    const before = this.#stages.get(group);
    if (before !== undefined) {
      this.#require(generation === before.generation + 1, event, `follows generation ${before.generation}`);
    }
    const { state = "default-domain" } = before ?? {};
    this.#require(from === state, event, `follows state ${state}`);
    this.#stages.set(group, { generation, state: to });
    if (trigger === "ownerLost") this.#require(this.#mayTake(group, session), event, "its owner is there");
    if (to === "default-domain") this.#released(event);
    else if (to === "quarantined") this.#quarantined(event);
    else for (const id of event.devices) this.#used.add(id);
    if (from === "default-domain" && session !== undefined) this.#attached(event, session);
  }

  /** The one who leaves with its device, and the administrator who vouches, need no reset. */
  #released(event: StageChanged): void {
    if (!this.requests.vouched.has(event.group)) {
      this.#require(!this.#isUsed(event), event, `not reset: ${[...this.#used].join(", ")}`);
    }
    for (const id of event.devices) this.#used.delete(id);
  }

  #quarantined(event: StageChanged): void {
    const isUnclean = event.devices.some((id) => this.#unclean.has(id));
    this.#require(isUnclean, event, "every device came out of its reset");
  }

  #isUsed({ devices }: StageChanged): boolean {
    return devices.some((id) => this.#used.has(id) && !this.requests.unplugged.has(id));
  }

  #attached(event: StageChanged, session: string): void {
    const { group } = event;
    this.#waits.taken(group, session, this.#step);
    this.#require(!this.#gone.has(session), event, "its session is gone");
    const standing = this.#scene.standingOf(session);
    if (standing === undefined || this.requests.hasNewPolicy) return;
    this.#require(standing.isAllowed, event, "the policy denies it");
  }

  #mayTake(group: GroupID, session: string | undefined): boolean {
    const preemption = this.#preemptions.get(group);
    const isOverdue = preemption !== undefined && preemption.deadlineMs <= this.#scene.nowMs();
    return isOverdue || this.requests.forced.has(group) || (session !== undefined && this.#gone.has(session));
  }

  #requireReason(session: string, reason: string, what: string): void {
    if (reason === "closed") this.#require(this.requests.closed.has(session), { what, session }, "nobody closed it");
    if (reason === "revoked") this.#require(this.requests.revoked.has(session), { what, session }, "nobody revoked it");
    if (reason === "peer_died") this.#require(this.#scene.isDead(session), { what, session }, "its process runs");
    const renewedMs = this.#renewedMs.get(session);
    if (reason !== "lease_expired" || renewedMs === undefined) return;
    const leftMs = renewedMs + LEASE_MS - this.#scene.nowMs();
    this.#require(leftMs <= 0, { what, session }, `its lease has ${leftMs} ms left`);
  }

  #preempted(event: Extract<BrokerEvent, { type: "preempted" }>): void {
    const { by, device, graceMs, session } = event;
    const deadlineMs = this.#scene.nowMs() + graceMs;
    this.#preemptions.set(poolDevice(device).group, { loser: session, deadlineMs });
    const [mine, theirs] = [this.#scene.standingOf(by), this.#scene.standingOf(session)];
    if (mine === undefined || theirs === undefined || this.requests.hasNewPolicy) return;
    const theirPriority = theirs.isAllowed ? theirs.priority : 0;
    const isHigher = mine.isAllowed && mine.mayPreempt && mine.priority > theirPriority;
    this.#require(isHigher, event, "the policy does not rank it higher");
  }

  #preemptionEnded(event: Extract<BrokerEvent, { type: "preemptionEnded" }>): void {
    const running = this.#preemptions.get(event.group);
    this.#require(running?.loser === event.session, event, "nobody was told so");
    const isOverdue = running !== undefined && running.deadlineMs <= this.#scene.nowMs();
    if (event.outcome === "taken") this.#require(isOverdue, event, "its grace is not over");
    this.#preemptions.delete(event.group);
  }

  #removed(device: DeviceID): void {
    const { group } = poolDevice(device);
    this.#unplugged.push(device);
    this.#used.delete(device);
    const last = this.#stages.get(group);
    if (last === undefined || this.#scene.devices().some((other) => other.group === group)) return;
    // One that comes back goes on counting, above where it was seen last; one that had no stage change begins anew.
    const generation = last.generation === 0 ? 0 : last.generation + 1;
    this.#stages.set(group, { generation, state: "default-domain" });
  }

  #require(holds: boolean, what: unknown, why: string): void {
    const shown = JSON.stringify(what, (_, value) => (typeof value === "bigint" ? `${value}` : value));
    if (!holds) this.wrong.push(`${shown}: ${why}`);
  }
}
