// The third judge: the 256 bits of every record that this SMMU can write, from the text alone.
// Upper half of the second doubleword: PnU 0x2, InD 0x4, RnW 0x8, S2 0x80, CLASS TT 0x100, IN 0x200, TTRnW 0x1000.
// Source: IHI 0070G.b §7.3.

import { describe, expect, test } from "vitest";
import {
  CD_RA,
  CD_TABLE,
  CR0,
  IDR1,
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

const NOWHERE = 0x4000_0000n;

function streamTable(judge: JudgeMachine, base: bigint, config: number): void {
  judge.smmu.write32(CR0, 0xc);
  judge.smmu.write64(0x80, base);
  judge.smmu.write32(0x88, config);
  judge.smmu.write32(CR0, 0xd);
}

/** Stream 5, nested; its CD and stage 1 tables lie in the identity block unless said otherwise. */
function nested(judge: JudgeMachine, pages: readonly bigint[], at = BigInt(CD_TABLE), ttb0 = BigInt(STAGE1)): void {
  judge.stage2(5, S2_R, pages, STE_NESTED | at);
  judge.cd(CD_TABLE, CD_RA, STAGE1, [PAGE]);
  judge.put(CD_TABLE + 8, ttb0);
}

describe("configuration records", () => {
  test("C_BAD_STREAMID for a StreamID beyond the table, with RECINVSID (§7.3.2)", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0xc);
    judge.smmu.write32(0x2c, 0x2);
    judge.smmu.write32(CR0, 0xd);
    expect(judge.reach(0x100, 0x1000n, "read", 3)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0100_0000_3802n, 0n, 0n, 0n)]);
  });

  test("C_BAD_STREAMID without RECINVSID aborts and leaves no record (§7.3.2)", () => {
    const judge = new JudgeMachine();
    expect(judge.reach(0x100, 0x1000n)).toBe("abort");
    expect(judge.records()).toEqual([]);
  });

  test.each([
    ["Span 0", 0n, 0x45],
    ["a reserved Span", 12n, 0x45],
    ["a Span of more than SPLIT + 1", 8n, 0x45],
    ["an index outside 2^(Span-1)", 2n, 0x42],
  ])("C_BAD_STREAMID for %s in the level 1 descriptor (§5.1, §7.3.2)", (_, span, streamID) => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0xc);
    judge.smmu.write32(0x2c, 0x2);
    judge.put(0x8000_8008, 0x8000_9000n | span);
    streamTable(judge, 0x8000_8000n, 0x1_018a);
    expect(judge.reach(streamID, 0x1000n)).toBe("abort");
    expect(judge.records()).toEqual([words((BigInt(streamID) << 32n) | 0x02n, 0n, 0n, 0n)]);
  });

  test("F_STE_FETCH names the STE that could not be read (§7.3.3)", () => {
    const judge = new JudgeMachine();
    streamTable(judge, NOWHERE, 8);
    judge.access(5, 0x1000n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0003n, 0n, 0n, 0x4000_0140n)]);
  });

  test("F_STE_FETCH names the level 1 descriptor that could not be read (§7.3.3)", () => {
    const judge = new JudgeMachine();
    streamTable(judge, NOWHERE, 0x1_018a);
    judge.access(0x45, 0x1000n);
    expect(judge.records()).toEqual([words(0x0000_0045_0000_0003n, 0n, 0n, 0x4000_0008n)]);
  });

  test("F_STE_FETCH in a level 2 table (§7.3.3)", () => {
    const judge = new JudgeMachine();
    judge.put(0x8000_8008, NOWHERE | 7n);
    streamTable(judge, 0x8000_8000n, 0x1_018a);
    judge.access(0x45, 0x1000n, "write", 3);
    expect(judge.records()).toEqual([words(0x0000_0045_0000_3803n, 0n, 0n, 0x4000_0140n)]);
  });

  test("C_BAD_STE for V=0, with and without a SubstreamID (§7.3.4)", () => {
    const judge = new JudgeMachine();
    judge.access(5, 0x1000n);
    judge.access(6, 0x1000n, "write", 0xff);
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0004n, 0n, 0n, 0n),
      words(0x0000_0006_000f_f804n, 0n, 0n, 0n),
    ]);
  });

  test("Config=0b000 aborts and writes nothing, whatever else the STE says (§5.2)", () => {
    const judge = new JudgeMachine();
    judge.ste(5, 0xffff_ffff_ffff_fff1n, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn, 0n);
    expect(judge.reach(5, 0x1000n)).toBe("abort");
    expect(judge.records()).toEqual([]);
  });

  test("F_STREAM_DISABLED for S1DSS=0 without a SubstreamID (§7.3.7)", () => {
    const judge = new JudgeMachine();
    judge.ste(5, STE_S1 | BigInt(CD_TABLE) | (2n << 59n), 0n);
    expect(judge.reach(5, 0x1000n)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0006n, 0n, 0n, 0n)]);
  });

  test("F_STREAM_DISABLED for S1DSS=2 and SubstreamID 0 (§7.3.7)", () => {
    const judge = new JudgeMachine();
    judge.ste(5, STE_S1 | BigInt(CD_TABLE) | (2n << 59n), 2n);
    expect(judge.reach(5, 0x1000n, "read", 0)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0006n, 0n, 0n, 0n)]);
  });

  test.each([
    ["bypass", STE_BYPASS, 3],
    ["S1CDMax=0", STE_S1 | BigInt(CD_TABLE), 3],
    ["a SubstreamID of 2^S1CDMax", STE_S1 | BigInt(CD_TABLE) | (1n << 59n), 2],
  ])("C_BAD_SUBSTREAMID for %s: SubstreamID without SSV (§7.3.9)", (_, w0, substreamID) => {
    const judge = new JudgeMachine();
    judge.ste(5, w0, 0n);
    expect(judge.reach(5, 0x1000n, "read", substreamID)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0008n | (BigInt(substreamID) << 12n), 0n, 0n, 0n)]);
  });

  test("C_BAD_SUBSTREAMID for an invalid level 1 CD descriptor (§7.3.9)", () => {
    const judge = new JudgeMachine();
    judge.ste(5, STE_S1 | 0x10n | BigInt(CD_TABLE) | (8n << 59n), 0n);
    judge.access(5, 0x1000n, "read", 0x43);
    expect(judge.records()).toEqual([words(0x0000_0005_0004_3008n, 0n, 0n, 0n)]);
  });

  test("F_CD_FETCH names the CD that could not be read (§7.3.10)", () => {
    const judge = new JudgeMachine();
    judge.ste(5, STE_S1 | NOWHERE, 0n);
    judge.access(5, 0x1000n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0009n, 0n, 0n, 0x4000_0000n)]);
  });

  test("F_CD_FETCH names the level 1 descriptor that could not be read (§7.3.10)", () => {
    const judge = new JudgeMachine();
    judge.ste(5, STE_S1 | 0x10n | NOWHERE | (8n << 59n), 0n);
    judge.access(5, 0x1000n, "read", 0x43);
    expect(judge.records()).toEqual([words(0x0000_0005_0004_3809n, 0n, 0n, 0x4000_0008n)]);
  });

  test("C_BAD_CD for V=0 (§7.3.11)", () => {
    const judge = new JudgeMachine();
    judge.ste(5, STE_S1 | BigInt(CD_TABLE) | (2n << 59n), 0n);
    judge.access(5, 0x1000n, "write", 3);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_380an, 0n, 0n, 0n)]);
  });
});

describe("stage 1 records: S2=0, CLASS=IN, no IPA (§7.3.13 to §7.3.16)", () => {
  test.each([
    ["F_TRANSLATION, read", "read", 0n, 0x10n, 0x208n],
    ["F_TRANSLATION, write", "write", 0n, 0x10n, 0x200n],
    ["F_TRANSLATION, instruction fetch", "execute", 0n, 0x10n, 0x20cn],
    ["F_ADDR_SIZE of a page above IPS", "read", 0x0000_1000_0000_0f43n, 0x11n, 0x208n],
    ["F_ACCESS", "read", 0x8800_0b43n, 0x12n, 0x208n],
    ["F_ACCESS outranks F_PERMISSION", "write", 0x8800_0bc3n, 0x12n, 0x200n],
    ["F_PERMISSION, write to a read-only page", "write", 0x8800_0fc3n, 0x13n, 0x200n],
    ["F_PERMISSION, execute with UXN", "execute", 0x0040_0000_8800_0f43n, 0x13n, 0x20cn],
    ["F_PERMISSION, unprivileged read of a privileged page", "read", 0x8800_0f03n, 0x13n, 0x208n],
  ] as const)("%s", (_, access, page, code, attributes) => {
    const judge = new JudgeMachine();
    judge.stage1(5, CD_RA, [page]);
    expect(judge.reach(5, 0x0ab8n, access)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0000n | code, attributes << 32n, 0x0ab8n, 0n)]);
  });

  test("an access with a SubstreamID records SSV and SubstreamID", () => {
    const judge = new JudgeMachine();
    judge.ste(5, STE_S1 | BigInt(CD_TABLE) | (2n << 59n), 0n);
    judge.cd(CD_TABLE + 3 * 64, CD_RA, STAGE1, []);
    judge.access(5, 0x7123n, "read", 3);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_3810n, 0x0000_0208_0000_0000n, 0x7123n, 0n)]);
  });

  test("a privileged write records PnU=1", () => {
    const judge = new JudgeMachine();
    judge.stage1(5, CD_RA, [0x8800_0fc3n]);
    judge.smmu.translate({ streamID: 5, iova: 0x0n, access: "write", privileged: true });
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0013n, 0x0000_0202_0000_0000n, 0n, 0n)]);
  });

  test("PRIVCFG and INSTCFG are recorded as they override (§5.2, §7.3)", () => {
    const judge = new JudgeMachine({ idr1: IDR1 | 0x0400_0000 });
    judge.stage1(5, CD_RA, []);
    judge.ste(5, STE_S1 | BigInt(CD_TABLE + 5 * 64), 0x000f_0000_0000_0000n);
    judge.access(5, 0n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_020e_0000_0000n, 0n, 0n)]);
  });

  test("without ATTR_PERMS_OVR both are RES0 (§5.2)", () => {
    const judge = new JudgeMachine();
    judge.stage1(5, CD_RA, []);
    judge.ste(5, STE_S1 | BigInt(CD_TABLE + 5 * 64), 0x000f_0000_0000_0000n);
    judge.access(5, 0n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_0208_0000_0000n, 0n, 0n)]);
  });

  test("InputAddr is recorded with all 64 bits of an address out of range", () => {
    const judge = new JudgeMachine();
    judge.stage1(5, CD_RA, []);
    judge.access(5, 0xdead_beef_1234_5678n);
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0010n, 0x0000_0208_0000_0000n, 0xdead_beef_1234_5678n, 0n),
    ]);
  });

  test("a bypassed address above OAS is F_ADDR_SIZE (§3.4)", () => {
    const judge = new JudgeMachine();
    judge.ste(5, STE_BYPASS, 0n);
    expect(judge.reach(5, 0x1000_0000_0000n, "write")).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0011n, 0x0000_0200_0000_0000n, 0x1000_0000_0000n, 0n)]);
  });

  test("a stage 2 input above IAS is F_ADDR_SIZE of the bypassed stage 1 (§3.4)", () => {
    const judge = new JudgeMachine();
    judge.stage2(5, S2_R, []);
    judge.access(5, 0x1000_0000_0000n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0011n, 0x0000_0208_0000_0000n, 0x1000_0000_0000n, 0n)]);
  });

  test("F_WALK_EABT is CLASS=TT and names the descriptor (§7.3.12)", () => {
    const judge = new JudgeMachine();
    judge.stage1(5, CD_RA, []);
    judge.put(CD_TABLE + 5 * 64 + 8, NOWHERE);
    judge.access(5, 0x40_0000_1234n % 0x80_0000_0000n);
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_000bn, 0x0000_0108_0000_0000n, 0x40_0000_1234n, 0x4000_0800n),
    ]);
  });
});

describe("stage 2 records: S2=1 and the IPA (§7.3.12 to §7.3.16)", () => {
  test.each([
    ["F_TRANSLATION", "read", 0n, 0x10n, 0x288n],
    ["F_ADDR_SIZE above S2PS", "read", 0x0000_1000_0000_07ffn, 0x11n, 0x288n],
    ["F_ACCESS", "write", 0x8800_03ffn, 0x12n, 0x280n],
    ["F_PERMISSION, read of a write-only page", "read", 0x8800_07bfn, 0x13n, 0x288n],
    ["F_PERMISSION, write to a read-only page", "write", 0x8800_077fn, 0x13n, 0x280n],
    ["F_PERMISSION, execute with XN", "execute", 0x0040_0000_8800_07ffn, 0x13n, 0x28cn],
  ] as const)("CLASS=IN: %s", (_, access, page, code, attributes) => {
    const judge = new JudgeMachine();
    judge.stage2(5, S2_R, [0n, page]);
    expect(judge.reach(5, 0x1ab8n, access)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0000n | code, attributes << 32n, 0x1ab8n, 0x1000n)]);
  });

  test("an IPA of 2^(64-S2T0SZ) is a stage 2 F_TRANSLATION (§3.4)", () => {
    const judge = new JudgeMachine();
    judge.stage2(5, S2_R, []);
    judge.access(5, 0x80_0000_0000n);
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0010n, 0x0000_0288_0000_0000n, 0x80_0000_0000n, 0x80_0000_0000n),
    ]);
  });

  test("CLASS=IN of a nested access gives the IPA that stage 1 came to", () => {
    const judge = new JudgeMachine();
    nested(judge, []);
    judge.put(STAGE1 + 0x2000, 0x7000n | PAGE);
    judge.access(5, 0x0123n, "write");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_0280_0000_0000n, 0x0123n, 0x7000n)]);
  });

  test.each([
    ["F_TRANSLATION", 0n, 0x10n],
    ["F_ACCESS", 0x8003_03ffn, 0x12n],
    ["F_PERMISSION", 0x8003_073fn, 0x13n],
  ])("CLASS=CD: %s gives the IPA of the CD and the access of the device", (_, page, code) => {
    const judge = new JudgeMachine();
    nested(judge, [0n, page], 0x1000n);
    judge.access(5, 0x0123n, "write");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0000n | code, 0x0000_0080_0000_0000n, 0x0123n, 0x1000n)]);
  });

  test.each([
    ["F_TRANSLATION", 0n, 0x10n, 0x0180n],
    ["F_ACCESS", 0x8010_03ffn, 0x12n, 0x0180n],
    ["F_PERMISSION with TTRnW=1", 0x8010_073fn, 0x13n, 0x1180n],
  ])("CLASS=TT: %s gives the IPA of the descriptor", (_, page, code, attributes) => {
    const judge = new JudgeMachine();
    nested(judge, [0n, 0n, page], undefined, 0x2000n);
    judge.access(5, 0x0123n, "write");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0000n | code, attributes << 32n, 0x0123n, 0x2000n)]);
  });

  test("F_WALK_EABT, CLASS=IN: the stage 2 descriptor's address (§7.3.12)", () => {
    const judge = new JudgeMachine();
    judge.stage2(5, S2_R, [PAGE_S2]);
    judge.put(STAGE2 + 0x1000, NOWHERE | 3n);
    judge.access(5, 0x3123n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_000bn, 0x0000_0288_0000_0000n, 0x3123n, 0x4000_0018n)]);
  });

  test("F_WALK_EABT, CLASS=CD (§7.3.12)", () => {
    const judge = new JudgeMachine();
    nested(judge, [], 0x1000n);
    judge.put(STAGE2 + 0x1000, NOWHERE | 3n);
    judge.access(5, 0x3123n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_000bn, 0x0000_0088_0000_0000n, 0x3123n, 0x4000_0008n)]);
  });

  test("F_WALK_EABT, CLASS=TT, of stage 2 on the way to a stage 1 descriptor (§7.3.12)", () => {
    const judge = new JudgeMachine();
    nested(judge, [], undefined, 0x2000n);
    judge.put(STAGE2 + 0x1000, NOWHERE | 3n);
    judge.access(5, 0x3123n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_000bn, 0x0000_0188_0000_0000n, 0x3123n, 0x4000_0010n)]);
  });
});
