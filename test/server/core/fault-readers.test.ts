import { beforeEach, describe, expect, test } from "vitest";
import type { DeviceID } from "../../../src/backends/ids.ts";
import type { FaultSubscription, FaultWatchRequest } from "../../../src/server/core/fault-verbs.ts";
import { FaultWorld, taken } from "../../support/fault-world.ts";
import { NIC, NVME, refusal, turn } from "../../support/host.ts";

let world: FaultWorld;
let owner: string;
let other: string;
beforeEach(() => {
  world = new FaultWorld();
  [owner, other] = [world.open("owner"), world.open("other")];
});

const all: FaultWatchRequest = { devices: [], resumeAfter: new Map() };
const resume = (session: string | undefined, device: DeviceID, after: number): FaultSubscription =>
  world.router.subscribe(session, { devices: [device], resumeAfter: new Map([[device, BigInt(after)]]) });
const numbers = (device: DeviceID, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${device}#${from + index}`);

describe("observers", () => {
  test("see every device, also after its release, and every owner's events", async () => {
    world.give(NVME, owner);
    world.record(NVME, 2);
    const observer = resume(undefined, NVME, 0);
    expect(observer.view).toBe("observer");
    world.takeBack(NVME);
    world.give(NVME, other);
    world.record(NVME);
    expect(await taken(observer)).toEqual(numbers(NVME, 1, 3));
    expect(await taken(resume(undefined, NVME, 1))).toEqual(numbers(NVME, 2, 3));
  });

  test("one more than fault_observers_max is refused; sessions' streams do not count", async () => {
    const first = world.router.subscribe(undefined, all);
    world.router.subscribe(undefined, all);
    world.router.subscribe(owner, all);
    expect((await refusal(() => world.router.subscribe(undefined, all))).facts).toEqual({
      limit: "fault_observers_max",
      maximum: 2,
    });
    first.close();
    world.router.subscribe(undefined, all);
    expect(world.router.census().subscribers).toEqual({ owner: 1, observer: 2 });
  });
});

describe("positions", () => {
  const fromStart = (session: string | undefined, after: ReadonlyMap<DeviceID, number> = new Map()) => {
    const resumeAfter = new Map([...after].map(([device, number]) => [device, BigInt(number)]));
    return world.router.subscribe(session, { devices: [], resumeAfter, fromStart: true });
  };

  test("are of before the stream at first, and of what next() gave from then on", async () => {
    world.give(NVME, owner);
    world.record(NVME, 2);
    await turn();
    const subscription = world.router.subscribe(owner, all);
    expect(subscription.positions(9)).toEqual(new Map([[NVME, 2]]));
    world.record(NVME, 3);
    expect(subscription.positions(9)).toEqual(new Map()); // no other than before
    await subscription.next();
    expect(subscription.positions(9)).toEqual(new Map([[NVME, 5]]));
    expect(subscription.positions(9)).toEqual(new Map());
  });

  test("are told of so many devices at a time, and of each in the end", async () => {
    for (const device of [NVME, NIC]) world.give(device, owner);
    const subscription = world.router.subscribe(owner, all);
    await turn();
    const told = [1, 2, 3].map(() => [...subscription.positions(1).keys()]);
    expect(told).toEqual([[NVME], [NIC], []]);
  });

  test("leave out a device whose number is not on the disk", async () => {
    world.isDiskQuick = false;
    world.give(NVME, owner);
    world.record(NVME);
    const subscription = world.router.subscribe(owner, all);
    expect(subscription.positions(9)).toEqual(new Map());
    world.flush();
    await turn();
    expect(subscription.positions(9)).toEqual(new Map([[NVME, 1]]));
  });

  test("stay before a gap that is owed", async () => {
    world.give(NVME, owner);
    world.record(NVME, 3);
    await turn();
    const next = new FaultWorld({ after: world });
    const session = next.open("owner");
    next.give(NVME, session, "restored");
    await turn();
    const subscription = next.router.subscribe(session, { devices: [], resumeAfter: new Map([[NVME, 3n]]) });
    expect(subscription.positions(9)).toEqual(new Map([[NVME, 3]]));
    await subscription.next();
    expect(subscription.positions(9)).toEqual(new Map([[NVME, 4096]]));
  });

  test("and from_start together miss nothing of a break: neither a quiet device's nor a new one's", async () => {
    world.give(NVME, owner);
    await turn();
    const first = world.router.subscribe(owner, all);
    const positions = first.positions(9);
    first.close();
    world.record(NVME, 2);
    world.give(NIC, owner);
    world.record(NIC);
    const again = await taken(fromStart(owner, positions));
    expect(again.toSorted()).toEqual([...numbers(NVME, 1, 2), `${NIC}#1`].toSorted());
    expect((await taken(fromStart(undefined))).toSorted()).toEqual(again.toSorted());
  });

  test("from_start begins with the present ownership, and what was told before it is a gap of its own", async () => {
    world.give(NVME, owner);
    world.record(NVME, 2);
    world.takeBack(NVME);
    world.give(NVME, other);
    world.record(NVME, 2);
    world.takeBack(NVME);
    world.give(NVME, owner);
    world.record(NVME);
    expect(await taken(fromStart(owner))).toEqual([`${NVME}#5`]);
    expect(await taken(fromStart(owner, new Map([[NVME, 1]])))).toEqual([`${NVME}#2-4 released`, `${NVME}#5`]);
  });
});

describe("limits and ends", () => {
  test("one stream more than a session may have is refused; closing one makes room", async () => {
    const first = world.router.subscribe(owner, all);
    world.router.subscribe(owner, all);
    expect((await refusal(() => world.router.subscribe(owner, all))).facts).toEqual({
      limit: "fault_streams_per_session_max",
      maximum: 2,
    });
    world.router.subscribe(other, all);
    first.close();
    world.router.subscribe(owner, all);
    expect(world.router.census().subscribers).toEqual({ owner: 3, observer: 0 });
  });

  test("closing ends a next() that waits, and every later one", async () => {
    const subscription = world.router.subscribe(owner, all);
    const pending = subscription.next();
    subscription.close();
    expect(await pending).toBeUndefined();
    expect(await subscription.next()).toBeUndefined();
  });

  test("the end of a session ends its subscriptions and no others", async () => {
    world.give(NVME, other);
    const [mine, theirs] = [world.router.subscribe(owner, all), world.router.subscribe(other, all)];
    const pending = mine.next();
    world.router.endSession(owner);
    expect(await pending).toBeUndefined();
    world.record(NVME);
    expect(await taken(theirs)).toEqual([`${NVME}#1`]);
  });
});
