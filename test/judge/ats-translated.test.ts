// The third judge: what becomes of transactions marked Translated, from the text alone.
// Source: IHI 0070G.b §3.9.1.1, §3.9.1.3, §5.2 (EATS), §7.3.8, §13.6.3.

import { describe, expect, test } from "vitest";
import {
  CD_RA,
  CD_TABLE,
  CR0,
  CR2,
  IDR0,
  IDR0_ATS,
  IDR3,
  JudgeMachine,
  type JudgeOptions,
  PAGE_S2,
  S2_R,
  STE_BYPASS,
  STE_NESTED,
  STE_S1,
  STREAM_TABLE,
  words,
} from "../support/judge-machine.ts";

const FULL = 0x1000_0000n;
const SPLIT = 0x2000_0000n;
const DPT = 0x3000_0000n;
const ENABLED = 0xd;
const CHECKED = 0x1d;
const REC_CFG_ATS = 0x8;
const PASIDTT = IDR3 | 0x1_0000;
/** Stage 2: IPA 0x5000 to 0x9000_5000 RW, 0x6000 read-only, 0x7000 executable by the privileged only (XN 0b11). */
const S2_PAGES = [
  0n,
  0n,
  0n,
  0n,
  0n,
  0x9000_5000n | PAGE_S2,
  0x9000_6000n | 0x77fn,
  0x9000_7000n | (3n << 53n) | 0x73fn,
];

function machine(cr0: number, options: JudgeOptions = {}, cr2 = 0): JudgeMachine {
  const judge = new JudgeMachine({ idr0: IDR0_ATS, ...options });
  judge.smmu.write32(CR0, 0xc);
  judge.smmu.write32(CR2, cr2);
  judge.smmu.write32(CR0, cr0);
  return judge;
}

function nested(judge: JudgeMachine, w1: bigint, w2 = S2_R): void {
  judge.stage2(5, w2, S2_PAGES, STE_NESTED | BigInt(CD_TABLE));
  judge.put(STREAM_TABLE + 64 * 5 + 8, w1);
}

/** Type 0x07, StreamID 5, RnW [99], InputAddr (§7.3.8). */
const FORBIDDEN_READ = words(0x0000_0005_0000_0007n, 0x0000_0008_0000_0000n, 0x9000_5010n, 0n);
const FORBIDDEN_WRITE = words(0x0000_0005_0000_0007n, 0n, 0x9000_5010n, 0n);

describe("SMMUEN=0 (§3.9.1.3, §6.3.9.6)", () => {
  test("F_TRANSL_FORBIDDEN and an abort, though GBPA lets untranslated traffic pass", () => {
    const judge = machine(0xc);
    expect(judge.reach(5, 0x9000_5010n)).toBe("0x90005010");
    expect(judge.pass(5, 0x9000_5010n)).toBe("abort");
    expect(judge.records()).toEqual([FORBIDDEN_READ]);
  });

  test("whatever ATSCHK says, and for writes with RnW=0", () => {
    const judge = machine(0x1c);
    expect(judge.pass(5, 0x9000_5010n, "write")).toBe("abort");
    expect(judge.records()).toEqual([FORBIDDEN_WRITE]);
  });
});

describe("ATSCHK=0: passed without a look at the Stream table (§6.3.9)", () => {
  test.each([
    ["V=0", 0n, 0n],
    ["Config 0b000", 1n, 0n],
    ["Config 0b100", STE_BYPASS, 0n],
    ["Config 0b111 with EATS 0", STE_NESTED, 0n],
    ["Config 0b111 with EATS 1", STE_NESTED, FULL],
    ["Config 0b111 with EATS 2", STE_NESTED, SPLIT],
  ])("%s", (_, w0, w1) => {
    const judge = machine(ENABLED);
    judge.ste(5, w0, w1);
    expect(judge.pass(5, 0x9000_5010n)).toBe("0x90005010");
    expect(judge.records()).toEqual([]);
  });

  test("a StreamID beyond the table too", () => {
    expect(machine(ENABLED, {}, 0xa).pass(0x100, 0x9000_5010n)).toBe("0x90005010");
  });

  test("an address beyond the OAS aborts without a record, one of two allowed behaviours (§3.9.1.1)", () => {
    const judge = machine(ENABLED);
    expect(judge.pass(5, 0x0fff_ffff_f000n)).toBe("0xffffffff000");
    expect(judge.pass(5, 0x1000_0000_0000n)).toBe("abort");
    expect(judge.records()).toEqual([]);
  });
});

describe("ATSCHK=1: STE.EATS decides (§3.9.1.3)", () => {
  test("Config 0b000: aborted without a record", () => {
    const judge = machine(CHECKED);
    judge.ste(5, 1n, FULL);
    expect(judge.pass(5, 0x9000_5010n)).toBe("abort");
    expect(judge.records()).toEqual([]);
  });

  test.each([
    ["Config 0b100, whatever EATS holds", STE_BYPASS, FULL, {}],
    ["EATS 0", STE_NESTED | BigInt(CD_TABLE), 0n, {}],
    ["EATS 3 without IDR3.DPT", STE_NESTED | BigInt(CD_TABLE), DPT, {}],
    ["EATS 3 with CR0.DPT_WALK_EN=0", STE_NESTED | BigInt(CD_TABLE), DPT, { idr3: IDR3 | 0x8000 }],
  ])("%s: F_TRANSL_FORBIDDEN", (_, w0, w1, options) => {
    const judge = machine(CHECKED, options);
    nested(judge, w1);
    judge.put(STREAM_TABLE + 64 * 5, w0);
    expect(judge.pass(5, 0x9000_5010n)).toBe("abort");
    expect(judge.records()).toEqual([FORBIDDEN_READ]);
  });

  test.each([
    ["Config 0b111", STE_NESTED],
    ["Config 0b110", 0xdn],
  ])("EATS 1 and %s: passed as a PA", (_, w0) => {
    const judge = machine(CHECKED);
    nested(judge, FULL);
    judge.put(STREAM_TABLE + 64 * 5, w0 | BigInt(CD_TABLE));
    expect(judge.pass(5, 0x9000_5010n, "write")).toBe("0x90005010");
    expect(judge.pass(5, 0x1000_0000_0000n)).toBe("abort");
    expect(judge.records()).toEqual([]);
  });

  test("a configuration error aborts without a record", () => {
    const judge = machine(CHECKED, {}, 0x2); // RECINVSID
    expect([judge.pass(5, 0x9000_5010n), judge.pass(0x100, 0x9000_5010n)]).toEqual(["abort", "abort"]);
    expect(judge.records()).toEqual([]);
  });

  test("with REC_CFG_ATS it is recorded, C_BAD_STREAMID without RECINVSID too", () => {
    const judge = machine(CHECKED, {}, REC_CFG_ATS);
    expect([judge.pass(5, 0x9000_5010n), judge.pass(0x100, 0x9000_5010n)]).toEqual(["abort", "abort"]);
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0004n, 0n, 0n, 0n),
      words(0x0000_0100_0000_0002n, 0n, 0n, 0n),
    ]);
  });

  test("an SMMU without ATS passes nothing that is translated (§5.2)", () => {
    const judge = machine(ENABLED, { idr0: IDR0 });
    judge.ste(5, STE_BYPASS);
    expect(judge.pass(5, 0x9000_5010n)).toBe("abort");
    expect(judge.records()).toEqual([]);
  });
});

describe("EATS 2: stage 2 on the way (§13.6.3)", () => {
  test("the address is an IPA", () => {
    const judge = machine(CHECKED);
    nested(judge, SPLIT);
    expect(judge.pass(5, 0x5010n, "write")).toBe("0x90005010");
    expect(judge.pass(5, 0x6010n)).toBe("0x90006010");
    expect(judge.records()).toEqual([]);
  });

  test("stage 2 faults abort and are recorded as an ordinary transaction's", () => {
    const judge = machine(CHECKED);
    nested(judge, SPLIT);
    expect(judge.pass(5, 0x6010n, "write")).toBe("abort");
    expect(judge.pass(5, 0x1010n)).toBe("abort");
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0013n, 0x0000_0280_0000_0000n, 0x6010n, 0x6000n), // S2, CLASS IN
      words(0x0000_0005_0000_0010n, 0x0000_0288_0000_0000n, 0x1010n, 0x1000n), // and RnW
    ]);
  });

  test("and are not where S2R is 0", () => {
    const judge = machine(CHECKED);
    nested(judge, SPLIT, 0x000c_0059_0000_0000n);
    expect(judge.pass(5, 0x1010n)).toBe("abort");
    expect(judge.records()).toEqual([]);
  });

  test("above the IAS it is F_ADDR_SIZE of stage 1", () => {
    const judge = machine(CHECKED);
    nested(judge, SPLIT);
    expect(judge.pass(5, 0x1000_0000_0000n)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0011n, 0x0000_0208_0000_0000n, 0x1000_0000_0000n, 0n)]);
  });

  test("without PASIDTT it is unprivileged data, whatever it says", () => {
    const judge = machine(CHECKED);
    nested(judge, SPLIT);
    const tx = {
      streamID: 5,
      substreamID: 3,
      iova: 0x7010n,
      access: "execute",
      privileged: true,
      translated: true,
    } as const;
    expect(judge.smmu.translate(tx).kind).toBe("abort"); // S2AP of 0x7000 is 0b00: a read is refused, execution is not
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0013n, 0x0000_0288_0000_0000n, 0x7010n, 0x7000n)]);
  });

  test("with PASIDTT and a PASID it is what it says, and its CD is looked up", () => {
    const judge = machine(CHECKED, { idr3: PASIDTT });
    nested(judge, SPLIT);
    judge.put(STREAM_TABLE + 64 * 5, STE_NESTED | BigInt(CD_TABLE) | (2n << 59n));
    judge.cd(CD_TABLE + 64 * 3, CD_RA, 0x8010_0000, []);
    const tx = {
      streamID: 5,
      substreamID: 3,
      iova: 0x7010n,
      access: "execute",
      privileged: true,
      translated: true,
    } as const;
    expect(judge.smmu.translate(tx)).toMatchObject({ kind: "ok", pa: 0x9000_7010 });
  });
});

describe("PASIDTT: the PASID of a translated transaction counts (§3.9.1.3, §7.3.7, §7.3.9)", () => {
  test.each([
    ["a PASID without substreams", STE_S1 | BigInt(CD_TABLE), 3, 0x0000_0005_0000_3008n],
    ["a PASID beyond S1CDMax", STE_S1 | BigInt(CD_TABLE) | (2n << 59n), 9, 0x0000_0005_0000_9008n],
    ["a bad CD", STE_S1 | BigInt(CD_TABLE) | (2n << 59n), 3, 0x0000_0005_0000_380an],
    ["no PASID with S1DSS 0", STE_S1 | BigInt(CD_TABLE) | (2n << 59n), undefined, 0x0000_0005_0000_0006n],
  ])("%s aborts, recorded with REC_CFG_ATS", (_, w0, substreamID, record) => {
    const judge = machine(CHECKED, { idr3: PASIDTT }, REC_CFG_ATS);
    judge.ste(5, w0, FULL);
    expect(judge.pass(5, 0x9000_5010n, "read", substreamID)).toBe("abort");
    expect(judge.records()).toEqual([words(record, 0n, 0n, 0n)]);
  });

  test("without PASIDTT none of it is looked at", () => {
    const judge = machine(CHECKED, {}, REC_CFG_ATS);
    judge.ste(5, STE_S1 | BigInt(CD_TABLE), FULL);
    expect(judge.pass(5, 0x9000_5010n, "read", 3)).toBe("0x90005010");
    expect(judge.records()).toEqual([]);
  });
});
