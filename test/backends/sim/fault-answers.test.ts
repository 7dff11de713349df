import { expect, test } from "vitest";
import type { FaultAnswer } from "../../../src/backends/faults.ts";
import { deviceID } from "../../../src/backends/ids.ts";
import { refusal } from "../../support/host.ts";
import { DSP, GPU, WaitingWorld } from "../../support/waiting-world.ts";

const OF_STALLS = ["retry", "abort", "terminate"] as const;
const OF_PAGE_REQUESTS = ["success", "invalid", "failure"] as const;

test("a cookie is one device's: the stall and the page request that wait at once have different ones", async () => {
  const world = await WaitingWorld.make();
  await world.bind(DSP);
  await world.bind(GPU);
  const ends = [world.read(DSP), world.read(GPU)];
  await world.settle();
  const [stall, request] = [DSP, GPU].map((id) => world.faults().find(({ device }) => device === id)!.pending!);
  expect(stall!.cookie).not.toBe(request!.cookie);
  const wrong = async (id: typeof DSP, cookie: number, answer: FaultAnswer): Promise<string> =>
    (await refusal(() => world.backend.respondToFault(id, cookie, answer))).code;
  for (const answer of OF_PAGE_REQUESTS) expect(await wrong(DSP, stall!.cookie, answer)).toBe("argument_invalid");
  for (const answer of OF_STALLS) expect(await wrong(GPU, request!.cookie, answer)).toBe("argument_invalid");
  expect(await wrong(GPU, stall!.cookie, "abort")).toBe("fault_not_pending");
  expect(await wrong(DSP, request!.cookie, "failure")).toBe("fault_not_pending");
  await world.backend.respondToFault(DSP, stall!.cookie, "abort");
  await world.backend.respondToFault(GPU, request!.cookie, "failure");
  expect(await Promise.all(ends)).toEqual(["abort", "abort"]);
});

test("a device that is not there waits for nothing", async () => {
  const world = await WaitingWorld.make();
  const error = await refusal(() => world.backend.respondToFault(deviceID("gone"), 1, "abort"));
  expect(error).toMatchObject({ code: "fault_not_pending", facts: { device: "gone" } });
});

test("refusals name the answers that there are", async () => {
  const world = await WaitingWorld.make();
  await world.bind(DSP);
  expect(await world.translate(DSP)).toBe("stalled");
  await world.settle();
  const error = await refusal(() => world.backend.respondToFault(DSP, world.cookie(), "success"));
  expect(error.fields).toEqual([
    { path: "answer", description: "success is none for a stall: RETRY, ABORT or TERMINATE" },
  ]);
});
