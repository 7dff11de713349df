// Stage 1 and the Access flag and dirty state, in software's hands and in hardware's (§3.13).
import { describe, expect, test } from "vitest";
import { IDS, Machine, RAM_BASE } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, LEAF, nestedSTE, S2_OPEN, stage1STE, stage2STE } from "../../support/smmuv3-tables.ts";

const SID = 6;
const HTTU_DIRTY = { idr0: IDS.idr0 | (2 << 6) };
const HA = at(1, 43);
const HD = at(1, 42);
const AFFD = at(1, 35);
const PA = 0x4800_0000;

function stage1(extra0: bigint, attributes: bigint, ids = HTTU_DIRTY) {
  const machine = new Machine({ ids });
  const table = machine.allocate();
  const descriptor = machine.mapBlock(table, 0x1000, PA, attributes, { level: 3 });
  machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(table, { extra0 }))));
  return { machine, flags: () => machine.peek(descriptor) & (LEAF.AF | LEAF.READ_ONLY) };
}

describe("stage 1", () => {
  test("a clear Access flag faults, is overlooked with AFFD, or is set by hardware", () => {
    const faulting = stage1(0n, LEAF.USER);
    expect(faulting.machine.outcome(SID, 0x1000)).toBe("F_ACCESS");
    const overlooking = stage1(AFFD, LEAF.USER);
    expect(overlooking.machine.outcome(SID, 0x1000)).toBe(PA);
    expect(overlooking.flags()).toBe(0n);
    const updating = stage1(HA, LEAF.USER);
    expect(updating.machine.outcome(SID, 0x1000)).toBe(PA);
    expect(updating.flags()).toBe(LEAF.AF);
  });

  test("a write makes a writable-clean page dirty; a read leaves it clean, and the next write is not lost in the TLB", () => {
    const { machine, flags } = stage1(HA | HD, LEAF.AF | LEAF.USER | LEAF.READ_ONLY | LEAF.DBM);
    expect(machine.outcome(SID, 0x1000)).toBe(PA);
    expect(flags()).toBe(LEAF.AF | LEAF.READ_ONLY);
    expect(machine.outcome(SID, 0x1000, "write")).toBe(PA);
    expect(flags()).toBe(LEAF.AF);
    expect(machine.outcome(SID, 0x1000, "write")).toBe(PA);
    expect(machine.smmu.counters.tlbHit).toBe(1);
  });

  test("without HD, without DBM or under APTable a read-only page stays read-only", () => {
    const attributes = LEAF.AF | LEAF.USER | LEAF.READ_ONLY;
    expect(stage1(HA, attributes | LEAF.DBM).machine.outcome(SID, 0x1000, "write")).toBe("F_PERMISSION");
    expect(stage1(HA | HD, attributes).machine.outcome(SID, 0x1000, "write")).toBe("F_PERMISSION");
    expect(stage1(HD, attributes | LEAF.DBM).machine.outcome(SID, 0x1000, "write")).toBe("F_PERMISSION");
    const machine = new Machine({ ids: HTTU_DIRTY });
    const table = machine.allocate();
    machine.mapBlock(table, 0x1000, PA, attributes | LEAF.DBM, { level: 3, tableBits: at(1, 62) });
    machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(table, { extra0: HA | HD }))));
    expect(machine.outcome(SID, 0x1000, "write")).toBe("F_PERMISSION");
  });

  test("memory that never keeps still is a walk abort, in bounded time", () => {
    const { machine } = stage1(HA, LEAF.USER);
    machine.memory.compareAndSwap64 = () => "changed";
    expect(machine.read(SID, 0x1000)).toMatchObject({ fault: { type: "F_WALK_EABT", stage: 1, class: "TTD" } });
    machine.memory.compareAndSwap64 = () => "abort";
    expect(machine.outcome(SID, 0x1000)).toBe("F_WALK_EABT");
  });
});

test("the abort of memory that never keeps still names the descriptor, not an abort of before", () => {
  const { machine, at: descriptor } = contended(HA);
  expect(machine.read(SID, 0x20_0000)).toMatchObject({ fault: { type: "F_WALK_EABT", fetchAddress: 0x1000 } });
  machine.memory.compareAndSwap64 = () => "changed";
  expect(machine.read(SID, 0x1000)).toMatchObject({ fault: { type: "F_WALK_EABT", fetchAddress: descriptor } });
});

/** Page 0x1000 without Access flag; the table of 0x20_0000 is where no memory is. */
function contended(extra0: bigint) {
  const machine = new Machine({ ids: HTTU_DIRTY });
  const table = machine.allocate();
  const at = machine.mapBlock(table, 0x1000, PA, LEAF.USER, { level: 3 });
  machine.mapBlock(table, 0x20_0000, 0x1000, 2n, { level: 2 }); // type 0b11: a table
  machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(table, { extra0 }))));
  return { machine, at };
}

describe("nested", () => {
  test("a stage 1 update needs stage 2 to let the table be written", () => {
    const machine = new Machine({ ids: HTTU_DIRTY });
    const [table, stage2] = [machine.allocate(), machine.allocate()];
    machine.map(table, 0x1000, 0x7000, LEAF.USER); // AF clear
    const cd = machine.writeCD(contextDescriptor(table, { extra0: HA }));
    const end = machine.allocate();
    for (let page = RAM_BASE; page < end; page += 4096) {
      machine.map(stage2, page, page, LEAF.AF | LEAF.S2_READ | LEAF.S2_NORMAL);
    }
    machine.map(stage2, 0x7000, PA, S2_OPEN);
    machine.writeSTE(SID, nestedSTE(stage1STE(cd), stage2STE(stage2)));
    expect(machine.read(SID, 0x1000)).toMatchObject({
      fault: { type: "F_PERMISSION", stage: 2, class: "TTD", tableRead: false },
    });
  });
});
