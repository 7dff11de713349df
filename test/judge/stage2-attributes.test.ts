// The third judge: what stage 2 makes of the memory attributes that reach it, with and without S2FWB, and what the TLB
// shares of them. From the text alone; each expectation is written as "type shareability hints", with the rule beside it.
// Source: IHI 0070G.b §13.1, §13.4, §5.2, §3.17, §3.23.1; DDI 0487 D8.6.5 to D8.6.7.

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
  outgoing,
  RESERVED,
  said,
  two,
  WB,
  WT,
  word1,
} from "../support/judge-attributes.ts";
import { CD_TABLE, CR0, JudgeMachine, S2_R, STAGE2, STE_NESTED, STE_S2 } from "../support/judge-machine.ts";

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
