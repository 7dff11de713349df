import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CarriedTotals, ShownNames } from "../../src/metrics/overflow.ts";

/** What a scrape writes of series "s" when devices stand at these counts. */
function scrapes(): (counts: Readonly<Record<string, number>>) => number | undefined {
  const totals = new CarriedTotals();
  let written: number | undefined;
  return (counts) => {
    written = undefined;
    for (const [device, count] of Object.entries(counts)) {
      totals.note("s", device, count, (total) => {
        written = total;
      });
    }
    totals.flush();
    return written;
  };
}

describe("a carried total", () => {
  test("is the sum of what all count", () => {
    const scrape = scrapes();
    expect(scrape({ a: 3, b: 4 })).toBe(7);
    expect(scrape({ a: 5, b: 4 })).toBe(9);
  });

  test("does not fall when a device goes, and counts it anew when it comes back", () => {
    const scrape = scrapes();
    expect(scrape({ a: 1000, b: 3000 })).toBe(4000);
    expect(scrape({ b: 3000 })).toBe(4000);
    expect(scrape({ a: 10, b: 3001 })).toBe(4011);
  });

  test("takes a count that fell for a device that was attached anew", () => {
    const scrape = scrapes();
    scrape({ a: 100 });
    expect(scrape({ a: 7 })).toBe(107);
  });

  test("stays when the last of its devices is gone", () => {
    const totals = new CarriedTotals();
    const written: number[] = [];
    totals.note("s", "a", 5, (total) => written.push(total));
    totals.flush();
    totals.flush();
    expect(written).toEqual([5, 5]);
  });

  test("never falls, whatever comes and goes", () => {
    const round = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.nat(50), { maxKeys: 3 });
    fc.assert(
      fc.property(fc.array(round, { maxLength: 20 }), (rounds) => {
        const scrape = scrapes();
        let before = 0;
        for (const counts of rounds) {
          const total = scrape(counts) ?? before;
          expect(total).toBeGreaterThanOrEqual(before);
          before = total;
        }
      }),
    );
  });
});

describe("names with series of their own", () => {
  test("are the first in order, as many as there is room for", () => {
    expect([...new ShownNames(2).among(["c", "a", "b"])]).toEqual(["a", "b"]);
  });

  test("keep them when another comes that would stand before them", () => {
    const shown = new ShownNames(2);
    shown.among(["b", "c"]);
    expect([...shown.among(["a", "b", "c"])].toSorted()).toEqual(["b", "c"]);
  });

  test("leave them to others once they are gone", () => {
    const shown = new ShownNames(1);
    shown.among(["a", "b"]);
    expect([...shown.among(["b"])]).toEqual(["b"]);
    expect([...shown.among(["a", "b"])]).toEqual(["b"]);
  });
});
