import { beforeEach, describe, expect, test } from "vitest";
import type { DeviceID } from "../../../src/backends/ids.ts";
import type { FaultSubscription, FaultWatchRequest } from "../../../src/server/core/fault-verbs.ts";
import { FaultWorld, taken } from "../../support/fault-world.ts";
import { entriesOf, shown, wordsOf } from "../../support/faults.ts";
import { DISK, NIC, NVME, refusal, turn } from "../../support/host.ts";

const RING = 8; // TEST_LIMITS.faultRingEventsMax; a batch has 4

let world: FaultWorld;
let owner: string;
let other: string;
beforeEach(() => start());

function start(limits: ConstructorParameters<typeof FaultWorld>[0] = {}): void {
  world = new FaultWorld(limits);
  [owner, other] = [world.open("owner"), world.open("other")];
}

const all: FaultWatchRequest = { devices: [], resumeAfter: new Map() };
const resume = (session: string | undefined, device: DeviceID, after: number): FaultSubscription =>
  world.router.subscribe(session, { devices: [device], resumeAfter: new Map([[device, BigInt(after)]]) });
const numbers = (device: DeviceID, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${device}#${from + index}`);

describe("sequence", () => {
  test("a device's events count from 1, each device for itself, in batches of at most the limit", async () => {
    world.give(NVME, owner);
    world.give(NIC, owner);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME, 5);
    world.record(NIC);
    const batches = [await subscription.next(), await subscription.next()].map(shown);
    expect(Math.max(...batches.map((batch) => batch!.entries.length))).toBe(4);
    const seen = batches.flatMap((batch) => batch!.entries);
    expect(seen.filter((name) => name.startsWith(NVME))).toEqual(numbers(NVME, 1, 5));
    expect(seen.filter((name) => name.startsWith(NIC))).toEqual(numbers(NIC, 1, 1));
  });

  test("an event carries the wall time at which it was recorded", async () => {
    world.give(NVME, owner);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME);
    world.clock.advance(500);
    expect(entriesOf(await subscription.next())).toMatchObject([{ wallMs: 1_700_000_001_000 }]);
  });

  test("next() waits for what comes, and a device attached later is included", async () => {
    const subscription = world.router.subscribe(owner, all);
    const pending = subscription.next();
    world.give(NVME, owner);
    world.record(NVME);
    expect(shown(await pending)).toEqual({ entries: [`${NVME}#1`], gaps: [] });
  });

  test("a subscription starts with what happens from now on", async () => {
    world.give(NVME, owner);
    world.record(NVME, 2);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME);
    expect(await taken(subscription)).toEqual([`${NVME}#3`]);
  });
});

describe("segments", () => {
  test("are the same frozen objects for every reader", async () => {
    world.give(NVME, owner);
    const readers = [owner, owner, undefined].map((session) => world.router.subscribe(session, all));
    world.record(NVME, 3);
    const [one, two, three] = await Promise.all(readers.map((reader) => reader.next()));
    const segment = one!.slices[0]!.segment;
    expect([two!.slices[0]!.segment, three!.slices[0]!.segment]).toEqual([segment, segment]);
    expect(two!.slices[0]!.segment).toBe(segment);
    expect(three!.slices[0]!.segment).toBe(segment);
    expect([segment, segment.entries, segment.entries[0]].map((each) => Object.isFrozen(each))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test("are closed by count at once, and by time after fault_batch_ms", async () => {
    start({ limits: { faultBatchMs: 10 } });
    world.give(NVME, owner);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME, 6);
    expect(await taken(subscription)).toEqual(numbers(NVME, 1, 4));
    world.clock.advance(9);
    expect(await taken(subscription)).toEqual([]);
    world.clock.advance(1);
    expect(await taken(subscription)).toEqual(numbers(NVME, 5, 6));
  });
});

describe("a slow subscriber", () => {
  test("is told what the ring lost as one gap before the events that are left", async () => {
    world.give(NVME, owner);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME, RING + 3);
    expect(await taken(subscription)).toEqual([`${NVME}#1-3 ring-overrun`, ...numbers(NVME, 4, RING + 3)]);
    expect(world.router.census()).toMatchObject({ recorded: 11, delivered: 8, dropped: { overrun: 3 }, held: RING });
  });

  test("slows no other: one that keeps up misses nothing", async () => {
    world.give(NVME, owner);
    const [quick, slow] = [world.router.subscribe(owner, all), world.router.subscribe(owner, all)];
    const seen: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      world.record(NVME, 4);
      seen.push(...shown(await quick.next())!.entries);
    }
    expect(seen).toEqual(numbers(NVME, 1, 20));
    expect(shown(await slow.next())!.gaps).toEqual([`${NVME}#1-12 ring-overrun`]);
  });

  test("a device that storms does not starve another of the same session", async () => {
    world.give(NVME, owner);
    world.give(NIC, owner);
    const subscription = world.router.subscribe(owner, all);
    const seen: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      world.record(NVME, 40);
      world.record(NIC);
      await turn();
      seen.push(...shown(await subscription.next())!.entries, ...shown(await subscription.next())!.entries);
    }
    expect(seen.filter((name) => name.startsWith(NIC))).toEqual(numbers(NIC, 1, 4));
  });

  test("over all devices the oldest events go first, and a device that is quiet keeps what is newer", async () => {
    start({ limits: { faultHistoryEventsTotalMax: 10 } });
    for (const device of [NVME, NIC, DISK]) world.give(device, owner);
    const reader = world.router.subscribe(owner, all);
    world.record(NVME, 4);
    world.record(NIC, 4);
    world.record(DISK, 4);
    expect(world.router.census().held).toBe(8); // the oldest segment went as a whole
    world.record(NVME);
    expect((await taken(reader)).sort()).toEqual(
      [...numbers(DISK, 1, 4), ...numbers(NIC, 1, 4), `${NVME}#1-4 ring-overrun`, `${NVME}#5`].sort(),
    );
  });
});

describe("resuming", () => {
  beforeEach(() => {
    world.give(NVME, owner);
    world.record(NVME, RING + 2); // 3 … 10 are in the ring
  });

  test.each([
    [9, numbers(NVME, 10, 10)],
    [6, numbers(NVME, 7, 10)],
    [2, numbers(NVME, 3, 10)],
    [0, [`${NVME}#1-2 ring-overrun`, ...numbers(NVME, 3, 10)]],
    [1, [`${NVME}#2-2 ring-overrun`, ...numbers(NVME, 3, 10)]],
  ])("after %d gives %j", async (after, expected) => {
    await turn();
    expect(await taken(resume(owner, NVME, after))).toEqual(expected);
  });

  test("after the newest waits for the next", async () => {
    const subscription = world.router.subscribe(owner, { devices: [], resumeAfter: new Map([[NVME, 10n]]) });
    world.record(NVME);
    expect(await taken(subscription)).toEqual([`${NVME}#11`]);
  });

  test.each([11n, 2n ** 64n - 1n])("after %d, which no event has had, gives all there is", async (after) => {
    const subscription = world.router.subscribe(owner, { devices: [], resumeAfter: new Map([[NVME, after]]) });
    expect(await taken(subscription)).toEqual([`${NVME}#1-2 ring-overrun`, ...numbers(NVME, 3, 10)]);
  });
});

describe("ownership", () => {
  test("a later owner sees nothing of the earlier, even when it resumes from 0", async () => {
    world.give(NVME, owner);
    const cookie = world.stall(NVME);
    world.record(NVME, 2);
    world.takeBack(NVME);
    world.end(NVME, cookie); // after the fact: nobody is told twice
    world.give(NVME, other);
    world.record(NVME);
    expect(await taken(resume(other, NVME, 0))).toEqual([`${NVME}#4`]);
    expect(
      world.router.list(other, { devices: [], types: [], pageSize: 10, pageToken: "" }).events.map(wordsOf),
    ).toEqual([`${NVME}#4`]);
  });

  test("what a subscriber had not taken when the device went is a gap, told at once, and not an event", async () => {
    world.give(NVME, owner);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME, 6);
    expect(await taken(subscription)).toEqual(numbers(NVME, 1, 6));
    world.record(NVME, 2);
    world.takeBack(NVME);
    expect(await taken(subscription)).toEqual([`${NVME}#7-8 released`]);
    expect(world.released).toEqual([NVME]);
    world.give(NVME, owner);
    world.record(NVME);
    expect(await taken(subscription)).toEqual([`${NVME}#9`]);
  });

  test("an event of a device nobody owns is counted and goes nowhere; what waits of it is refused", async () => {
    const subscription = world.router.subscribe(owner, all);
    world.record(NIC);
    world.stall(NIC);
    world.stall(NIC, "page-request");
    await turn();
    expect(world.answers).toEqual([`${NIC} 1 abort`, `${NIC} 2 invalid`]);
    expect(world.router.census()).toMatchObject({ recorded: 0, dropped: { unrouted: 3 }, pending: 0 });
    world.give(NIC, owner);
    world.record(NIC);
    expect(await taken(subscription)).toEqual([`${NIC}#1`]);
  });

  test("a device that has left since is passed over in the resume map, and gives nothing away", async () => {
    world.give(NVME, other);
    world.record(NVME, 3);
    world.give(DISK, owner);
    const subscription = world.router.subscribe(owner, { ...all, resumeAfter: new Map([[NVME, 0n]]) });
    world.record(NVME, 1);
    world.record(DISK, 1);
    expect(await taken(subscription)).toEqual([`${DISK}#1`]);
  });

  test("naming another's device is refused, to watch and to list", async () => {
    world.give(NVME, other);
    for (const devices of [[NVME], [DISK]]) {
      expect((await refusal(() => world.router.subscribe(owner, { ...all, devices }))).code).toBe("not_owner");
      const list = { devices, types: [], pageSize: 1, pageToken: "" };
      expect((await refusal(() => world.router.list(owner, list))).code).toBe("not_owner");
    }
    expect(world.router.census().subscribers).toEqual({ owner: 0, observer: 0 });
  });

  test("a device that goes and comes back under its name goes on counting, and what was not taken is a gap", async () => {
    world.give(NVME, owner);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME, 3);
    expect(await taken(subscription)).toEqual(numbers(NVME, 1, 3));
    world.record(NVME, 2);
    world.router.remove(NVME); // unplugged: nobody released it first
    expect(world.router.census().held).toBe(0);
    world.give(NVME, owner);
    world.record(NVME);
    expect(await taken(subscription)).toEqual([`${NVME}#4-5 released`, `${NVME}#4097`]);
  });
});

describe("filters, limits, ends", () => {
  test("a filter lets only its devices through", async () => {
    world.give(NVME, owner);
    world.give(NIC, owner);
    const subscription = world.router.subscribe(owner, { ...all, devices: [NIC] });
    world.record(NVME);
    expect(await taken(subscription)).toEqual([]);
    world.record(NIC);
    expect(await taken(subscription)).toEqual([`${NIC}#1`]);
  });

  test("an overflow of the hardware queue is a gap of one number for every owned device it names", async () => {
    world.give(NVME, owner);
    world.give(NIC, owner);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME);
    world.router.record({ kind: "overflow", devices: [NVME, NIC, DISK] });
    world.record(NVME);
    expect((await taken(subscription)).sort()).toEqual([
      `${NIC}#1-1 hardware-overflow`,
      `${NVME}#1`,
      `${NVME}#2-2 hardware-overflow`,
      `${NVME}#3`,
    ]);
  });

  test("each overflow is counted once, whatever devices it names, and also where nobody owns them", () => {
    world.give(NVME, owner);
    expect(world.router.census().dropped.hardwareOverflow).toBe(0);
    world.router.record({ kind: "overflow", devices: [NVME, NIC] });
    world.router.record({ kind: "overflow", devices: [DISK] });
    world.router.record({ kind: "overflow", devices: [] });
    expect(world.router.census()).toMatchObject({ recorded: 0, dropped: { unrouted: 0, hardwareOverflow: 3 } });
  });

  test("a session that ended can neither subscribe, list nor answer", async () => {
    world.sessions.end(owner, "closed");
    const list = { devices: [], types: [], pageSize: 1, pageToken: "" };
    for (const act of [
      () => world.router.subscribe(owner, all),
      () => world.router.list(owner, list),
      () => world.router.respond(owner, { token: "t", answer: "abort" }),
    ]) {
      expect((await refusal(act)).code).toBe("lease_expired");
    }
  });

  test("events that no guest may see are counted and told as they are", async () => {
    world.give(NVME, owner);
    const subscription = world.router.subscribe(owner, all);
    world.record(NVME, 1, { stage: 2, hostOnly: true, ipa: 0x4000_0000 });
    expect(entriesOf(await subscription.next())).toMatchObject([{ fault: { hostOnly: true, ipa: 0x4000_0000 } }]);
    expect(world.router.census().hostOnly).toBe(1);
  });
});
