// The third judge: a stage-1-only stream with STRW=0b10, as EL2-E2H (CR2.E2H=1) and as EL2 (CR2.E2H=0), from the text alone.
// E2H has two tables, ASIDs and unprivileged accesses; EL2 has one table, and every access is privileged.
// Source: IHI 0070G.b §3.3.4, §3.4.1, §3.17.5, §5.2 (STRW), §5.4 (EPD, PAN, E0PD, ASID), §7.3.13, §7.3.16.

import { describe, expect, test } from "vitest";
import type { Access } from "../../src/backends/smmuv3/smmu.ts";
import {
  CD_TABLE,
  CR0,
  IDR0,
  IDR3,
  JudgeMachine,
  type JudgeOptions,
  PAGE,
  STAGE1,
  STE_S1,
  words,
} from "../support/judge-machine.ts";

/** T0SZ 25, T1SZ 25, TG0 and TG1 4K, V, IPS 44 bits, AA64, R, A (§5.4). */
const CD_BOTH = 0x0000_6204_8099_0019n;
const PAN = 0x0000_0100_0000_0000n;
const TTB1 = STAGE1 + 0x1_0000;
/** 39 bits below the top. */
const HIGH = 0xffff_ff80_0000_0000n;
/** AP[2:1] = 0b00: no unprivileged access. */
const PRIVILEGED_PAGE = PAGE & ~0x40n;

function stream(e2h: 0 | 1, cd: readonly bigint[], options: JudgeOptions = {}): JudgeMachine {
  const judge = new JudgeMachine({ idr3: IDR3 | 0x2000, ...options });
  judge.smmu.write32(CR0, 0xc);
  judge.smmu.write32(0x2c, e2h);
  judge.smmu.write32(CR0, 0xd);
  judge.ste(5, STE_S1 | BigInt(CD_TABLE), 0x8000_0000n, 0n);
  const [word0 = CD_BOTH, upper0 = 0n, upper1 = 0n] = cd;
  judge.put(CD_TABLE, word0, BigInt(STAGE1) | upper0, BigInt(TTB1) | upper1, 0xffn);
  judge.tables(STAGE1, [0x8800_0000n | PAGE, 0x8800_1000n | PRIVILEGED_PAGE]);
  judge.tables(TTB1, [0x8900_0000n | PAGE, 0x8900_1000n | PRIVILEGED_PAGE]);
  return judge;
}

function reach(judge: JudgeMachine, iova: bigint, access: Access, privileged: boolean): string {
  const outcome = judge.smmu.translate({ streamID: 5, iova, access, privileged });
  return outcome.kind === "ok" ? `0x${outcome.pa.toString(16)}` : outcome.kind;
}

describe("EL2-E2H", () => {
  test("VA[55] selects the table, as it does at EL1", () => {
    const judge = stream(1, []);
    expect(reach(judge, 0x123n, "read", true)).toBe("0x88000123");
    expect(reach(judge, HIGH | 0x123n, "read", true)).toBe("0x89000123");
  });

  test.each([
    ["below TTB1's range", 0xffff_ff7f_ffff_f000n],
    ["above TTB0's range", 0x0000_0080_0000_0000n],
    ["a mixed sign", 0x7fff_ff80_0000_0000n],
  ])("an address %s is F_TRANSLATION", (_, iova) => {
    const judge = stream(1, []);
    expect(reach(judge, iova, "read", true)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_020a_0000_0000n, iova, 0n)]);
  });

  test("EPD1=1 switches TTB1 off", () => {
    const judge = stream(1, [CD_BOTH | 0x4000_0000n]);
    expect(reach(judge, HIGH, "read", true)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_020a_0000_0000n, HIGH, 0n)]);
  });

  test("an unprivileged access to a privileged page is F_PERMISSION, a privileged one is not", () => {
    const judge = stream(1, []);
    expect(reach(judge, 0x1000n, "write", true)).toBe("0x88001000");
    expect(reach(judge, 0x1000n, "write", false)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0013n, 0x0000_0200_0000_0000n, 0x1000n, 0n)]);
  });

  test("PAN=1 refuses privileged data accesses to pages that unprivileged ones may reach", () => {
    const judge = stream(1, [CD_BOTH | PAN]);
    expect(reach(judge, 0n, "read", false)).toBe("0x88000000");
    expect(reach(judge, 0x1000n, "read", true)).toBe("0x88001000");
    expect(reach(judge, 0n, "read", true)).toBe("abort");
    expect(reach(judge, 0n, "write", true)).toBe("abort");
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0013n, 0x0000_020a_0000_0000n, 0n, 0n),
      words(0x0000_0005_0000_0013n, 0x0000_0202_0000_0000n, 0n, 0n),
    ]);
  });

  test("a page that unprivileged accesses may write is not executable by privileged ones", () => {
    const judge = stream(1, []);
    expect(reach(judge, 0n, "execute", false)).toBe("0x88000000");
    expect(reach(judge, 0n, "execute", true)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0013n, 0x0000_020e_0000_0000n, 0n, 0n)]);
  });

  test.each([
    ["E0PD0", 0x4n, 0n, 0n, HIGH],
    ["E0PD1", 0n, 0x4n, HIGH, 0n],
  ])(
    "%s=1 makes unprivileged accesses through its table F_TRANSLATION, and no others",
    (_, upper0, upper1, hit, other) => {
      const judge = stream(1, [CD_BOTH, upper0, upper1]);
      expect(reach(judge, other, "read", false)).not.toBe("abort");
      expect(reach(judge, hit, "read", true)).not.toBe("abort");
      expect(reach(judge, hit, "read", false)).toBe("abort");
      expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_0208_0000_0000n, hit, 0n)]);
    },
  );

  test("E0PD0=1 is RES0 without IDR3.E0PD", () => {
    expect(reach(stream(1, [CD_BOTH, 0x4n], { idr3: IDR3 }), 0n, "read", false)).toBe("0x88000000");
  });

  test("an ASID of more than 8 bits is C_BAD_CD without ASID16", () => {
    const judge = stream(1, [CD_BOTH | 0x0100_0000_0000_0000n], { idr0: IDR0 & ~0x1000 });
    expect(reach(judge, 0n, "read", true)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_000an, 0n, 0n, 0n)]);
  });
});

describe("EL2", () => {
  test("has no TTB1: an address with high bits is F_TRANSLATION", () => {
    const judge = stream(0, []);
    expect(reach(judge, HIGH, "read", true)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_020a_0000_0000n, HIGH, 0n)]);
  });

  test("takes AP[1] as 1, and knows neither PAN nor E0PD", () => {
    const judge = stream(0, [CD_BOTH | PAN, 0x4n]);
    for (const privileged of [false, true]) {
      expect(reach(judge, 0n, "read", privileged)).toBe("0x88000000");
      expect(reach(judge, 0x1000n, "write", privileged)).toBe("0x88001000");
    }
    expect(judge.records()).toEqual([]);
  });

  test("executes what is writable: only XN forbids it", () => {
    const judge = stream(0, []);
    expect(reach(judge, 0n, "execute", true)).toBe("0x88000000");
    judge.put(STAGE1 + 0x2010, 0x8800_2000n | PAGE | 0x0040_0000_0000_0000n);
    expect(reach(judge, 0x2000n, "execute", true)).toBe("abort");
  });

  test("ignores the ASID, also one of 16 bits without ASID16", () => {
    const judge = stream(0, [CD_BOTH | 0x0100_0000_0000_0000n], { idr0: IDR0 & ~0x1000 });
    expect(reach(judge, 0n, "read", true)).toBe("0x88000000");
  });
});
