// What the third judge's cases of memory attributes are put together from: leaves, an STE's second doubleword, a stream
// with the stages that have a leaf. Bits are shifted as the reference prints them.
// Source: IHI 0070G.b §5.2, §5.4; DDI 0487 D8.3.

import type { MemoryAttributes, Transaction } from "../../src/backends/smmuv3/smmu.ts";
import {
  CD_RA,
  CD_TABLE,
  JudgeMachine,
  S2_R,
  STAGE1,
  STAGE2,
  STE_BYPASS,
  STE_NESTED,
  STE_S1,
  STE_S2,
} from "./judge-machine.ts";

/** The judge's IDR1 with ATTR_TYPES_OVR (bit 27), its IDR3 with FWB (bit 8). */
export const OVERRIDES = 0x0908_0210;
const FWB = 0x0000_0514;

/** Attr0 to Attr7: WB, NC, WT, the four Device types, inner WB with outer NC. */
const MAIR = 0x4f0c_0804_00bb_44ffn;
export const [WB, NC, WT, NGNRNE, NGNRE, NGRE, GRE, IWB_ONC] = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n];
export const [NSH, RESERVED, OSH, ISH] = [0n, 1n, 2n, 3n];

/** Valid page, AP RW for all, AF, nG; AttrIndx [4:2], SH [9:8]. */
export function leaf1(attrIndx: bigint, sh: bigint): bigint {
  return 0xc43n | (attrIndx << 2n) | (sh << 8n);
}

/** Valid page at 0x8040_0000, S2AP RW, AF; MemAttr [5:2], SH [9:8]. */
export function leaf2(memAttr: bigint, sh: bigint): bigint {
  return 0x8040_04c3n | (memAttr << 2n) | (sh << 8n);
}

/** STE[127:64]: MemAttr [99:96], MTCFG 100, ALLOCCFG [104:101], SHCFG [109:108]; S2FWB 89. */
export function word1(fields: {
  mtcfg?: bigint;
  memAttr?: bigint;
  alloccfg?: bigint;
  shcfg?: bigint;
  fwb?: boolean;
}): bigint {
  const { mtcfg = 0n, memAttr = 0n, alloccfg = 0n, shcfg = 1n, fwb = false } = fields;
  return (memAttr << 32n) | (mtcfg << 36n) | (alloccfg << 37n) | (shcfg << 44n) | (fwb ? 1n << 25n : 0n);
}

export function said({ memoryType, shareability, allocation }: MemoryAttributes): string {
  return `${memoryType} ${shareability} ${allocation}`.trim();
}

/** TLBI_NSNH_ALL (§4.4.3). */
const TLBI_ALL = 0x30n;

/**
 * What an access to page 0 of stream 1 goes out with: from cold caches, from the TLB, by the tables of page 1, which is
 * its like where there are tables, by these again once no translation is cached, and explained.
 */
export function outgoing(judge: JudgeMachine, attributes?: number): string {
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
export function two(leaf: bigint): bigint[] {
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
export function machine({ s1, s2, mair = MAIR, ste = word1({}), idr1 = OVERRIDES }: Stages): JudgeMachine {
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

/** Hints of two levels that allocate on all and are not transient. */
export const ALL = "iRAWAnTR-oRAWAnTR";
