// Closed segments as a feed keeps them: where their entries stand among those of all devices, and which have left.

import type { FaultFeed } from "./fault-feed.ts";
import type { FaultSegment } from "./fault-verbs.ts";

/** A closed segment in the ring. */
export interface StoredSegment {
  readonly feed: FaultFeed;
  readonly segment: FaultSegment;
  /** Of each entry, rising. */
  readonly positions: readonly number[];
  /** The device's last number before the first entry, and after the last. */
  readonly before: number;
  readonly through: number;
  readonly events: number;
  /** An event that waited, or a resolution, is among them. */
  readonly hasWaiting: boolean;
  /** Entries before this one have left the ring. */
  from: number;
  older: StoredSegment | undefined;
  newer: StoredSegment | undefined;
}

/** Entries that follow each other without a hole. */
export interface FaultRun {
  readonly segment: FaultSegment;
  readonly from: number;
  readonly to: number;
  /** The device's last number before the first entry, and after the last. */
  readonly before: number;
  readonly through: number;
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly events: number;
  readonly hasWaiting: boolean;
}

/** Closed segments of all feeds, the oldest first: a list, so that any one leaves in constant time. */
export class SegmentOrder {
  oldest: StoredSegment | undefined;
  #newest: StoredSegment | undefined;

  add(stored: StoredSegment): void {
    stored.older = this.#newest;
    if (this.#newest === undefined) this.oldest = stored;
    else this.#newest.newer = stored;
    this.#newest = stored;
  }

  delete(stored: StoredSegment): void {
    const { older, newer } = stored;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    stored.older = undefined;
    stored.newer = undefined;
  }
}

/** Where the first segment is with an entry at this position or behind it; the list's length: there is none. */
export function indexReaching(list: readonly StoredSegment[], head: number, position: number): number {
  let [low, high] = [head, list.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((list[middle]?.positions.at(-1) ?? 0) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function firstReaching(
  list: readonly StoredSegment[],
  head: number,
  position: number,
): StoredSegment | undefined {
  return list[indexReaching(list, head, position)];
}

export function runOf(stored: StoredSegment, from: number): FaultRun {
  const { hasWaiting, positions, segment, through } = stored;
  const isWhole = from === 0;
  const events = isWhole ? stored.events : segment.entries.slice(from).filter(({ kind }) => kind === "event").length;
  return {
    segment,
    from,
    to: positions.length,
    before: isWhole ? stored.before : lastOf(stored, from - 1),
    through,
    firstPosition: positions[from] ?? 0,
    lastPosition: positions.at(-1) ?? 0,
    events,
    hasWaiting,
  };
}

/** The device's last number when this entry had been added. */
export function lastOf(stored: StoredSegment, index: number): number {
  for (let at = index; at >= 0; at -= 1) {
    const entry = stored.segment.entries[at];
    if (entry?.kind === "event") return entry.sequence;
    if (entry?.kind === "gap") return entry.last;
  }
  return stored.before;
}
