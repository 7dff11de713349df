// The third judge: points that engine and explanation once read differently, settled by the sentences of the text.
// S2VMID: "ILLEGAL ... unless this field is IGNORED", which it is in an EL1 stream neither with nor without stage 2 (§5.2).
// Start tables: aligned to their size as VMSA says; 64 bytes at least only for 52-bit output (§5.4 TTB0, §5.2 S2TTB).

import { describe, expect, test } from "vitest";
import {
  CD_RA,
  CD_TABLE,
  IDR0,
  IDR5,
  JudgeMachine,
  PAGE,
  PAGE_S2,
  S2_R,
  STAGE1,
  STAGE2,
  STE_BYPASS,
  STE_NESTED,
  STE_S1,
  words,
} from "../support/judge-machine.ts";

describe("S2VMID[15:8] without IDR0.VMID16 (§5.2)", () => {
  const NO_VMID16 = IDR0 & ~0x4_0000;
  const BAD_STE = [words(0x0000_0005_0000_0004n, 0n, 0n, 0n)];
  const CD = BigInt(CD_TABLE);

  function outcome(idr0: number, w0: bigint, w1: bigint, w2: bigint): [string, string[]] {
    const judge = new JudgeMachine({ idr0 });
    judge.stage2(5, S2_R, [PAGE_S2]);
    judge.ste(5, w0, w1, w2, BigInt(STAGE2));
    judge.cd(CD_TABLE, CD_RA, STAGE1, [PAGE]);
    return [judge.reach(5, 0n), judge.records()];
  }

  test.each([
    ["stage 1 alone, NS-EL1: translations are tagged with it", STE_S1 | CD, 0n, 0x100n],
    ["stage 2 alone", 0xdn, 0n, S2_R | 0x100n],
    ["both stages", STE_NESTED | CD, 0n, S2_R | 0x100n],
    ["both stages, whatever STRW says", STE_NESTED | CD, 0x8000_0000n, S2_R | 0x100n],
    ["its top bit alone", STE_S1 | CD, 0n, 0x8000n],
  ])("%s: C_BAD_STE", (_, w0, w1, w2) => {
    expect(outcome(NO_VMID16, w0, w1, w2)).toEqual(["abort", BAD_STE]);
  });

  test.each([
    ["an EL2 stream: ignored", NO_VMID16, STE_S1 | CD, 0x8000_0000n, 0x100n],
    ["bypass, Config[1:0]=0b00: ignored", NO_VMID16, STE_BYPASS, 0n, 0x100n],
    ["an SMMU without stage 2: ignored", NO_VMID16 & ~0x1, STE_S1 | CD, 0n, 0x100n],
    ["eight bits", NO_VMID16, STE_S1 | CD, 0n, 0xffn],
    ["with VMID16", IDR0, STE_S1 | CD, 0n, 0x100n],
  ])("%s: legal", (_, idr0, w0, w1, w2) => {
    expect(outcome(idr0, w0, w1, w2)).toEqual(["0x0", []]);
  });

  test("Config=0b000 still terminates without an event", () => {
    expect(outcome(NO_VMID16, 0x1n, 0n, 0x100n)).toEqual(["abort", []]);
  });
});

describe("start tables of less than 64 bytes (§5.4 TTB0, §5.2 S2TTB)", () => {
  const OAS_52 = (IDR5 & ~0x7) | 0x6;

  test("stage 1 with 44 output bits: two entries are aligned to their 16 bytes", () => {
    const judge = new JudgeMachine();
    judge.stage1(5, (CD_RA & ~0x3fn) | 33n, []);
    judge.put(CD_TABLE + 5 * 64 + 8, BigInt(STAGE1 + 0x10));
    judge.put(STAGE1, 0x8880_0741n, 0n, 0x8800_0000n | 0x741n);
    judge.put(STAGE1 + 0x10, 0x8000_0741n); // a block of 1 GiB
    expect(judge.reach(5, 0x1234n)).toBe("0x80001234");
  });

  test("stage 1 with 52 output bits: they are aligned to 64", () => {
    const judge = new JudgeMachine({ idr5: OAS_52 });
    judge.ste(5, STE_S1 | BigInt(CD_TABLE), 0n, 0n);
    // TG0 64K, T0SZ 34: level 2 with one index bit; IPS 52 bits
    judge.put(CD_TABLE, (CD_RA & ~0x7_0000_00ffn) | 0x6_0000_0062n, BigInt(STAGE1 + 0x10), 0n, 0xffn);
    judge.put(STAGE1, 0x8000_0741n, 0n, 0n); // a block of 512 MiB
    expect(judge.reach(5, 0x1234n)).toBe("0x80001234");
  });

  test("stage 1 with 52 bits of OAS but 48 of IPS: aligned to their 16 bytes", () => {
    const judge = new JudgeMachine({ idr5: OAS_52 });
    judge.ste(5, STE_S1 | BigInt(CD_TABLE), 0n, 0n);
    judge.put(CD_TABLE, (CD_RA & ~0x7_0000_00ffn) | 0x5_0000_0062n, BigInt(STAGE1 + 0x10), 0n, 0xffn);
    judge.put(STAGE1, 0n, 0n, 0x8000_0741n);
    expect(judge.reach(5, 0x1234n)).toBe("0x80001234");
  });

  // S2T0SZ 34, S2TG 64K, S2SL0 1: level 2 with one index bit; S2PS in [50:48]
  test.each([
    ["44 bits of S2PS: aligned to 16 bytes", IDR5, 0x0404_0000_0000_0000n, [0n, 0n, 0x8000_07fdn]],
    ["52 bits of S2PS: aligned to 64", OAS_52, 0x0406_0000_0000_0000n, [0x8000_07fdn, 0n, 0n]],
  ] as const)("stage 2 with %s", (_, idr5, ps, table) => {
    const judge = new JudgeMachine({ idr5 });
    judge.ste(5, 0xdn, 0n, ps | 0x0008_4062_0000_0000n, BigInt(STAGE2 + 0x10));
    judge.put(STAGE2, ...table);
    expect(judge.reach(5, 0x1234n)).toBe("0x80001234");
    expect(judge.records()).toEqual([]);
  });
});
