import { describe, expect, test } from "vitest";
import { effectiveAccess, needsOf } from "../../../src/backends/smmuv3/effective-access.ts";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { decodeSTE } from "../../../src/backends/smmuv3/ste.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { IDS, Machine } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, LEAF, stage1STE } from "../../support/smmuv3-tables.ts";

const SID = 8;
const PLAIN = stage1STE(0x4000_0000);
/** PRIVCFG [113:112], INSTCFG [115:114]. */
const decoded = (privcfg: number, instcfg: number) =>
  decodeSTE(wordsOf([PLAIN[0]!, PLAIN[1]! | at(privcfg, 48) | at(instcfg, 50), 0n, 0n, 0n, 0n, 0n, 0n]));
const OVERRIDING = featuresOf({ ...IDS, idr1: IDS.idr1 | (1 << 26) }); // ATTR_PERMS_OVR
const PLAIN_HOST = featuresOf({ ...IDS, idr1: IDS.idr1 & ~(1 << 26) });

test.each([
  [0, 0, "execute", false, { privileged: false, instruction: true, read: true, need: 4 }],
  [2, 0, "read", true, { privileged: false, instruction: false, read: true, need: 1 }],
  [3, 0, "write", false, { privileged: true, instruction: false, read: false, need: 16 }],
  [0, 2, "execute", true, { privileged: true, instruction: false, read: true, need: 8 }],
  [0, 3, "read", false, { privileged: false, instruction: true, read: true, need: 4 }],
  [0, 3, "write", false, { privileged: false, instruction: false, read: false, need: 2 }],
] as const)("PRIVCFG %i and INSTCFG %i bend %s, privileged %s", (privcfg, instcfg, access, privileged, effective) => {
  expect(effectiveAccess({ access, privileged }, decoded(privcfg, instcfg), OVERRIDING)).toEqual(effective);
});

test("where IDR1.ATTR_PERMS_OVR is 0 the STE bends nothing", () => {
  const effective = effectiveAccess({ access: "read", privileged: false }, decoded(3, 3), PLAIN_HOST);
  expect(effective).toEqual({ privileged: false, instruction: false, read: true, need: 1 });
});

test("what a stream's accesses need is told for read, write and execute, unprivileged first", () => {
  expect(needsOf(decoded(0, 0), OVERRIDING)).toEqual([1, 2, 4, 8, 16, 32]);
  expect(needsOf(decoded(3, 2), OVERRIDING)).toEqual([8, 16, 8, 8, 16, 8]);
});

describe("PRIVCFG and INSTCFG", () => {
  test("override the incoming attributes where IDR1.ATTR_PERMS_OVR is set", () => {
    const machine = new Machine({ ids: { idr1: (1 << 26) | (10 << 21) | (7 << 16) | (20 << 6) | 16 } });
    const table = machine.allocate();
    machine.map(table, 0x1000, 0x4800_0000, LEAF.AF); // AP=0b00: privileged only
    const ste = stage1STE(machine.writeCD(contextDescriptor(table)));
    machine.writeSTE(SID, [ste[0], at(3, 48) | at(3, 50), 0n, 0n, 0n, 0n, 0n, 0n]); // PRIVCFG [113:112], INSTCFG [115:114]
    expect(machine.outcome(SID, 0x1000)).toBe(0x4800_0000);
    expect(machine.outcome(SID, 0x2000)).toBe("F_TRANSLATION");
    expect(machine.events()[0]![1]).toBe(at(1, 33) | at(1, 34) | at(1, 35) | at(2, 40)); // PnU, InD, RnW
    expect(machine.outcome(SID, 0x2000, "write")).toBe("F_TRANSLATION");
    expect(machine.events()[0]![1]).toBe(at(1, 33) | at(2, 40)); // a write stays data
  });
});
