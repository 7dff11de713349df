// The third judge: memory type, shareability and allocation hints of what goes out, from the text alone.
// Each expectation is written as "type shareability hints", with the rule beside it.
// Source: IHI 0070G.b §13, §5.2, §5.4 (MAIR0, DS), §6.3.14; DDI 0487 D8.6.

import { describe, expect, test } from "vitest";
import type { MemoryAttributes, Transaction } from "../../src/backends/smmuv3/smmu.ts";
import {
  CD_RA,
  CD_TABLE,
  CR0,
  JudgeMachine,
  S2_R,
  STAGE1,
  STAGE2,
  STE_BYPASS,
  STE_NESTED,
  STE_S1,
  STE_S2,
} from "../support/judge-machine.ts";

/** The judge's IDR1 with ATTR_TYPES_OVR (bit 27), its IDR3 with FWB (bit 8). */
const OVERRIDES = 0x0908_0210;
const FWB = 0x0000_0514;

/** Attr0 to Attr7: WB, NC, WT, the four Device types, inner WB with outer NC. */
const MAIR = 0x4f0c_0804_00bb_44ffn;
const [WB, NC, WT, NGNRNE, NGNRE, NGRE, GRE, IWB_ONC] = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n];
const [NSH, RESERVED, OSH, ISH] = [0n, 1n, 2n, 3n];

/** Valid page, AP RW for all, AF, nG; AttrIndx [4:2], SH [9:8]. */
function leaf1(attrIndx: bigint, sh: bigint): bigint {
  return 0xc43n | (attrIndx << 2n) | (sh << 8n);
}

/** Valid page at 0x8040_0000, S2AP RW, AF; MemAttr [5:2], SH [9:8]. */
function leaf2(memAttr: bigint, sh: bigint): bigint {
  return 0x8040_04c3n | (memAttr << 2n) | (sh << 8n);
}

/** STE[127:64]: MemAttr [99:96], MTCFG 100, ALLOCCFG [104:101], SHCFG [109:108]; S2FWB 89. */
function word1(fields: { mtcfg?: bigint; memAttr?: bigint; alloccfg?: bigint; shcfg?: bigint; fwb?: boolean }): bigint {
  const { mtcfg = 0n, memAttr = 0n, alloccfg = 0n, shcfg = 1n, fwb = false } = fields;
  return (memAttr << 32n) | (mtcfg << 36n) | (alloccfg << 37n) | (shcfg << 44n) | (fwb ? 1n << 25n : 0n);
}

function said({ memoryType, shareability, allocation }: MemoryAttributes): string {
  return `${memoryType} ${shareability} ${allocation}`.trim();
}

/** TLBI_NSNH_ALL (§4.4.3). */
const TLBI_ALL = 0x30n;

/**
 * What an access to page 0 of stream 1 goes out with: from cold caches, from the TLB, by the tables of page 1, which is
 * its like where there are tables, by these again once no translation is cached, and explained.
 */
function outgoing(judge: JudgeMachine, attributes?: number): string {
  const at = (iova: bigint): Transaction => {
    const plain = { streamID: 1, iova, access: "read", privileged: false } as const;
    return attributes === undefined ? plain : { ...plain, attributes };
  };
  const seen = [0x10n, 0x10n, 0x1010n].map((iova) => judge.smmu.translate(at(iova)));
  judge.command(TLBI_ALL);
  const again = [0x1010n, 0x10n].map((iova) => judge.smmu.translate(at(iova)));
  const outcomes = [...seen, ...again, judge.smmu.explain(at(0x10n)).outcome];
  const answers = outcomes.map((outcome) => (outcome.kind === "ok" ? said(outcome.attributes) : outcome.kind));
  return [...new Set(answers)].join(" or ");
}

/** The page, and the next one like it. */
function two(leaf: bigint): bigint[] {
  return [leaf, leaf + 0x1000n];
}

interface Stages {
  readonly s1?: bigint;
  readonly s2?: bigint;
  readonly mair?: bigint;
  readonly ste?: bigint;
  readonly idr1?: number;
}

/** Stream 1 with the stages that have a leaf: page 0 of stage 1 leads to IPA 0, which stage 2 has at 0x8040_0000. */
function machine({ s1, s2, mair = MAIR, ste = word1({}), idr1 = OVERRIDES }: Stages): JudgeMachine {
  const judge = new JudgeMachine({ idr1, idr3: FWB });
  const at = CD_TABLE + 64;
  if (s2 !== undefined) judge.stage2(1, S2_R, two(s2));
  if (s1 !== undefined) {
    judge.cd(at, CD_RA, STAGE1, two(s1));
    judge.put(at + 24, mair);
  }
  const pointer = s1 === undefined ? 0n : BigInt(at);
  const config = s1 === undefined ? (s2 === undefined ? STE_BYPASS : STE_S2) : s2 === undefined ? STE_S1 : STE_NESTED;
  judge.ste(1, config | pointer, ste, S2_R, BigInt(STAGE2));
  return judge;
}

const ALL = "iRAWAnTR-oRAWAnTR";

describe("stage 1 alone: the leaf chooses a MAIR byte and a shareability (§13.4.2, §5.4)", () => {
  test.each([
    ["0xff", WB, ISH, `Normal-iWB-oWB ISH ${ALL}`],
    ["0xff", WB, OSH, `Normal-iWB-oWB OSH ${ALL}`],
    ["0xff", WB, NSH, `Normal-iWB-oWB NSH ${ALL}`],
    ["0xbb", WT, OSH, `Normal-iWT-oWT OSH ${ALL}`],
    ["0x4f: hints for the cacheable level only", IWB_ONC, ISH, "Normal-iWB-oNC ISH iRAWAnTR"],
    ["0x44: Non-cacheable is Outer Shareable (§13.1.7)", NC, NSH, "Normal-iNC-oNC OSH"],
    ["0x00: and so is Device", NGNRNE, NSH, "Device-nGnRnE OSH"],
    ["0x04", NGNRE, ISH, "Device-nGnRE OSH"],
    ["0x08", NGRE, OSH, "Device-nGRE OSH"],
    ["0x0c", GRE, NSH, "Device-GRE OSH"],
    ["0xff with the reserved SH, taken as Non-shareable", WB, RESERVED, `Normal-iWB-oWB NSH ${ALL}`],
  ])("%s", (_, attrIndx, sh, expected) => {
    expect(outgoing(machine({ s1: leaf1(attrIndx, sh) }))).toBe(expected);
  });

  test.each([
    ["0xf0: inner Write-Through, transient, RW", "f0", "Normal-iWT-oWB ISH iRAWATR-oRAWAnTR"],
    ["0x40: the same under a Non-cacheable outer level", "40", "Normal-iWT-oNC ISH iRAWATR"],
    ["0x01: Device-nGnRnE", "01", "Device-nGnRnE OSH"],
    ["0x07: Device-nGnRE", "07", "Device-nGnRE OSH"],
    ["0x0a: Device-nGRE", "0a", "Device-nGRE OSH"],
    ["0x0f: Device-GRE", "0f", "Device-GRE OSH"],
  ])("a reserved byte, %s (§5.4, MAIR0)", (_, byte, expected) => {
    expect(outgoing(machine({ s1: leaf1(0n, ISH), mair: BigInt(`0x${byte}`) }))).toBe(expected);
  });

  test.each([
    ["0x7b: outer Write-Back transient, inner Write-Through", "7b", "Normal-iWT-oWB ISH iRAWAnTR-oRAWATR"],
    ["0x6d: outer reads, inner writes", "6d", "Normal-iWB-oWB ISH inRAWAnTR-oRAnWATR"],
    ["0xcc: allocated on neither", "cc", "Normal-iWB-oWB ISH inRAnWAnTR-onRAnWAnTR"],
    ["0x13: both Write-Through transient", "13", "Normal-iWT-oWT ISH iRAWATR-onRAWATR"],
  ])("hints of %s (DDI 0487, MAIR_EL1)", (_, byte, expected) => {
    expect(outgoing(machine({ s1: leaf1(0n, ISH), mair: BigInt(`0x${byte}`) }))).toBe(expected);
  });

  test("AttrIndx 4 to 7 are in MAIR1", () => {
    expect(outgoing(machine({ s1: leaf1(4n, ISH), mair: 0x44_0000_0000n }))).toBe("Normal-iNC-oNC OSH");
  });

  test("with CD.DS the shareability is CD.SH0's, for bits [9:8] are address (§5.4, DS)", () => {
    const judge = new JudgeMachine({ idr5: 0x0004_00f6 });
    judge.cd(CD_TABLE + 64, CD_RA | (OSH << 12n), STAGE1, two(leaf1(0n, 0n)));
    judge.put(CD_TABLE + 64 + 16, 1n << 58n);
    judge.ste(1, STE_S1 | BigInt(CD_TABLE + 64), word1({}), 0n);
    expect(outgoing(judge)).toBe(`Normal-iWB-oWB OSH ${ALL}`);
  });
});

describe("hints of the transaction combine with stage 1's (§13.4.2)", () => {
  test.each([
    ["no-allocate wins over allocate", 0x3cc, "Normal-iWB-oWB ISH inRAnWAnTR-onRAnWAnTR"],
    ["transient wins", 0x077, "Normal-iWB-oWB ISH iRAWATR-oRAWATR"],
    ["each level for itself", 0x0ef, "Normal-iWB-oWB ISH iRAWAnTR-oRAnWAnTR"],
    ["Write-Through has hints too, and its type is discarded", 0x088, "Normal-iWB-oWB ISH inRAnWAnTR-onRAnWAnTR"],
    ["a Non-cacheable input has none", 0x244, `Normal-iWB-oWB ISH ${ALL}`],
    ["nor has a Device input, whose type is discarded too", 0x200, `Normal-iWB-oWB ISH ${ALL}`],
  ])("%s", (_, attributes, expected) => {
    expect(outgoing(machine({ s1: leaf1(WB, ISH) }), attributes)).toBe(expected);
  });

  test("ALLOCCFG counts as the transaction's: 0b1100 leaves read allocation", () => {
    const ste = word1({ alloccfg: 0b1100n });
    expect(outgoing(machine({ s1: leaf1(WB, ISH), ste }))).toBe("Normal-iWB-oWB ISH iRAnWAnTR-oRAnWAnTR");
  });

  test("without ATTR_TYPES_OVR ALLOCCFG is RES0 (§5.2)", () => {
    const ste = word1({ alloccfg: 0b1100n });
    expect(outgoing(machine({ s1: leaf1(WB, ISH), ste, idr1: 0x0108_0210 }))).toBe(`Normal-iWB-oWB ISH ${ALL}`);
  });

  test("MTCFG to Device takes the input's hints away", () => {
    const ste = word1({ mtcfg: 1n, memAttr: 0b0001n });
    expect(outgoing(machine({ s1: leaf1(WB, ISH), ste }), 0x3cc)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
  });

  test("a Non-cacheable page has no hints, whatever came", () => {
    expect(outgoing(machine({ s1: leaf1(NC, ISH) }), 0x3cc)).toBe("Normal-iNC-oNC OSH");
  });

  test("they outlast stage 2, which has none (§13.4.3)", () => {
    const judge = machine({ s1: leaf1(WB, ISH), s2: leaf2(0b1010n, NSH) });
    expect(outgoing(judge, 0x3ee)).toBe("Normal-iWT-oWT ISH iRAnWAnTR-oRAnWAnTR");
  });
});

const OVERRIDE_CASES = [
  ["nothing set, nothing conveyed: the SMMU's default (§13.1.3)", {}, undefined, `Normal-iWB-oWB NSH ${ALL}`],
  ["nothing set: what came", {}, 0x3ff, `Normal-iWB-oWB ISH ${ALL}`],
  ["SHCFG Outer", { shcfg: OSH }, 0x3ff, `Normal-iWB-oWB OSH ${ALL}`],
  ["SHCFG Inner", { shcfg: ISH }, 0x0ff, `Normal-iWB-oWB ISH ${ALL}`],
  ["SHCFG Non-shareable", { shcfg: NSH }, 0x2ff, `Normal-iWB-oWB NSH ${ALL}`],
  ["SHCFG is nothing to a Device input", { shcfg: NSH }, 0x004, "Device-nGnRE OSH"],
  ["nor to a Non-cacheable one", { shcfg: ISH }, 0x044, "Normal-iNC-oNC OSH"],
  ["MTCFG to Device", { mtcfg: 1n, memAttr: 0b0011n }, 0x3ff, "Device-GRE OSH"],
  ["MTCFG to Non-cacheable", { mtcfg: 1n, memAttr: 0b0101n, shcfg: NSH }, 0x3ff, "Normal-iNC-oNC OSH"],
  ["MTCFG to both kinds", { mtcfg: 1n, memAttr: 0b1110n }, 0x3ff, `Normal-iWT-oWB ISH ${ALL}`],
  ["MTCFG to inner alone", { mtcfg: 1n, memAttr: 0b0111n }, 0x3ff, "Normal-iWB-oNC ISH iRAWAnTR"],
  ["MTCFG keeps the hints", { mtcfg: 1n, memAttr: 0b1010n }, 0x3cd, "Normal-iWT-oWT ISH inRAWAnTR-onRAnWAnTR"],
  ["MTCFG from Device: allocate (§13.1.4)", { mtcfg: 1n, memAttr: 0b1111n }, 0x008, `Normal-iWB-oWB OSH ${ALL}`],
  ["reserved MemAttr 0100", { mtcfg: 1n, memAttr: 0b0100n }, 0x3ff, "Device-nGnRnE OSH"],
  ["reserved MemAttr 1000", { mtcfg: 1n, memAttr: 0b1000n }, 0x3ff, "Device-nGnRnE OSH"],
  ["reserved MemAttr 1100", { mtcfg: 1n, memAttr: 0b1100n }, 0x3ff, "Device-nGnRnE OSH"],
  ["MemAttr without MTCFG", { memAttr: 0b0001n }, 0x3ff, `Normal-iWB-oWB ISH ${ALL}`],
  ["ALLOCCFG transient", { alloccfg: 0b1111n }, 0x3ff, "Normal-iWB-oWB ISH iRAWATR-oRAWATR"],
  ["ALLOCCFG write", { alloccfg: 0b1010n }, 0x377, "Normal-iWB-oWB ISH inRAWAnTR-onRAWAnTR"],
  ["ALLOCCFG 1001 is 1000", { alloccfg: 0b1001n }, 0x3ff, "Normal-iWB-oWB ISH inRAnWAnTR-onRAnWAnTR"],
  ["ALLOCCFG 0111 is not one", { alloccfg: 0b0111n }, 0x3ff, `Normal-iWB-oWB ISH ${ALL}`],
  ["ALLOCCFG on a Device input", { alloccfg: 0b1111n }, 0x300, "Device-nGnRnE OSH"],
] as const;

describe("a bypass STE passes the input with its overrides (§13.3, §13.1.4)", () => {
  test.each(OVERRIDE_CASES)("%s", (_, fields, attributes, expected) => {
    expect(outgoing(machine({ ste: word1(fields) }), attributes)).toBe(expected);
  });

  test("without ATTR_TYPES_OVR nothing is overridden (§5.2)", () => {
    const ste = word1({ mtcfg: 1n, memAttr: 1n, alloccfg: 0b1000n, shcfg: OSH });
    expect(outgoing(machine({ ste, idr1: 0x0108_0210 }), 0x3ff)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
  });
});

describe("while SMMUEN=0 GBPA overrides (§13.2, §6.3.14)", () => {
  /** MemAttr [3:0], MTCFG 4, ALLOCCFG [11:8], SHCFG [13:12], Update 31. */
  function disabled(idr1: number, fields: { mtcfg?: bigint; memAttr?: bigint; alloccfg?: bigint; shcfg?: bigint }) {
    const judge = new JudgeMachine({ idr1 });
    const { mtcfg = 0n, memAttr = 0n, alloccfg = 0n, shcfg = 1n } = fields;
    judge.smmu.write32(0x44, Number(0x8000_0000n | memAttr | (mtcfg << 4n) | (alloccfg << 8n) | (shcfg << 12n)));
    judge.smmu.write32(CR0, 0xc);
    return judge;
  }

  test.each(OVERRIDE_CASES)("%s", (_, fields, attributes, expected) => {
    expect(outgoing(disabled(OVERRIDES, fields), attributes)).toBe(expected);
  });

  test("without ATTR_TYPES_OVR its fields are fixed as Use incoming", () => {
    const judge = disabled(0x0108_0210, { mtcfg: 1n, memAttr: 1n, alloccfg: 0b1000n, shcfg: OSH });
    expect(outgoing(judge, 0x3ff)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
  });
});

describe("stage 2 alone combines with the input (§13.4.3; DDI 0487 D8.6.5, D8.6.7)", () => {
  test.each([
    ["WB of both, the wider domain", 0b1111n, ISH, 0x0ff, `Normal-iWB-oWB ISH ${ALL}`],
    ["the input's domain may be the wider", 0b1111n, NSH, 0x2ff, `Normal-iWB-oWB OSH ${ALL}`],
    ["Inner and Inner", 0b1111n, ISH, 0x3ff, `Normal-iWB-oWB ISH ${ALL}`],
    ["Outer over Inner", 0b1111n, OSH, 0x3ff, `Normal-iWB-oWB OSH ${ALL}`],
    ["the reserved SH, taken as Non-shareable", 0b1111n, RESERVED, 0x0ff, `Normal-iWB-oWB NSH ${ALL}`],
    ["Write-Through", 0b1010n, ISH, 0x3ff, `Normal-iWT-oWT ISH ${ALL}`],
    ["Non-cacheable", 0b0101n, ISH, 0x3ff, "Normal-iNC-oNC OSH"],
    ["Non-cacheable inside", 0b1101n, ISH, 0x3ff, "Normal-iNC-oWB ISH oRAWAnTR"],
    ["Write-Through inside, Non-cacheable outside", 0b0110n, ISH, 0x3ff, "Normal-iWT-oNC ISH iRAWAnTR"],
    ["Device", 0b0001n, NSH, 0x3ff, "Device-nGnRE OSH"],
    ["a Device input stays Device", 0b1111n, NSH, 0x00c, "Device-GRE OSH"],
    ["of two Device types the stronger", 0b0010n, NSH, 0x004, "Device-nGnRE OSH"],
    ["and the other way round", 0b0000n, NSH, 0x00c, "Device-nGnRnE OSH"],
    ["a Non-cacheable input stays so", 0b1111n, NSH, 0x344, "Normal-iNC-oNC OSH"],
  ])("%s", (_, memAttr, sh, attributes, expected) => {
    expect(outgoing(machine({ s2: leaf2(memAttr, sh) }), attributes)).toBe(expected);
  });

  test("the input is taken after MTCFG and SHCFG (§13.5)", () => {
    const ste = word1({ mtcfg: 1n, memAttr: 0b1110n, shcfg: OSH });
    expect(outgoing(machine({ s2: leaf2(0b1111n, NSH), ste }))).toBe(`Normal-iWT-oWB OSH ${ALL}`);
  });

  test("a reserved MemAttr acts as one that is not: here with a Non-cacheable inner level", () => {
    expect(outgoing(machine({ s2: leaf2(0b1100n, ISH) }))).toBe("Normal-iNC-oWB ISH oRAWAnTR");
  });

  test("with IDR3.MTEPERM MemAttr 0b0100 is Write-Back (§3.23.1)", () => {
    const judge = new JudgeMachine({ idr3: 0x0040_0414 });
    judge.stage2(1, S2_R, two(leaf2(0b0100n, ISH)));
    expect(outgoing(judge)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
  });

  test("with S2DS the shareability is S2SH0's, for bits [9:8] are address (§5.2, S2DS)", () => {
    const judge = new JudgeMachine({ idr5: 0x0004_00f6 });
    judge.stage2(1, S2_R, two(leaf2(0b1111n, 0n)));
    judge.ste(1, STE_S2, 0n, S2_R | (OSH << 44n), BigInt(STAGE2) | 8n);
    expect(outgoing(judge)).toBe(`Normal-iWB-oWB OSH ${ALL}`);
  });

  test("S1DSS past stage 1 is the same as having none (§5.2, S1DSS)", () => {
    const judge = machine({ s1: leaf1(NC, ISH), s2: leaf2(0b1010n, ISH) });
    const twoCDs = STE_NESTED | BigInt(CD_TABLE + 0x80) | (1n << 59n);
    judge.ste(1, twoCDs, word1({ shcfg: OSH }) | 1n, S2_R, BigInt(STAGE2));
    expect(outgoing(judge, 0x3ff)).toBe(`Normal-iWT-oWT OSH ${ALL}`);
  });
});

describe("both stages without S2FWB (§13.1.5; DDI 0487 D8.6.5)", () => {
  test.each([
    ["first example of §13.1.5.1", IWB_ONC, ISH, 0b0001n, ISH, "Device-nGnRE OSH"],
    ["second example", NGNRE, ISH, 0b0000n, ISH, "Device-nGnRnE OSH"],
    ["third example", IWB_ONC, ISH, 0b1010n, OSH, "Normal-iWT-oNC OSH iRAWAnTR"],
    ["0b1111 leaves stage 1's Device", NGRE, NSH, 0b1111n, NSH, "Device-nGRE OSH"],
    ["0b1111 leaves stage 1's Write-Through", WT, ISH, 0b1111n, NSH, `Normal-iWT-oWT ISH ${ALL}`],
    ["Write-Through of stage 2 on Write-Back", WB, NSH, 0b1010n, NSH, `Normal-iWT-oWT NSH ${ALL}`],
    ["Non-cacheable of stage 2 on Write-Back", WB, ISH, 0b0101n, ISH, "Normal-iNC-oNC OSH"],
    ["Non-cacheable of stage 1 under Write-Through", NC, ISH, 0b1010n, ISH, "Normal-iNC-oNC OSH"],
    ["levels that meet as Non-cacheable", IWB_ONC, ISH, 0b1101n, NSH, "Normal-iNC-oNC OSH"],
    ["Device of stage 2 on Normal", WB, ISH, 0b0011n, NSH, "Device-GRE OSH"],
    ["GRE and nGRE", GRE, ISH, 0b0010n, NSH, "Device-nGRE OSH"],
    ["stage 2 widens the domain", WB, NSH, 0b1111n, ISH, `Normal-iWB-oWB ISH ${ALL}`],
    ["and never narrows it", WB, OSH, 0b1111n, NSH, `Normal-iWB-oWB OSH ${ALL}`],
  ])("%s", (_, attrIndx, sh1, memAttr, sh2, expected) => {
    expect(outgoing(machine({ s1: leaf1(attrIndx, sh1), s2: leaf2(memAttr, sh2) }))).toBe(expected);
  });

  test("the transaction's own type and shareability are forgotten (§13.4.2)", () => {
    const ste = word1({ mtcfg: 1n, memAttr: 0n, shcfg: OSH });
    const judge = machine({ s1: leaf1(WB, NSH), s2: leaf2(0b1111n, NSH), ste });
    expect(outgoing(judge, 0x204)).toBe(`Normal-iWB-oWB NSH ${ALL}`);
  });
});

describe("S2FWB: MemAttr[2:0] of stage 2 over Device-nGRE, NC, WT and WB of stage 1 (DDI 0487 D8.6.6)", () => {
  const allOf = (what: string): [string, string, string, string] => [what, what, what, what];
  const FORCED = `Normal-iWB-oWB OSH ${ALL}`;
  const UNCACHED = "Normal-iNC-oNC OSH";
  const THROUGH = `Normal-iWT-oWT ISH ${ALL}`;
  const BACK = `Normal-iWB-oWB ISH ${ALL}`;
  // stage 1 is Inner Shareable, stage 2 Non-shareable; Device and Non-cacheable of stage 1 arrive at stage 2 as Outer
  const rows: readonly (readonly [bigint, string, readonly [string, string, string, string]])[] = [
    [0b000n, "Device-nGnRnE", allOf("Device-nGnRnE OSH")],
    [0b001n, "Device-nGnRE", allOf("Device-nGnRE OSH")],
    [0b010n, "Device-nGRE", allOf("Device-nGRE OSH")],
    [
      0b011n,
      "Device-GRE, which combines with Device",
      ["Device-nGRE OSH", "Device-GRE OSH", "Device-GRE OSH", "Device-GRE OSH"],
    ],
    [0b100n, "reserved, taken as 0b101", ["Device-nGRE OSH", UNCACHED, UNCACHED, UNCACHED]],
    [0b101n, "Non-cacheable, except over Device", ["Device-nGRE OSH", UNCACHED, UNCACHED, UNCACHED]],
    [0b110n, "Write-Back, whatever stage 1 says", [FORCED, FORCED, BACK, BACK]],
    [0b111n, "stage 1's", ["Device-nGRE OSH", UNCACHED, THROUGH, BACK]],
  ];
  const cases = rows.flatMap(([memAttr, name, results]) =>
    [NGRE, NC, WT, WB].map((attrIndx, index) => {
      const from = ["Device-nGRE", "NC", "WT", "WB"][index];
      return [memAttr.toString(2).padStart(3, "0"), name, from, memAttr, attrIndx, results[index]] as const;
    }),
  );
  const ste = word1({ fwb: true });

  test.each(cases)("0b%s, %s: over %s", (_bits, _name, _from, memAttr, attrIndx, expected) => {
    expect(outgoing(machine({ s1: leaf1(attrIndx, ISH), s2: leaf2(memAttr, NSH), ste }))).toBe(expected);
  });

  test("MemAttr[3] does not count", () => {
    expect(outgoing(machine({ s1: leaf1(NC, ISH), s2: leaf2(0b1110n, NSH), ste }))).toBe(FORCED);
    expect(outgoing(machine({ s1: leaf1(WB, ISH), s2: leaf2(0b1001n, NSH), ste }))).toBe("Device-nGnRE OSH");
  });

  test("Device-GRE of stage 2 does not weaken Device-nGnRnE of stage 1 (R_GSDKZ)", () => {
    expect(outgoing(machine({ s1: leaf1(NGNRNE, ISH), s2: leaf2(0b011n, NSH), ste }))).toBe("Device-nGnRnE OSH");
  });

  test("forced Write-Back keeps stage 1's hints where there are any, level by level (R_THYXB, R_TBQKG)", () => {
    const mair = 0x4dn; // outer Non-cacheable, inner Write-Back that allocates on writes
    const judge = machine({ s1: leaf1(0n, ISH), s2: leaf2(0b110n, NSH), ste, mair });
    expect(outgoing(judge)).toBe("Normal-iWB-oWB ISH inRAWAnTR-oRAWAnTR");
  });

  test("it overrides the input of a stage 2 alone as well (§5.2, S2FWB)", () => {
    expect(outgoing(machine({ s2: leaf2(0b110n, ISH), ste }), 0x0bb)).toBe(BACK);
    expect(outgoing(machine({ s2: leaf2(0b101n, ISH), ste }), 0x3ff)).toBe(UNCACHED);
    expect(outgoing(machine({ s2: leaf2(0b111n, ISH), ste }), 0x00c)).toBe("Device-GRE OSH");
  });

  test("without IDR3.FWB the bit is RES0 and MemAttr has its old meaning (§6.3.4)", () => {
    const judge = new JudgeMachine();
    judge.stage2(1, S2_R, two(leaf2(0b0110n, ISH)));
    judge.ste(1, STE_S2, ste, S2_R, BigInt(STAGE2));
    expect(outgoing(judge)).toBe("Normal-iWT-oNC ISH iRAWAnTR");
  });
});

describe("a cached translation is shared, what a transaction brings is its own (§3.17, §13.4)", () => {
  /** Stream 2 with the tables and the VMID of stream 1, and an STE[127:64] of its own. */
  function withSecond(judge: JudgeMachine, config: bigint, ste: bigint): JudgeMachine {
    judge.ste(2, config, ste, S2_R, BigInt(STAGE2));
    return judge;
  }

  function answerOf(judge: JudgeMachine, streamID: number, attributes: number): string {
    const outcome = judge.smmu.translate({ streamID, iova: 0x10n, access: "read", privileged: false, attributes });
    return outcome.kind === "ok" ? said(outcome.attributes) : outcome.kind;
  }

  test("hints of one transaction do not stay for the next", () => {
    const judge = machine({ s1: leaf1(WB, ISH), s2: leaf2(0b1111n, NSH) });
    expect(answerOf(judge, 1, 0x3cc)).toBe("Normal-iWB-oWB ISH inRAnWAnTR-onRAnWAnTR");
    expect(answerOf(judge, 1, 0x3ff)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
    expect(answerOf(judge, 1, 0x377)).toBe("Normal-iWB-oWB ISH iRAWATR-oRAWATR");
  });

  test("streams of one address space have each their ALLOCCFG", () => {
    const judge = machine({ s1: leaf1(WB, ISH), s2: leaf2(0b1111n, NSH) });
    withSecond(judge, STE_NESTED | BigInt(CD_TABLE + 64), word1({ alloccfg: 0b1000n }));
    expect(answerOf(judge, 1, 0x3ff)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
    expect(answerOf(judge, 2, 0x3ff)).toBe("Normal-iWB-oWB ISH inRAnWAnTR-onRAnWAnTR");
    expect(answerOf(judge, 1, 0x3ff)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
  });

  test("streams of one stage 2 have each their MTCFG and SHCFG", () => {
    const judge = withSecond(
      machine({ s2: leaf2(0b1111n, NSH) }),
      STE_S2,
      word1({ mtcfg: 1n, memAttr: 0b1010n, shcfg: OSH }),
    );
    expect(answerOf(judge, 1, 0x3ff)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
    expect(answerOf(judge, 2, 0x3ff)).toBe(`Normal-iWT-oWT OSH ${ALL}`);
    expect(answerOf(judge, 1, 0x004)).toBe("Device-nGnRE OSH");
  });

  test("callers that take an answer's halves ask for the attributes with their request", () => {
    const { smmu } = machine({ s1: leaf1(IWB_ONC, ISH), s2: leaf2(0b1111n, NSH) });
    const request = { streamID: 1, access: "read", privileged: false } as const;
    for (const attributes of [0x3cc, 0x3ff]) {
      const hinted = { ...request, attributes };
      expect(smmu.translateHalves(hinted, 0, 0x10)).toBeUndefined();
      expect(smmu.answer.attributes).toBe(0x34f); // MAIR byte and SH, as the tables have them
      const hints = attributes === 0x3cc ? "inRAnWAnTR" : "iRAWAnTR";
      expect(said(smmu.answer.attributesOf(hinted))).toBe(`Normal-iWB-oNC ISH ${hints}`);
    }
  });

  test("GBPA counts from the moment SMMUEN is 0, and the STE's again afterwards", () => {
    const judge = machine({ s1: leaf1(WB, ISH) });
    expect(answerOf(judge, 1, 0x2ff)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
    judge.smmu.write32(0x44, 0x8000_0c00);
    judge.smmu.write32(CR0, 0xc);
    expect(answerOf(judge, 1, 0x2ff)).toBe("Normal-iWB-oWB NSH iRAnWAnTR-oRAnWAnTR");
    judge.smmu.write32(CR0, 0xd);
    expect(answerOf(judge, 1, 0x2ff)).toBe(`Normal-iWB-oWB ISH ${ALL}`);
  });
});
