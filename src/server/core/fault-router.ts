// From the backend's one stream of faults to each owner's: a bounded ring for every device, a cursor for every
// subscriber. Recording is O(1) and never waits; a slow subscriber loses events to the ring and is told so by a gap.
// A device's events belong to the session that owned it when they were recorded: at release the ring is emptied, what
// a subscriber had not taken becomes its gap, and the sequence goes on.

import type { FaultDiagnosis } from "../../backends/diagnosis.ts";
import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { FaultNotice } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import { assert } from "../../spec/assert.ts";
import type {
  FaultBatch,
  FaultGap,
  FaultPage,
  FaultSlice,
  FaultSubscription,
  FaultVerbs,
  FaultWatchRequest,
  SequencedFault,
} from "./fault-verbs.ts";
import type { CoreLimits } from "./limits.ts";
import type { Clock } from "./ports.ts";
import type { Registry } from "./registry.ts";
import type { Sessions } from "./sessions.ts";
import type { FaultCensus } from "./views.ts";

interface Entry {
  readonly sequence: number;
  /** Undefined: the hardware lost events here. */
  readonly event: SequencedFault | undefined;
}

/** One device's events: entry n stands at ring[n % capacity]. */
interface Feed {
  readonly ring: (Entry | undefined)[];
  next: number;
  /** First sequence number of the present owner. */
  start: number;
  isOwned: boolean;
}

interface Subscriber {
  readonly session: string;
  readonly devices: readonly DeviceID[];
  readonly cursors: Map<DeviceID, number>;
  /** Gaps of released devices, not told yet: one a device. */
  readonly owed: Map<DeviceID, FaultGap>;
  /** Batches begun: each begins with another device, so that one which storms starves no other. */
  batches: number;
  wake: (() => void) | undefined;
  isClosed: boolean;
}

export class FaultRouter implements FaultVerbs {
  readonly #feeds = new Map<DeviceID, Feed>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #deps: { registry: Registry; sessions: Sessions; limits: CoreLimits; clock: Clock };
  #unrouted = 0;
  #overrun = 0;

  constructor(deps: { registry: Registry; sessions: Sessions; limits: CoreLimits; clock: Clock }) {
    this.#deps = deps;
  }

  /** The device has an owner from now on: what it records is theirs. */
  claim(device: DeviceID): void {
    const feed = this.#feed(device);
    feed.isOwned = true;
    feed.start = feed.next;
  }

  /** The owner is gone: nobody else shall see what was theirs. */
  release(device: DeviceID): void {
    const feed = this.#feed(device);
    for (const subscriber of this.#subscribers) {
      if (this.#scope(subscriber).includes(device)) this.#owe(subscriber, device, feed);
    }
    feed.isOwned = false;
    feed.start = feed.next;
    feed.ring.length = 0;
  }

  /** The device itself is gone; one that comes back under its name counts from 1 again. What is owed stays owed. */
  remove(device: DeviceID): void {
    this.#feeds.delete(device);
    for (const { cursors } of this.#subscribers) cursors.delete(device);
  }

  record(notice: FaultNotice): void {
    if (notice.kind === "fault") {
      const { fault } = notice;
      const wallMs = this.#deps.clock.wallMs();
      this.#append(fault.device, (sequence) => ({ kind: "event", sequence, wallMs, fault, response: undefined }));
      return;
    }
    if (notice.kind === "ended") return;
    for (const device of notice.devices) this.#append(device, () => undefined);
  }

  subscribe(session: string | undefined, request: FaultWatchRequest): FaultSubscription {
    if (session === undefined) throw new BrokerError("backend_unsupported", "observers are not served yet");
    const { limits, registry, sessions } = this.#deps;
    sessions.requireLive(session);
    const max = limits.faultStreamsPerSessionMax;
    if ([...this.#subscribers].filter((one) => one.session === session).length >= max) {
      throw limitReached("fault_streams_per_session_max", max, "end another WatchFaults stream first");
    }
    // A device that was seen and has left since is no reason to refuse the others.
    for (const device of request.devices) {
      if (registry.groupOf(device).owner !== session) throw notOwned(device);
    }
    const cursors = new Map<DeviceID, number>();
    const subscriber: Subscriber = {
      session,
      devices: request.devices,
      cursors,
      owed: new Map(),
      batches: 0,
      wake: undefined,
      isClosed: false,
    };
    for (const device of this.#scope(subscriber)) {
      const feed = this.#feed(device);
      const after = request.resumeAfter.get(device);
      cursors.set(device, after === undefined ? feed.next : resumeAt(feed, after));
    }
    this.#subscribers.add(subscriber);
    return { view: "owner", next: () => this.#next(subscriber), close: () => this.#close(subscriber) };
  }

  list(): FaultPage {
    throw new BrokerError("backend_unsupported", "not yet");
  }

  respond(): Promise<never> {
    throw new BrokerError("backend_unsupported", "not yet");
  }

  diagnose(): FaultDiagnosis | undefined {
    return undefined;
  }

  /** Ends the subscriptions of a session that ended. */
  endSession(session: string): void {
    for (const subscriber of this.#subscribers) if (subscriber.session === session) this.#close(subscriber);
  }

  /** Open streams of these sessions. */
  streamsOf(sessions: ReadonlySet<string>): number {
    return [...this.#subscribers].filter(({ session }) => sessions.has(session)).length;
  }

  census(): FaultCensus {
    return { unrouted: this.#unrouted, overrun: this.#overrun, subscribers: this.#subscribers.size };
  }

  #append(device: DeviceID, make: (sequence: number) => SequencedFault | undefined): void {
    const feed = this.#feed(device);
    if (!feed.isOwned) {
      this.#unrouted += 1;
      return;
    }
    const sequence = feed.next;
    feed.ring[sequence % this.#deps.limits.faultRingEventsMax] = { sequence, event: make(sequence) };
    feed.next += 1;
    for (const subscriber of this.#subscribers) {
      if (subscriber.wake && (subscriber.devices.length === 0 || subscriber.devices.includes(device)))
        subscriber.wake();
    }
  }

  async #next(subscriber: Subscriber): Promise<FaultBatch | undefined> {
    assert(subscriber.wake === undefined, "only one next() of a subscription at a time");
    while (!subscriber.isClosed) {
      const batch = this.#collect(subscriber);
      if (batch.slices.length > 0 || batch.gaps.length > 0) return batch;
      await new Promise<void>((resolve) => {
        subscriber.wake = resolve;
      });
      subscriber.wake = undefined;
    }
    return undefined;
  }

  #collect(subscriber: Subscriber): FaultBatch {
    const slices: FaultSlice[] = [];
    const gaps: FaultGap[] = [...subscriber.owed.values()];
    subscriber.owed.clear();
    const max = this.#deps.limits.faultBatchEventsMax;
    const scope = this.#scope(subscriber);
    for (let index = 0; index < scope.length && slices.length + gaps.length < max; index += 1) {
      const device = scope[(subscriber.batches + index) % scope.length]!;
      const feed = this.#feed(device);
      let cursor = Math.max(subscriber.cursors.get(device) ?? feed.start, feed.start);
      const oldest = Math.max(feed.start, feed.next - this.#deps.limits.faultRingEventsMax);
      if (cursor < oldest) {
        gaps.push({ ...gapOf(device, cursor, oldest - 1), reason: "ring-overrun" });
        this.#overrun += oldest - cursor;
        cursor = oldest;
      }
      for (; cursor < feed.next && slices.length + gaps.length < max; cursor += 1) {
        const entry = feed.ring[cursor % this.#deps.limits.faultRingEventsMax];
        assert(entry?.sequence === cursor, `ring of ${device} does not hold event ${cursor}`);
        if (entry.event) slices.push({ segment: { device, entries: [entry.event] }, from: 0, to: 1 });
        else gaps.push({ ...gapOf(device, cursor, cursor), count: 0, reason: "hardware-overflow" });
      }
      subscriber.cursors.set(device, cursor);
    }
    subscriber.batches += 1;
    return { slices, gaps };
  }

  /** What the subscriber has not taken of a device that is being released becomes a gap. */
  #owe(subscriber: Subscriber, device: DeviceID, feed: Feed): void {
    const first = Math.max(subscriber.cursors.get(device) ?? feed.start, feed.start);
    subscriber.cursors.delete(device);
    if (first >= feed.next) return;
    const last = feed.next - 1;
    const known = subscriber.owed.get(device);
    subscriber.owed.set(device, { ...gapOf(device, known?.first ?? first, last), reason: "released" });
    this.#overrun += feed.next - first;
    subscriber.wake?.();
  }

  /** The devices a subscriber sees now: those it named, or all, as far as its session owns them. */
  #scope(subscriber: Subscriber): readonly DeviceID[] {
    const { registry } = this.#deps;
    const owned = registry.groupsOwnedBy(subscriber.session).flatMap((group) => group.devices);
    return subscriber.devices.length === 0 ? owned : owned.filter((device) => subscriber.devices.includes(device));
  }

  #close(subscriber: Subscriber): void {
    subscriber.isClosed = true;
    this.#subscribers.delete(subscriber);
    subscriber.wake?.();
  }

  #feed(device: DeviceID): Feed {
    const found = this.#feeds.get(device);
    if (found) return found;
    const feed: Feed = { ring: [], next: 1, start: 1, isOwned: false };
    this.#feeds.set(device, feed);
    return feed;
  }
}

/** Events before the present owner's first are not theirs to resume; beyond the newest there is nothing to skip. */
function resumeAt(feed: Feed, after: bigint): number {
  const next = BigInt(feed.next);
  return after + 1n >= next ? feed.next : Math.max(Number(after) + 1, feed.start);
}

function notOwned(device: DeviceID): BrokerError {
  return new BrokerError("not_owner", `device ${device} is not this session's: attach it first`, { device });
}

function gapOf(device: DeviceID, first: number, last: number): Omit<FaultGap, "reason"> {
  return { kind: "gap", device, first, last, count: last - first + 1, suppressed: [] };
}
