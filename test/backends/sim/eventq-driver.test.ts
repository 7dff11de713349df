import { beforeEach, describe, expect, test } from "vitest";
import type { FaultNotice, FaultRecord } from "../../../src/backends/faults.ts";
import { type DeviceID, deviceID, type VirtualStreamID, virtualStreamID } from "../../../src/backends/ids.ts";
import { EventQueueDriver } from "../../../src/backends/sim/eventq-driver.ts";
import { Frames } from "../../../src/backends/sim/frames.ts";
import { SimulatedInventory } from "../../../src/backends/sim/inventory.ts";
import { stage2STE } from "../../../src/backends/sim/make-ste.ts";
import { EVENTS_MAX, SmmuDriver } from "../../../src/backends/sim/smmu-driver.ts";
import { Stage2Tables } from "../../../src/backends/sim/stage2-tables.ts";
import { Stalls } from "../../../src/backends/sim/stalls.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import { REGISTER } from "../../../src/spec/registers.ts";
import { TWO_SMMUS, turn } from "../../support/host.ts";

const [HOST] = new SimulatedInventory({ ...TWO_SMMUS, devices: [] }).iommus();
const NIC = deviceID("nic");

let memory: MemoryMap;
let driver: SmmuDriver;
let events: EventQueueDriver;
let stalls: Stalls;
let heard: FaultNotice[];
/** The one physical address that is the guest's, and its own name for it. */
const GUEST_PA = 0x10_0000_0040;
const GUEST_IPA = 0x4000_0040;

let owner: { device: DeviceID; virtualStreamID: VirtualStreamID | undefined } | undefined;
beforeEach(() => {
  memory = new MemoryMap();
  heard = [];
  owner = { device: NIC, virtualStreamID: virtualStreamID(0x30) };
  const frames = new Frames(memory);
  driver = new SmmuDriver(HOST!, memory, frames, { onEvents: () => events.schedule() });
  let cookie = 0;
  const deliver = (notice: FaultNotice): void => void heard.push(notice);
  stalls = new Stalls({ driver, nextCookie: () => ++cookie, deliver });
  events = new EventQueueDriver({
    driver,
    memory,
    stalls,
    findOwner: (streamID) => (streamID === 0x100 ? owner : undefined),
    toGuest: (_, pa) => (pa === GUEST_PA ? GUEST_IPA : undefined),
    devices: () => [NIC],
    deliver,
  });
  const { root, s2sl0 } = new Stage2Tables(memory, frames, 48);
  driver.installSTE(0x100, stage2STE({ vmid: 3, root, ipaBits: 48, s2sl0 }, driver.features));
});

/** A read through an empty stage 2: F_TRANSLATION. */
function fault(times = 1, iova = 0x1_2345_6789n): void {
  for (let count = 0; count < times; count += 1) {
    driver.smmu.translate({ streamID: 0x100, iova, access: "read", privileged: true });
  }
}

const faults = (): FaultRecord[] => heard.flatMap((notice) => (notice.kind === "fault" ? [notice.fault] : []));

describe("a record", () => {
  test("is decoded and has the guest's StreamID in place of the host's, on a later turn", async () => {
    fault();
    expect(heard).toEqual([]);
    await turn();
    const [first] = faults();
    expect(first).toMatchObject({
      device: NIC,
      virtualStreamID: 0x30,
      substreamID: undefined,
      type: "F_TRANSLATION",
      typeNumber: 0x10,
      stage: 2,
      class: "IN",
      inputAddress: 0x1_2345_6789n,
      ipa: 0x1_2345_6000,
      fetchAddress: undefined,
      read: true,
      instruction: false,
      privileged: true,
      transition: false,
    });
    const words = new DataView(first!.record.buffer);
    expect([words.getUint8(0), words.getUint32(4, true), first!.record.length]).toEqual([0x10, 0x30, 32]); // §7.3
    expect(words.getBigUint64(16, true)).toBe(0x1_2345_6789n);
  });

  test("of a device without a name has StreamID 0", async () => {
    owner = { device: NIC, virtualStreamID: undefined };
    fault();
    await turn();
    expect(faults()[0]!.virtualStreamID).toBeUndefined();
    expect(new DataView(faults()[0]!.record.buffer).getUint32(4, true)).toBe(0);
  });

  test("of a stream that nobody has any more is dropped", async () => {
    owner = undefined;
    fault();
    await turn();
    expect(heard).toEqual([]);
    expect(events.waiting()).toBe(0);
  });
});

describe("many records", () => {
  test("are taken 256 in a turn, and all in the end, in order", () => {
    for (let count = 0; count < 600; count += 1) fault(1, BigInt(count) * 4096n);
    expect(events.waiting()).toBe(600);
    events.drain();
    expect([faults().length, events.waiting()]).toEqual([256, 344]);
    events.drainAll();
    expect(events.waiting()).toBe(0);
    const addresses = Array.from({ length: 600 }, (_, index) => BigInt(index) * 4096n);
    expect(faults().map((one) => one.inputAddress)).toEqual(addresses);
    // InputAddr [191:128] (§7.3.13): each record is one's own, though they were read into the same place
    expect(faults().map(({ record }) => new DataView(record.buffer).getBigUint64(16, true))).toEqual(addresses);
    events.stop();
  });

  test("beyond the queue are lost, and an overflow is told, once for each", async () => {
    fault(EVENTS_MAX + 5);
    events.drainAll();
    expect(faults()).toHaveLength(EVENTS_MAX);
    expect(heard.filter(({ kind }) => kind === "overflow")).toEqual([{ kind: "overflow", devices: [NIC] }]);
    expect(driver.smmu.counters.eventsDropped).toBe(5);
    fault(3);
    events.drainAll();
    expect(faults()).toHaveLength(EVENTS_MAX + 3);
    fault(EVENTS_MAX + 1);
    events.drainAll();
    expect(heard.filter(({ kind }) => kind === "overflow")).toHaveLength(2);
    await turn();
    events.stop();
  });
});

test("stopping cancels the turn that was scheduled", async () => {
  fault();
  events.stop();
  await turn();
  expect(heard).toEqual([]);
  events.schedule();
  await turn();
  expect(heard).toHaveLength(1);
});

describe("FetchAddr", () => {
  /** F_CD_FETCH as §7.3.10 has it: type, StreamID, FetchAddr in bits [247:195]; put into the queue by hand. */
  function record(fetchAddress: number): void {
    const words = new Uint32Array(8);
    words[0] = 0x09;
    words[1] = 0x100;
    words[6] = fetchAddress % 2 ** 32;
    words[7] = Math.floor(fetchAddress / 2 ** 32);
    const prod = driver.smmu.read32(REGISTER.EVENTQ_PROD);
    memory.writeBytes(driver.eventQueueBase + prod * 32, new Uint8Array(words.buffer));
    driver.smmu.write32(REGISTER.CR0, 0b1001); // EVENTQEN=0: PROD can be written
    driver.smmu.write32(REGISTER.EVENTQ_PROD, prod + 1);
    driver.smmu.write32(REGISTER.CR0, 0b1101);
    events.drain();
  }

  test("is told as the guest's own address where it is in the guest's memory", () => {
    record(GUEST_PA);
    const [told] = faults();
    expect(told!.fetchAddress).toBe(GUEST_IPA);
    expect(new DataView(told!.record.buffer).getBigUint64(24, true)).toBe(BigInt(GUEST_IPA));
  });

  test("comes without what the transaction did: an F_CD_FETCH record has no RnW, InD and PnU", () => {
    record(GUEST_PA);
    expect(faults()[0]).toMatchObject({ read: undefined, instruction: undefined, privileged: undefined });
  });

  test("is not told where it is the host's", () => {
    record(0x8000_0040);
    const [told] = faults();
    expect(told!.fetchAddress).toBeUndefined();
    expect(new DataView(told!.record.buffer).getBigUint64(24, true)).toBe(0n);
  });
});
