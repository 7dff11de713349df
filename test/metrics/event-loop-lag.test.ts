// What is shown of the event loop's delays: a window that nobody's looking empties, and that forgets after a minute.

import { expect, test } from "vitest";
import { LagWindow } from "../../src/metrics/event-loop-lag.ts";

const maxMs = (window: LagWindow): number => Math.round(window.shown().max / 1e6);

test("whoever looks takes nothing from who looks next", () => {
  const window = new LagWindow(0);
  window.record(1000, 1000);
  expect([maxMs(window), maxMs(window)]).toEqual([1000, 1000]);
  expect(window.shown().count).toBe(1);
});

test("a delay is shown for at least half a minute, and not after one", () => {
  const window = new LagWindow(0);
  window.record(700, 29_999);
  for (const now of [30_000, 59_999]) {
    window.record(2, now);
    expect(maxMs(window)).toBe(700);
  }
  window.record(2, 60_000);
  expect(maxMs(window)).toBe(2);
});

test("after a standstill of more than a minute only the standstill is shown", () => {
  const window = new LagWindow(0);
  window.record(700, 20_000);
  window.record(90_000, 110_000);
  expect(maxMs(window)).toBeGreaterThan(89_000);
  expect(window.shown().count).toBe(1);
});

test("who is early is in time", () => {
  const window = new LagWindow(0);
  window.record(-3, 10);
  expect(window.shown().max).toBe(1);
});
