// From the backend's one stream of faults to each owner's and the observers'. Recording is O(1), whoever listens; a slow
// reader loses events to the ring and is told so by a gap.
// A device's events belong to the session that owned it when they were recorded: at release its readers are told what
// they had not taken as a gap, and the numbers go on. The ring stays, for observers, until it is overwritten.

import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { FaultAnswer, FaultNotice, FaultRecord, PendingFault } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { CallGate } from "./call-gate.ts";
import { FaultFeed, SegmentOrder } from "./fault-feed.ts";
import { FaultHistory } from "./fault-history.ts";
import { FaultLimiter, RUN_MS } from "./fault-limiter.ts";
import { FaultNumbers, type Reservation } from "./fault-numbers.ts";
import { FaultPending, refusalOf, type WaitingFault } from "./fault-pending.ts";
import { FaultReader } from "./fault-reader.ts";
import type {
  FaultEntry,
  FaultListRequest,
  FaultPage,
  FaultResolution,
  FaultSubscription,
  FaultWatchRequest,
  ResolutionOutcome,
  SequencedFault,
} from "./fault-verbs.ts";
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

/** All there is of one device. */
interface Channel {
  readonly device: DeviceID;
  readonly feed: FaultFeed;
  readonly limiter: FaultLimiter;
  readonly reservation: Reservation;
  readonly readers: Set<FaultReader>;
  /** By the backend's cookie. */
  readonly waiting: Map<number, WaitingFault>;
  /** The last number used: behind feed.last while events are being held back. */
  used: number;
  owner: string | undefined;
  /** The owner is about to be without it. */
  isLeaving: boolean;
  /** The owner sees what comes after this number, from this position on. */
  ownerAfter: number;
  ownerFrom: number;
  isListed: boolean;
  callOffRun: (() => void) | undefined;
}

export class FaultRouter {
  readonly numbers: FaultNumbers;
  readonly #deps: FaultRouterDeps;
  readonly #channels = new Map<DeviceID, Channel>();
  readonly #readers = new Set<FaultReader>();
  readonly #order = new SegmentOrder();
  readonly #pending: FaultPending;
  readonly #history: FaultHistory;
  readonly #waitingOf = new WeakMap<FaultEntry, WaitingFault>();
  readonly #counts = { recorded: 0, suppressed: 0, hostOnly: 0, unrouted: 0, delivered: 0, overrun: 0, released: 0 };
  readonly #resolutions = { answered: 0, "timed-out": 0, "owner-gone": 0, "stage-changed": 0, restarted: 0 };
  /** Channels with an open segment since the last look. */
  #opened: Channel[] = [];
  /** Of the latest entry of any device. */
  #position = 0;
  /** Entries held, of all devices. */
  #total = 0;

  constructor(deps: FaultRouterDeps) {
    this.#deps = deps;
    const { alarms, clock, identifiers, journal } = deps.ports;
    this.numbers = new FaultNumbers(journal, (reservation) => this.#onDurable(reservation));
    this.#history = new FaultHistory(identifiers);
    this.#pending = new FaultPending({
      clock,
      alarms,
      responseMs: deps.limits.faultResponseMs,
      respond: (device, cookie, answer) => deps.respond(device, cookie, answer),
      onOver: (waiting, outcome) => this.#onOver(waiting, outcome),
    });
  }

  /**
   * The device has an owner from now on: what it records is theirs.
   * @param how  restored: it was theirs before the restart too
   */
  claim(device: DeviceID, session: string, how: "fresh" | "restored" = "fresh"): void {
    const channel = this.#channel(device);
    this.#tellRun(channel);
    channel.owner = session;
    channel.isLeaving = false;
    channel.ownerAfter = how === "restored" ? 0 : channel.used;
    channel.ownerFrom = this.#position + 1;
    this.numbers.reserve(channel.reservation, channel.used);
    for (const reader of this.#readers) {
      if (reader.session === session && reader.wants(device)) this.#follow(reader, channel);
    }
  }

  /** What ends from now on ends because the owner goes; claim() or stay() takes it back. */
  leave(device: DeviceID): void {
    this.#channel(device).isLeaving = true;
  }

  stay(device: DeviceID): void {
    this.#channel(device).isLeaving = false;
  }

  /** The owner is gone: nobody else but observers shall see what was theirs. */
  release(device: DeviceID): void {
    const channel = this.#channel(device);
    this.#tellRun(channel);
    for (const waiting of [...channel.waiting.values()]) this.#pending.drop(waiting, "owner-gone");
    for (const reader of channel.readers) if (reader.session !== undefined) this.#unfollow(reader, channel);
    channel.owner = undefined;
    channel.isLeaving = false;
    this.#deps.onRelease(device);
  }

  /** The device itself is gone; one that comes back under its name counts from 1 again. What is owed stays owed. */
  remove(device: DeviceID): void {
    const channel = this.#channels.get(device);
    if (channel === undefined) return;
    this.release(device);
    for (const reader of channel.readers) this.#unfollow(reader, channel);
    this.#total -= channel.feed.clear();
    this.#channels.delete(device);
    this.numbers.forget(device);
  }

  record(notice: FaultNotice): void {
    switch (notice.kind) {
      case "fault":
        this.#recordFault(this.#channel(notice.fault.device), notice.fault);
        return;
      case "ended": {
        const channel = this.#channel(notice.device);
        const waiting = channel.waiting.get(notice.cookie);
        if (waiting !== undefined)
          this.#pending.ended(waiting, this.#hasLost(channel) ? "owner-gone" : "stage-changed");
        return;
      }
      case "overflow":
        for (const device of notice.devices) this.#recordOverflow(this.#channel(device));
    }
  }

  subscribe(session: string | undefined, request: FaultWatchRequest): FaultSubscription {
    this.#requireRoom(session);
    this.#requireVisible(session, request.devices);
    const reader: FaultReader = new FaultReader({
      session,
      devices: new Set(request.devices),
      batchMax: this.#deps.limits.faultBatchEventsMax,
      waitingOf: (entry) => this.#waitingOf.get(entry),
      isDurable: ({ device }, sequence) => (this.#channels.get(device)?.reservation.durable ?? sequence) >= sequence,
      counts: this.#counts,
    });
    for (const device of request.resumeAfter.keys()) {
      if (this.#deps.registry.findDevice(device) !== undefined) this.#channel(device);
    }
    for (const channel of this.#channels.values()) {
      if (!reader.wants(channel.device) || !isVisible(channel, session)) continue;
      this.#tellRun(channel);
      this.#follow(reader, channel, request.resumeAfter.get(channel.device));
    }
    this.#readers.add(reader);
    return {
      view: session === undefined ? "observer" : "owner",
      next: () => reader.next(),
      close: () => this.#close(reader),
    };
  }

  list(session: string | undefined, request: FaultListRequest): FaultPage {
    if (session !== undefined) this.#deps.sessions.requireLive(session);
    this.#requireVisible(session, request.devices);
    const wanted = new Set(request.devices);
    const channels = [...this.#channels.values()].filter((channel) => {
      return isVisible(channel, session) && (wanted.size === 0 || wanted.has(channel.device));
    });
    for (const channel of channels) this.#publish(channel);
    const feeds = channels.map(({ feed, ownerFrom }) => ({ feed, from: session === undefined ? 0 : ownerFrom }));
    return this.#history.page(session, feeds, request);
  }

  async respond(
    session: string,
    request: { readonly token: string; readonly answer: FaultAnswer },
    gate?: CallGate,
  ): Promise<{ readonly device: DeviceID; readonly sequence: number }> {
    this.#deps.sessions.requireLive(session);
    const { device, event } = await this.#pending.answer(session, request.token, request.answer, gate);
    return { device, sequence: event.sequence };
  }

  /** Ends the subscriptions of a session that ended. */
  endSession(session: string): void {
    for (const reader of this.#readers) if (reader.session === session) this.#close(reader);
  }

  /** Open streams of these sessions. */
  streamsOf(sessions: ReadonlySet<string>): number {
    return [...this.#readers].filter(({ session }) => session !== undefined && sessions.has(session)).length;
  }

  census(): Omit<FaultCensus, "diagnoses"> {
    const observers = [...this.#readers].filter(({ session }) => session === undefined).length;
    const { delivered, hostOnly, overrun, recorded, released, suppressed, unrouted } = this.#counts;
    return {
      recorded,
      delivered,
      suppressed,
      hostOnly,
      dropped: { unrouted, overrun, released },
      held: this.#total,
      pending: this.#pending.size,
      resolutions: { ...this.#resolutions },
      subscribers: { owner: this.#readers.size - observers, observer: observers },
    };
  }

  #recordFault(channel: Channel, fault: FaultRecord): void {
    const { owner } = channel;
    if (owner === undefined) {
      this.#counts.unrouted += 1;
      if (fault.pending !== undefined) this.#refuseUnowned(channel.device, fault.pending);
      return;
    }
    const sequence = this.#number(channel);
    this.#counts.recorded += 1;
    if (fault.hostOnly) this.#counts.hostOnly += 1;
    if (fault.pending === undefined && !channel.limiter.admits()) {
      this.#suppress(channel, fault, sequence);
      return;
    }
    this.#tellRun(channel);
    const wallMs = this.#deps.ports.clock.wallMs();
    if (fault.pending === undefined) {
      this.#append(channel, { kind: "event", sequence, wallMs, fault, response: undefined });
      return;
    }
    this.#await(channel, owner, { sequence, wallMs, fault, pending: fault.pending });
  }

  #await(
    channel: Channel,
    session: string,
    { pending, ...what }: { sequence: number; wallMs: number; fault: FaultRecord; pending: PendingFault },
  ): void {
    const { limits, ports } = this.#deps;
    const { device, feed } = channel;
    const hasRoom = channel.waiting.size < limits.faultRingEventsMax;
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
    channel.waiting.set(pending.cookie, waiting);
    feed.waiting.add(event.sequence);
    this.#waitingOf.set(event, waiting);
    this.#append(channel, event);
    this.#pending.add(waiting);
    if (!hasRoom) void this.#pending.refuse(waiting);
  }

  /** One number stands for what the hardware lost. */
  #recordOverflow(channel: Channel): void {
    if (channel.owner === undefined) return;
    this.#tellRun(channel);
    const number = this.#number(channel);
    const { device } = channel;
    const reason = "hardware-overflow";
    this.#append(channel, { kind: "gap", device, first: number, last: number, count: 0, reason, suppressed: [] });
  }

  /** A device that nobody owns must not wait. What goes wrong with it is the backend's to tell. */
  #refuseUnowned(device: DeviceID, pending: PendingFault): void {
    this.#deps.respond(device, pending.cookie, refusalOf(pending)).catch(() => {});
  }

  #suppress(channel: Channel, fault: FaultRecord, sequence: number): void {
    this.#counts.suppressed += 1;
    if (!channel.limiter.hasRun) {
      channel.callOffRun = this.#deps.ports.alarms.after(RUN_MS, () => this.#tellRun(channel));
    }
    channel.limiter.suppress(fault, sequence);
  }

  /** What was held back until now becomes a gap in the feed. */
  #tellRun(channel: Channel): void {
    if (!channel.limiter.hasRun) return;
    channel.callOffRun?.();
    channel.callOffRun = undefined;
    this.#append(channel, channel.limiter.take(channel.device));
  }

  #onOver(waiting: WaitingFault, outcome: ResolutionOutcome): void {
    this.#resolutions[outcome] += 1;
    const channel = this.#channel(waiting.device);
    const { sequence } = waiting.event;
    channel.waiting.delete(waiting.pending.cookie);
    this.#total -= channel.feed.settle(sequence);
    const { device } = waiting;
    const wallMs = this.#deps.ports.clock.wallMs();
    const resolution: FaultResolution = { kind: "resolution", device, sequence, outcome, wallMs };
    waiting.resolution = resolution;
    waiting.resolvedAt = this.#position + 1;
    this.#append(channel, resolution);
  }

  #append(channel: Channel, entry: FaultEntry): void {
    this.#position += 1;
    const isFull = channel.feed.append(entry, this.#position);
    this.#total += 1 - channel.feed.trim();
    while (this.#total > this.#deps.limits.faultHistoryEventsTotalMax) {
      const { oldest } = this.#order;
      if (oldest === undefined) break;
      this.#total -= oldest.feed.evictOldest();
    }
    if (isFull) this.#publish(channel);
    else if (!channel.isListed) this.#open(channel);
  }

  /** Its segment is closed a moment later. */
  #open(channel: Channel): void {
    channel.isListed = true;
    this.#opened.push(channel);
    if (this.#opened.length > 1) return;
    const { faultBatchMs } = this.#deps.limits;
    if (faultBatchMs > 0) this.#deps.ports.alarms.after(faultBatchMs, () => this.#closeOpened());
    else void Promise.resolve().then(() => this.#closeOpened());
  }

  #closeOpened(): void {
    const opened = this.#opened;
    this.#opened = [];
    for (const channel of opened) {
      channel.isListed = false;
      this.#publish(channel);
    }
  }

  #publish(channel: Channel): void {
    channel.feed.close();
    this.#tell(channel);
  }

  #tell({ feed, readers, reservation }: Channel): void {
    if (feed.publish(reservation.durable)) for (const reader of readers) reader.tell(feed);
  }

  #onDurable({ device }: Reservation): void {
    const channel = this.#channels.get(device);
    if (channel !== undefined) this.#tell(channel);
    for (const reader of this.#readers) reader.wake(); // what it is owed may be told now
  }

  #number(channel: Channel): number {
    channel.used += 1;
    this.numbers.reserve(channel.reservation, channel.used);
    return channel.used;
  }

  #follow(reader: FaultReader, channel: Channel, after?: bigint): void {
    const { feed, used } = channel;
    channel.readers.add(reader);
    if (after === undefined || after >= BigInt(used)) {
      reader.follow(feed, { position: this.#position + 1, sequence: used });
      return;
    }
    const isOwner = reader.session !== undefined;
    const asked = Math.max(Number(after), isOwner ? channel.ownerAfter : 0);
    const sequence = Math.max(asked, feed.base);
    const position = Math.max(feed.positionAfter(sequence), isOwner ? channel.ownerFrom : 0);
    reader.follow(feed, { position, sequence });
    if (asked < sequence) reader.oweRestart(feed, asked + 1);
  }

  #unfollow(reader: FaultReader, channel: Channel): void {
    channel.readers.delete(reader);
    reader.unfollow(channel.feed);
  }

  #close(reader: FaultReader): void {
    this.#readers.delete(reader);
    for (const { device } of reader.feeds) this.#channels.get(device)?.readers.delete(reader);
    reader.close();
  }

  #requireRoom(session: string | undefined): void {
    const { limits, sessions } = this.#deps;
    if (session !== undefined) sessions.requireLive(session);
    const open = [...this.#readers].filter((reader) => reader.session === session).length;
    const remedy = "end another WatchFaults stream first";
    if (session === undefined) {
      if (open >= limits.faultObserversMax) {
        throw limitReached("fault_observers_max", limits.faultObserversMax, remedy);
      }
    } else if (open >= limits.faultStreamsPerSessionMax) {
      throw limitReached("fault_streams_per_session_max", limits.faultStreamsPerSessionMax, remedy);
    }
  }

  /** A device that was seen and has left since is no reason to refuse the others. */
  #requireVisible(session: string | undefined, devices: readonly DeviceID[]): void {
    for (const device of devices) {
      const { owner } = this.#deps.registry.groupOf(device);
      if (session !== undefined && owner !== session) throw notOwned(device);
    }
  }

  /** The session that owned it when the event was recorded is not there any more, or about to go. */
  #hasLost({ isLeaving, owner }: Channel): boolean {
    const { sessions } = this.#deps;
    return isLeaving || owner === undefined || sessions.isLost(owner) || sessions.view(owner) === undefined;
  }

  #channel(device: DeviceID): Channel {
    const found = this.#channels.get(device);
    if (found !== undefined) return found;
    const { limits, ports } = this.#deps;
    const reservation = this.numbers.of(device);
    const ringMax = limits.faultRingEventsMax;
    const segmentMax = Math.min(limits.faultBatchEventsMax, ringMax);
    const feed = new FaultFeed(device, { base: reservation.base, ringMax, segmentMax, order: this.#order });
    const limiter = new FaultLimiter(ports.clock, { perSecond: limits.faultEventsPerSecond, burst: ringMax });
    const channel: Channel = {
      device,
      feed,
      limiter,
      reservation,
      readers: new Set(),
      waiting: new Map(),
      used: feed.base,
      owner: undefined,
      isLeaving: false,
      ownerAfter: feed.base,
      ownerFrom: this.#position + 1,
      isListed: false,
      callOffRun: undefined,
    };
    this.#channels.set(device, channel);
    for (const reader of this.#readers) {
      if (reader.session === undefined && reader.wants(device)) this.#follow(reader, channel);
    }
    return channel;
  }
}

/** Observers see every device. */
function isVisible({ owner }: Channel, session: string | undefined): boolean {
  return session === undefined || owner === session;
}

function notOwned(device: DeviceID): BrokerError {
  return new BrokerError("not_owner", `device ${device} is not this session's: attach it first`, { device });
}
