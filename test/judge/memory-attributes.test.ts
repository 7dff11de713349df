// The third judge: what stage 1, the transaction and the overrides make of memory type, shareability and hints.
// From the text alone; each expectation is written as "type shareability hints", with the rule beside it.
// Source: IHI 0070G.b §13.1 to §13.4, §5.2, §5.4 (MAIR0, DS), §6.3.14; DDI 0487 D8.6.

import { describe, expect, test } from "vitest";
import {
  ALL,
  GRE,
  ISH,
  IWB_ONC,
  leaf1,
  leaf2,
  machine,
  NC,
  NGNRE,
  NGNRNE,
  NGRE,
  NSH,
  OSH,
  OVERRIDES,
  outgoing,
  RESERVED,
  two,
  WB,
  WT,
  word1,
} from "../support/judge-attributes.ts";
import { CD_RA, CD_TABLE, CR0, JudgeMachine, STAGE1, STE_S1 } from "../support/judge-machine.ts";

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
