import { beforeEach, expect, test } from "vitest";
import { LeaseClock } from "../../../src/server/core/lease-clock.ts";
import { ManualClock } from "../../support/host.ts";

let clock: ManualClock;
let away: [awayMs: number, nowMs: number][];
let leases: LeaseClock;
beforeEach(() => {
  clock = new ManualClock(); // begins at 1000 ms
  away = [];
  leases = new LeaseClock(clock, 500, (awayMs, nowMs) => away.push([awayMs, nowMs]));
});

test("a daemon that looks often enough was never away", () => {
  for (let count = 0; count < 3; count += 1) {
    clock.advance(500);
    expect(leases.look()).toBe(clock.nowMs);
  }
  expect([leases.nowMs(), away]).toEqual([2500, []]);
});

test("reading the time is no look: who asks after a look that did not come is told, once", () => {
  clock.advance(300);
  expect(leases.nowMs()).toBe(1300);
  clock.advance(201);
  expect(leases.nowMs()).toBe(1501);
  expect(leases.nowMs()).toBe(1501);
  expect(away).toEqual([[501, 1501]]);
  clock.advance(500);
  leases.look();
  expect(away).toHaveLength(1);
});

test("a look that comes late finds out itself", () => {
  clock.advance(60_000);
  expect(leases.look()).toBe(61_000);
  expect(away).toEqual([[60_000, 61_000]]);
});
