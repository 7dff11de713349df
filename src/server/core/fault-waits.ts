// Events that wait for an answer, from their record to the entry that tells how they ended: what the feed, the hardware and
// the owner's coming and going have to do with one another. Who may answer, and until when, is fault-pending.ts's.

import type { FaultAnswer, FaultRecord, PendingFault } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { CallGate } from "./call-gate.ts";
import type { FaultChannel, FaultChannels } from "./fault-channels.ts";
import { FaultPending, refusalOf, type WaitingFault } from "./fault-pending.ts";
import type { FaultEntry, FaultResolution, ResolutionOutcome, SequencedFault } from "./fault-verbs.ts";
import type { CoreLimits } from "./limits.ts";
import type { Alarms, Clock, Identifiers } from "./ports.ts";
import type { Sessions } from "./sessions.ts";

/** Of a device's ring, what page requests may fill that wait for the last of their group: it may never come. */
const GATHERED_PART = 1 / 4;

export interface WaitsDeps {
  readonly channels: FaultChannels;
  readonly sessions: Sessions;
  readonly limits: CoreLimits;
  readonly ports: { readonly clock: Clock; readonly alarms: Alarms; readonly identifiers: Identifiers };
  /** Backend.respondToFault. */
  respond(device: DeviceID, cookie: number, answer: FaultAnswer): Promise<void>;
}

export class FaultWaits {
  readonly resolutions = { answered: 0, "timed-out": 0, "owner-gone": 0, "stage-changed": 0 };
  readonly #deps: WaitsDeps;
  readonly #pending: FaultPending;
  readonly #waitingOf = new WeakMap<FaultEntry, WaitingFault>();
  /** The numbers of the page requests that the last one of a group is answered for. */
  readonly #groupOf = new WeakMap<WaitingFault, readonly number[]>();

  constructor(deps: WaitsDeps) {
    this.#deps = deps;
    this.#pending = new FaultPending({
      clock: deps.ports.clock,
      alarms: deps.ports.alarms,
      responseMs: deps.limits.faultResponseMs,
      respond: (device, cookie, answer) => deps.respond(device, cookie, answer),
      onOver: (waiting, outcome) => this.#onOver(waiting, outcome),
    });
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Of an event that waits, or has waited. */
  of(entry: FaultEntry): WaitingFault | undefined {
    return this.#waitingOf.get(entry);
  }

  /**
   * A page request before the last of its group: whoever answers the last one must have seen it, so it is kept until then.
   * @returns false for any other event, and where so many are kept that it must be one among all
   */
  gather(channel: FaultChannel, { pageRequest, substreamID }: FaultRecord, sequence: number): boolean {
    const max = this.#deps.limits.faultRingEventsMax * GATHERED_PART;
    if (pageRequest === undefined || channel.gathered >= max) return false;
    const key = `${substreamID} ${pageRequest.groupIndex}`;
    const group = channel.groups.get(key) ?? [];
    channel.groups.set(key, group);
    group.push(sequence);
    channel.gathered += 1;
    channel.feed.waiting.add(sequence);
    return true;
  }

  /** An event of a device that has an owner. */
  add(
    channel: FaultChannel,
    session: string,
    { pending, ...what }: { sequence: number; wallMs: number; fault: FaultRecord; pending: PendingFault },
  ): void {
    const { limits, ports } = this.#deps;
    const { device, feed } = channel;
    const hasRoom = channel.waiting.size + channel.gathered < limits.faultRingEventsMax;
    const responseMs = hasRoom ? limits.faultResponseMs : 0;
    const token = ports.identifiers.token();
    const response = Object.freeze({ token, deadlineWallMs: what.wallMs + responseMs });
    const event: SequencedFault = { kind: "event", ...what, response };
    const earlier = channel.waiting.get(pending.cookie);
    if (earlier !== undefined) this.#pending.drop(earlier, "stage-changed"); // the backend has forgotten it
    const waiting: WaitingFault = {
      device,
      session,
      event,
      pending,
      token,
      deadlineMs: ports.clock.monotonicMs() + responseMs,
      state: "waiting",
      endedAs: undefined,
      resolution: undefined,
      resolvedAt: 0,
    };
    const key = `${what.fault.substreamID} ${what.fault.pageRequest?.groupIndex}`;
    this.#groupOf.set(waiting, channel.groups.get(key) ?? []);
    channel.groups.delete(key);
    channel.waiting.set(pending.cookie, waiting);
    feed.waiting.add(event.sequence);
    this.#waitingOf.set(event, waiting);
    this.#deps.channels.append(channel, event);
    this.#pending.add(waiting);
    if (!hasRoom) void this.#pending.refuse(waiting);
  }

  /** @throws BrokerError as FaultVerbs.respond() does */
  async answer(session: string, token: string, answer: FaultAnswer, gate: CallGate | undefined): Promise<WaitingFault> {
    return await this.#pending.answer(session, token, answer, gate);
  }

  /** The hardware ended it. */
  ended(channel: FaultChannel, cookie: number): void {
    const waiting = channel.waiting.get(cookie);
    if (waiting !== undefined) this.#pending.ended(waiting, this.#hasLost(channel) ? "owner-gone" : "stage-changed");
  }

  /** All that waits of a device whose owner is gone. */
  drop(channel: FaultChannel): void {
    for (const waiting of [...channel.waiting.values()]) this.#pending.drop(waiting, "owner-gone");
    for (const group of channel.groups.values()) this.#letGo(channel, group);
    channel.groups.clear();
  }

  /** A device that nobody owns must not wait. What goes wrong with it is the backend's to tell. */
  refuseUnowned(device: DeviceID, pending: PendingFault): void {
    this.#deps.respond(device, pending.cookie, refusalOf(pending)).catch(() => {});
  }

  #onOver(waiting: WaitingFault, outcome: ResolutionOutcome): void {
    this.resolutions[outcome] += 1;
    const { channels } = this.#deps;
    const channel = channels.of(waiting.device);
    const { sequence } = waiting.event;
    channel.waiting.delete(waiting.pending.cookie);
    channels.settle(channel, sequence);
    this.#letGo(channel, this.#groupOf.get(waiting) ?? []);
    const { device } = waiting;
    const wallMs = this.#deps.ports.clock.wallMs();
    const resolution: FaultResolution = { kind: "resolution", device, sequence, outcome, wallMs };
    waiting.resolution = resolution;
    waiting.resolvedAt = channels.position + 1;
    channels.append(channel, resolution);
  }

  #letGo(channel: FaultChannel, group: readonly number[]): void {
    for (const sequence of group) this.#deps.channels.settle(channel, sequence);
    channel.gathered -= group.length;
  }

  /** The session that owned it when the event was recorded is not there any more, or about to go. */
  #hasLost({ isLeaving, owner }: FaultChannel): boolean {
    const { sessions } = this.#deps;
    return isLeaving || owner === undefined || sessions.isLost(owner) || sessions.ending().includes(owner);
  }
}
