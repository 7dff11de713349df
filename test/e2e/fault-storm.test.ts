// A storm of one device beside quiet ones, small enough to wait for; `npm run bench:faults -- --storm` is the whole one.
// How long the quiet devices' faults take is measured there: here the machine is busy with other tests.

import { expect, test } from "vitest";
import { runStorm } from "../support/fault-storm.ts";

const MiB = 2 ** 20;

test("a storm loses nothing of quiet devices, is told in full to every reader, and fills no memory for readers that are stuck", async () => {
  const events = 30_000;
  const outcome = await runStorm({
    events,
    quietDevices: 3,
    readers: 20,
    stuck: 5,
    aloneMs: 500,
    settings: { limits: { fault_ring_events_max: 256, fault_events_per_second: 2000 } },
  });
  expect(outcome.recorded).toBe(events + outcome.quietEvents);
  // 20 but for the owner of the device that storms: 3 owners, 11 observers, 5 who began to read when it was over
  expect(outcome.quietPerReader).toHaveLength(19);
  for (const { delivered, recorded } of outcome.quietPerReader) expect(delivered).toBe(recorded);
  expect([outcome.stormPerReader.length, outcome.stuckPerReader.length]).toEqual([12, 5]);
  for (const { delivered, other, overrun, suppressed } of [...outcome.stormPerReader, ...outcome.stuckPerReader]) {
    expect([delivered + overrun + suppressed, other]).toEqual([events, 0]);
  }
  expect(outcome.suppressed).toBeGreaterThan(0);
  // a wide bound: rings, readers' queues and what the collector has not yet taken away
  const { after, before } = outcome.resident;
  expect(after - before).toBeLessThan(256 * MiB);
}, 120_000);
