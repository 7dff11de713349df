import { expect, test } from "vitest";
import { BUCKETS_MAX, TokenBuckets } from "../../../src/server/core/token-buckets.ts";
import { ManualClock } from "../../support/host.ts";

const RATE = { perSecond: 10, burst: 3 };

test("a burst passes at once, then one call each tenth of a second", () => {
  const clock = new ManualClock();
  const buckets = new TokenBuckets(clock);
  expect([1, 2, 3, 4].map(() => buckets.take("a", RATE))).toEqual([0, 0, 0, 100]);
  clock.advance(60);
  expect(buckets.take("a", RATE)).toBe(40);
  clock.advance(40);
  expect(buckets.take("a", RATE)).toBe(0);
  expect(buckets.take("a", RATE)).toBe(100);
});

test("a refused call costs nothing: who waits as told is let in", () => {
  const clock = new ManualClock();
  const buckets = new TokenBuckets(clock);
  for (let call = 0; call < 3; call++) buckets.take("a", RATE);
  for (let call = 0; call < 50; call++) expect(buckets.take("a", RATE)).toBe(100);
  clock.advance(100);
  expect(buckets.take("a", RATE)).toBe(0);
});

test("a pause fills a bucket to its burst and no further", () => {
  const clock = new ManualClock();
  const buckets = new TokenBuckets(clock);
  buckets.take("a", RATE);
  clock.advance(3_600_000);
  expect([1, 2, 3, 4].map(() => buckets.take("a", RATE))).toEqual([0, 0, 0, 100]);
});

test("one caller's calls cost another nothing", () => {
  const buckets = new TokenBuckets(new ManualClock());
  for (let call = 0; call < 4; call++) buckets.take("a", RATE);
  expect(buckets.take("b", RATE)).toBe(0);
});

test("the names are bounded, and who calls often is not the one forgotten", () => {
  const buckets = new TokenBuckets(new ManualClock());
  for (let call = 0; call < 3; call++) buckets.take("busy", RATE);
  for (let name = 0; name < 2 * BUCKETS_MAX; name++) {
    buckets.take(`name ${name}`, RATE);
    expect(buckets.take("busy", RATE)).toBe(100);
  }
  expect(buckets.size).toBe(BUCKETS_MAX);
});
