import { beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { Frames } from "../../../src/backends/sim/frames.ts";
import { SimulatedInventory } from "../../../src/backends/sim/inventory.ts";
import { abortSTE } from "../../../src/backends/sim/make-ste.ts";
import { SmmuDriver } from "../../../src/backends/sim/smmu-driver.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import { refusal, TWO_SMMUS } from "../../support/host.ts";
import { CMDS, OFFSET } from "../../support/smmuv3-machine.ts";

const [HOST] = new SimulatedInventory({ ...TWO_SMMUS, devices: [] }).iommus();
const raw = ([dword0, dword1]: readonly [bigint, bigint]) => ({ dword0, dword1 });
/** CMD_TLBI_EL2_ALL: CERROR_ILL, since this SMMU has no Hyp (§4.4.2). */
const ILLEGAL = raw(CMDS.el2All());
const LEGAL = raw(CMDS.nhAll(0));

let driver: SmmuDriver;
beforeEach(() => {
  const memory = new MemoryMap();
  driver = new SmmuDriver(HOST!, memory, new Frames(memory), { onEvents: () => {} });
});

const read = (streamID: number) => driver.smmu.translate({ streamID, iova: 0n, access: "read", privileged: false });

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
});
