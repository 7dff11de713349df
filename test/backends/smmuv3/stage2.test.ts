// Stage 2 and the Access flag and dirty state, in software's hands and in hardware's (§3.13).
import { describe, expect, test } from "vitest";
import { IDS, Machine } from "../../support/smmuv3-machine.ts";
import { at, LEAF, stage2STE } from "../../support/smmuv3-tables.ts";

const SID = 6;
const HTTU_DIRTY = { idr0: IDS.idr0 | (2 << 6) };
const PA = 0x4800_0000;

describe("stage 2", () => {
  const S2HA = at(1, 56);
  const S2HD = at(1, 55);
  const S2AFFD = at(1, 53);

  function stage2(extra2: bigint, attributes: bigint) {
    const machine = new Machine({ ids: HTTU_DIRTY });
    const table = machine.allocate();
    const descriptor = machine.mapBlock(table, 0x1000, PA, attributes, { level: 3 });
    machine.writeSTE(SID, stage2STE(table, { extra2 }));
    return { machine, flags: () => machine.peek(descriptor) & (LEAF.AF | LEAF.S2_WRITE) };
  }

  test("a clear Access flag faults, is overlooked with S2AFFD, or is set by hardware", () => {
    const attributes = LEAF.S2_READ | LEAF.S2_NORMAL;
    expect(stage2(0n, attributes).machine.outcome(SID, 0x1000)).toBe("F_ACCESS");
    expect(stage2(S2AFFD, attributes).machine.outcome(SID, 0x1000)).toBe(PA);
    const updating = stage2(S2HA, attributes);
    expect(updating.machine.outcome(SID, 0x1000)).toBe(PA);
    expect(updating.flags()).toBe(LEAF.AF);
  });

  test("a write makes a writable-clean page dirty", () => {
    const { machine, flags } = stage2(S2HA | S2HD, LEAF.S2_READ | LEAF.S2_NORMAL | LEAF.DBM);
    expect(machine.outcome(SID, 0x1000)).toBe(PA);
    expect(flags()).toBe(LEAF.AF);
    expect(machine.outcome(SID, 0x1000, "write")).toBe(PA);
    expect(flags()).toBe(LEAF.AF | LEAF.S2_WRITE);
  });

  test("an update that the bus refuses, or that never succeeds, is a walk abort of stage 2", () => {
    const { machine } = stage2(S2HA, LEAF.S2_READ);
    machine.memory.compareAndSwap64 = () => "abort";
    expect(machine.read(SID, 0x1000)).toMatchObject({ fault: { type: "F_WALK_EABT", stage: 2, class: "IN" } });
    machine.memory.compareAndSwap64 = () => "changed";
    expect(machine.read(SID, 0x1000)).toMatchObject({ fault: { type: "F_WALK_EABT", stage: 2, class: "IN" } });
  });

  test("memory that never keeps still is named by its descriptor, not by an abort of before", () => {
    const machine = new Machine({ ids: HTTU_DIRTY });
    const table = machine.allocate();
    const descriptor = machine.mapBlock(table, 0x1000, PA, LEAF.S2_READ, { level: 3 });
    machine.mapBlock(table, 0x20_0000, 0x1000, 2n, { level: 2 }); // a table where no memory is
    machine.writeSTE(SID, stage2STE(table, { extra2: S2HA }));
    expect(machine.read(SID, 0x20_0000)).toMatchObject({ fault: { type: "F_WALK_EABT", fetchAddress: 0x1000 } });
    machine.memory.compareAndSwap64 = () => "changed";
    expect(machine.read(SID, 0x1000)).toMatchObject({ fault: { type: "F_WALK_EABT", fetchAddress: descriptor } });
  });
});
