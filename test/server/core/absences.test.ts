import { expect, test } from "vitest";
import { Absences } from "../../../src/server/core/absences.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";

// 64 shares: of 6,400 ms a share is 100 ms.
const ALL_MS = 6400;

function absences() {
  const noted: DurableRecord[] = [];
  const absences = new Absences();
  absences.onChange((records) => noted.push(...records));
  const usedMs = (): number[] => noted.flatMap((record) => (record.type === "sessionAbsence" ? [record.usedMs] : []));
  return { absences, usedMs };
}

test("each life pays a share in advance, on top of what earlier ones used", () => {
  const { absences: waiting } = absences();
  waiting.begin("s", ALL_MS, 0, 5000);
  expect(waiting.durable()).toEqual([{ type: "sessionAbsence", id: "s", usedMs: 100 }]);
  waiting.begin("s", ALL_MS, 100, 5000);
  expect(waiting.durable()).toEqual([{ type: "sessionAbsence", id: "s", usedMs: 200 }]);
});

test("as time passes more is noted, in shares, and always more than was used", () => {
  const { absences: waiting, usedMs } = absences();
  waiting.begin("s", ALL_MS, 0, 5000);
  for (const [passedMs, noted] of [
    [99, []],
    [100, [200]],
    [199, [200]],
    [450, [200, 550]],
  ] as const) {
    waiting.look(5000 + passedMs);
    expect([passedMs, usedMs()]).toEqual([passedMs, noted]);
  }
});

test("time in which the daemon itself was away does not count", () => {
  const { absences: waiting, usedMs } = absences();
  waiting.begin("s", ALL_MS, 0, 5000);
  waiting.skip(1_000_000);
  waiting.look(1_000_000);
  expect(usedMs()).toEqual([]);
  waiting.look(1_000_150);
  expect(usedMs()).toEqual([250]);
});

test("a session whose owner is there waits no more", () => {
  const { absences: waiting, usedMs } = absences();
  waiting.begin("s", ALL_MS, 0, 5000);
  waiting.end("s");
  waiting.look(1_000_000);
  expect([usedMs(), waiting.durable()]).toEqual([[], []]);
});
