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

  test("CR0 keeps only the bits that exist and CR0ACK mirrors it", () => {
    const { smmu } = new Machine();
    smmu.write32(OFFSET.CR0, 0xffff_ffff);
    expect(smmu.read32(OFFSET.CR0)).toBe(0b1101); // no PRI, ATS or VMW here
    expect(smmu.read32(0x24)).toBe(0b1101);
    const full = new Machine({ ids: { idr0: IDS.idr0 | (1 << 10) | (1 << 16) | (1 << 17) } }).smmu;
    full.write32(OFFSET.CR0, 0xffff_ffff);
    expect(full.read32(0x24)).toBe(0b1_1101_1111); // VMW [8:6], ATSCHK 4, PRIQEN 1
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
