// The third judge: S2PTW, which keeps tables and CDs out of Device memory, with and without S2FWB; from the text alone.
// Source: IHI 0070G.b §5.2 (S2PTW), §6.3.4 (PTWNNC), §7.3.16; DDI 0487 D8.6.5, D8.6.6.

import { describe, expect, test } from "vitest";
import { CD_RA, CD_TABLE, JudgeMachine, S2_R, STAGE1, STAGE2, STE_NESTED } from "../support/judge-machine.ts";

/** S2PTW, bit 182; S2FWB, bit 89. */
const S2PTW = 1n << 54n;
const S2FWB = 1n << 25n;
const CD_AT = CD_TABLE + 64;

/** A block of 1 GiB at 0x8000_0000: S2AP RW, SH Inner, AF; MemAttr [5:2]. */
function block(memAttr: bigint): bigint {
  return 0x8000_07c1n | (memAttr << 2n);
}

interface Setting {
  readonly memAttr: bigint;
  readonly fwb?: boolean;
  readonly ptw?: boolean;
  readonly idr3?: number;
}

/** Stream 1 nested: its CD and tables lie in the block, page 0 leads to IPA 0, which is Normal memory. */
function machine({ memAttr, fwb = false, ptw = true, idr3 = 0x0000_0514 }: Setting): JudgeMachine {
  const judge = new JudgeMachine({ idr3 });
  judge.stage2(1, S2_R, [0x8040_07ffn]);
  judge.cd(CD_AT, CD_RA, STAGE1, [0xf43n]);
  judge.ste(1, STE_NESTED | BigInt(CD_AT), fwb ? S2FWB : 0n, S2_R | (ptw ? S2PTW : 0n), BigInt(STAGE2));
  judge.put(STAGE2 + 16, block(memAttr));
  return judge;
}

const DEVICE_FAULT = { kind: "abort", fault: { type: "F_PERMISSION", stage: 2, ipa: CD_AT, class: "CD" } };

describe("S2PTW=1 and a CD in memory that stage 2 maps as", () => {
  test.each([
    ["Device-nGnRnE", 0b0000n, false],
    ["Device-nGnRE", 0b0001n, false],
    ["Device-nGRE", 0b0010n, false],
    ["Device-GRE", 0b0011n, false],
    ["Device-nGnRnE under FWB", 0b0000n, true],
    ["Device-nGnRE under FWB", 0b0001n, true],
    ["Device-nGRE under FWB", 0b0010n, true],
    ["Device-GRE under FWB", 0b0011n, true],
    ["Device under FWB with MemAttr[3], which is RES0", 0b1001n, true],
  ])("%s: F_PERMISSION of stage 2, CLASS=CD", (_, memAttr, fwb) => {
    expect(machine({ memAttr, fwb }).access(1, 0n)).toMatchObject(DEVICE_FAULT);
  });

  test.each([
    ["Non-cacheable", 0b0101n, false],
    ["Write-Through, which FWB would call Device", 0b1010n, false],
    ["Write-Back", 0b1111n, false],
    ["Non-cacheable under FWB", 0b0101n, true],
    ["forced Write-Back under FWB", 0b0110n, true],
    ["stage 1's type under FWB: a CD's is Normal (§5.2, S1CIR)", 0b0111n, true],
  ])("%s: translated", (_, memAttr, fwb) => {
    expect(machine({ memAttr, fwb }).reach(1, 0x10n)).toBe("0x80400010");
  });
});

describe("S2PTW=1 and a stage 1 table in Device memory", () => {
  /** The last table of the walk alone, at an IPA of its own: page 1 of stage 2. */
  function tableIn(memAttr: bigint, fwb: boolean): JudgeMachine {
    const judge = machine({ memAttr: 0b1111n, fwb });
    judge.put(STAGE1 + 0x1000, 0x1003n);
    judge.put(STAGE2 + 0x2008, (BigInt(STAGE1) + 0x2000n) | 0x7c3n | (memAttr << 2n));
    return judge;
  }

  test.each([
    ["without FWB", 0b0001n, false],
    ["under FWB", 0b0001n, true],
    ["under FWB with MemAttr[3]", 0b1010n, true],
  ])("%s: F_PERMISSION, CLASS=TT, at the descriptor's IPA", (_, memAttr, fwb) => {
    expect(tableIn(memAttr, fwb).access(1, 0n)).toMatchObject({
      kind: "abort",
      fault: { type: "F_PERMISSION", stage: 2, class: "TTD", ipa: 0x1000, tableRead: true },
    });
  });

  test.each([
    ["Write-Through without FWB", 0b1010n, false],
    ["Normal under FWB", 0b0110n, true],
  ])("%s is none", (_, memAttr, fwb) => {
    expect(tableIn(memAttr, fwb).reach(1, 0x10n)).toBe("0x80400010");
  });

  test("the transaction's own page may be Device: S2PTW is about tables", () => {
    const judge = machine({ memAttr: 0b1111n, fwb: true });
    judge.put(STAGE2 + 0x2000, 0x8040_07c7n);
    expect(judge.reach(1, 0x10n)).toBe("0x80400010");
  });
});

describe("S2PTW=0 allows tables anywhere", () => {
  test.each([
    ["PTWNNC=0", 0x0000_0514],
    ["PTWNNC=1, where the access counts as Normal Non-cacheable", 0x0000_4514],
  ])("with IDR3.%s", (_, idr3) => {
    for (const fwb of [false, true]) {
      expect(machine({ memAttr: 0b0001n, fwb, ptw: false, idr3 }).reach(1, 0x10n)).toBe("0x80400010");
    }
  });

  test("and PTWNNC=1 does not take S2PTW=1 away", () => {
    expect(machine({ memAttr: 0b0001n, fwb: true, idr3: 0x0000_4514 }).access(1, 0n)).toMatchObject(DEVICE_FAULT);
  });
});
