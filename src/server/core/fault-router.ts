// From the backend's one stream of faults to each owner's and the observers'. Recording is O(1), whoever listens; a slow
// reader loses events to the ring and is told so by a gap.
// A device's events belong to the session that owned it when they were recorded: at release its readers are told what
// they had not taken as a gap, and the numbers go on. The ring stays, for observers, until it is overwritten.

import { BrokerError } from "../../backends/errors.ts";
import type { FaultAnswer, FaultNotice, FaultRecord } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { CallGate } from "./call-gate.ts";
import { type FaultChannel, FaultChannels } from "./fault-channels.ts";
import { FaultHistory } from "./fault-history.ts";
import type { FaultNumbers } from "./fault-numbers.ts";
import { FaultReaders, isVisible } from "./fault-readers.ts";
import type { FaultListRequest, FaultPage, FaultSubscription, FaultWatchRequest } from "./fault-verbs.ts";
import { FaultWaits } from "./fault-waits.ts";
import type { CoreLimits } from "./limits.ts";
import type { Alarms, Clock, Identifiers, Journal } from "./ports.ts";
import type { Registry } from "./registry.ts";
import type { Sessions } from "./sessions.ts";
import type { FaultCensus } from "./views.ts";

export interface FaultRouterDeps {
  readonly registry: Registry;
  readonly sessions: Sessions;
  readonly limits: CoreLimits;
  readonly ports: {
    readonly clock: Clock;
    readonly alarms: Alarms;
    readonly identifiers: Identifiers;
    readonly journal: Pick<Journal, "durable">;
  };
  /** Backend.respondToFault. */
  respond(device: DeviceID, cookie: number, answer: FaultAnswer): Promise<void>;
  /** What is known of a device's owner is nobody's any more. */
  onRelease(device: DeviceID): void;
}

export class FaultRouter {
  readonly #deps: FaultRouterDeps;
  readonly #channels: FaultChannels;
  readonly #readers: FaultReaders;
  readonly #waits: FaultWaits;
  readonly #history: FaultHistory;
  readonly #counts = { recorded: 0, hostOnly: 0, unrouted: 0, hardwareOverflow: 0 };

  constructor(deps: FaultRouterDeps) {
    this.#deps = deps;
    const { alarms, clock, identifiers, journal } = deps.ports;
    this.#channels = new FaultChannels({
      limits: deps.limits,
      clock,
      alarms,
      journal,
      onFirst: (channel) => this.#readers.onFirst(channel),
      onDurable: () => this.#readers.onDurable(),
    });
    this.#readers = new FaultReaders({
      limits: deps.limits,
      channels: this.#channels,
      waitingOf: (entry) => this.#waits.of(entry),
    });
    this.#history = new FaultHistory(identifiers);
    this.#waits = new FaultWaits({ ...deps, channels: this.#channels });
  }

  /** What of the devices' numbers outlives the daemon. */
  get numbers(): FaultNumbers {
    return this.#channels.numbers;
  }

  /**
   * The device has an owner from now on: what it records is theirs.
   * @param how  restored: it was theirs before the restart too
   */
  claim(device: DeviceID, session: string, how: "fresh" | "restored" = "fresh"): void {
    const channel = this.#channels.of(device);
    this.#channels.tellRun(channel);
    channel.owner = session;
    channel.isLeaving = false;
    channel.ownerAfter = how === "restored" ? 0 : channel.used;
    channel.ownerFrom = this.#channels.position + 1;
    this.#channels.numbers.reserve(channel.reservation, channel.used);
    this.#readers.onClaim(channel, session);
  }

  /** What ends from now on ends because the owner goes; claim() or stay() takes it back. */
  leave(device: DeviceID): void {
    this.#channels.of(device).isLeaving = true;
  }

  stay(device: DeviceID): void {
    this.#channels.of(device).isLeaving = false;
  }

  /** The owner is gone: nobody else but observers shall see what was theirs. */
  release(device: DeviceID): void {
    const channel = this.#channels.of(device);
    this.#channels.tellRun(channel);
    this.#waits.drop(channel);
    this.#readers.onRelease(channel);
    channel.owner = undefined;
    channel.isLeaving = false;
    this.#deps.onRelease(device);
  }

  /** The device itself is gone; one that comes back under its name goes on counting. What is owed stays owed. */
  remove(device: DeviceID): void {
    const channel = this.#channels.find(device);
    if (channel === undefined) return;
    this.release(device);
    this.#readers.onRemove(channel);
    this.#channels.delete(channel);
  }

  record(notice: FaultNotice): void {
    switch (notice.kind) {
      case "fault":
        this.#recordFault(notice.fault);
        return;
      case "ended": {
        const channel = this.#channels.find(notice.device);
        if (channel !== undefined) this.#waits.ended(channel, notice.cookie);
        return;
      }
      case "overflow":
        this.#counts.hardwareOverflow += 1;
        for (const device of notice.devices) this.#recordOverflow(this.#channels.find(device));
    }
  }

  subscribe(session: string | undefined, request: FaultWatchRequest): FaultSubscription {
    if (session !== undefined) this.#deps.sessions.requireLive(session);
    this.#requireVisible(session, request.devices);
    // Of before a restart there are numbers alone until somebody asks for them.
    const isAll = session === undefined && request.fromStart === true;
    for (const device of isAll ? this.numbers.devices() : request.resumeAfter.keys()) {
      if (this.#deps.registry.findDevice(device) !== undefined) this.#channels.of(device);
    }
    return this.#readers.subscribe(session, request);
  }

  list(session: string | undefined, request: FaultListRequest): FaultPage {
    if (session !== undefined) this.#deps.sessions.requireLive(session);
    this.#requireVisible(session, request.devices);
    const wanted = new Set(request.devices);
    const channels = [...this.#channels.all()].filter((channel) => {
      return isVisible(channel, session) && (wanted.size === 0 || wanted.has(channel.device));
    });
    for (const channel of channels) this.#channels.publish(channel);
    const feeds = channels.map(({ feed, ownerFrom }) => ({ feed, from: session === undefined ? 0 : ownerFrom }));
    return this.#history.page(session, feeds, request);
  }

  async respond(
    session: string,
    request: { readonly token: string; readonly answer: FaultAnswer },
    gate?: CallGate,
  ): Promise<{ readonly device: DeviceID; readonly sequence: number }> {
    this.#deps.sessions.requireLive(session);
    const { device, event } = await this.#waits.answer(session, request.token, request.answer, gate);
    return { device, sequence: event.sequence };
  }

  /** Ends the subscriptions of a session that ended. */
  endSession(session: string): void {
    this.#readers.endSession(session);
  }

  /** Open streams of these sessions. */
  streamsOf(sessions: ReadonlySet<string>): number {
    return this.#readers.count((session) => session !== undefined && sessions.has(session));
  }

  census(): Omit<FaultCensus, "diagnoses"> {
    const { hardwareOverflow, hostOnly, recorded, unrouted } = this.#counts;
    const { delivered, overrun, released } = this.#readers.counts;
    return {
      recorded,
      delivered,
      suppressed: this.#channels.suppressed,
      hostOnly,
      dropped: { unrouted, overrun, released, hardwareOverflow },
      held: this.#channels.held,
      pending: this.#waits.size,
      resolutions: { ...this.#waits.resolutions },
      subscribers: {
        owner: this.#readers.count((session) => session !== undefined),
        observer: this.#readers.count((session) => session === undefined),
      },
    };
  }

  #recordFault(fault: FaultRecord): void {
    const channel = this.#channels.find(fault.device);
    const owner = channel?.owner;
    if (channel === undefined || owner === undefined) {
      this.#counts.unrouted += 1;
      if (fault.pending !== undefined) this.#waits.refuseUnowned(fault.device, fault.pending);
      return;
    }
    const sequence = this.#channels.number(channel);
    this.#counts.recorded += 1;
    if (fault.hostOnly) this.#counts.hostOnly += 1;
    if (fault.pending === undefined && !this.#waits.gather(channel, fault, sequence) && !channel.limiter.admits()) {
      this.#channels.suppress(channel, fault, sequence);
      return;
    }
    this.#channels.tellRun(channel);
    const wallMs = this.#deps.ports.clock.wallMs();
    if (fault.pending === undefined) {
      this.#channels.append(channel, { kind: "event", sequence, wallMs, fault, response: undefined });
      return;
    }
    this.#waits.add(channel, owner, { sequence, wallMs, fault, pending: fault.pending });
  }

  /** One number stands for what the hardware lost. */
  #recordOverflow(channel: FaultChannel | undefined): void {
    if (channel?.owner === undefined) return;
    this.#channels.tellRun(channel);
    const number = this.#channels.number(channel);
    const { device } = channel;
    const reason = "hardware-overflow";
    this.#channels.append(channel, {
      kind: "gap",
      device,
      first: number,
      last: number,
      count: 0,
      reason,
      suppressed: [],
    });
  }

  /** A device that was seen and has left since is no reason to refuse the others. */
  #requireVisible(session: string | undefined, devices: readonly DeviceID[]): void {
    for (const device of devices) {
      const { owner } = this.#deps.registry.groupOf(device);
      if (session !== undefined && owner !== session) throw notOwned(device);
    }
  }
}

function notOwned(device: DeviceID): BrokerError {
  return new BrokerError("not_owner", `device ${device} is not this session's: attach it first`, { device });
}
