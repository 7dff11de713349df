// One subscriber: where it is in each feed it may see, which feeds have news for it, and what it alone has lost.
// It is woken by segments, not by events, and takes from the feeds in turn, so that one that storms starves no other.

import type { DeviceID } from "../../backends/ids.ts";
import { assert } from "../../spec/assert.ts";
import type { FaultFeed, FaultOutlook } from "./fault-feed.ts";
import type { WaitingFault } from "./fault-pending.ts";
import type { FaultRun } from "./fault-segment.ts";
import type { FaultBatch, FaultEntry, FaultGap, FaultResolution, FaultSlice } from "./fault-verbs.ts";

interface Cursor {
  /** Of the next entry to be read. */
  position: number;
  /** The last number that was told, as an event or in a gap. */
  sequence: number;
  /** Told, and their ends not yet: by number. */
  readonly waiting: Map<number, WaitingFault>;
}

/** What is still to be told of a device beside its feed. */
interface Owed {
  readonly feed: FaultFeed;
  /** One for each reason, in order. */
  readonly gaps: readonly FaultGap[];
  readonly resolutions: readonly FaultResolution[];
}

export interface ReaderDeps {
  readonly session: string | undefined;
  /** Empty: all there are to see. */
  readonly devices: ReadonlySet<DeviceID>;
  readonly batchMax: number;
  /** The event that waited, of an entry that has a response. */
  waitingOf(entry: FaultEntry): WaitingFault | undefined;
  /** Numbers of this feed up to this one may be told. */
  isDurable(feed: FaultFeed, sequence: number): boolean;
  readonly counts: { delivered: number; overrun: number; released: number };
}

export class FaultReader {
  readonly session: string | undefined;
  readonly #deps: ReaderDeps;
  readonly #cursors = new Map<FaultFeed, Cursor>();
  readonly #news = new Set<FaultFeed>();
  /** Of #cursors, those whose position is not told. */
  readonly #moved = new Set<FaultFeed>();
  readonly #owed = new Map<DeviceID, Owed>();
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(deps: ReaderDeps) {
    this.#deps = deps;
    this.session = deps.session;
  }

  get feeds(): Iterable<FaultFeed> {
    return this.#cursors.keys();
  }

  wants(device: DeviceID): boolean {
    return this.#deps.devices.size === 0 || this.#deps.devices.has(device);
  }

  /** @param at  the first position, and the number before it */
  follow(feed: FaultFeed, at: { readonly position: number; readonly sequence: number }): void {
    this.#cursors.set(feed, { position: at.position, sequence: at.sequence, waiting: new Map() });
    this.#news.add(feed);
    this.#moved.add(feed);
  }

  /** A segment of this feed became readable. */
  tell(feed: FaultFeed): void {
    this.#news.add(feed);
    this.#wake?.();
  }

  wake(): void {
    this.#wake?.();
  }

  /** Numbers that this reader asked for, and that nobody can tell it. How many events they were is not known. */
  oweUnknown(feed: FaultFeed, numbers: Pick<FaultGap, "first" | "last" | "reason">): void {
    const { first, last, reason } = numbers;
    const gap: FaultGap = { ...gapOf(feed.device, first, last, reason), count: 0 };
    this.#owed.set(feed.device, { feed, gaps: [gap], resolutions: [] });
  }

  /** Those that have moved since they were told. What is owed comes before a position; what is not on the disk is nobody's. */
  positions(max: number): ReadonlyMap<DeviceID, number> {
    const positions = new Map<DeviceID, number>();
    for (const feed of this.#moved) {
      if (positions.size >= max) break;
      const owed = this.#owed.get(feed.device)?.gaps.map(({ first }) => first - 1) ?? [];
      const position = Math.min(this.#cursors.get(feed)?.sequence ?? 0, ...owed);
      if (!this.#deps.isDurable(feed, position)) continue;
      positions.set(feed.device, position);
      this.#moved.delete(feed);
    }
    return positions;
  }

  /** It may see no more of this feed: what it has not taken becomes its gap. All that waited is over. */
  unfollow(feed: FaultFeed): void {
    const cursor = this.#cursors.get(feed);
    if (cursor === undefined) return;
    this.#cursors.delete(feed);
    this.#news.delete(feed);
    this.#moved.delete(feed);
    const { device } = feed;
    const known = this.#owed.get(device);
    const lost = feed.last - cursor.sequence;
    this.#deps.counts.released += lost;
    const fresh = lost > 0 ? gapOf(device, cursor.sequence + 1, feed.last, "released") : undefined;
    const resolutions = [...(known?.resolutions ?? []), ...resolutionsOf(cursor.waiting.values())];
    const gaps = joined(known?.gaps ?? [], fresh);
    if (gaps.length === 0 && resolutions.length === 0) return;
    this.#owed.set(device, { feed, gaps, resolutions });
    this.#wake?.();
  }

  async next(): Promise<FaultBatch | undefined> {
    assert(this.#wake === undefined, "only one next() of a subscription at a time");
    while (!this.#isClosed) {
      const batch = this.#collect();
      if (batch.slices.length > 0 || batch.gaps.length > 0) return batch;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    return undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#cursors.clear();
    this.#news.clear();
    this.#moved.clear();
    this.#owed.clear();
    this.#wake?.();
  }

  #collect(): FaultBatch {
    const slices: FaultSlice[] = [];
    const gaps: FaultGap[] = [];
    this.#takeOwed(slices, gaps);
    const taken = new Set<FaultFeed>();
    let room = this.#deps.batchMax;
    for (const feed of this.#news) {
      const cursor = this.#cursors.get(feed);
      const ahead = cursor && feed.next(cursor.position);
      if (cursor === undefined || ahead === undefined) {
        this.#news.delete(feed);
        continue;
      }
      const { run } = ahead;
      if (run !== undefined && run.to - run.from > room) break;
      if (taken.has(feed) && cursor.sequence < ahead.before) break; // a gap comes before its device's slices
      this.#moved.add(feed);
      this.#catchUp(cursor, feed, ahead, { slices, gaps });
      this.#news.delete(feed);
      if (run === undefined) continue;
      this.#news.add(feed); // behind the others
      room -= run.to - run.from;
      taken.add(feed);
      slices.push({ segment: run.segment, from: run.from, to: run.to });
      this.#read(cursor, run);
    }
    return { slices, gaps };
  }

  #takeOwed(slices: FaultSlice[], gaps: FaultGap[]): void {
    for (const [device, { feed, gaps: owed, resolutions }] of this.#owed) {
      if (owed.some(({ last }) => !this.#deps.isDurable(feed, last))) continue;
      this.#owed.delete(device);
      if (this.#cursors.has(feed)) this.#moved.add(feed);
      gaps.push(...owed);
      if (resolutions.length > 0) slices.push(ownSlice(device, resolutions));
    }
  }

  /** What the feed does not hold any more between the cursor and what comes next. */
  #catchUp(
    cursor: Cursor,
    { device, evictedThrough }: FaultFeed,
    { before, firstPosition }: FaultOutlook,
    { slices, gaps }: { slices: FaultSlice[]; gaps: FaultGap[] },
  ): void {
    if (cursor.sequence < before) {
      gaps.push(gapOf(device, cursor.sequence + 1, before, "ring-overrun"));
      this.#deps.counts.overrun += before - cursor.sequence;
      cursor.sequence = before;
    }
    if (cursor.waiting.size === 0 || cursor.position > evictedThrough) return;
    const missed = [...cursor.waiting.values()].filter(({ resolution, resolvedAt }) => {
      return resolution !== undefined && resolvedAt < firstPosition;
    });
    for (const { event } of missed) cursor.waiting.delete(event.sequence);
    if (missed.length > 0) slices.push(ownSlice(device, resolutionsOf(missed)));
  }

  #read(cursor: Cursor, run: FaultRun): void {
    cursor.position = run.lastPosition + 1;
    cursor.sequence = Math.max(cursor.sequence, run.through);
    this.#deps.counts.delivered += run.events;
    if (!run.hasWaiting) return;
    for (let index = run.from; index < run.to; index += 1) {
      const entry = run.segment.entries[index];
      if (entry?.kind === "resolution") cursor.waiting.delete(entry.sequence);
      const waiting = entry === undefined ? undefined : this.#deps.waitingOf(entry);
      if (waiting !== undefined) cursor.waiting.set(waiting.event.sequence, waiting);
    }
  }
}

function resolutionsOf(waiting: Iterable<WaitingFault>): FaultResolution[] {
  return [...waiting].flatMap(({ resolution }) => (resolution === undefined ? [] : [resolution]));
}

function ownSlice(device: DeviceID, resolutions: readonly FaultResolution[]): FaultSlice {
  const segment = Object.freeze({ device, entries: Object.freeze([...resolutions]) });
  return { segment, from: 0, to: resolutions.length };
}

function gapOf(device: DeviceID, first: number, last: number, reason: FaultGap["reason"]): FaultGap {
  return { kind: "gap", device, first, last, count: last - first + 1, reason, suppressed: [] };
}

/** One gap of releases for a device, however often it came and went. */
function joined(known: readonly FaultGap[], fresh: FaultGap | undefined): readonly FaultGap[] {
  if (fresh === undefined) return known;
  const released = known.find(({ reason }) => reason === fresh.reason);
  if (released === undefined) return [...known, fresh];
  const [first, last] = [Math.min(released.first, fresh.first), Math.max(released.last, fresh.last)];
  const count = released.count === 0 ? 0 : released.count + fresh.count; // one that is not known makes both so
  const both = { ...released, first, last, count };
  return known.map((gap) => (gap === released ? both : gap));
}
