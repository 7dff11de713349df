import { expect, test, vi } from "vitest";
import { deviceID } from "../../../src/backends/ids.ts";
import { SimulatedResets } from "../../../src/backends/sim/resets.ts";

const DEVICE = { id: "0000:01:00.0", iommu: "smmu0", group: 1, streamIDs: [8] };

test("a device of which nothing is said is reset at once", async () => {
  expect(await new SimulatedResets([DEVICE]).reset(DEVICE.id)).toEqual({ kind: "done" });
  expect(await new SimulatedResets([]).reset(deviceID("added-later"))).toEqual({ kind: "done" });
});

test("a reset takes the time that is configured", async () => {
  vi.useFakeTimers();
  try {
    let isDone = false;
    const resetting = new SimulatedResets([{ ...DEVICE, resetMs: 250 }]).reset(DEVICE.id).then(() => {
      isDone = true;
    });
    await vi.advanceTimersByTimeAsync(249);
    expect(isDone).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await resetting;
    expect(isDone).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

test.each([
  ["absent", { kind: "absent", reason: "it has no function-level reset" }],
  ["fails", { kind: "failed", reason: "it does not answer any more" }],
] as const)("a reset that is configured %s says so", async (reset, outcome) => {
  expect(await new SimulatedResets([{ ...DEVICE, reset }]).reset(DEVICE.id)).toEqual(outcome);
});

test("resets are counted for each device until it is removed", () => {
  const resets = new SimulatedResets([DEVICE]);
  const [one, other] = [deviceID(DEVICE.id), deviceID("added-later")];
  resets.count(one);
  resets.count(one);
  expect([resets.countOf(one), resets.countOf(other)]).toEqual([2, 0]);
  resets.forget(one);
  expect(resets.countOf(one)).toBe(0);
});
