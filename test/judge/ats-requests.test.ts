// The third judge: answers to ATS translation requests, from the text alone.
// STE.EATS is bits [93:92]: 0x1000_0000 in the second doubleword is full ATS, 0x2000_0000 split-stage.
// Source: IHI 0070G.b §3.9.1.2, §3.13.7, §5.2, §7.3.6, §13.6, §13.7.

import { describe, expect, test } from "vitest";
import {
  CD_RA,
  CD_TABLE,
  CR0,
  CR2,
  IDR0,
  IDR0_ATS,
  JudgeMachine,
  type JudgeOptions,
  PAGE,
  PAGE_S2,
  S2_R,
  STAGE1,
  STAGE2,
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
const ATSCHK = 0x10;
/** Stage 1: page 1 to IPA 0x5000, RW; page 2 read-only (AP 0b11); page 3 invalid; page 4 AF=0; page 5 to IPA 0x7000. */
const S1_PAGES = [0n, 0x5000n | PAGE, 0x6000n | 0xfc3n, 0n, 0x5000n | 0xb43n, 0x7000n | PAGE];
/** Stage 2: IPA 0x5000 to 0x9000_5000 RW, 0x6000 to 0x9000_6000 RW, 0x7000 read-only. */
const S2_PAGES = [0n, 0n, 0n, 0n, 0n, 0x9000_5000n | PAGE_S2, 0x9000_6000n | PAGE_S2, 0x9000_7000n | 0x77fn];

function machine(options: JudgeOptions = {}, cr0 = ENABLED): JudgeMachine {
  const judge = new JudgeMachine({ idr0: IDR0_ATS, ...options });
  judge.smmu.write32(CR0, cr0);
  return judge;
}

/** Stream 5: Config 0b101 with a CD for page 1 and on. */
function stage1(judge: JudgeMachine, eats: bigint, pages: readonly bigint[] = S1_PAGES, cd = CD_RA): void {
  judge.stage1(5, cd, pages);
  judge.put(STREAM_TABLE + 64 * 5 + 8, eats);
}

/** Stream 5: Config 0b111; CD and stage 1 tables in the identity block of stage 2. */
function nested(judge: JudgeMachine, eats: bigint, s1 = S1_PAGES, s2 = S2_PAGES, w2 = S2_R): void {
  judge.stage2(5, w2, s2, STE_NESTED | BigInt(CD_TABLE));
  judge.put(STREAM_TABLE + 64 * 5 + 8, eats);
  judge.cd(CD_TABLE, CD_RA, STAGE1, s1);
}

/** Type 0x05, StreamID 5; R and Span 1 in bits [127:64]; the page at [191:140] (§7.3.6; positions as in §7.3.19). */
const BAD_TREQ = words(0x0000_0005_0000_0005n, 0x0000_1008_0000_0000n, 0x1000n, 0n);

describe("where ATS is off the status is Unsupported Request (§3.9.1.2)", () => {
  test("SMMUEN=0, with F_BAD_ATS_TREQ", () => {
    const judge = machine({}, 0xc);
    expect(judge.ask(5, 0x1000n)).toBe("unsupported-request");
    expect(judge.records()).toEqual([BAD_TREQ]);
  });

  test.each([0x1n, 0x3n, 0x5n, 0x7n])("STE 0x%x, Config 0b0xx: no record", (w0) => {
    const judge = machine();
    judge.ste(5, w0, FULL);
    expect(judge.ask(5, 0x1000n)).toBe("unsupported-request");
    expect(judge.records()).toEqual([]);
  });

  test("Config 0b100: F_BAD_ATS_TREQ, whatever EATS holds", () => {
    const judge = machine();
    judge.ste(5, STE_BYPASS, FULL);
    expect(judge.ask(5, 0x1000n)).toBe("unsupported-request");
    expect(judge.records()).toEqual([BAD_TREQ]);
  });

  test.each([
    ["EATS 0", 0n, ENABLED],
    ["EATS 0 with ATSCHK", 0n, ENABLED | ATSCHK],
    ["EATS 2 without ATSCHK", SPLIT, ENABLED],
    ["EATS 3 without IDR3.DPT", DPT, ENABLED | ATSCHK],
  ])("Config 0b111 and %s: F_BAD_ATS_TREQ", (_, eats, cr0) => {
    const judge = machine({}, cr0);
    nested(judge, eats);
    expect(judge.ask(5, 0x1000n)).toBe("unsupported-request");
    expect(judge.records()).toEqual([BAD_TREQ]);
  });

  test("the record says what was asked, before overrides, and under which PASID", () => {
    const judge = machine();
    judge.ste(5, STE_BYPASS, FULL);
    judge.ask(5, 0xffff_8000_1234_5678n, { substreamID: 0x2a, noWrite: false, execute: true, privileged: true });
    const asked = 0x0000_101e_0000_0000n; // Span 1; W [100], R [99], X [98], PRIV [97]
    expect(judge.records()).toEqual([words(0x0000_0005_0002_a805n, asked, 0xffff_8000_1234_5000n, 0n)]);
  });

  test("without a PASID there is no Execute and no Privileged to ask for (§13.7)", () => {
    const judge = machine();
    judge.ste(5, STE_BYPASS, FULL);
    judge.ask(5, 0x1000n, { execute: true, privileged: true });
    expect(judge.records()).toEqual([BAD_TREQ]);
  });

  test("an SMMU without IDR0.ATS has no interface to record anything of", () => {
    const judge = machine({ idr0: IDR0 });
    stage1(judge, FULL);
    expect(judge.ask(5, 0x1000n)).toBe("unsupported-request");
    expect(judge.records()).toEqual([]);
  });
});

describe("configuration errors are Completer Abort, without a record (§3.9.1.2)", () => {
  const cases: readonly (readonly [string, (judge: JudgeMachine) => void, number | undefined, bigint])[] = [
    ["V=0: C_BAD_STE", () => {}, undefined, 0x0000_0005_0000_0004n],
    [
      "EATS 2 with Config 0b101: C_BAD_STE (§5.2.2)",
      (judge) => stage1(judge, SPLIT),
      undefined,
      0x0000_0005_0000_0004n,
    ],
    [
      "EATS 1 with stage 2 stalls: C_BAD_STE (§5.2)",
      (judge) => nested(judge, FULL, S1_PAGES, S2_PAGES, 0x060c_0059_0000_0000n),
      undefined,
      0x0000_0005_0000_0004n,
    ],
    ["C_BAD_CD", (judge) => stage1(judge, FULL, [], 0n), undefined, 0x0000_0005_0000_000an],
    ["a PASID without substreams: C_BAD_SUBSTREAMID", (judge) => stage1(judge, FULL), 3, 0x0000_0005_0000_3008n],
    [
      "S1DSS 0 without a PASID: F_STREAM_DISABLED",
      (judge) => judge.ste(5, STE_S1 | BigInt(CD_TABLE) | (2n << 59n), FULL),
      undefined,
      0x0000_0005_0000_0006n,
    ],
  ];
  test.each(cases)("%s", (_, arrange, substreamID) => {
    const judge = machine();
    arrange(judge);
    expect(judge.ask(5, 0x1000n, substreamID === undefined ? {} : { substreamID })).toBe("completer-abort");
    expect(judge.records()).toEqual([]);
  });

  test.each(cases)("with CR2.REC_CFG_ATS they are recorded: %s", (_, arrange, substreamID, record) => {
    const judge = machine({}, 0xc);
    judge.smmu.write32(CR2, 0x8);
    judge.smmu.write32(CR0, ENABLED);
    arrange(judge);
    expect(judge.ask(5, 0x1000n, substreamID === undefined ? {} : { substreamID })).toBe("completer-abort");
    expect(judge.records()).toEqual([words(record, 0n, 0n, 0n)]);
  });

  test.each([
    [0x0, []],
    [0x2, []],
    [0x8, []],
    [0xa, [words(0x0000_0100_0000_0002n, 0n, 0n, 0n)]],
  ])("C_BAD_STREAMID needs RECINVSID and REC_CFG_ATS: CR2 %#", (cr2, records) => {
    const judge = machine({}, 0xc);
    judge.smmu.write32(CR2, cr2);
    judge.smmu.write32(CR0, ENABLED);
    expect(judge.ask(0x100, 0x1000n)).toBe("completer-abort");
    expect(judge.records()).toEqual(records);
  });

  test("REC_CFG_ATS does not exist without IDR0.ATSRECERR (§6.3.12)", () => {
    const judge = machine({ idr0: IDR0_ATS - 0x80_0000 }, 0xc);
    judge.smmu.write32(CR2, 0x8);
    expect(judge.smmu.read32(CR2)).toBe(0);
  });

  test("a descriptor that cannot be read: F_WALK_EABT", () => {
    const judge = machine({}, 0xc);
    judge.smmu.write32(CR2, 0x8);
    judge.smmu.write32(CR0, ENABLED);
    stage1(judge, FULL);
    judge.put(STAGE1 + 0x4000 * 5, 0x4000_0003n);
    expect(judge.ask(5, 0x1000n)).toBe("completer-abort");
    // RnW [99] is UNKNOWN (§3.9.1.2), a read here; CLASS TT [105:104]; FetchAddr of the level 2 descriptor
    expect(judge.records()).toEqual([words(0x0000_0005_0000_000bn, 0x0000_0108_0000_0000n, 0x1000n, 0x4000_0000n)]);
  });
});

describe("faults of the translation are an answer without rights, and no record (§3.9.1.2)", () => {
  const NOTHING = "0x0 2^12 ---"; // STU: the smallest granule
  test.each([
    ["stage 1 F_TRANSLATION", 0x3000n],
    ["stage 1 F_ACCESS", 0x4000n],
    ["beyond T0SZ", 0x80_0000_0000n],
  ])("%s", (_, iova) => {
    const judge = machine();
    stage1(judge, FULL);
    expect(judge.ask(5, iova, { noWrite: false })).toBe(NOTHING);
    expect(judge.records()).toEqual([]);
  });

  test("stage 1 F_ADDR_SIZE", () => {
    const judge = machine();
    stage1(judge, FULL, [0n, 0x1000_0000_0000n | PAGE]);
    expect(judge.ask(5, 0x1000n)).toBe(NOTHING);
  });

  test("stage 2 F_TRANSLATION of the address, of the CD and of a table", () => {
    const judge = machine();
    nested(judge, FULL, [0n, 0x1000n | PAGE]);
    expect(judge.ask(5, 0x1000n)).toBe(NOTHING);
    judge.put(CD_TABLE + 8, 0x1000n); // TTB0 where stage 2 has nothing
    judge.command(0x0000_0005_0000_0006n); // CFGI_CD_ALL
    expect(judge.ask(5, 0x1000n)).toBe(NOTHING);
    judge.put(STREAM_TABLE + 64 * 5, STE_NESTED | 0x2000n);
    judge.command(0x0000_0005_0000_0003n); // CFGI_STE
    expect(judge.ask(5, 0x1000n)).toBe(NOTHING);
    expect(judge.records()).toEqual([]);
  });

  test("an input above the IAS where stage 1 is bypassed", () => {
    const judge = machine();
    judge.stage2(5, S2_R, S2_PAGES);
    judge.put(STREAM_TABLE + 64 * 5 + 8, FULL);
    expect(judge.ask(5, 0x1000_0000_0000n)).toBe(NOTHING);
  });

  test("no rights at stage 1: stage 2 is not walked, and its aborts are not seen (§3.9.1.2)", () => {
    const judge = machine();
    nested(judge, FULL, [0n, 0x60_0000n | 0xf03n]); // AP 0b00: nothing for the unprivileged but execution
    judge.put(STAGE2 + 0x1000 + 24, 0x4000_0003n); // level 2 of stage 2 leads to a bus error for IPA 0x60_0000
    expect(judge.ask(5, 0x1000n)).toBe(NOTHING);
    judge.put(STAGE1 + 0x2000 + 8, 0x60_0000n | PAGE);
    expect(judge.ask(5, 0x1000n)).toBe("completer-abort");
  });
});

describe("what is granted (§13.7)", () => {
  /** Stream 5 with PASIDs; PASID 1 has CD 1. */
  function withPasid(page: bigint, ste1 = FULL, options: JudgeOptions = {}): JudgeMachine {
    const judge = machine(options);
    judge.ste(5, STE_S1 | BigInt(CD_TABLE) | (2n << 59n), ste1);
    judge.cd(CD_TABLE + 64, CD_RA, STAGE1, [0n, 0x9000_1000n | page]);
    return judge;
  }
  const UXN = 1n << 54n;
  const PXN = 1n << 53n;
  const RO = 0xfc3n;
  const PRIV_RW = 0xf03n;

  test.each([
    ["RW, NW=0", PAGE, { noWrite: false }, "RW-"],
    ["RW, NW=1: a page that is writable may say so", PAGE, {}, "RW-"],
    ["read-only, NW=0", RO, { noWrite: false }, "R--"],
    ["RW and XN, Exe=1", PAGE | UXN, { noWrite: false, execute: true }, "RW-"],
    ["RW, Exe=1", PAGE, { noWrite: false, execute: true }, "RWX"],
    ["RW, Exe=0: no more than was asked for", PAGE, { noWrite: false }, "RW-"],
    ["execute-only for the user, Exe=1: not to be had by ATS", PRIV_RW, { noWrite: false, execute: true }, "---"],
    ["for the privileged only, Priv=0", PRIV_RW | UXN, { noWrite: false }, "---"],
    ["for the privileged only, Priv=1", PRIV_RW, { noWrite: false, execute: true, privileged: true }, "RWXP"],
    ["read-only and PXN, Priv=1", RO | PXN, { noWrite: false, execute: true, privileged: true }, "R--P"],
  ])("%s", (_, page, request, rights) => {
    const judge = withPasid(page);
    const where = rights.startsWith("---") ? "0x0" : "0x90001000";
    expect(judge.ask(5, 0x1abcn, { substreamID: 1, ...request })).toBe(`${where} 2^12 ${rights}`);
    expect(judge.records()).toEqual([]);
  });

  // ATTR_PERMS_OVR is IDR1[26]; PRIVCFG [113:112] and INSTCFG [115:114] of the STE
  const OVERRIDES: JudgeOptions = { idr1: 0x0508_0210 };
  test.each([
    ["PRIVCFG unprivileged: judged below, answered as asked", PRIV_RW | UXN, 2n << 48n, { privileged: true }, "---P"],
    ["PRIVCFG privileged", PRIV_RW | UXN, 3n << 48n, {}, "RW-"],
    ["INSTCFG instruction: what can be executed can be read", PRIV_RW, 3n << 50n, { execute: true }, "R-X"],
    ["INSTCFG data: what can be read can be executed", PAGE | UXN, 2n << 50n, { execute: true }, "RWX"],
  ])("%s (§13.7.1)", (_, page, overrides, request, rights) => {
    const judge = withPasid(page, FULL | overrides, OVERRIDES);
    const where = rights.startsWith("---") ? "0x0" : "0x90001000";
    expect(judge.ask(5, 0x1000n, { substreamID: 1, noWrite: false, ...request })).toBe(`${where} 2^12 ${rights}`);
  });

  test("the rights of both stages together, and the smaller of their sizes", () => {
    const judge = machine();
    nested(judge, FULL);
    expect(judge.ask(5, 0x1000n, { noWrite: false })).toBe("0x90005000 2^12 RW-");
    expect(judge.ask(5, 0x2000n, { noWrite: false })).toBe("0x90006000 2^12 R--");
    expect(judge.ask(5, 0x5000n, { noWrite: false })).toBe("0x90007000 2^12 R--");
    judge.put(STAGE1 + 0x1000 + 8, 0x8000_0741n | 0x800n); // a 2 MiB block for VA 0x20_0000, on a 1 GiB block of stage 2
    expect(judge.ask(5, 0x21_2345n, { noWrite: false })).toBe("0x80012000 2^21 RW-");
  });

  test("S1DSS 1 past the only stage: the address itself, R and W (§13.6.4)", () => {
    const judge = machine();
    judge.ste(5, STE_S1 | BigInt(CD_TABLE) | (2n << 59n), FULL | 1n);
    expect(judge.ask(5, 0x1234_5678n)).toBe("0x12345000 2^12 RW-");
    expect(judge.ask(5, 0x1000_0000_0000n)).toBe("0x0 2^12 ---"); // beyond the OAS (§3.4)
  });

  test("S1DSS 1 on stage 2: what stage 2 says (§13.6.4)", () => {
    const judge = machine();
    nested(judge, FULL | 1n);
    judge.put(STREAM_TABLE + 64 * 5, STE_NESTED | BigInt(CD_TABLE) | (2n << 59n));
    expect(judge.ask(5, 0x7000n, { noWrite: false })).toBe("0x90007000 2^12 R--");
  });
});

describe("split-stage ATS (§13.6.3)", () => {
  test("answers with the IPA and the rights of both stages", () => {
    const judge = machine({}, ENABLED | ATSCHK);
    nested(judge, SPLIT);
    expect(judge.ask(5, 0x1000n, { noWrite: false })).toBe("0x5000 2^12 RW-");
    expect(judge.ask(5, 0x5000n, { noWrite: false })).toBe("0x7000 2^12 R--");
    expect(judge.ask(5, 0x3000n)).toBe("0x0 2^12 ---");
    expect(judge.records()).toEqual([]);
  });

  test("past stage 1 by S1DSS 1: the IPA itself (§13.6.5)", () => {
    const judge = machine({}, ENABLED | ATSCHK);
    nested(judge, SPLIT | 1n);
    judge.put(STREAM_TABLE + 64 * 5, STE_NESTED | BigInt(CD_TABLE) | (2n << 59n));
    expect(judge.ask(5, 0x7000n, { noWrite: false })).toBe("0x7000 2^12 R--");
  });

  test("needs an implementation that has it: NS1ATS=1 is C_BAD_STE (§5.2)", () => {
    const judge = machine({ idr0: IDR0_ATS | 0x800 }, ENABLED | ATSCHK);
    nested(judge, SPLIT);
    expect(judge.ask(5, 0x1000n)).toBe("completer-abort");
  });
});

describe("flags of the tables (§3.13.7)", () => {
  const HTTU = IDR0_ATS | 0x80;
  const CD_HA_HD = CD_RA | (3n << 42n);
  const S2_HA_HD = S2_R | (3n << 55n); // S2HD [183], S2HA [184]
  const CLEAN = (1n << 51n) | 0xfc3n; // DBM, AP 0b11, AF
  const CLEAN_OLD = (1n << 51n) | 0xbc3n; // the same without AF
  const LEAF1 = STAGE1 + 0x4000 * 5 + 0x2008;

  test("NW=1 sets AF and leaves a clean page clean: no W", () => {
    const judge = machine({ idr0: HTTU });
    stage1(judge, FULL, [0n, 0x9000_1000n | CLEAN_OLD], CD_HA_HD);
    expect(judge.ask(5, 0x1000n)).toBe("0x90001000 2^12 R--");
    expect(judge.get(LEAF1)).toBe(0x9000_1000n | CLEAN);
  });

  test("NW=0 makes it dirty and grants W", () => {
    const judge = machine({ idr0: HTTU });
    stage1(judge, FULL, [0n, 0x9000_1000n | CLEAN_OLD], CD_HA_HD);
    expect(judge.ask(5, 0x1000n, { noWrite: false })).toBe("0x90001000 2^12 RW-");
    expect(judge.get(LEAF1)).toBe((1n << 51n) | 0x9000_1000n | 0xf43n); // AP[2] 0, AF 1
    expect(judge.ask(5, 0x1000n)).toBe("0x90001000 2^12 RW-");
  });

  test("with HA alone NW=0 gets no W for a clean page, which stays clean (§3.13.7.1)", () => {
    const judge = machine({ idr0: HTTU });
    stage1(judge, FULL, [0n, 0x9000_1000n | CLEAN_OLD], CD_RA | (1n << 43n));
    expect(judge.ask(5, 0x1000n, { noWrite: false })).toBe("0x90001000 2^12 R--");
    expect(judge.get(LEAF1)).toBe(0x9000_1000n | CLEAN);
  });

  test("an answer without rights sets no flag", () => {
    const judge = machine({ idr0: HTTU });
    stage1(judge, FULL, [0n, 0x9000_1000n | 0xb03n], CD_HA_HD); // privileged only, AF 0
    expect(judge.ask(5, 0x1000n, { noWrite: false })).toBe("0x0 2^12 ---");
    expect(judge.get(LEAF1)).toBe(0x9000_1000n | 0xb03n);
  });

  /** Stage 2 of IPA 0x5000: DBM, S2AP read-only, AF 0. */
  const S2_CLEAN = (1n << 51n) | 0x9000_5000n | 0x37fn;
  const S2_LEAF = STAGE2 + 0x2000 + 40;
  const S2_LIST = [0n, 0n, 0n, 0n, 0n, S2_CLEAN];

  test("stage 2 is not made dirty for a page that is read-only at stage 1 (§3.13.7.1)", () => {
    const judge = machine({ idr0: HTTU });
    nested(judge, FULL, [0n, 0x5000n | 0xfc3n], S2_LIST, S2_HA_HD);
    expect(judge.ask(5, 0x1000n, { noWrite: false })).toBe("0x90005000 2^12 R--");
    expect(judge.get(S2_LEAF)).toBe(S2_CLEAN | 0x400n);
  });

  test("nor is stage 1 made dirty for what stage 2 does not let be written: dirty is never speculative", () => {
    const judge = machine({ idr0: HTTU });
    nested(judge, FULL, [0n, 0x5000n | CLEAN], [0n, 0n, 0n, 0n, 0n, 0x9000_5000n | 0x77fn], S2_HA_HD);
    judge.put(CD_TABLE, CD_HA_HD);
    expect(judge.ask(5, 0x1000n, { noWrite: false })).toBe("0x90005000 2^12 R--");
    expect(judge.get(STAGE1 + 0x2008)).toBe(0x5000n | CLEAN);
  });

  test("both become dirty where both allow it", () => {
    const judge = machine({ idr0: HTTU });
    nested(judge, FULL, [0n, 0x5000n | CLEAN], S2_LIST, S2_HA_HD);
    judge.put(CD_TABLE, CD_HA_HD);
    expect(judge.ask(5, 0x1000n, { noWrite: false })).toBe("0x90005000 2^12 RW-");
    expect(judge.get(STAGE1 + 0x2008)).toBe((1n << 51n) | 0x5000n | 0xf43n);
    expect(judge.get(S2_LEAF)).toBe(S2_CLEAN | 0x480n);
  });

  test("an update of stage 2 that never succeeds is stage 2's abort, at its descriptor (§5.2, S2IR0)", () => {
    const judge = machine({ idr0: HTTU });
    nested(judge, FULL, [0n, 0x5000n | PAGE], S2_LIST, S2_HA_HD);
    judge.memory.compareAndSwap64 = () => "changed";
    const fault = { type: "F_WALK_EABT", stage: 2, class: "IN", ipa: 0x5000, fetchAddress: S2_LEAF };
    const request = { streamID: 5, iova: 0x1000n, noWrite: true, privileged: false, execute: false };
    expect(judge.smmu.translationRequest(request)).toMatchObject({ kind: "completer-abort", fault });
  });

  test("split-stage: a clean stage 2 page counts as writable, its flags wait for the access", () => {
    const judge = machine({ idr0: HTTU }, ENABLED | ATSCHK);
    nested(judge, SPLIT, [0n, 0x5000n | PAGE], S2_LIST, S2_HA_HD);
    expect(judge.ask(5, 0x1000n, { noWrite: false })).toBe("0x5000 2^12 RW-");
    expect(judge.get(S2_LEAF)).toBe(S2_CLEAN);
    expect(judge.pass(5, 0x5010n, "write")).toBe("0x90005010");
    expect(judge.get(S2_LEAF)).toBe(S2_CLEAN | 0x480n);
  });
});
