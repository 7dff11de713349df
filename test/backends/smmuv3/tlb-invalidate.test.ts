// What caches may keep, and what a command must remove: CMD_TLBI_* (§4.4) and CMD_CFGI_* (§4.3).
import { describe, expect, test } from "vitest";
import { CMDS, Machine, RAM_BASE } from "../../support/smmuv3-machine.ts";
import {
  at,
  bypassSTE,
  contextDescriptor,
  LEAF,
  nestedSTE,
  OPEN,
  S2_OPEN,
  stage1STE,
  stage2STE,
} from "../../support/smmuv3-tables.ts";

const SID = 4;
const VMID = 9;
const ASID = 33;
const OLD = 0x4800_0000;
const NEW = 0x4900_0000;

/** Pages 0x1000 (nG) and 0x2000 (global) cached as OLD, then rewritten to NEW: stale until invalidated. */
function staleStage1() {
  const machine = new Machine();
  const table = machine.allocate();
  machine.map(table, 0x1000, OLD, OPEN);
  machine.map(table, 0x2000, OLD, LEAF.AF | LEAF.USER);
  const cd = machine.writeCD(contextDescriptor(table, { asid: ASID }));
  machine.writeSTE(SID, stage1STE(cd, { vmid: VMID }));
  machine.read(SID, 0x1000);
  machine.read(SID, 0x2000);
  machine.map(table, 0x1000, NEW, OPEN);
  machine.map(table, 0x2000, NEW, LEAF.AF | LEAF.USER);
  return { machine, local: () => machine.outcome(SID, 0x1000), global: () => machine.outcome(SID, 0x2000) };
}

/**
 * A leaf table is known from a read of 0x1000; then another takes its place, in which 0x2000 leads to NEW and not to OLD.
 * A read of 0x2000 misses the TLB and shows which table is used.
 */
function staleTable(world: "EL1" | "EL2" | "EL2-E2H") {
  const machine = new Machine({ cr2: world === "EL2-E2H" ? 3 : 2 });
  const [root, next] = [machine.allocate(), machine.allocate()];
  machine.map(root, 0x1000, OLD, OPEN);
  machine.map(root, 0x2000, OLD, OPEN);
  const half1 = world === "EL2" ? at(1, 30) : 0n;
  const cd = machine.writeCD(contextDescriptor(root, { asid: ASID, extra0: half1 }));
  const ste = stage1STE(cd, { vmid: world === "EL1" ? VMID : 0 });
  ste[1] |= at(world === "EL1" ? 0 : 2, 30); // STRW [95:94]
  machine.writeSTE(SID, ste);
  expect(machine.outcome(SID, 0x1000)).toBe(OLD);
  machine.poke(next + 2 * 8, BigInt(NEW) | OPEN | 3n);
  machine.mapBlock(root, 0, next, 2n, { level: 2 }); // type 0b11: a table
  return machine;
}

describe("the walk cache's leaf tables", () => {
  const inRegion = 0x1f_f000n; // another page of the same 2 MiB
  test.each([
    ["nothing", "EL1", CMDS.sync(), OLD],
    ["CMD_TLBI_NH_ALL", "EL1", CMDS.nhAll(VMID), NEW],
    ["CMD_TLBI_NH_ALL of another VMID", "EL1", CMDS.nhAll(VMID + 1), OLD],
    ["CMD_TLBI_NH_ASID", "EL1", CMDS.nhASID(VMID, ASID), NEW],
    ["CMD_TLBI_NH_ASID of another ASID", "EL1", CMDS.nhASID(VMID, ASID + 1), OLD],
    ["CMD_TLBI_NH_VA of any page below it", "EL1", CMDS.nhVA(VMID, ASID, inRegion), NEW],
    ["CMD_TLBI_NH_VA of a page beside it", "EL1", CMDS.nhVA(VMID, ASID, 0x20_0000n), OLD],
    ["CMD_TLBI_NH_VA of another ASID", "EL1", CMDS.nhVA(VMID, ASID + 1, inRegion), OLD],
    ["CMD_TLBI_NH_VA with Leaf=1", "EL1", CMDS.nhVA(VMID, ASID, 0x1000n | 1n), OLD],
    ["CMD_TLBI_NH_VAA", "EL1", CMDS.nhVAA(VMID, inRegion), NEW],
    ["CMD_TLBI_NH_VAA with Leaf=1", "EL1", CMDS.nhVAA(VMID, 0x1000n | 1n), OLD],
    ["CMD_TLBI_S12_VMALL", "EL1", CMDS.s12All(VMID), NEW],
    ["CMD_TLBI_S2_IPA", "EL1", CMDS.s2IPA(VMID, 0x1000n), OLD],
    ["CMD_TLBI_NSNH_ALL", "EL1", CMDS.nsnhAll(), NEW],
    ["CMD_TLBI_EL2_ALL", "EL1", CMDS.el2All(), OLD],
    ["CMD_TLBI_EL2_ALL", "EL2", CMDS.el2All(), NEW],
    ["CMD_TLBI_EL2_VA, whatever the ASID", "EL2", CMDS.el2VA(ASID + 1, inRegion), NEW],
    ["CMD_TLBI_EL2_VAA", "EL2", CMDS.el2VAA(inRegion), NEW],
    ["CMD_TLBI_NH_ALL", "EL2", CMDS.nhAll(0), OLD],
    ["CMD_TLBI_NSNH_ALL", "EL2", CMDS.nsnhAll(), OLD],
    ["CMD_TLBI_EL2_ALL", "EL2-E2H", CMDS.el2All(), NEW],
    ["CMD_TLBI_EL2_ASID", "EL2-E2H", CMDS.el2ASID(ASID), NEW],
    ["CMD_TLBI_EL2_ASID of another ASID", "EL2-E2H", CMDS.el2ASID(ASID + 1), OLD],
    ["CMD_TLBI_EL2_VA", "EL2-E2H", CMDS.el2VA(ASID, inRegion), NEW],
    ["CMD_TLBI_EL2_VA of another ASID", "EL2-E2H", CMDS.el2VA(ASID + 1, inRegion), OLD],
  ] as const)("%s in %s", (_, world, command, expected) => {
    const machine = staleTable(world);
    machine.command(command);
    expect(machine.commandError).toBe(0);
    expect(machine.outcome(SID, 0x2000)).toBe(expected);
  });

  test.each([
    ["nothing", CMDS.sync(), OLD],
    ["CMD_TLBI_S2_IPA of any page below it", CMDS.s2IPA(VMID, inRegion), NEW],
    ["CMD_TLBI_S2_IPA with Leaf=1", CMDS.s2IPA(VMID, 0x1000n | 1n), OLD],
    ["CMD_TLBI_S2_IPA of another VMID", CMDS.s2IPA(VMID + 1, inRegion), OLD],
    ["CMD_TLBI_S12_VMALL", CMDS.s12All(VMID), NEW],
    ["CMD_TLBI_NSNH_ALL", CMDS.nsnhAll(), NEW],
    ["CMD_TLBI_NH_ALL", CMDS.nhAll(VMID), OLD],
  ])("%s in stage 2", (_, command, expected) => {
    const machine = new Machine();
    const [root, next] = [machine.allocate(), machine.allocate()];
    machine.map(root, 0x1000, OLD, S2_OPEN);
    machine.map(root, 0x2000, OLD, S2_OPEN);
    machine.writeSTE(SID, stage2STE(root, { vmid: VMID }));
    expect(machine.outcome(SID, 0x1000)).toBe(OLD);
    machine.poke(next + 2 * 8, BigInt(NEW) | S2_OPEN | 3n);
    machine.mapBlock(root, 0, next, 2n, { level: 2 });
    machine.command(command);
    expect(machine.outcome(SID, 0x2000)).toBe(expected);
  });
});

describe("the walk cache of larger granules", () => {
  const GRANULES = [
    { granule: "16 KiB", tg0: 2, pageBits: 14, startLevel: 1, spanBits: 25 },
    { granule: "64 KiB", tg0: 1, pageBits: 16, startLevel: 2, spanBits: 29 },
  ];

  /** Pages 1 to 3 lead to OLD; page 1 is read, then another leaf table takes over, in which pages 2 and 3 lead to NEW. */
  function staleLargeTable({ tg0, pageBits, startLevel }: (typeof GRANULES)[number]) {
    const machine = new Machine();
    const [root, next] = [machine.allocate(2 ** pageBits), machine.allocate(2 ** pageBits)];
    const page = 2 ** pageBits;
    for (const index of [1, 2, 3]) machine.mapBlock(root, index * page, OLD, OPEN, { startLevel, level: 3, pageBits });
    machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(root, { asid: ASID, tg0 })), { vmid: VMID }));
    expect(machine.outcome(SID, page)).toBe(OLD);
    for (const index of [2, 3]) machine.poke(next + index * 8, BigInt(NEW) | OPEN | 3n);
    machine.mapBlock(root, 0, next, 2n, { startLevel, level: 2, pageBits }); // type 0b11: a table
    return { machine, read: (index: number) => machine.outcome(SID, index * page) };
  }

  test.each(GRANULES)("$granule: a table is used until a command names an address below it", (shape) => {
    const { machine, read } = staleLargeTable(shape);
    machine.command(CMDS.nhVA(VMID, ASID, at(1, shape.spanBits))); // the first address of the next table
    const before = machine.smmu.counters.transTableWalkAccess;
    expect(read(2)).toBe(OLD);
    expect(machine.smmu.counters.transTableWalkAccess - before).toBe(1); // the leaf alone
    machine.command(CMDS.nhVA(VMID, ASID, at(1, shape.spanBits) - 0x1000n)); // its last
    expect(read(3)).toBe(NEW);
  });

  test.each(GRANULES)("$granule: each 4 KiB of a table is found on its own", (shape) => {
    const machine = new Machine();
    const { tg0, startLevel, pageBits } = shape;
    const root = machine.allocate(2 ** pageBits);
    const pages = [0, 1, 511, 512, 513, 1024, 1025, 2047].map((index) => index * 2 ** pageBits); // 512 in 4 KiB of table
    for (const va of pages) machine.mapBlock(root, va, OLD + va, OPEN, { startLevel, level: 3, pageBits });
    machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(root, { asid: ASID, tg0 })), { vmid: VMID }));
    for (const va of pages) expect(machine.outcome(SID, va), `0x${va.toString(16)}`).toBe(OLD + va);
  });
});

describe("stage 1 entries", () => {
  test("stay stale until a command removes them", () => {
    const { local, global } = staleStage1();
    expect([local(), global()]).toEqual([OLD, OLD]);
  });

  test.each([
    ["CMD_TLBI_NH_ALL of the VMID", CMDS.nhAll(VMID), [NEW, NEW]],
    ["CMD_TLBI_NH_ALL of another VMID", CMDS.nhAll(VMID + 1), [OLD, OLD]],
    ["CMD_TLBI_NH_ASID spares global entries", CMDS.nhASID(VMID, ASID), [NEW, OLD]],
    ["CMD_TLBI_NH_ASID of another ASID", CMDS.nhASID(VMID, ASID + 1), [OLD, OLD]],
    ["CMD_TLBI_NH_VA of the page", CMDS.nhVA(VMID, ASID, 0x1000n), [NEW, OLD]],
    ["CMD_TLBI_NH_VA with another ASID", CMDS.nhVA(VMID, ASID + 1, 0x1000n), [OLD, OLD]],
    ["CMD_TLBI_NH_VA of a global page, any ASID", CMDS.nhVA(VMID, ASID + 1, 0x2000n), [OLD, NEW]],
    ["CMD_TLBI_NH_VAA of the page", CMDS.nhVAA(VMID, 0x1000n), [NEW, OLD]],
    ["CMD_TLBI_S12_VMALL", CMDS.s12All(VMID), [NEW, NEW]],
    ["CMD_TLBI_NSNH_ALL", CMDS.nsnhAll(), [NEW, NEW]],
    ["CMD_TLBI_EL2_ALL", CMDS.el2All(), [OLD, OLD]],
    ["CMD_TLBI_S2_IPA", CMDS.s2IPA(VMID, 0x1000n), [OLD, OLD]],
  ])("%s", (_, command, expected) => {
    const { machine, local, global } = staleStage1();
    machine.command(command, CMDS.sync());
    expect(machine.commandError).toBe(0);
    expect([local(), global()]).toEqual(expected);
  });

  test("a range covers (NUM+1) * 2^SCALE granules from its address", () => {
    const { machine, local, global } = staleStage1();
    // TG=1 [75:74] 4 KiB, NUM=1 [16:12], SCALE=0: pages 0x0000 and 0x1000
    machine.command([0x12n | at(1, 12) | at(VMID, 32) | at(ASID, 48), at(1, 10)]);
    expect([local(), global()]).toEqual([NEW, OLD]);
    // SCALE=1 [24:20]: pages 0x1000 and 0x2000
    machine.command([0x12n | at(1, 20) | at(VMID, 32) | at(ASID, 48), 0x1000n | at(1, 10)]);
    expect(global()).toBe(NEW);
  });

  test("a VMID wildcard in CR0.VMW removes entries of the whole group", () => {
    const machine = new Machine({ ids: { idr0: 0x080c_121b | (1 << 17) } }); // VMW
    const table = machine.allocate();
    machine.map(table, 0x1000, OLD, OPEN);
    machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(table)), { vmid: 9 }));
    machine.smmu.write32(0x20, 0b1101 | (1 << 6)); // VMW=1: VMID[0] is not compared (§6.3.9)
    machine.read(SID, 0x1000);
    machine.map(table, 0x1000, NEW, OPEN);
    machine.command(CMDS.nhAll(8));
    expect(machine.outcome(SID, 0x1000)).toBe(NEW);
  });

  test("any address inside a block removes all that was cached from the block", () => {
    const machine = new Machine();
    const table = machine.allocate();
    const block = machine.mapBlock(table, 0x20_0000, OLD, OPEN, { level: 2 });
    machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(table, { asid: ASID })), { vmid: VMID }));
    expect(machine.read(SID, 0x20_0000)).toMatchObject({ pa: OLD, pageBytes: 0x20_0000 });
    machine.read(SID, 0x3f_f000);
    machine.poke(block, 0n);
    expect(machine.outcome(SID, 0x3f_f000)).toBe(OLD + 0x1f_f000);
    machine.command(CMDS.nhVA(VMID, ASID, 0x30_0000n));
    expect(machine.outcome(SID, 0x20_0000)).toBe("F_TRANSLATION");
    expect(machine.outcome(SID, 0x3f_f000)).toBe("F_TRANSLATION");
  });

  test("entries of one ASID or VMID are not found under another", () => {
    const machine = new Machine();
    const [one, two] = [machine.allocate(), machine.allocate()];
    machine.map(one, 0x1000, OLD, OPEN);
    machine.map(two, 0x1000, NEW, OPEN);
    machine.writeSTE(1, stage1STE(machine.writeCD(contextDescriptor(one, { asid: 1 })), { vmid: 1 }));
    machine.writeSTE(2, stage1STE(machine.writeCD(contextDescriptor(two, { asid: 2 })), { vmid: 1 }));
    machine.writeSTE(3, stage1STE(machine.writeCD(contextDescriptor(two, { asid: 1 })), { vmid: 2 }));
    expect([1, 2, 3].map((sid) => machine.outcome(sid, 0x1000))).toEqual([OLD, NEW, NEW]);
    expect([1, 2, 3].map((sid) => machine.outcome(sid, 0x1000))).toEqual([OLD, NEW, NEW]);
  });
});

describe("EL2 entries", () => {
  function staleEL2(cr2: number, ttb1: boolean) {
    const machine = new Machine({ cr2 });
    const table = machine.allocate();
    machine.map(table, 0x1000, OLD, OPEN);
    const cd = contextDescriptor(table, ttb1 ? { asid: ASID, ttb1: table } : { asid: ASID });
    const ste = stage1STE(machine.writeCD(cd));
    machine.writeSTE(SID, [ste[0], at(2, 30), 0n, 0n, 0n, 0n, 0n, 0n]); // STRW=0b10
    machine.read(SID, 0x1000);
    machine.map(table, 0x1000, NEW, OPEN);
    return machine;
  }

  test.each([
    ["CMD_TLBI_EL2_ALL", CMDS.el2All(), NEW, NEW],
    ["CMD_TLBI_EL2_VA of the page: EL2 ignores the ASID, EL2-E2H does not", CMDS.el2VA(1, 0x1000n), NEW, OLD],
    ["CMD_TLBI_EL2_VA with the ASID", CMDS.el2VA(ASID, 0x1000n), NEW, NEW],
    ["CMD_TLBI_EL2_VAA of the page", CMDS.el2VAA(0x1000n), NEW, NEW],
    ["CMD_TLBI_EL2_ASID reaches EL2-E2H only", CMDS.el2ASID(ASID), OLD, NEW],
    ["CMD_TLBI_NSNH_ALL reaches neither", CMDS.nsnhAll(), OLD, OLD],
  ])("%s", (_, command, el2, e2h) => {
    const [plain, host] = [staleEL2(2, false), staleEL2(3, true)];
    for (const machine of [plain, host]) machine.command(command);
    expect([plain.outcome(SID, 0x1000), host.outcome(SID, 0x1000)]).toEqual([el2, e2h]);
  });
});

describe("stage 2 and combined entries", () => {
  function staleStage2() {
    const machine = new Machine();
    const table = machine.allocate();
    machine.map(table, 0x1000, OLD, S2_OPEN);
    machine.writeSTE(SID, stage2STE(table, { vmid: VMID }));
    machine.read(SID, 0x1000);
    machine.map(table, 0x1000, NEW, S2_OPEN);
    return machine;
  }

  test.each([
    ["no command", CMDS.sync(), OLD],
    ["CMD_TLBI_S2_IPA of the page", CMDS.s2IPA(VMID, 0x1000n), NEW],
    ["CMD_TLBI_S2_IPA of another page", CMDS.s2IPA(VMID, 0x2000n), OLD],
    ["CMD_TLBI_S2_IPA of another VMID", CMDS.s2IPA(VMID + 1, 0x1000n), OLD],
    ["CMD_TLBI_S12_VMALL", CMDS.s12All(VMID), NEW],
    ["CMD_TLBI_S12_VMALL of another VMID", CMDS.s12All(VMID + 1), OLD],
    ["CMD_TLBI_NH_ALL is stage 1 only", CMDS.nhAll(VMID), OLD],
    ["CMD_TLBI_NSNH_ALL", CMDS.nsnhAll(), NEW],
  ])("stage 2 entries: %s", (_, command, expected) => {
    const machine = staleStage2();
    machine.command(command);
    expect(machine.outcome(SID, 0x1000)).toBe(expected);
  });

  test("a combined entry outlives CMD_TLBI_S2_IPA and dies with CMD_TLBI_NH_ALL", () => {
    const machine = new Machine();
    const [stage1, stage2] = [machine.allocate(), machine.allocate()];
    machine.map(stage1, 0x1000, 0x7000, OPEN);
    const cd = machine.writeCD(contextDescriptor(stage1));
    machine.map(stage2, 0x7000, OLD, S2_OPEN);
    const end = machine.allocate();
    for (let page = RAM_BASE; page < end; page += 4096) machine.map(stage2, page, page, S2_OPEN);
    machine.writeSTE(SID, nestedSTE(stage1STE(cd), stage2STE(stage2, { vmid: VMID })));
    machine.read(SID, 0x1000);
    machine.map(stage2, 0x7000, NEW, S2_OPEN);
    machine.command(CMDS.s2IPA(VMID, 0x7000n));
    expect(machine.outcome(SID, 0x1000)).toBe(OLD);
    machine.command(CMDS.nhAll(VMID));
    expect(machine.outcome(SID, 0x1000)).toBe(NEW);
  });
});

describe("configuration", () => {
  test.each([
    ["no command", CMDS.sync(), "F_TRANSLATION"],
    ["CMD_CFGI_STE", CMDS.cfgiSTE(SID), 0x5000],
    ["CMD_CFGI_STE of another stream", CMDS.cfgiSTE(SID + 1), "F_TRANSLATION"],
    ["CMD_CFGI_STE_RANGE around it", CMDS.cfgiRange(SID + 3, 1), 0x5000], // 4 STEs from an aligned StreamID
    ["CMD_CFGI_STE_RANGE beside it", CMDS.cfgiRange(SID + 4, 1), "F_TRANSLATION"],
    ["CMD_CFGI_ALL", CMDS.cfgiRange(0, 31), 0x5000],
    ["CMD_CFGI_CD", CMDS.cfgiCD(SID, 0), "F_TRANSLATION"],
  ])("an STE is stale until removed: %s", (_, command, expected) => {
    const machine = new Machine();
    machine.writeSTE(SID, stage2STE(machine.allocate()));
    machine.read(SID, 0x5000);
    machine.writeSTE(SID, bypassSTE());
    machine.command(command);
    expect(machine.outcome(SID, 0x5000)).toBe(expected);
  });

  test.each([
    ["no command", CMDS.sync(), OLD],
    ["CMD_CFGI_CD", CMDS.cfgiCD(SID, 3), NEW],
    ["CMD_CFGI_CD of another SubstreamID", CMDS.cfgiCD(SID, 2), OLD],
    ["CMD_CFGI_CD_ALL", CMDS.cfgiCDAll(SID), NEW],
    ["CMD_CFGI_STE", CMDS.cfgiSTE(SID), NEW],
  ])("a CD is stale until removed: %s", (_, command, expected) => {
    const machine = new Machine();
    const [one, two, cds] = [machine.allocate(), machine.allocate(), machine.allocate()];
    machine.map(one, 0x1000, OLD, OPEN);
    machine.map(two, 0x1000, NEW, OPEN);
    machine.writeCD(contextDescriptor(one, { asid: 1 }), cds + 3 * 64);
    machine.writeSTE(SID, stage1STE(cds, { cdMax: 4 }));
    machine.read(SID, 0x1000, { ssid: 3 });
    machine.writeCD(contextDescriptor(two, { asid: 2 }), cds + 3 * 64);
    machine.command(command);
    expect(machine.outcome(SID, 0x1000, "read", { ssid: 3 })).toBe(expected);
  });
});
