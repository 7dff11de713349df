import { describe, expect, test } from "vitest";
import { Machine } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, LEAF, stage1STE } from "../../support/smmuv3-tables.ts";

const SID = 8;

describe("StreamWorld", () => {
  test("EL2 has one table, no ASID, and treats every access as privileged", () => {
    const machine = new Machine();
    const table = machine.allocate();
    machine.map(table, 0x1000, 0x4800_0000, LEAF.AF | LEAF.READ_ONLY);
    const ste = stage1STE(machine.writeCD(contextDescriptor(table)));
    machine.writeSTE(SID, [ste[0], at(2, 30), 0n, 0n, 0n, 0n, 0n, 0n]); // STRW=0b10, [95:94]
    expect(machine.outcome(SID, 0x1000)).toBe(0x4800_0000);
    expect(machine.outcome(SID, 0x1000, "write")).toBe("F_PERMISSION");
    expect(machine.outcome(SID, 0xffff_ffff_ffff_f000n)).toBe("F_TRANSLATION");
  });

  test("EL2 with CR2.E2H has two tables and unprivileged accesses", () => {
    const machine = new Machine({ cr2: 0b11 });
    const table = machine.allocate();
    machine.map(table, 0x1000, 0x4800_0000, LEAF.AF);
    const ste = stage1STE(machine.writeCD(contextDescriptor(table, { ttb1: table })));
    machine.writeSTE(SID, [ste[0], at(2, 30), 0n, 0n, 0n, 0n, 0n, 0n]);
    expect(machine.outcome(SID, 0xffff_ff80_0000_1000n, "read", { privileged: true })).toBe(0x4800_0000);
    expect(machine.outcome(SID, 0x1000)).toBe("F_PERMISSION");
  });
});
