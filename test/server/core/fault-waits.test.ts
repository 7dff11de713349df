import { beforeEach, describe, expect, test } from "vitest";
import type { FaultRecord } from "../../../src/backends/faults.ts";
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

describe("page requests before the last of their group", () => {
  const RING = 8; // TEST_LIMITS.faultRingEventsMax: a quarter of it, two requests, is for these
  const request = (groupIndex: number, last: boolean): Partial<FaultRecord> => ({
    type: "PAGE_REQUEST",
    typeNumber: 0,
    pageRequest: {
      address: 0x5000n,
      groupIndex,
      last,
      read: true,
      write: false,
      execute: false,
      privileged: false,
    },
  });
  const lastOf = (groupIndex: number, cookie: number): void => {
    world.waiting.add(`${NVME} ${cookie}`);
    world.record(NVME, 1, { ...request(groupIndex, true), pending: pageRequestOf(cookie) });
  };
  const listed = (): number[] => {
    const { events } = world.router.list(owner, { devices: [], types: [], pageSize: 100, pageToken: "" });
    return events.map(({ sequence }) => sequence).sort((a, b) => a - b);
  };

  test("are kept until it is answered, whatever else comes, and go then like others", async () => {
    world.record(NVME, 1, request(3, false));
    lastOf(3, 1);
    world.record(NVME, 3 * RING);
    expect(listed().slice(0, 2)).toEqual([1, 2]);
    const subscription = world.router.subscribe(owner, { devices: [], resumeAfter: new Map([[NVME, 0n]]) });
    const told = (await taken(subscription)).slice(0, 3);
    expect(told).toEqual([`${NVME}#1`, `${NVME}#2`, `${NVME}#3-${2 * RING + 4} ring-overrun`]);
    const { events } = world.router.list(owner, { devices: [], types: ["PAGE_REQUEST"], pageSize: 9, pageToken: "" });
    await world.router.respond(owner, { token: events[0]?.response?.token ?? "", answer: "success" });
    expect(listed()[0]).toBeGreaterThan(2);
  });

  test("are not held back by the rate limit", async () => {
    world = new FaultWorld({ limits: { faultEventsPerSecond: 1 } });
    owner = world.open("owner");
    world.give(NVME, owner);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME, 2 * RING);
    await taken(subscription);
    world.record(NVME, 1, request(3, false));
    expect((await taken(subscription)).at(-1)).toBe(`${NVME}#${2 * RING + 1}`);
  });

  test("whose last one never comes fill no more than a quarter of the ring, and go with the owner", () => {
    for (let group = 0; group < RING; group += 1) world.record(NVME, 1, request(group, false));
    world.record(NVME, 2 * RING);
    expect(listed().slice(0, 3)).toEqual([1, 2, 2 * RING + 3]);
    expect(world.router.census().held).toBe(RING);
    world.takeBack(NVME);
    world.give(NVME, owner);
    world.record(NVME, RING);
    expect(listed()).toEqual(Array.from({ length: RING }, (_, index) => 3 * RING + 1 + index));
  });
});
