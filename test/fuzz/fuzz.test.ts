// Five seconds of the fuzzer, and proof that it can fail. npm run fuzz runs it for as long as one likes.

import { expect, test } from "vitest";
import { fuzz, fuzzRound } from "../support/fuzz.ts";
import { TRANSACTION_MAX } from "../support/fuzz-bounds.ts";
import { newFuzzFigures } from "../support/fuzz-figures.ts";
import { CountedMemory, RAM_BASES, RAM_BYTES } from "../support/fuzz-memory.ts";

test("five seconds of random guests: nothing is thrown, work is bounded, no region is left", () => {
  const seed = Date.now() % 2 ** 32;
  const figures = fuzz(seed, 5);
  expect(figures.transactionMax).toBeLessThanOrEqual(TRANSACTION_MAX);
  const { ok, abort, stalled } = figures.outcomes;
  const reached = {
    ...{ ok, abort, stalled, resumed: figures.resumed, commands: figures.commands },
    ...{ timeouts: figures.timeouts, "window reads": figures.windowReads },
    ...figures.answers,
    ...figures.pages,
  };
  for (const [what, count] of Object.entries(reached)) {
    expect(count, `${what} with seed ${seed}`).toBeGreaterThan(0);
  }
});

test("a round is the same each time it is run", () => {
  const [first, second] = [1, 2].map(() => {
    const figures = newFuzzFigures();
    fuzzRound(7, 3, figures);
    return { ...figures, slowestStepMs: 0 };
  });
  expect(first).toEqual(second);
});

test.each([
  ["a negative address", -8],
  ["a fraction", RAM_BASES[0] + 0.5],
  ["a misaligned doubleword", RAM_BASES[0] + 4],
  ["an address of 53 bits", 2 ** 52],
])("the fuzzer's memory throws at %s", (_, pa) => {
  expect(() => new CountedMemory().read64(pa)).toThrow("no bus carries that");
});

test("the fuzzer's memory answers what lies outside its regions with a bus error", () => {
  const memory = new CountedMemory();
  expect(memory.read64(RAM_BASES[0] + RAM_BYTES)).toBe(false);
  expect(memory.readBytes(RAM_BASES[0] + RAM_BYTES - 8, new Uint8Array(16))).toBe(false);
  expect(memory.accesses).toBe(3);
});

test("the fuzzer's memory counts what is read through its windows, and throws past their end", () => {
  const memory = new CountedMemory();
  memory.write64(RAM_BASES[1] + 8, 5, 6);
  memory.accesses = 0;
  const window = memory.window(RAM_BASES[1]);
  expect([window?.words[2], window?.words[3]]).toEqual([5, 6]);
  expect([memory.accesses, memory.windowReads]).toEqual([1, 1]);
  expect(() => window?.words[RAM_BYTES / 4]).toThrow("is not in the window");
  expect(() => window?.words[-1]).toThrow("is not in the window");
});
