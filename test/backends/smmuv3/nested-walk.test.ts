// Misses that the nested walk answers, and those it must leave alone; expected reads are counted by hand.
import { describe, expect, test } from "vitest";
import type { Smmu } from "../../../src/backends/smmuv3/smmu.ts";
import { Machine, RAM_BASE } from "../../support/smmuv3-machine.ts";
import {
  contextDescriptor,
  LEAF,
  nestedSTE,
  OPEN,
  S2_OPEN,
  stage1STE,
  stage2STE,
} from "../../support/smmuv3-tables.ts";

const SID = 3;
const VA = 0x40_0000;
const IPA = 0x21_0000_0000;
const PA = 0x80_0000_0000;
const NO_CACHES = { tlbEntries: 0, walkCacheEntries: 0 };

interface Shape {
  readonly leaf?: bigint;
  readonly leaf2?: bigint;
  /** APTable, PXNTable, UXNTable of the Table descriptors of stage 1. */
  readonly tableBits?: bigint;
}

/** Pages VA to VA + 7 of a nested stream, four levels on four (t0sz 16: 48 bits); the tables are mapped as they are. */
function nested({ leaf = OPEN, leaf2 = S2_OPEN, tableBits = 0n }: Shape = {}) {
  const machine = new Machine();
  const [ttb, s2ttb] = [machine.allocate(), machine.allocate()];
  for (let page = 0; page < 8; page++) {
    const [va, ipa] = [VA + page * 4096, IPA + page * 4096];
    machine.mapBlock(ttb, va, ipa, leaf, { startLevel: 0, level: 3, tableBits });
    machine.map(s2ttb, ipa, PA + page * 4096, leaf2, 0);
  }
  const cd = machine.writeCD(contextDescriptor(ttb, { t0sz: 16 }));
  const end = machine.allocate();
  for (let page = RAM_BASE; page < end; page += 4096) machine.map(s2ttb, page, page, S2_OPEN, 0);
  machine.writeSTE(SID, nestedSTE(stage1STE(cd), stage2STE(s2ttb, { t0sz: 16, sl0: 2 })));
  return { machine, ttb, s2ttb };
}

function ask(smmu: Smmu, iova: number, access: "read" | "write" = "read") {
  const before = smmu.counters.transTableWalkAccess;
  const result = smmu.translate({ streamID: SID, iova: BigInt(iova), access, privileged: false });
  const outcome = result.kind === "ok" ? result.pa : result.fault?.type;
  return { outcome, reads: smmu.counters.transTableWalkAccess - before };
}

describe("a nested walk", () => {
  test("reads 24 descriptors without caches", () => {
    const smmu = nested().machine.coldCopy(NO_CACHES);
    ask(smmu, VA); // finds the CD, and where memory is
    expect(ask(smmu, VA + 0x1008)).toEqual({ outcome: PA + 0x1008, reads: 24 });
    expect(smmu.counters).toMatchObject({ tlbHit: 0, tlbMiss: 2 });
  });

  test("reads two with walk caches alone", () => {
    const smmu = nested().machine.coldCopy({ tlbEntries: 0 });
    ask(smmu, VA);
    expect(ask(smmu, VA + 0x2ff8)).toEqual({ outcome: PA + 0x2ff8, reads: 2 });
    expect(ask(smmu, VA + 0x2ff8)).toEqual({ outcome: PA + 0x2ff8, reads: 2 });
  });

  test("reads two with all caches, then none, and reports what it went through", () => {
    const { smmu } = nested().machine;
    ask(smmu, VA);
    expect(ask(smmu, VA + 0x3000)).toEqual({ outcome: PA + 0x3000, reads: 2 });
    expect(ask(smmu, VA + 0x3000)).toEqual({ outcome: PA + 0x3000, reads: 0 });
    expect(smmu.translate({ streamID: SID, iova: BigInt(VA + 0x4010), access: "read", privileged: false })).toEqual({
      kind: "ok",
      pa: PA + 0x4010,
      ipa: IPA + 0x4010,
      pageBytes: 4096,
      bypass: false,
      attributes: { memoryType: "Device-nGnRnE", shareability: "OSH", allocation: "" }, // MAIR is zero
    });
  });

  test("counts no read twice when it gives up without caches", () => {
    const { machine, ttb } = nested();
    machine.map(ttb, VA + 0x5000, IPA, LEAF.USER, 0); // no Access flag
    const smmu = machine.coldCopy(NO_CACHES);
    ask(smmu, VA);
    // four descriptors of stage 1, each found by four of stage 2
    expect(ask(smmu, VA + 0x5000)).toEqual({ outcome: "F_ACCESS", reads: 20 });
  });

  test.each([
    ["a read-only leaf of stage 1", { leaf: OPEN | LEAF.READ_ONLY }],
    ["APTable[1] above it", { tableBits: 1n << 62n }],
    ["a read-only leaf of stage 2", { leaf2: S2_OPEN & ~LEAF.S2_WRITE }],
  ])("refuses a write under %s, and still reads", (_, shape) => {
    for (const caches of [{}, { tlbEntries: 0 }, NO_CACHES]) {
      const smmu = nested(shape).machine.coldCopy(caches);
      expect(ask(smmu, VA).outcome).toBe(PA);
      expect(ask(smmu, VA + 0x1000, "write").outcome).toBe("F_PERMISSION");
      expect(ask(smmu, VA + 0x1000).outcome).toBe(PA + 0x1000);
    }
  });

  test.each([
    ["an invalid leaf of stage 1", "ttb", 0n, "F_TRANSLATION"],
    ["an invalid leaf of stage 2", "s2ttb", 0n, "F_TRANSLATION"],
    ["no Access flag in stage 1", "ttb", BigInt(IPA + 0x5000) | LEAF.USER | 3n, "F_ACCESS"],
    ["no Access flag in stage 2", "s2ttb", BigInt(PA + 0x5000) | LEAF.S2_READ | 3n, "F_ACCESS"],
  ] as const)("leaves %s to the general path, whatever is cached", (_, which, descriptor, fault) => {
    for (const caches of [{}, { tlbEntries: 0 }, NO_CACHES]) {
      const { machine, ttb, s2ttb } = nested();
      const smmu = machine.coldCopy(caches);
      ask(smmu, VA);
      const [table, address] = which === "ttb" ? [ttb, VA + 0x5000] : [s2ttb, IPA + 0x5000];
      const where = machine.mapBlock(table, address, 0, 0n, { startLevel: 0, level: 3 });
      machine.poke(where, descriptor);
      expect(ask(smmu, VA + 0x5000).outcome).toBe(fault);
      expect(ask(smmu, VA + 0x6000).outcome).toBe(PA + 0x6000);
    }
  });

  test("sees a descriptor that was rewritten before anything cached it", () => {
    const { machine, ttb } = nested();
    const smmu = machine.coldCopy({ tlbEntries: 0 });
    ask(smmu, VA);
    machine.mapBlock(ttb, VA + 0x1000, IPA + 0x7000, OPEN, { startLevel: 0, level: 3 });
    expect(ask(smmu, VA + 0x1000).outcome).toBe(PA + 0x7000);
  });
});
