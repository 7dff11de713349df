import { beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { Frames } from "../../../src/backends/sim/frames.ts";
import { SimulatedInventory } from "../../../src/backends/sim/inventory.ts";
import { abortSTE, defaultDomainSTE, stage2STE } from "../../../src/backends/sim/make-ste.ts";
import { SmmuDriver, tlbi } from "../../../src/backends/sim/smmu-driver.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import { refusal, TWO_SMMUS } from "../../support/host.ts";
import { CMDS, OFFSET } from "../../support/smmuv3-machine.ts";

const [HOST] = new SimulatedInventory({ ...TWO_SMMUS, devices: [] }).iommus();
const raw = ([dword0, dword1]: readonly [bigint, bigint]) => ({ dword0, dword1 });
/** CMD_TLBI_EL2_ALL: CERROR_ILL, since this SMMU has no Hyp (§4.4.2). */
const ILLEGAL = raw(CMDS.el2All());
const LEGAL = raw(CMDS.nhAll(0));

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

describe("issuing commands", () => {
  test.each([0, 1, 255, 256, 257, 1000])("%d commands and a sync are all consumed, the queue wrapping", (count) => {
    const before = driver.smmu.counters.commands;
    driver.issue(new Array(count).fill(LEGAL));
    expect(driver.smmu.counters.commands - before).toBe(count + 1);
    driver.issue(new Array(count).fill(LEGAL));
    expect(driver.smmu.counters.commands - before).toBe(2 * (count + 1));
  });

  test.each([0, 1, 255, 256, 300])(
    "a refused command at place %d is backend_failed, and the queue works afterwards",
    async (place) => {
      const batch = new Array(400).fill(LEGAL);
      batch[place] = ILLEGAL;
      const error = await refusal(() => driver.issue(batch));
      expect(error).toBeInstanceOf(BrokerError);
      expect(error).toMatchObject({ code: "backend_failed", facts: { iommu: "smmu0", cerror: 1 } });
      expect(driver.smmu.read32(OFFSET.GERROR)).toBe(driver.smmu.read32(OFFSET.GERRORN));
      const before = driver.smmu.counters.commands;
      driver.issue([LEGAL]);
      expect(driver.smmu.counters.commands - before).toBe(2);
    },
  );

  test("of a batch with a refused command those before it have run, those behind it have not", async () => {
    driver.installSTE(0x100, abortSTE());
    read(0x100);
    const misses = () => driver.smmu.counters.configCacheMiss;
    const before = misses();
    await refusal(() => driver.issue([ILLEGAL, raw(CMDS.cfgiSTE(0x100))]));
    read(0x100);
    expect(misses()).toBe(before);
    await refusal(() => driver.issue([raw(CMDS.cfgiSTE(0x100)), ILLEGAL]));
    read(0x100);
    expect(misses()).toBe(before + 1);
  });

  test("a TLB command carries VMID, address and leaf where §4.4 has them", () => {
    expect(tlbi(0x2a, 0x1234, 0x4000_5000, true)).toEqual({ dword0: 0x1234_0000_002an, dword1: 0x4000_5001n });
    expect(tlbi(0x28, 1)).toEqual({ dword0: 0x1_0000_0028n, dword1: 0n });
  });
});

test("a recorded event raises the interrupt, once until the queue was empty again", () => {
  driver.installSTE(0x100, stage2STE({ vmid: 3, root: 0x1000, ipaBits: 48, s2sl0: 2 }, driver.features));
  read(0x100);
  read(0x100);
  expect(interrupts).toBe(1);
});
