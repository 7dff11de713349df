import { expect, test } from "vitest";
import { sharedScrape } from "../../src/metrics/shared-scrape.ts";

/** Each scrape's text is its number; the clock is the test's. */
function numbered() {
  let made = 0;
  const clock = { nowMs: 0 };
  const scrape = sharedScrape(
    async () => `# TYPE a_total counter\na_total ${++made}\n`,
    () => clock.nowMs,
  );
  const asked = async (): Promise<number> => Number((await scrape()).text.toString().trim().split(" ").at(-1));
  return { asked, clock, made: () => made, scrape };
}

test("a few in a second are fresh, and all beyond them get the last one", async () => {
  const { asked } = numbered();
  const found: number[] = [];
  for (let index = 0; index < 8; index++) found.push(await asked());
  expect(found).toEqual([1, 2, 3, 4, 5, 5, 5, 5]);
});

test("what is shared is not older than a second", async () => {
  const { asked, clock } = numbered();
  for (let index = 0; index < 8; index++) await asked();
  clock.nowMs = 999;
  expect(await asked()).toBe(5);
  clock.nowMs = 1000;
  expect(await asked()).toBe(6);
});

test("who asks while one is under way gets that one", async () => {
  const { made, scrape } = numbered();
  const found = await Promise.all(Array.from({ length: 100 }, () => scrape()));
  expect(new Set(found).size).toBe(1);
  expect(made()).toBe(1);
});

test("both forms are bytes that are made once", async () => {
  const { scrape } = numbered();
  const [first, second] = await Promise.all([scrape(), scrape()]);
  expect(first.text).toBe(second.text);
  expect(first.openMetrics()).toBe(second.openMetrics());
  expect(first.openMetrics().toString()).toBe("# TYPE a counter\na_total 1\n# EOF\n");
});

test("a failure is of those who waited for it, and the next one is tried anew", async () => {
  let isBroken = true;
  const scrape = sharedScrape(
    async () => {
      if (isBroken) throw new Error("no counters");
      return "up 1\n";
    },
    () => 0,
  );
  await expect(scrape()).rejects.toThrow("no counters");
  isBroken = false;
  expect((await scrape()).text.toString()).toBe("up 1\n");
});
