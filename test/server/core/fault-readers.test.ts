import { beforeEach, describe, expect, test } from "vitest";
import type { DeviceID } from "../../../src/backends/ids.ts";
import type { FaultSubscription, FaultWatchRequest } from "../../../src/server/core/fault-verbs.ts";
import { FaultWorld, taken } from "../../support/fault-world.ts";
import { NVME, refusal } from "../../support/host.ts";

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
