import { expect, test } from "vitest";
import { Turns } from "../../../src/backends/sim/turns.ts";

test("work below a turn's measure goes on at once, and the measure ends the turn", async () => {
  const turns = new Turns();
  expect(turns.spend(16_383)).toBeUndefined();
  let others = 0;
  setImmediate(() => {
    others += 1;
  });
  const pause = turns.spend(1);
  expect(pause).toBeInstanceOf(Promise);
  expect(others).toBe(0);
  await pause;
  expect(others).toBe(1);
  expect(turns.spend(16_383)).toBeUndefined();
});
