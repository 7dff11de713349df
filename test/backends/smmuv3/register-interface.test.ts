// The effects of register writes and the values that registers show; guards by hand are in test/judge/register-guards.test.ts.
import { describe, expect, test } from "vitest";
import { IDS, Machine, OFFSET } from "../../support/smmuv3-machine.ts";

describe("registers that are shown and steered", () => {
  test("CR0 keeps only the bits that exist and CR0ACK mirrors it", () => {
    const { smmu } = new Machine();
    smmu.write32(OFFSET.CR0, 0xffff_ffff);
    expect(smmu.read32(OFFSET.CR0)).toBe(0b1101); // no PRI, ATS or VMW here
    expect(smmu.read32(0x24)).toBe(0b1101);
    const full = new Machine({ ids: { idr0: IDS.idr0 | (1 << 10) | (1 << 16) | (1 << 17) } }).smmu;
    full.write32(OFFSET.CR0, 0xffff_ffff);
    expect(full.read32(0x24)).toBe(0b1_1101_1111); // VMW [8:6], ATSCHK 4, PRIQEN 1
  });

  test("queue indexes are programmable while the queues are disabled", () => {
    const { smmu } = new Machine();
    smmu.write32(OFFSET.CR0, 0);
    smmu.write32(OFFSET.CMDQ_PROD, 5);
    smmu.write32(OFFSET.CMDQ_CONS, 0x0200_0005);
    smmu.write32(OFFSET.EVENTQ_PROD, 0x8000_0007);
    smmu.write32(OFFSET.EVENTQ_CONS, 0x8000_0007);
    expect([OFFSET.CMDQ_PROD, OFFSET.CMDQ_CONS].map((offset) => smmu.read32(offset))).toEqual([5, 0x0200_0005]);
    expect([OFFSET.EVENTQ_PROD, OFFSET.EVENTQ_CONS].map((offset) => smmu.read32(offset))).toEqual([
      0x8000_0007, 0x8000_0007,
    ]);
  });

  test("GBPA takes a value only with Update set, and Update reads back 0", () => {
    const { smmu } = new Machine();
    expect(smmu.read32(OFFSET.GBPA)).toBe(0x1000); // SHCFG: use incoming
    smmu.write32(OFFSET.GBPA, 0x0010_0000);
    expect(smmu.read32(OFFSET.GBPA)).toBe(0x1000);
    smmu.write32(OFFSET.GBPA, 0x8010_0000);
    expect(smmu.read32(OFFSET.GBPA)).toBe(0x0010_0000);
  });

  test("GERROR is read-only", () => {
    const { smmu } = new Machine();
    smmu.write32(OFFSET.GERROR, 1);
    expect([smmu.read32(OFFSET.GERROR), smmu.read32(OFFSET.GERRORN)]).toEqual([0, 0]);
  });
});
