import { beforeEach, describe, expect, test } from "vitest";
import { Frames } from "../../../src/backends/sim/frames.ts";
import { SimulatedInventory } from "../../../src/backends/sim/inventory.ts";
import { abortSTE, defaultDomainSTE, stage2STE } from "../../../src/backends/sim/make-ste.ts";
import { SmmuDriver } from "../../../src/backends/sim/smmu-driver.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import { TWO_SMMUS } from "../../support/host.ts";
import { OFFSET } from "../../support/smmuv3-machine.ts";

const [HOST] = new SimulatedInventory({ ...TWO_SMMUS, devices: [] }).iommus();

let memory: MemoryMap;
let driver: SmmuDriver;
let interrupts: number;
beforeEach(() => {
  memory = new MemoryMap();
  interrupts = 0;
  driver = new SmmuDriver(HOST!, memory, new Frames(memory), {
    onEvents: () => {
      interrupts += 1;
    },
  });
});

const read = (streamID: number) => driver.smmu.translate({ streamID, iova: 0n, access: "read", privileged: false });

describe("bringing the SMMU up", () => {
  test("command and event queue, event interrupt and translation are on, the stream table has two levels", () => {
    const { smmu } = driver;
    expect(smmu.read32(OFFSET.CR0)).toBe(0b1101); // CMDQEN, EVENTQEN, SMMUEN
    expect(smmu.read32(OFFSET.IRQ_CTRL)).toBe(0b100);
    expect(smmu.read32(OFFSET.STRTAB_BASE_CFG)).toBe((1 << 16) | (8 << 6) | 16); // FMT, SPLIT, LOG2SIZE = SIDSIZE
    expect(smmu.read32(OFFSET.GERROR)).toBe(smmu.read32(OFFSET.GERRORN));
  });

  test("a stream nobody has installed is refused by the SMMU", () => {
    expect(read(0x77)).toMatchObject({ kind: "abort" });
  });
});

describe("the default domain's context descriptors", () => {
  const valid = (streamID: number) => {
    expect(memory.read64(driver.contextOf(streamID))).toBe(true);
    return memory.lo >>> 31; // CD.V
  };
  const enter = (streamID: number) =>
    driver.installSTE(streamID, defaultDomainSTE(driver.contextOf(streamID), driver.features));

  test("each stream has its own, 64 to a frame; DMA through it finds an empty table", () => {
    const streams = Array.from({ length: 65 }, (_, index) => 0x100 + index);
    for (const streamID of streams) enter(streamID);
    expect(new Set(streams.map((streamID) => driver.contextOf(streamID))).size).toBe(65);
    for (const streamID of streams) {
      expect(read(streamID)).toMatchObject({ kind: "abort", fault: { type: "F_TRANSLATION", stage: 1 } });
    }
  });

  test("it is valid while an STE leads to it, and only then", () => {
    enter(0x100);
    enter(0x101);
    expect(valid(0x100)).toBe(1);
    driver.installSTE(0x100, abortSTE());
    expect([valid(0x100), valid(0x101)]).toEqual([0, 1]);
    enter(0x100);
    expect(valid(0x100)).toBe(1);
    expect(read(0x100)).toMatchObject({ kind: "abort", fault: { type: "F_TRANSLATION" } });
  });
});

describe("installing an STE", () => {
  test("it stands in memory as it was asked for, in the next hundred as in the first", () => {
    const wanted = stage2STE({ vmid: 3, root: 0x1000, ipaBits: 48, s2sl0: 2 }, driver.features);
    driver.installSTE(0x100, wanted);
    driver.installSTE(0xffff, abortSTE());
    expect(driver.readSTE(0x100)).toEqual(wanted);
    expect(driver.readSTE(0xffff)).toEqual(abortSTE());
    expect(driver.readSTE(0x101)).toEqual(new Array(8).fill(0n));
  });

  test("the SMMU sees it at once: what it had cached of the stream is invalidated", () => {
    driver.installSTE(0x100, abortSTE());
    expect(read(0x100)).toMatchObject({ kind: "abort", fault: undefined });
    driver.installSTE(0x100, stage2STE({ vmid: 3, root: 0x1000, ipaBits: 48, s2sl0: 2 }, driver.features));
    expect(read(0x100)).toMatchObject({ kind: "abort", fault: { type: "F_WALK_EABT" } }); // no RAM at 0x1000
    driver.installSTE(0x100, abortSTE());
    expect(read(0x100)).toMatchObject({ kind: "abort", fault: undefined });
  });

  test("installing the same again issues no command", () => {
    driver.installSTE(0x100, abortSTE());
    const { commands } = driver.smmu.counters;
    driver.installSTE(0x100, abortSTE());
    expect(driver.smmu.counters.commands).toBe(commands);
  });
});

test("a recorded event raises the interrupt, once until the queue was empty again", () => {
  driver.installSTE(0x100, stage2STE({ vmid: 3, root: 0x1000, ipaBits: 48, s2sl0: 2 }, driver.features));
  read(0x100);
  read(0x100);
  expect(interrupts).toBe(1);
});
