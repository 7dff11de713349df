import { beforeEach, describe, expect, test } from "vitest";
import type { FaultRecord } from "../../../src/backends/faults.ts";
import type { DeviceID } from "../../../src/backends/ids.ts";
import { createSimulatedBackend } from "../../../src/backends/sim/backend.ts";
import { BrokerEvents } from "../../../src/server/core/events.ts";
import { FaultRouter } from "../../../src/server/core/fault-router.ts";
import type { FaultBatch } from "../../../src/server/core/fault-verbs.ts";
import { Registry } from "../../../src/server/core/registry.ts";
import { Sessions } from "../../../src/server/core/sessions.ts";
import {
  CALLER,
  DISK,
  FakeProcesses,
  ManualClock,
  NIC,
  NVME,
  refusal,
  TEST_LIMITS,
  TWO_SMMUS,
  turn,
} from "../../support/host.ts";

const RING = 8; // TEST_LIMITS.faultRingEventsMax; a batch has 4

let clock: ManualClock;
let registry: Registry;
let sessions: Sessions;
let router: FaultRouter;
let owner: string;
let other: string;
beforeEach(() => {
  clock = new ManualClock();
  let serial = 0;
  const identifiers = { uuid: () => `s${++serial}`, token: () => `t${++serial}`, digest: (token: string) => token };
  registry = new Registry(createSimulatedBackend(TWO_SMMUS).inventory);
  sessions = new Sessions({
    clock,
    identifiers,
    limits: TEST_LIMITS,
    events: new BrokerEvents(),
    processes: new FakeProcesses(),
  });
  router = new FaultRouter({ registry, sessions, limits: TEST_LIMITS, clock });
  const open = (displayName: string) => sessions.open({ displayName, ttlMs: undefined, caller: CALLER }).session.id;
  [owner, other] = [open("owner"), open("other")];
});

/** The session gets the device, as the arbiter does it. */
function give(device: DeviceID, session: string): void {
  registry.putGroup({ ...registry.groupOf(device), owner: session });
  router.claim(device);
}

function takeBack(device: DeviceID): void {
  router.release(device);
  registry.putGroup({ ...registry.groupOf(device), owner: undefined });
}

function fault(device: DeviceID): FaultRecord {
  return {
    device,
    virtualStreamID: undefined,
    substreamID: undefined,
    type: "F_TRANSLATION",
    typeNumber: 0x10,
    stage: 1,
    class: "IN",
    inputAddress: 0n,
    ipa: undefined,
    fetchAddress: undefined,
    read: true,
    instruction: false,
    privileged: false,
    transition: false,
    record: new Uint8Array(32),
  };
}

const record = (device: DeviceID, times = 1): void => {
  for (let count = 0; count < times; count += 1) router.record({ kind: "fault", fault: fault(device) });
};
const all = { devices: [], resumeAfter: new Map<DeviceID, bigint>() };
const shown = (batch: FaultBatch | undefined) =>
  batch && {
    events: batch.events.map(({ sequence, fault: { device } }) => `${device}#${sequence}`),
    gaps: batch.gaps.map(({ device, first, last, reason }) => `${device}#${first}-${last} ${reason}`),
  };

describe("sequence", () => {
  test("a device's events count from 1, each device for itself, in batches of at most the limit", async () => {
    give(NVME, owner);
    give(NIC, owner);
    const subscription = router.subscribe(owner, all);
    record(NVME, 5);
    record(NIC);
    const seen = [...shown(await subscription.next())!.events, ...shown(await subscription.next())!.events];
    expect(seen.filter((name) => name.startsWith(NVME))).toEqual([1, 2, 3, 4, 5].map((n) => `${NVME}#${n}`));
    expect(seen.filter((name) => name.startsWith(NIC))).toEqual([`${NIC}#1`]);
    expect(seen).toHaveLength(6);
  });

  test("an event carries the wall time at which it was recorded", async () => {
    give(NVME, owner);
    const subscription = router.subscribe(owner, all);
    record(NVME);
    clock.advance(500);
    expect((await subscription.next())!.events[0]!.wallMs).toBe(1_700_000_001_000);
  });

  test("next() waits for what comes, and a device attached later is included", async () => {
    const subscription = router.subscribe(owner, all);
    const pending = subscription.next();
    give(NVME, owner);
    record(NVME);
    expect(shown(await pending)).toEqual({ events: [`${NVME}#1`], gaps: [] });
  });

  test("a subscription starts with what happens from now on", async () => {
    give(NVME, owner);
    record(NVME, 2);
    const subscription = router.subscribe(owner, all);
    record(NVME);
    expect(shown(await subscription.next())).toEqual({ events: [`${NVME}#3`], gaps: [] });
  });
});

describe("a slow subscriber", () => {
  test("is told what the ring lost as one gap before the events that are left", async () => {
    give(NVME, owner);
    const subscription = router.subscribe(owner, all);
    record(NVME, RING + 3);
    expect(shown(await subscription.next())).toEqual({
      events: [4, 5, 6].map((n) => `${NVME}#${n}`),
      gaps: [`${NVME}#1-3 ring-overrun`],
    });
    expect(router.census().overrun).toBe(3);
  });

  test("slows no other: one that keeps up misses nothing", async () => {
    give(NVME, owner);
    const [quick, slow] = [router.subscribe(owner, all), router.subscribe(owner, all)];
    const seen: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      record(NVME, 4);
      seen.push(...(await quick.next())!.events.map((event) => event.sequence));
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(shown(await slow.next())!.gaps).toEqual([`${NVME}#1-12 ring-overrun`]);
  });

  test("a device that storms does not starve another of the same session", async () => {
    give(NVME, owner);
    give(NIC, owner);
    const subscription = router.subscribe(owner, all);
    record(NVME);
    record(NIC);
    const seen = new Set<string>();
    for (let round = 0; round < 3; round += 1) {
      record(NVME, 4);
      record(NIC, 4);
      for (const event of (await subscription.next())!.events) seen.add(event.fault.device);
    }
    expect([...seen].sort()).toEqual([NIC, NVME]);
  });
});

describe("resuming", () => {
  const resume = (after: bigint) => router.subscribe(owner, { devices: [], resumeAfter: new Map([[NVME, after]]) });
  beforeEach(() => {
    give(NVME, owner);
    record(NVME, RING + 2); // 3 … 10 are in the ring
  });

  test.each([
    [9n, [10], []],
    [6n, [7, 8, 9, 10], []],
    [2n, [3, 4, 5, 6], []],
    [0n, [3, 4, 5], ["1-2"]],
    [1n, [3, 4, 5], ["2-2"]],
  ])("after %d gives %j and the gaps %j", async (after, events, gaps) => {
    const subscription = resume(after);
    expect(shown(await subscription.next())).toEqual({
      events: events.map((n) => `${NVME}#${n}`),
      gaps: gaps.map((range) => `${NVME}#${range} ring-overrun`),
    });
  });

  test.each([10n, 11n, 2n ** 64n - 1n])(
    "after %d, which is or is beyond the newest, waits for the next",
    async (after) => {
      const subscription = resume(after);
      record(NVME);
      expect(shown(await subscription.next())).toEqual({ events: [`${NVME}#11`], gaps: [] });
    },
  );
});

describe("ownership", () => {
  test("a later owner sees nothing of the earlier, even when it resumes from 0", async () => {
    give(NVME, owner);
    record(NVME, 3);
    takeBack(NVME);
    give(NVME, other);
    record(NVME);
    const subscription = router.subscribe(other, { devices: [NVME], resumeAfter: new Map([[NVME, 0n]]) });
    expect(shown(await subscription.next())).toEqual({ events: [`${NVME}#4`], gaps: [] });
  });

  test("what a subscriber had not taken when the device went is a gap, told at once, and not an event", async () => {
    give(NVME, owner);
    const subscription = router.subscribe(owner, all);
    record(NVME, 6);
    expect((await subscription.next())!.events).toHaveLength(4);
    const pending = subscription.next(); // takes 5 and 6
    expect((await pending)!.events).toHaveLength(2);
    record(NVME, 2);
    takeBack(NVME);
    expect(shown(await subscription.next())).toEqual({ events: [], gaps: [`${NVME}#7-8 released`] });
    give(NVME, owner);
    record(NVME);
    expect(shown(await subscription.next())).toEqual({ events: [`${NVME}#9`], gaps: [] });
  });

  test("an event of a device nobody owns is counted and goes nowhere", async () => {
    const subscription = router.subscribe(owner, all);
    record(NIC);
    expect(router.census()).toEqual({ unrouted: 1, overrun: 0, subscribers: 1 });
    give(NIC, owner);
    record(NIC);
    expect(shown(await subscription.next())).toEqual({ events: [`${NIC}#1`], gaps: [] });
  });

  test("a device that has left since is passed over in the resume map, and gives nothing away", async () => {
    give(NVME, other);
    record(NVME, 3);
    give(DISK, owner);
    const subscription = router.subscribe(owner, { ...all, resumeAfter: new Map([[NVME, 0n]]) });
    record(NVME, 1);
    record(DISK, 1);
    expect((await subscription.next())!.events.map(({ fault }) => fault.device)).toEqual([DISK]);
  });

  test("naming another's device in the filter is refused", async () => {
    give(NVME, other);
    for (const request of [
      { ...all, devices: [NVME] },
      { ...all, devices: [DISK] },
    ]) {
      expect((await refusal(() => router.subscribe(owner, request))).code).toBe("not_owner");
    }
    expect(router.census().subscribers).toBe(0);
  });

  test("a device that goes and comes back under its name counts from 1, and its subscriber misses nothing", async () => {
    give(NVME, owner);
    const subscription = router.subscribe(owner, all);
    record(NVME, 3);
    expect((await subscription.next())!.events).toHaveLength(3);
    router.remove(NVME); // unplugged: nobody released it first
    give(NVME, owner);
    record(NVME);
    expect(shown(await subscription.next())).toEqual({ events: [`${NVME}#1`], gaps: [] });
  });
});

describe("filters, limits, ends", () => {
  test("a filter lets only its devices through", async () => {
    give(NVME, owner);
    give(NIC, owner);
    const subscription = router.subscribe(owner, { ...all, devices: [NIC] });
    record(NVME);
    const pending = subscription.next();
    let isAwake = false;
    void pending.then(() => {
      isAwake = true;
    });
    record(NVME);
    await turn();
    expect(isAwake).toBe(false);
    record(NIC);
    expect(shown(await pending)).toEqual({ events: [`${NIC}#1`], gaps: [] });
  });

  test("an overflow of the hardware queue is a gap of one number for every device it names", async () => {
    give(NVME, owner);
    give(NIC, owner);
    const subscription = router.subscribe(owner, all);
    record(NVME);
    router.record({ kind: "overflow", devices: [NVME, NIC, DISK] });
    record(NVME);
    const { events, gaps } = shown(await subscription.next())!;
    expect(events).toEqual([`${NVME}#1`, `${NVME}#3`]);
    expect(gaps.sort()).toEqual([`${NIC}#1-1 hardware-overflow`, `${NVME}#2-2 hardware-overflow`]);
  });

  test("one stream more than a session may have is refused; closing one makes room", async () => {
    const first = router.subscribe(owner, all);
    router.subscribe(owner, all);
    expect((await refusal(() => router.subscribe(owner, all))).facts).toEqual({
      limit: "fault_streams_per_session_max",
      maximum: 2,
    });
    router.subscribe(other, all);
    first.close();
    router.subscribe(owner, all);
    expect(router.census().subscribers).toBe(3);
  });

  test("closing ends a next() that waits, and every later one", async () => {
    const subscription = router.subscribe(owner, all);
    const pending = subscription.next();
    subscription.close();
    expect(await pending).toBeUndefined();
    expect(await subscription.next()).toBeUndefined();
  });

  test("the end of a session ends its subscriptions and no others", async () => {
    give(NVME, other);
    const [mine, theirs] = [router.subscribe(owner, all), router.subscribe(other, all)];
    const pending = mine.next();
    router.endSession(owner);
    expect(await pending).toBeUndefined();
    record(NVME);
    expect(shown(await theirs.next())!.events).toEqual([`${NVME}#1`]);
  });

  test("a session that ended cannot subscribe", async () => {
    sessions.end(owner, "closed");
    expect((await refusal(() => router.subscribe(owner, all))).code).toBe("lease_expired");
  });
});
