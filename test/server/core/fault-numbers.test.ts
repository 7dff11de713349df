import { beforeEach, describe, expect, test } from "vitest";
import { deviceID } from "../../../src/backends/ids.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import { foldRecords } from "../../../src/server/core/durable-state.ts";
import { FaultNumbers } from "../../../src/server/core/fault-numbers.ts";
import { FaultWorld } from "../../support/fault-world.ts";
import { entriesOf, shown, wordsOf } from "../../support/faults.ts";
import { DISK, FAR, NIC, NVME, turn } from "../../support/host.ts";

// Blocks have 4,096 numbers; the next one is reserved when 2,048 are left.
const all = { devices: [], resumeAfter: new Map() };

let world: FaultWorld;
let owner: string;
beforeEach(() => {
  world = new FaultWorld();
  owner = world.open("owner");
});

const marks = (from: FaultWorld = world) =>
  from.noted.flatMap((record) => (record.type === "faultNumbers" ? [[record.id, record.value]] : []));

test("a block is reserved when a device gets an owner, and the next one at half of it", () => {
  world.give(NVME, owner);
  expect(marks()).toEqual([[NVME, 4096]]);
  world.record(NVME, 2048);
  expect(marks()).toHaveLength(1);
  world.record(NVME);
  expect(marks()).toEqual([
    [NVME, 4096],
    [NVME, 2049 + 4096],
  ]);
});

test("nothing is told whose number is not on the disk, and nobody waits who is within a block that is", async () => {
  world.isDiskQuick = false;
  world.give(NVME, owner);
  const subscription = world.router.subscribe(owner, all);
  const pending = subscription.next();
  let isTold = false;
  void pending.then(() => {
    isTold = true;
  });
  world.record(NVME, 2);
  await turn();
  expect(isTold).toBe(false);
  expect(world.router.list(owner, { ...all, types: [], pageSize: 9, pageToken: "" }).events).toEqual([]);
  world.flush();
  expect(entriesOf(await pending)).toHaveLength(2);
  for (let count = 2; count < 4096; count += 1) world.record(NVME); // the second block is not on the disk yet
  await turn();
  const told: string[] = [];
  while (told.at(-1) !== `${NVME}#4096`) told.push(...entriesOf(await subscription.next()).map(wordsOf));
});

describe("after a restart", () => {
  test("a device goes on behind what was reserved, and who resumes from before is told of a gap", async () => {
    world.give(NVME, owner);
    world.record(NVME, 5);
    await turn();
    const next = new FaultWorld({ after: world });
    const session = next.open("owner");
    next.give(NVME, session, "restored");
    const resumeAfter = new Map([[NVME, 5n]]);
    for (const who of [session, undefined]) {
      const subscription = next.router.subscribe(who, { devices: [], resumeAfter });
      const batch = await subscription.next();
      expect(batch?.gaps).toEqual([
        { kind: "gap", device: NVME, first: 6, last: 4096, count: 0, reason: "restart", suppressed: [] },
      ]);
      subscription.close();
    }
    const fresh = next.router.subscribe(session, all);
    next.record(NVME);
    expect(shown(await fresh.next())).toEqual({ gaps: [], entries: [`${NVME}#4097`] });
  });

  test("whoever has the device since then is told nothing of what was before", async () => {
    world.give(NVME, owner);
    await turn();
    const next = new FaultWorld({ after: world });
    const session = next.open("owner");
    next.give(NVME, session);
    const subscription = next.router.subscribe(session, { devices: [], resumeAfter: new Map([[NVME, 0n]]) });
    next.record(NVME);
    expect(shown(await subscription.next())).toEqual({ gaps: [], entries: [`${NVME}#4097`] });
  });

  test("marks of devices that nobody has had since are kept", async () => {
    world.give(NVME, owner);
    world.give(NIC, owner);
    await turn();
    const next = new FaultWorld({ after: world });
    next.give(NIC, next.open("owner"));
    expect(next.router.numbers.durable()).toEqual([
      { type: "faultNumbers", id: NVME, value: 4096 },
      { type: "faultNumbers", id: NIC, value: 8192 },
    ]);
  });

  test("what was reserved before the recorder ran is noted again, and told only then", async () => {
    world.give(NVME, owner);
    const subscription = world.router.subscribe(owner, all);
    await turn();
    world.noted.length = 0; // a recorder that is not on yet notes nothing
    world.isDiskQuick = false;
    world.router.numbers.begin();
    expect(marks()).toEqual([[NVME, 4096]]);
    world.record(NVME);
    const pending = subscription.next();
    await turn();
    world.flush();
    expect(shown(await pending)).toEqual({ gaps: [], entries: [`${NVME}#1`] });
  });
});

describe("a device that was removed and comes back", () => {
  test("goes on behind what was reserved, so that who resumes from before is told of a gap", async () => {
    world.give(NVME, owner);
    world.record(NVME, 5);
    await turn();
    world.router.remove(NVME);
    expect(world.router.numbers.durable()).toEqual([{ type: "faultNumbers", id: NVME, value: 4096 }]);
    world.give(NVME, owner);
    world.record(NVME);
    await turn();
    const resumeAfter = new Map([[NVME, 5n]]);
    const mine = await world.router.subscribe(owner, { devices: [], resumeAfter }).next();
    const observed = await world.router.subscribe(undefined, { devices: [], resumeAfter }).next();
    expect(shown(mine)).toEqual({ gaps: [`${NVME}#6-4096 released`], entries: [`${NVME}#4097`] });
    expect(shown(observed)).toEqual({ gaps: [`${NVME}#6-4096 restart`], entries: [`${NVME}#4097`] });
  });

  test("goes on also over a restart meanwhile", async () => {
    world.give(NVME, owner);
    await turn();
    world.noted.push({ type: "deviceRemoved", id: NVME });
    world.router.remove(NVME);
    world.flush();
    const next = new FaultWorld({ after: world });
    const session = next.open("owner");
    next.give(NVME, session);
    const fresh = next.router.subscribe(session, all);
    next.record(NVME);
    expect(shown(await fresh.next())).toEqual({ gaps: [], entries: [`${NVME}#4097`] });
  });

  test("has a mark of its own while there are not too many; then all of which nothing is known begin behind it", () => {
    const noted: DurableRecord[] = [];
    const numbers = new FaultNumbers({ durable: async () => {} }, () => {}, 2);
    numbers.onChange((records) => noted.push(...records));
    for (const [device, used] of [
      [NVME, 5000],
      [NIC, 1],
      [DISK, 1],
    ] as const) {
      numbers.reserve(numbers.of(device), used);
      numbers.retire(device);
    }
    expect(noted.at(-1)).toEqual({ type: "faultNumberFloor", value: 5000 + 4096 });
    const bases = [NIC, NVME, FAR].map((device) => numbers.of(device).base);
    expect(bases).toEqual([1 + 4096, 5000 + 4096, 5000 + 4096]);
    const { faultNumberFloor, faultNumbers } = foldRecords(numbers.durable());
    const next = new FaultNumbers({ durable: async () => {} }, () => {});
    next.restore(faultNumbers, faultNumberFloor);
    expect([next.of(DISK).base, next.of(deviceID("new")).base]).toEqual([1 + 4096, 5000 + 4096]);
  });
});

test("what was released is told as a gap only when its numbers are on the disk", async () => {
  world.isDiskQuick = false;
  world.give(NVME, owner);
  const subscription = world.router.subscribe(owner, all);
  world.record(NVME);
  world.takeBack(NVME);
  const pending = subscription.next();
  let isTold = false;
  void pending.then(() => {
    isTold = true;
  });
  await turn();
  expect(isTold).toBe(false);
  world.flush();
  expect(shown(await pending)).toEqual({ gaps: [`${NVME}#1-1 released`], entries: [] });
});
