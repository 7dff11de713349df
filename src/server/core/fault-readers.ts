// Who reads which feed: subscriptions, and what claims, releases and removals of devices mean for them.

import { limitReached } from "../../backends/errors.ts";
import type { FaultChannel, FaultChannels } from "./fault-channels.ts";
import type { WaitingFault } from "./fault-pending.ts";
import { FaultReader } from "./fault-reader.ts";
import type { FaultEntry, FaultSubscription, FaultWatchRequest } from "./fault-verbs.ts";
import type { CoreLimits } from "./limits.ts";

export interface ReadersDeps {
  readonly limits: CoreLimits;
  readonly channels: FaultChannels;
  /** The event that waited, of an entry that has a response. */
  waitingOf(entry: FaultEntry): WaitingFault | undefined;
}

export class FaultReaders {
  readonly counts = { delivered: 0, overrun: 0, released: 0 };
  readonly #deps: ReadersDeps;
  readonly #readers = new Set<FaultReader>();

  constructor(deps: ReadersDeps) {
    this.#deps = deps;
  }

  /** Open subscriptions of certain sessions, or of observers: undefined. */
  count(isMeant: (session: string | undefined) => boolean): number {
    return [...this.#readers].filter(({ session }) => isMeant(session)).length;
  }

  /** @throws BrokerError limit_reached */
  subscribe(session: string | undefined, request: FaultWatchRequest): FaultSubscription {
    this.#requireRoom(session);
    const { channels, limits, waitingOf } = this.#deps;
    const reader: FaultReader = new FaultReader({
      session,
      devices: new Set(request.devices),
      batchMax: limits.faultBatchEventsMax,
      waitingOf,
      isDurable: ({ device }, sequence) => (channels.find(device)?.reservation.durable ?? sequence) >= sequence,
      counts: this.counts,
    });
    for (const channel of channels.all()) {
      if (!reader.wants(channel.device) || !isVisible(channel, session)) continue;
      channels.tellRun(channel);
      const after = request.resumeAfter.get(channel.device) ?? (request.fromStart === true ? 0n : undefined);
      this.#follow(reader, channel, after);
    }
    this.#readers.add(reader);
    return {
      view: session === undefined ? "observer" : "owner",
      next: () => reader.next(),
      positions: (max) => reader.positions(max),
      close: () => this.#close(reader),
    };
  }

  endSession(session: string): void {
    for (const reader of this.#readers) if (reader.session === session) this.#close(reader);
  }

  onFirst(channel: FaultChannel): void {
    for (const reader of this.#readers) {
      if (reader.session === undefined && reader.wants(channel.device)) this.#follow(reader, channel);
    }
  }

  onClaim(channel: FaultChannel, session: string): void {
    for (const reader of this.#readers) {
      if (reader.session === session && reader.wants(channel.device)) this.#follow(reader, channel);
    }
  }

  /** Observers go on. */
  onRelease(channel: FaultChannel): void {
    for (const reader of channel.readers) if (reader.session !== undefined) this.#unfollow(reader, channel);
  }

  onRemove(channel: FaultChannel): void {
    for (const reader of channel.readers) this.#unfollow(reader, channel);
  }

  /** What a reader is owed may be told now. */
  onDurable(): void {
    for (const reader of this.#readers) reader.wake();
  }

  #follow(reader: FaultReader, channel: FaultChannel, after?: bigint): void {
    const { feed, used } = channel;
    channel.readers.add(reader);
    if (after === undefined || after === BigInt(used)) {
      reader.follow(feed, { position: this.#deps.channels.position + 1, sequence: used });
      return;
    }
    // A number that no event has had is of a broker whose journal is lost: nothing of this one's has been seen.
    const seen = after > BigInt(used) ? 0 : Number(after);
    const isOwner = reader.session !== undefined;
    const asked = Math.max(seen, isOwner ? channel.ownerAfter : 0);
    const sequence = Math.max(asked, feed.base);
    const position = Math.max(feed.positionAfter(sequence), isOwner ? channel.ownerFrom : 0);
    reader.follow(feed, { position, sequence });
    if (asked < sequence) reader.oweUnknown(feed, { first: asked + 1, last: sequence, reason: "restart" });
    else if (seen > 0 && seen < asked) reader.oweUnknown(feed, { first: seen + 1, last: asked, reason: "released" });
  }

  #unfollow(reader: FaultReader, channel: FaultChannel): void {
    channel.readers.delete(reader);
    reader.unfollow(channel.feed);
  }

  #close(reader: FaultReader): void {
    this.#readers.delete(reader);
    for (const { device } of reader.feeds) this.#deps.channels.find(device)?.readers.delete(reader);
    reader.close();
  }

  #requireRoom(session: string | undefined): void {
    const { limits } = this.#deps;
    const open = this.count((one) => one === session);
    const remedy = "end another WatchFaults stream first";
    if (session === undefined) {
      if (open >= limits.faultObserversMax) {
        throw limitReached("fault_observers_max", limits.faultObserversMax, remedy);
      }
    } else if (open >= limits.faultStreamsPerSessionMax) {
      throw limitReached("fault_streams_per_session_max", limits.faultStreamsPerSessionMax, remedy);
    }
  }
}

/** Observers see every device. */
export function isVisible({ owner }: FaultChannel, session: string | undefined): boolean {
  return session === undefined || owner === session;
}
