import { beforeEach, expect, test } from "vitest";
import type { FaultWatchRequest } from "../../../src/server/core/fault-verbs.ts";
import { FaultWorld, taken } from "../../support/fault-world.ts";
import { faultOf, pageRequestOf, stallOf } from "../../support/faults.ts";
import { NIC, NVME, turn } from "../../support/host.ts";

const all: FaultWatchRequest = { devices: [], resumeAfter: new Map() };

let world: FaultWorld;
let owner: string;
beforeEach(() => {
  world = new FaultWorld();
  owner = world.open("owner");
  world.give(NVME, owner);
});

test("a name that the hardware uses again stands for the later event, and the earlier one has ended", async () => {
  const subscription = world.router.subscribe(owner, all);
  for (let count = 0; count < 2; count += 1) {
    world.router.record({ kind: "fault", fault: faultOf(NVME, { pending: stallOf(1) }) });
  }
  expect(await taken(subscription)).toEqual([`${NVME}#1`, `${NVME}#1 stage-changed`, `${NVME}#2`]);
  world.router.record({ kind: "ended", device: NVME, cookie: 1 });
  expect(await taken(subscription)).toEqual([`${NVME}#2 stage-changed`]);
  expect(world.router.census()).toMatchObject({ pending: 0, resolutions: { "stage-changed": 2 } });
});

test("an end of what nobody knows, or of another device, changes nothing", async () => {
  const cookie = world.stall(NVME);
  world.router.record({ kind: "ended", device: NVME, cookie: cookie + 1 });
  world.router.record({ kind: "ended", device: NIC, cookie });
  expect(world.router.census()).toMatchObject({ pending: 1, resolutions: { "stage-changed": 0 } });
});

test.each([
  ["a stall", stallOf(7), "7 abort"],
  ["a page request", pageRequestOf(7), "7 invalid"],
] as const)(
  "%s of a device that nobody owns is refused at once, in a word that every backend has",
  async (_, pending, expected) => {
    world.waiting.add(`${NIC} 7`);
    world.router.record({ kind: "fault", fault: faultOf(NIC, { pending }) });
    await turn();
    expect(world.answers).toEqual([`${NIC} ${expected}`]);
    expect(world.router.census()).toMatchObject({ pending: 0, recorded: 0 });
  },
);

test("what waits when its owner goes has ended before anybody else may have the device", async () => {
  const observer = world.router.subscribe(undefined, all);
  world.stall(NVME);
  world.takeBack(NVME);
  expect(world.router.census().pending).toBe(0);
  expect(await taken(observer)).toEqual([`${NVME}#1`, `${NVME}#1 owner-gone`]);
});
