// Records of stalled transactions between an SMMU and the host's event thread, where the queue has no room, or the stall is
// over first. Stage 2 stalls here (S2S=1), which no STE of the host's does: the least that makes a stall.
// Source: IHI 0070G.b §3.12.2, §7.2.1.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FaultNotice } from "../../../src/backends/faults.ts";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { EventQueueDriver } from "../../../src/backends/sim/eventq-driver.ts";
import { Frames } from "../../../src/backends/sim/frames.ts";
import { SimulatedInventory } from "../../../src/backends/sim/inventory.ts";
import { abortSTE, type SteWords, stage2STE } from "../../../src/backends/sim/make-ste.ts";
import { EVENTS_MAX, SmmuDriver } from "../../../src/backends/sim/smmu-driver.ts";
import { Stage2Tables } from "../../../src/backends/sim/stage2-tables.ts";
import { Stalls } from "../../../src/backends/sim/stalls.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import type { Outcome } from "../../../src/backends/smmuv3/smmu.ts";
import { DSP, STALL_MAX, WAITING } from "../../support/waiting-world.ts";

const [HOST] = new SimulatedInventory({ ...WAITING, devices: [] }).iommus();
const STALLING = 0x100;
const TERMINATING = 0x101;
/** STE.S2S, bit 185 (§5.2). */
const S2S = 1n << 57n;

let driver: SmmuDriver;
let events: EventQueueDriver;
let stalls: Stalls;
let heard: FaultNotice[];
let ends: Outcome[];
beforeEach(() => {
  const memory = new MemoryMap();
  const frames = new Frames(memory);
  heard = [];
  ends = [];
  let cookie = 0;
  driver = new SmmuDriver(HOST!, memory, frames, { onEvents: () => events.schedule() });
  const parts = { driver, nextCookie: () => ++cookie, deliver: (notice: FaultNotice) => void heard.push(notice) };
  stalls = new Stalls(parts);
  events = new EventQueueDriver({
    ...parts,
    memory,
    stalls,
    findOwner: () => ({ device: DSP, virtualStreamID: virtualStreamID(7) }),
    toGuest: () => undefined,
    devices: () => [DSP],
  });
  const { root, s2sl0 } = new Stage2Tables(memory, frames, 48);
  const plain = stage2STE({ vmid: 3, root, ipaBits: 48, s2sl0 }, driver.features);
  const stalling: SteWords = plain.map((word, index) => (index === 2 ? word | S2S : word));
  driver.installSTE(STALLING, stalling);
  driver.installSTE(TERMINATING, plain);
});
afterEach(() => events.stop());

function fault(streamID: number, times = 1): void {
  for (let count = 0; count < times; count += 1) {
    const outcome = driver.smmu.translate({ streamID, iova: BigInt(count) * 4096n, access: "read", privileged: false });
    if (outcome.kind === "stalled") stalls.began(streamID, outcome.stag, (end) => ends.push(end));
  }
}

const pending = () => heard.flatMap((one) => (one.kind === "fault" && one.fault.pending ? [one.fault.pending] : []));
const counted = (kind: FaultNotice["kind"]) => heard.filter((notice) => notice.kind === kind).length;

describe("behind a full queue", () => {
  test("no stall is lost and no overflow told: each has its record when there is room, in order", () => {
    fault(TERMINATING, EVENTS_MAX);
    fault(STALLING, STALL_MAX);
    expect(stalls.size).toBe(STALL_MAX);
    events.drainAll();
    expect([counted("fault"), counted("overflow"), counted("ended")]).toEqual([EVENTS_MAX + STALL_MAX, 0, 0]);
    const told = heard.slice(EVENTS_MAX).map((notice) => notice.kind === "fault" && notice.fault.inputAddress);
    expect(told).toEqual(Array.from({ length: STALL_MAX }, (_, index) => BigInt(index) * 4096n));
    expect(pending()).toHaveLength(STALL_MAX);
    expect(driver.smmu.counters.eventsDropped).toBe(0);
  });

  test("an overflow by others loses none either", () => {
    fault(TERMINATING, EVENTS_MAX + 3);
    fault(STALLING, 2);
    fault(TERMINATING, 3);
    events.drainAll();
    expect([counted("fault"), counted("overflow"), pending().length]).toEqual([EVENTS_MAX + 2, 1, 2]);
    expect(driver.smmu.counters.eventsDropped).toBe(6);
  });

  test("a stall that has another fate by the time there is room gets that, and is never told", () => {
    fault(TERMINATING, EVENTS_MAX);
    fault(STALLING);
    driver.installSTE(STALLING, abortSTE());
    events.drainAll();
    expect(ends.map(({ kind }) => kind)).toEqual(["abort"]);
    expect([pending().length, counted("ended"), stalls.size]).toEqual([0, 0, 0]);
  });
});

describe("a stall whose record is still in the queue", () => {
  test("ends where its STE stalls no more by one CMD_STALL_TERM, and is told as over, behind its event", () => {
    fault(STALLING, 3);
    driver.installSTE(STALLING, abortSTE());
    const before = driver.smmu.counters.commands;
    stalls.end([STALLING, TERMINATING]);
    expect(driver.smmu.counters.commands - before).toBe(2); // and the CMD_SYNC
    expect(ends.map(({ kind }) => kind)).toEqual(["abort", "abort", "abort"]);
    expect(heard).toEqual([]);
    events.drainAll();
    expect(heard.map(({ kind }) => kind)).toEqual(["fault", "ended", "fault", "ended", "fault", "ended"]);
    const cookies = heard.flatMap((one) => (one.kind === "ended" ? [one.cookie] : []));
    expect(cookies).toEqual(pending().map(({ cookie }) => cookie));
  });

  test("does not end with another stream's", () => {
    fault(STALLING);
    stalls.end([TERMINATING]);
    expect(stalls.size).toBe(1);
    events.drainAll();
    expect(heard.map(({ kind }) => kind)).toEqual(["fault"]);
  });
});

test("an SMMU that holds no stall is given no command to end them", () => {
  const before = driver.smmu.counters.commands;
  stalls.end([STALLING, TERMINATING]);
  expect(driver.smmu.counters.commands).toBe(before);
});

test("a tag that is used again names the new stall only", () => {
  fault(STALLING);
  events.drainAll();
  const [first] = pending();
  stalls.answer(first!.cookie, "abort");
  for (let round = 0; round < 65_536; round += 1) {
    fault(STALLING);
    events.drainAll();
    const last = pending().at(-1)!;
    if (last.stag === first!.stag) break;
    stalls.answer(last.cookie, "abort");
    heard.splice(1, heard.length - 1);
  }
  const last = pending().at(-1)!;
  expect(last.stag).toBe(first!.stag);
  expect(last.cookie).not.toBe(first!.cookie);
  expect([stalls.isPending(DSP, first!.cookie), stalls.isPending(DSP, last.cookie)]).toEqual([false, true]);
});
