// One device's entries in order: an open segment that grows, closed ones that readers share, a bound on all of them.
// An entry has a position, which counts the entries of all devices. Readers remember positions; they never move anything.
// An event that waits for an answer outlives its segment: it is kept aside until it is answered.

import type { DeviceID } from "../../backends/ids.ts";
import {
  type FaultRun,
  firstReaching,
  indexReaching,
  lastOf,
  runOf,
  type SegmentOrder,
  type StoredSegment,
} from "./fault-segment.ts";
import type { FaultEntry, SequencedFault } from "./fault-verbs.ts";

/** What a reader finds from its position on. */
export interface FaultOutlook {
  /** Undefined: nothing that it may read. */
  readonly run: FaultRun | undefined;
  /** Numbers up to here are not there for it any more, or it knows them. */
  readonly before: number;
  /** Of the next entry, whether it may be read or not; entries before it are not there any more. */
  readonly firstPosition: number;
}

interface OpenSegment {
  readonly entries: FaultEntry[];
  readonly positions: number[];
  readonly before: number;
  events: number;
  hasWaiting: boolean;
}

export interface FeedOptions {
  /** The last number that may have been used already. */
  readonly base: number;
  readonly ringMax: number;
  readonly segmentMax: number;
  readonly order: SegmentOrder;
}

export class FaultFeed {
  readonly device: DeviceID;
  /** Numbers up to here are of an earlier life of the daemon. */
  readonly base: number;
  /** The last number used. */
  last: number;
  /** Events that wait for an answer, by number. */
  readonly waiting = new Set<number>();
  readonly #options: FeedOptions;
  readonly #segments: StoredSegment[] = [];
  /** #segments before this one are gone. */
  #head = 0;
  /** Waiting events that left the ring, in order. */
  readonly #kept: StoredSegment[] = [];
  #open: OpenSegment | undefined;
  #size = 0;
  #evictedThrough = 0;
  /** Of the latest closed entry. */
  #closed = { position: 0, number: 0 };
  /** As far as readers have been told to look. */
  #told = 0;
  /** Numbers up to here may be read. */
  #durable: number;

  constructor(device: DeviceID, options: FeedOptions) {
    this.device = device;
    this.base = options.base;
    this.last = options.base;
    this.#closed.number = options.base;
    this.#durable = options.base;
    this.#options = options;
  }

  /** Entries held. */
  get size(): number {
    return this.#size;
  }

  /** Position of the latest entry that has left. */
  get evictedThrough(): number {
    return this.#evictedThrough;
  }

  get hasOpen(): boolean {
    return this.#open !== undefined;
  }

  /** @returns whether the open segment is full */
  append(entry: FaultEntry, position: number): boolean {
    this.#open ??= { entries: [], positions: [], before: this.last, events: 0, hasWaiting: false };
    const open = this.#open;
    open.entries.push(entry);
    open.positions.push(position);
    if (entry.kind === "event") {
      this.last = entry.sequence;
      open.events += 1;
      if (entry.response !== undefined) open.hasWaiting = true;
    } else if (entry.kind === "gap") this.last = entry.last;
    else open.hasWaiting = true;
    this.#size += 1;
    return open.entries.length >= this.#options.segmentMax;
  }

  /** Closes the open segment; it is readable once published. */
  close(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#closed = { position: open.positions.at(-1) ?? 0, number: this.last };
    this.#add(this.#stored(open.entries, open, this.last));
  }

  /** Lets readers see what is closed and has no number above this one. @returns whether they should look */
  publish(durable: number): boolean {
    const isNews = this.#closed.position > this.#told || durable > this.#durable;
    this.#told = this.#closed.position;
    this.#durable = durable;
    return isNews;
  }

  /** Lets the oldest entries that do not wait go, until the bound is kept. @returns how many went */
  trim(): number {
    const before = this.#size;
    while (this.#size > this.#options.ringMax) {
      if (this.#head === this.#segments.length) this.close();
      const oldest = this.#segments[this.#head];
      if (oldest === undefined) break; // all of it waits
      this.#evict(oldest, oldest.from + 1);
    }
    return before - this.#size;
  }

  /** Lets go what is left of the oldest closed segment, but for what waits. @returns how many went */
  evictOldest(): number {
    const before = this.#size;
    const oldest = this.#segments[this.#head];
    if (oldest !== undefined) this.#evict(oldest, oldest.positions.length);
    return before - this.#size;
  }

  /** The event does not wait any more. @returns how many entries went */
  settle(sequence: number): number {
    this.waiting.delete(sequence);
    const index = this.#kept.findIndex(({ through }) => through === sequence);
    if (index < 0) return 0;
    const [kept] = this.#kept.splice(index, 1);
    this.#evictedThrough = Math.max(this.#evictedThrough, kept?.positions[0] ?? 0);
    this.#size -= 1;
    return 1;
  }

  /** What comes next for a reader that has come to `position`, and what lies between. */
  next(position: number): FaultOutlook {
    const found = firstReaching(this.#kept, 0, position) ?? firstReaching(this.#segments, this.#head, position);
    if (found === undefined) {
      const { number } = this.#closed;
      const firstPosition = this.#open?.positions[0] ?? Number.POSITIVE_INFINITY;
      return { run: undefined, before: number <= this.#durable ? number : this.base, firstPosition };
    }
    let { from } = found;
    while ((found.positions[from] ?? position) < position) from += 1;
    const run = runOf(found, from);
    const { before, firstPosition } = run;
    const isVisible = found.through <= this.#durable;
    return { run: isVisible ? run : undefined, before: before <= this.#durable ? before : this.base, firstPosition };
  }

  /** What was there before `position`, the newest first: published events with their positions. */
  *backwards(
    position: number,
    notBefore: number,
  ): Generator<{ readonly position: number; readonly event: SequencedFault }> {
    for (const [list, head] of [
      [this.#segments, this.#head],
      [this.#kept, 0],
    ] as const) {
      // The one that reaches the position may have entries before it; those behind it have none.
      for (let index = Math.min(indexReaching(list, head, position), list.length - 1); index >= head; index -= 1) {
        const stored = list[index];
        if (stored === undefined || stored.through > this.#durable) continue;
        for (let at = stored.positions.length - 1; at >= stored.from; at -= 1) {
          const here = stored.positions[at] ?? 0;
          const entry = stored.segment.entries[at];
          if (here < notBefore) return;
          if (here < position && entry?.kind === "event") yield { position: here, event: entry };
        }
      }
    }
  }

  /** Where a reader begins that knows all up to this number. */
  positionAfter(sequence: number): number {
    this.close();
    const kept = this.#kept.find(({ through }) => through > sequence);
    if (kept !== undefined) return kept.positions[0] ?? 0;
    for (let index = this.#head; index < this.#segments.length; index += 1) {
      const stored = this.#segments[index];
      if (stored === undefined || stored.through < sequence) continue;
      // The one that has the number, or an entry after it: what follows that entry.
      for (let at = stored.from; at < stored.positions.length; at += 1) {
        if (lastOf(stored, at) < sequence) continue;
        const knows = lastOf(stored, at) === sequence && stored.segment.entries[at]?.kind !== "resolution";
        return (stored.positions[at] ?? 0) + (knows ? 1 : 0);
      }
    }
    return this.#evictedThrough + 1;
  }

  /** Forgets everything, for a device that is gone. @returns how many went */
  clear(): number {
    this.close();
    for (const stored of this.#segments.slice(this.#head)) this.#options.order.delete(stored);
    const went = this.#size;
    this.#segments.length = 0;
    this.#kept.length = 0;
    this.#head = 0;
    this.#size = 0;
    return went;
  }

  #add(stored: StoredSegment): void {
    this.#segments.push(stored);
    this.#options.order.add(stored);
  }

  #evict(stored: StoredSegment, to: number): void {
    for (; stored.from < to; stored.from += 1) {
      const entry = stored.segment.entries[stored.from];
      const position = stored.positions[stored.from] ?? 0;
      if (entry?.kind === "event" && this.waiting.has(entry.sequence)) this.#keep(entry, position);
      else {
        this.#size -= 1;
        this.#evictedThrough = Math.max(this.#evictedThrough, position);
      }
    }
    if (stored.from < stored.positions.length) return;
    this.#options.order.delete(stored);
    this.#head += 1;
    if (this.#head * 2 < this.#segments.length) return;
    this.#segments.splice(0, this.#head);
    this.#head = 0;
  }

  #keep(event: SequencedFault, position: number): void {
    const open = { positions: [position], before: event.sequence - 1, events: 1, hasWaiting: true };
    this.#kept.push(this.#stored([event], open, event.sequence));
  }

  #stored(entries: readonly FaultEntry[], open: Omit<OpenSegment, "entries">, through: number): StoredSegment {
    for (const entry of entries) Object.freeze(entry);
    const segment = Object.freeze({ device: this.device, entries: Object.freeze(entries) });
    const { before, events, hasWaiting, positions } = open;
    return {
      feed: this,
      segment,
      positions,
      before,
      through,
      events,
      hasWaiting,
      from: 0,
      older: undefined,
      newer: undefined,
    };
  }
}
