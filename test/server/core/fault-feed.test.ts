import { expect, test } from "vitest";
import { FaultFeed } from "../../../src/server/core/fault-feed.ts";
import { SegmentOrder } from "../../../src/server/core/fault-segment.ts";
import type { SequencedFault } from "../../../src/server/core/fault-verbs.ts";
import { faultOf, wordsOf } from "../../support/faults.ts";
import { NIC, NVME } from "../../support/host.ts";

const order = new SegmentOrder();
const feedOf = (device = NVME, ringMax = 6) => new FaultFeed(device, { base: 0, ringMax, segmentMax: 3, order });

function event(sequence: number, waits = false): SequencedFault {
  const response = waits ? { token: `t${sequence}`, deadlineWallMs: 0 } : undefined;
  return { kind: "event", sequence, wallMs: 0, fault: faultOf(NVME), response };
}

/** Events from…to, at positions ten times their numbers. */
function fill(feed: FaultFeed, from: number, to: number, waiting: readonly number[] = []): void {
  for (let number = from; number <= to; number += 1) {
    const waits = waiting.includes(number);
    if (waits) feed.waiting.add(number);
    if (feed.append(event(number, waits), 10 * number)) feed.close();
    feed.trim();
  }
  feed.close();
  feed.publish(to);
}

/** What a reader reads from a position on: each run, behind the number before it. */
function runs(feed: FaultFeed, from: number): string[] {
  const found: string[] = [];
  let position = from;
  for (let { run } = feed.next(position); run !== undefined; { run } = feed.next(position)) {
    const words = run.segment.entries.slice(run.from, run.to).map((entry) => wordsOf(entry).split("#")[1]);
    found.push(`${run.before}: ${words.join(" ")}`);
    position = run.lastPosition + 1;
  }
  return found;
}

test("segments have as many entries as they may, and a reader begins anywhere", () => {
  const feed = feedOf();
  fill(feed, 1, 5);
  expect(runs(feed, 0)).toEqual(["0: 1 2 3", "3: 4 5"]);
  expect(runs(feed, 20)).toEqual(["1: 2 3", "3: 4 5"]);
  expect(runs(feed, 21)).toEqual(["2: 3", "3: 4 5"]);
  expect(runs(feed, 51)).toEqual([]);
  expect(feed.positionAfter(2)).toBe(21);
});

test("what has not been published is not read", () => {
  const feed = feedOf();
  for (let number = 1; number <= 6; number += 1) if (feed.append(event(number), number)) feed.close();
  expect(runs(feed, 0)).toEqual([]);
  expect(feed.publish(5)).toBe(true); // of the second segment the number 6 may not be told yet
  expect(runs(feed, 0)).toEqual(["0: 1 2 3"]);
  expect(feed.publish(5)).toBe(false);
  feed.publish(6);
  expect(runs(feed, 0)).toEqual(["0: 1 2 3", "3: 4 5 6"]);
});

test("the oldest go entry by entry, and what waits is kept aside until it is settled", () => {
  const feed = feedOf();
  fill(feed, 1, 12, [2, 4]);
  expect(runs(feed, 0)).toEqual(["1: 2", "3: 4", "8: 9", "9: 10 11 12"]);
  expect(feed.size).toBe(6);
  expect(feed.positionAfter(1)).toBe(20);
  expect(feed.positionAfter(2)).toBe(40);
  expect(feed.settle(2)).toBe(1);
  expect(feed.settle(9)).toBe(0); // in its place still
  expect(runs(feed, 0)).toEqual(["3: 4", "8: 9", "9: 10 11 12"]);
  expect([...feed.backwards(Number.POSITIVE_INFINITY, 0)].map(({ event: { sequence } }) => sequence)).toEqual([
    12, 11, 10, 9, 4,
  ]);
  expect([...feed.backwards(110, 90)].map(({ event: { sequence } }) => sequence)).toEqual([10, 9]);
});

test("a ring shorter than a segment is kept too", () => {
  const feed = feedOf(NVME, 2);
  fill(feed, 1, 3);
  expect(runs(feed, 0)).toEqual(["1: 2 3"]);
});

test("a feed that holds nothing any more says up to where it did", () => {
  const feed = feedOf();
  fill(feed, 1, 2);
  expect(feed.next(0)).toMatchObject({ before: 0, firstPosition: 10 });
  feed.evictOldest();
  expect(feed.next(0)).toEqual({ run: undefined, before: 2, firstPosition: Number.POSITIVE_INFINITY });
  feed.append(event(3), 30);
  expect(feed.next(0)).toEqual({ run: undefined, before: 2, firstPosition: 30 });
});

test("the order of segments over all feeds is that in which they were closed", () => {
  const [one, two] = [feedOf(), feedOf(NIC)];
  const oldest = (): FaultFeed | undefined => order.oldest?.feed;
  expect(oldest()).toBeDefined(); // of the tests above
  while (order.oldest !== undefined) order.delete(order.oldest);
  fill(one, 1, 1);
  fill(two, 1, 2);
  fill(one, 2, 2);
  expect(oldest()).toBe(one);
  expect(one.evictOldest()).toBe(1);
  expect(oldest()).toBe(two);
  expect(two.clear()).toBe(2);
  expect(oldest()).toBe(one);
  expect([one.clear(), oldest()]).toEqual([1, undefined]);
});
