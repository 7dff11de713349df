// The page's own arithmetic, as the browser gets it.

import { expect, test } from "vitest";

interface RatesLike {
  look(atMs: number, counters: ReadonlyMap<string, number | null>): void;
  of(name: string): number | undefined;
  part(name: string, other: string): number | undefined;
}

const file = new URL("../../../src/metrics/status/assets/rates.js", import.meta.url);
const { Rates }: { Rates: new () => RatesLike } = await import(file.href);

/** A look each second from 0 on, at one counter. */
function after(...values: (number | null)[]): RatesLike {
  const rates = new Rates();
  for (const [second, value] of values.entries()) rates.look(second * 1000, new Map([["a", value]]));
  return rates;
}

test("a rate is what a counter grew by over the time in which it was seen", () => {
  expect(after(10, 40).of("a")).toBe(30);
  expect(after(10, 40, 40).of("a")).toBe(15);
});

test("only the last five seconds count", () => {
  expect(after(0, 1000, 1000, 1010, 1020, 1030, 1040).of("a")).toBe(8); // 40 in the five seconds from 1 s on
});

test("seen once there is no rate, and neither is there one of what nobody counts", () => {
  expect(after(10).of("a")).toBeUndefined();
  expect(after(null, null).of("a")).toBeUndefined();
  expect(after(10, 20).of("b")).toBeUndefined();
});

test("a counter that went back has begun anew", () => {
  expect(after(1000, 2000, 5).of("a")).toBeUndefined();
  expect(after(1000, 2000, 5, 9).of("a")).toBe(4);
});

test("a counter that was away for a look is a new one: nothing is kept of what is not there", () => {
  const rates = after(10, 40);
  rates.look(2000, new Map());
  rates.look(3000, new Map([["a", 50]]));
  expect(rates.of("a")).toBeUndefined();
});

test("the same snapshot twice is one look", () => {
  const rates = after(10, 40);
  rates.look(1000, new Map([["a", 40]]));
  expect(rates.of("a")).toBe(30);
});

test("a part is of both together, and of nothing where neither moved", () => {
  const rates = new Rates();
  rates.look(
    0,
    new Map([
      ["hits", 0],
      ["misses", 0],
      ["idle", 7],
    ]),
  );
  rates.look(
    1000,
    new Map([
      ["hits", 90],
      ["misses", 10],
      ["idle", 7],
    ]),
  );
  expect(rates.part("hits", "misses")).toBe(0.9);
  expect(rates.part("idle", "idle")).toBeUndefined();
});
