// Permissions of leaves, as the tables of DDI 0487 D8.4 have them: [read, write, execute] unprivileged and privileged.
import { describe, expect, test } from "vitest";
import {
  isStage2Device,
  type Stage1Controls,
  stage1Permissions,
  stage2Permissions,
} from "../../../src/backends/smmuv3/permissions.ts";

const EL1: Stage1Controls = { hasUnprivileged: true, wxn: false, pan: false, epan: false };
const EL2: Stage1Controls = { ...EL1, hasUnprivileged: false };
const [AP0, AP1, AP2, AP3] = [0x00, 0x40, 0x80, 0xc0] as const; // AP[2:1] at [7:6]
const PXN = 1 << 21; // bit 53
const UXN = 1 << 22; // bit 54

/** "rwx/rwx": unprivileged, then privileged. */
function show(bits: number): string {
  const three = (value: number): string => `${value & 1 ? "r" : "-"}${value & 2 ? "w" : "-"}${value & 4 ? "x" : "-"}`;
  return `${three(bits)}/${three(bits >> 3)}`;
}

describe("stage 1, EL1", () => {
  test.each([
    ["AP=00", AP0, 0, "--x/rwx"],
    ["AP=01: no privileged execution of what EL0 may write", AP1, 0, "rwx/rw-"],
    ["AP=10", AP2, 0, "--x/r-x"],
    ["AP=11", AP3, 0, "r-x/r-x"],
    ["PXN", AP3, PXN, "r-x/r--"],
    ["UXN", AP3, UXN, "r--/r-x"],
  ])("%s", (_, lo, hi, expected) => {
    expect(show(stage1Permissions(lo, hi, 0, EL1))).toBe(expected);
  });

  test.each([
    ["APTable[0] removes unprivileged data access, and with it the ban on privileged execution", 1, "--x/rwx"],
    ["APTable[1] removes write access", 2, "r-x/r-x"],
    ["both", 3, "--x/r-x"],
    ["PXNTable", 4, "rwx/rw-"],
    ["UXNTable", 8, "rw-/rw-"],
  ])("%s", (_, limits, expected) => {
    expect(show(stage1Permissions(AP1, 0, limits, EL1))).toBe(expected);
  });

  test("WXN takes execution from what is writable", () => {
    const wxn = { ...EL1, wxn: true };
    expect([AP0, AP1, AP3].map((lo) => show(stage1Permissions(lo, 0, 0, wxn)))).toEqual([
      "--x/rw-",
      "rw-/rw-",
      "r-x/r-x",
    ]);
  });

  test("PAN takes privileged data access where unprivileged data access is allowed; EPAN also where execution is", () => {
    const pan = { ...EL1, pan: true };
    const epan = { ...pan, epan: true };
    expect([AP0, AP1, AP3].map((lo) => show(stage1Permissions(lo, 0, 0, pan)))).toEqual([
      "--x/rwx",
      "rwx/---",
      "r-x/--x",
    ]);
    expect(show(stage1Permissions(AP0, 0, 0, epan))).toBe("--x/--x");
    expect(show(stage1Permissions(AP0, UXN, 0, epan))).toBe("---/rwx");
  });
});

describe("stage 1, EL2", () => {
  test("has no unprivileged accesses and one XN", () => {
    expect(show(stage1Permissions(AP0, PXN, 1, EL2))).toBe("rwx/rwx");
    expect(show(stage1Permissions(AP2, UXN, 0, EL2))).toBe("r--/r--");
    expect(show(stage1Permissions(AP0, 0, 2, EL2))).toBe("r-x/r-x");
    expect(show(stage1Permissions(AP0, 0, 0, { ...EL2, wxn: true }))).toBe("rw-/rw-");
  });
});

describe("stage 2", () => {
  test.each([
    [0b00, "--x/--x"],
    [0b01, "r-x/r-x"],
    [0b10, "-wx/-wx"],
    [0b11, "rwx/rwx"],
  ])("S2AP=%i", (s2ap, expected) => {
    expect(show(stage2Permissions(s2ap << 6, 0, true))).toBe(expected);
  });

  test("XN[1:0] counts with XNX, XN[1] alone without", () => {
    const xn = (value: number, xnx: boolean): string => show(stage2Permissions(0x40, value << 21, xnx));
    expect([0, 1, 2, 3].map((value) => xn(value, true))).toEqual(["r-x/r-x", "r-x/r--", "r--/r--", "r--/r-x"]);
    expect([0, 1, 2, 3].map((value) => xn(value, false))).toEqual(["r-x/r-x", "r-x/r-x", "r--/r--", "r--/r--"]);
  });

  test("MemAttr 0b00xx is Device; with FWB 0b0xxx less bit 3 is", () => {
    expect([0b0000, 0b0011, 0b0101, 0b1111].map((attr) => isStage2Device(attr, false))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect([0b0001, 0b0110].map((attr) => isStage2Device(attr, true))).toEqual([true, false]);
  });
});
