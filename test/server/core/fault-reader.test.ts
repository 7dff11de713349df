import { beforeEach, describe, expect, test } from "vitest";
import { FaultFeed } from "../../../src/server/core/fault-feed.ts";
import { FaultReader } from "../../../src/server/core/fault-reader.ts";
import { SegmentOrder } from "../../../src/server/core/fault-segment.ts";
import { faultOf, shown } from "../../support/faults.ts";
import { NIC, NVME } from "../../support/host.ts";

const order = new SegmentOrder();
let position: number;
let feed: FaultFeed;
let other: FaultFeed;
let counts: { delivered: number; overrun: number; released: number };
beforeEach(() => {
  position = 0;
  counts = { delivered: 0, overrun: 0, released: 0 };
  [feed, other] = [NVME, NIC].map(
    (device) => new FaultFeed(device, { base: 0, ringMax: 12, segmentMax: 4, order }),
  ) as [FaultFeed, FaultFeed];
});

function readerOf(batchMax = 4): FaultReader {
  const reader = new FaultReader({
    session: "s",
    devices: new Set(),
    batchMax,
    waitingOf: () => undefined,
    isDurable: () => true,
    counts,
  });
  for (const each of [feed, other]) reader.follow(each, { position: position + 1, sequence: each.last });
  return reader;
}

function record(to: FaultFeed, times: number): void {
  for (let count = 0; count < times; count += 1) {
    position += 1;
    const fault = faultOf(to.device);
    const event = { kind: "event", sequence: to.last + 1, wallMs: 0, fault, response: undefined } as const;
    if (to.append(event, position)) to.close();
    to.trim();
  }
  to.close();
  to.publish(Number.POSITIVE_INFINITY);
}

describe("a batch", () => {
  test("has whole segments only, from one feed after the other", async () => {
    const reader = readerOf(6);
    record(feed, 8);
    record(other, 2);
    for (const each of [feed, other]) reader.tell(each);
    expect(shown(await reader.next())?.entries).toEqual(
      [1, 2, 3, 4].map((n) => `${NVME}#${n}`).concat(`${NIC}#1`, `${NIC}#2`),
    );
    expect(shown(await reader.next())?.entries).toEqual([5, 6, 7, 8].map((n) => `${NVME}#${n}`));
    expect(counts.delivered).toBe(10);
  });

  test("joins segments of one feed as far as there is room", async () => {
    const reader = readerOf(9);
    for (const times of [1, 2, 4, 3]) record(feed, times);
    reader.tell(feed);
    const batch = await reader.next();
    expect(batch?.slices.map(({ from, to }) => to - from)).toEqual([1, 2, 4]);
  });
});

test("what was lost is told before what is left, and counted", async () => {
  const reader = readerOf();
  record(feed, 20);
  reader.tell(feed);
  expect(shown(await reader.next())).toEqual({
    gaps: [`${NVME}#1-8 ring-overrun`],
    entries: [9, 10, 11, 12].map((n) => `${NVME}#${n}`),
  });
  expect(counts.overrun).toBe(8);
});

test("a feed that is not followed any more leaves one gap, however often that happens", async () => {
  const reader = readerOf();
  record(feed, 2);
  reader.unfollow(feed);
  reader.unfollow(feed);
  record(feed, 3); // another owner's
  reader.follow(feed, { position: position + 1, sequence: feed.last });
  record(feed, 1);
  reader.unfollow(feed);
  const batch = await reader.next();
  expect(batch?.gaps).toMatchObject([{ first: 1, last: 6, count: 3, reason: "released" }]);
  expect(counts.released).toBe(3);
});

test("a gap of the restart that was not told yet stays one, beside that of a release", async () => {
  const reader = readerOf();
  const old = new FaultFeed(NVME, { base: 4096, ringMax: 12, segmentMax: 4, order });
  reader.follow(old, { position: position + 1, sequence: 4096 });
  reader.oweUnknown(old, { first: 7, last: 4096, reason: "restart" });
  record(old, 2);
  reader.unfollow(old);
  expect((await reader.next())?.gaps).toMatchObject([
    { first: 7, last: 4096, count: 0, reason: "restart" },
    { first: 4097, last: 4098, count: 2, reason: "released" },
  ]);
});

test("a gap of which nobody knows the count makes one with that of a later release", async () => {
  const reader = readerOf();
  record(feed, 6);
  reader.follow(feed, { position: position + 1, sequence: feed.last });
  reader.oweUnknown(feed, { first: 3, last: 6, reason: "released" });
  record(feed, 2);
  reader.unfollow(feed);
  expect((await reader.next())?.gaps).toMatchObject([{ first: 3, last: 8, count: 0, reason: "released" }]);
});
