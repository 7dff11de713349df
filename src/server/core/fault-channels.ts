// The devices' feeds and all that grows with an event: numbers, the rate limit's runs, segments that are closed after a
// moment, the bound on what is kept of all devices together. Knows nothing of owners' rights.

import type { FaultRecord } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import { FaultFeed } from "./fault-feed.ts";
import { FaultLimiter, RUN_MS } from "./fault-limiter.ts";
import { FaultNumbers, type Reservation } from "./fault-numbers.ts";
import type { WaitingFault } from "./fault-pending.ts";
import type { FaultReader } from "./fault-reader.ts";
import { SegmentOrder } from "./fault-segment.ts";
import type { FaultEntry } from "./fault-verbs.ts";
import type { CoreLimits } from "./limits.ts";
import type { Alarms, Clock, Journal } from "./ports.ts";

/** All there is of one device. */
export interface FaultChannel {
  readonly device: DeviceID;
  readonly feed: FaultFeed;
  readonly limiter: FaultLimiter;
  readonly reservation: Reservation;
  readonly readers: Set<FaultReader>;
  /** By the backend's cookie. */
  readonly waiting: Map<number, WaitingFault>;
  /** Numbers of page requests whose group's last one has not come, by group. */
  readonly groups: Map<string, number[]>;
  /** Page requests that are kept for their group, its last one there or not. */
  gathered: number;
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

export interface ChannelDeps {
  readonly limits: CoreLimits;
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly journal: Pick<Journal, "durable">;
  /** A device is seen for the first time. */
  onFirst(channel: FaultChannel): void;
  /** More numbers may be told. */
  onDurable(): void;
}

export class FaultChannels {
  readonly numbers: FaultNumbers;
  suppressed = 0;
  readonly #deps: ChannelDeps;
  readonly #channels = new Map<DeviceID, FaultChannel>();
  readonly #order = new SegmentOrder();
  /** Channels with an open segment since the last look. */
  #opened: FaultChannel[] = [];
  #position = 0;
  #held = 0;

  constructor(deps: ChannelDeps) {
    this.#deps = deps;
    this.numbers = new FaultNumbers(deps.journal, (reservation) => this.#onDurable(reservation));
  }

  /** Of the latest entry of any device. */
  get position(): number {
    return this.#position;
  }

  /** Entries kept, of all devices. */
  get held(): number {
    return this.#held;
  }

  all(): Iterable<FaultChannel> {
    return this.#channels.values();
  }

  find(device: DeviceID): FaultChannel | undefined {
    return this.#channels.get(device);
  }

  of(device: DeviceID): FaultChannel {
    const found = this.#channels.get(device);
    if (found !== undefined) return found;
    const { clock, limits } = this.#deps;
    const reservation = this.numbers.of(device);
    const ringMax = limits.faultRingEventsMax;
    const segmentMax = Math.min(limits.faultBatchEventsMax, ringMax);
    const feed = new FaultFeed(device, { base: reservation.base, ringMax, segmentMax, order: this.#order });
    const limiter = new FaultLimiter(clock, { perSecond: limits.faultEventsPerSecond, burst: ringMax });
    const channel: FaultChannel = {
      device,
      feed,
      limiter,
      reservation,
      readers: new Set(),
      waiting: new Map(),
      groups: new Map(),
      gathered: 0,
      used: feed.base,
      owner: undefined,
      isLeaving: false,
      ownerAfter: feed.base,
      ownerFrom: this.#position + 1,
      isListed: false,
      callOffRun: undefined,
    };
    this.#channels.set(device, channel);
    this.#deps.onFirst(channel);
    return channel;
  }

  delete(channel: FaultChannel): void {
    this.#held -= channel.feed.clear();
    this.#channels.delete(channel.device);
    this.numbers.retire(channel.device);
  }

  /** The next number. */
  number(channel: FaultChannel): number {
    channel.used += 1;
    this.numbers.reserve(channel.reservation, channel.used);
    return channel.used;
  }

  suppress(channel: FaultChannel, fault: FaultRecord, sequence: number): void {
    this.suppressed += 1;
    if (!channel.limiter.hasRun) {
      channel.callOffRun = this.#deps.alarms.after(RUN_MS, () => this.tellRun(channel));
    }
    channel.limiter.suppress(fault, sequence);
  }

  /** What was held back until now becomes a gap in the feed. */
  tellRun(channel: FaultChannel): void {
    if (!channel.limiter.hasRun) return;
    channel.callOffRun?.();
    channel.callOffRun = undefined;
    this.append(channel, channel.limiter.take(channel.device));
  }

  append(channel: FaultChannel, entry: FaultEntry): void {
    this.#position += 1;
    const isFull = channel.feed.append(entry, this.#position);
    this.#held += 1 - channel.feed.trim();
    while (this.#held > this.#deps.limits.faultHistoryEventsTotalMax) {
      const { oldest } = this.#order;
      if (oldest === undefined) break;
      this.#held -= oldest.feed.evictOldest();
    }
    if (isFull) this.publish(channel);
    else if (!channel.isListed) this.#open(channel);
  }

  /** Its segment is closed a moment later. */
  #open(channel: FaultChannel): void {
    channel.isListed = true;
    this.#opened.push(channel);
    if (this.#opened.length > 1) return;
    const { faultBatchMs } = this.#deps.limits;
    if (faultBatchMs > 0) this.#deps.alarms.after(faultBatchMs, () => this.#closeOpened());
    else void Promise.resolve().then(() => this.#closeOpened());
  }

  #closeOpened(): void {
    const opened = this.#opened;
    this.#opened = [];
    for (const channel of opened) {
      channel.isListed = false;
      this.publish(channel);
    }
  }

  /** Closes the open segment and shows it to its readers. */
  publish(channel: FaultChannel): void {
    channel.feed.close();
    this.#tell(channel);
  }

  #tell({ feed, readers, reservation }: FaultChannel): void {
    if (feed.publish(reservation.durable)) for (const reader of readers) reader.tell(feed);
  }

  /** The event does not wait any more. */
  settle(channel: FaultChannel, sequence: number): void {
    this.#held -= channel.feed.settle(sequence);
  }

  #onDurable({ device }: Reservation): void {
    const channel = this.#channels.get(device);
    if (channel !== undefined) this.#tell(channel);
    this.#deps.onDurable();
  }
}
