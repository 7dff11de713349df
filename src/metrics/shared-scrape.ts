// A scrape's text for everybody who asks: one is made at a time, and few in a second, however many ask.
// Making one takes the event loop, which calls of guests wait for; what is shared is as old as the second is, at most.

import { openMetricsOf } from "./openmetrics.ts";

/** Fresh ones for a few scrapers and a person; beyond that the last one is given out again. */
const SCRAPES_PER_WINDOW = 5;
const WINDOW_MS = 1000;

/** In bytes, once: a text of its own for each who asks would be memory for as long as he reads. */
export interface ScrapeText {
  readonly text: Buffer;
  openMetrics(): Buffer;
}

/** @param nowMs  a clock that only goes forward */
export function sharedScrape(scrape: () => Promise<string>, nowMs: () => number): () => Promise<ScrapeText> {
  let current: Promise<ScrapeText> | undefined;
  let isUnderWay = false;
  let windowBegan = -Infinity;
  let inWindow = 0;
  const make = async (): Promise<ScrapeText> => {
    isUnderWay = true;
    try {
      return texts(await scrape());
    } catch (error) {
      current = undefined; // nobody gets a failure that was not his
      throw error;
    } finally {
      isUnderWay = false;
    }
  };
  return () => {
    if (current !== undefined && isUnderWay) return current;
    const now = nowMs();
    if (now - windowBegan >= WINDOW_MS) {
      windowBegan = now;
      inWindow = 0;
    }
    if (current !== undefined && inWindow >= SCRAPES_PER_WINDOW) return current;
    inWindow += 1;
    current = make();
    return current;
  };
}

function texts(text: string): ScrapeText {
  let openMetrics: Buffer | undefined;
  return {
    text: Buffer.from(text),
    openMetrics: () => {
      openMetrics ??= Buffer.from(openMetricsOf(text));
      return openMetrics;
    },
  };
}
