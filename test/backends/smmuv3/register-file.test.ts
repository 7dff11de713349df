import { describe, expect, test } from "vitest";
import { IDS, Machine, OFFSET } from "../../support/smmuv3-machine.ts";

describe("registers", () => {
  test("identification registers read as given and ignore writes", () => {
    const { smmu } = new Machine({ ids: { iidr: 0x4830_043b, idr6: 0x10 } });
    smmu.write32(0x00, 0xffff_ffff);
    expect(smmu.read32(0x00)).toBe(IDS.idr0);
    expect(smmu.read32(0x18)).toBe(0x4830_043b);
    expect(smmu.read32(0x190)).toBe(0x10);
    expect(smmu.read64(0x00)).toBe((BigInt(IDS.idr1) << 32n) | BigInt(IDS.idr0));
  });

  test("unknown offsets read as zero and ignore writes", () => {
    const { smmu } = new Machine();
    smmu.write32(0xa8, 5); // the page 0 alias of EVENTQ_PROD
    expect([smmu.read32(0xa8), smmu.read32(0xffc)]).toEqual([0, 0]);
  });

  test("table and queue bases are locked while they are in use", () => {
    const { smmu } = new Machine();
    const before = [OFFSET.STRTAB_BASE, OFFSET.CMDQ_BASE, OFFSET.EVENTQ_BASE].map((offset) => smmu.read64(offset));
    for (const offset of [OFFSET.STRTAB_BASE, OFFSET.CMDQ_BASE, OFFSET.EVENTQ_BASE]) smmu.write64(offset, 0x77_0000n);
    smmu.write32(OFFSET.STRTAB_BASE_CFG, 5);
    smmu.write32(OFFSET.CR2, 0);
    smmu.write32(OFFSET.CMDQ_CONS, 3);
    smmu.write32(OFFSET.EVENTQ_PROD, 3);
    expect([OFFSET.STRTAB_BASE, OFFSET.CMDQ_BASE, OFFSET.EVENTQ_BASE].map((offset) => smmu.read64(offset))).toEqual(
      before,
    );
    expect([smmu.read32(OFFSET.STRTAB_BASE_CFG), smmu.read32(OFFSET.CR2)]).toEqual([8, 2]);
    expect([smmu.read32(OFFSET.CMDQ_CONS), smmu.read32(OFFSET.EVENTQ_PROD)]).toEqual([0, 0]);
  });
});
