// The third judge: what each CMD_TLBI_* must drop, and what the forms with an address or an ASID leave, from the text alone.
// Every page is used once and then mapped elsewhere: an old address says the entry lives, a new one that it died.
// Source: IHI 0070G.b §3.17, §4.4.

import { describe, expect, test } from "vitest";
import {
  CD_RA,
  CD_TABLE,
  JudgeMachine,
  PAGE,
  PAGE_GLOBAL,
  PAGE_S2,
  S2_R,
  STAGE1,
  STAGE2,
  STE_NESTED,
  STE_S1,
} from "../support/judge-machine.ts";

const SYNC = 0x46n;

/** Stream N has pages N * 16 to N * 16 + 3, nG, and page N * 16 + 8, global: no two share an address. */
const STAGE1_STREAMS = [
  { streamID: 1, vmid: 1n, asid: 1n, strw: 0n, page: PAGE },
  { streamID: 2, vmid: 1n, asid: 2n, strw: 0n, page: PAGE },
  { streamID: 3, vmid: 2n, asid: 1n, strw: 0n, page: PAGE },
  { streamID: 7, vmid: 0n, asid: 0n, strw: 2n, page: PAGE_GLOBAL },
];
/** a, b: VMID 1, ASIDs 1 and 2; c: VMID 2; d: nested in VMID 1, ASID 3; e, f: stage 2 only, VMIDs 1 and 2; g: EL2. */
const PROBES: Readonly<Record<string, readonly [streamID: number, page: bigint]>> = {
  a0: [1, 0x10n],
  a1: [1, 0x11n],
  a2: [1, 0x12n],
  a8: [1, 0x18n],
  b0: [2, 0x20n],
  b1: [2, 0x21n],
  c0: [3, 0x30n],
  d0: [4, 0x40n],
  d1: [4, 0x41n],
  e0: [5, 0x50n],
  e1: [5, 0x51n],
  f0: [6, 0x60n],
  g0: [7, 0x70n],
  g1: [7, 0x71n],
};
const OTHER_S2 = STAGE2 + 0x1_0000;

/** `ipa` is where the nested stream's pages lead in stage 1. */
function mapEverything(judge: JudgeMachine, target: bigint, ipa: bigint): void {
  for (const { streamID, page } of STAGE1_STREAMS) {
    const level3 = STAGE1 + 0x4000 * streamID + 0x2000;
    for (const offset of [0, 1, 2, 3, 8]) {
      const index = 16 * streamID + offset;
      judge.put(level3 + 8 * index, target | (BigInt(index) << 12n) | (offset === 8 ? PAGE_GLOBAL : page));
    }
  }
  judge.put(STAGE1 + 4 * 0x4000 + 0x2000 + 8 * 0x40, ipa | 0x4_0000n | PAGE, ipa | 0x4_1000n | PAGE);
  for (const base of [STAGE2, OTHER_S2]) {
    for (let index = 0n; index < 512n; index += 1n) {
      judge.put(base + 0x2000 + 8 * Number(index), target | (index << 12n) | PAGE_S2);
    }
  }
}

/** Every probe was used; then every page was moved from 0x8800_0000 to 0x8900_0000. */
function warm(): JudgeMachine {
  const judge = new JudgeMachine();
  for (const { streamID, vmid, asid, strw } of STAGE1_STREAMS) {
    const at = CD_TABLE + 64 * streamID;
    judge.ste(streamID, STE_S1 | BigInt(at), strw << 30n, vmid);
    judge.cd(at, CD_RA | (asid << 48n), STAGE1 + 0x4000 * streamID, []);
  }
  judge.stage2(4, S2_R | 1n, [], STE_NESTED | BigInt(CD_TABLE + 64 * 4));
  judge.cd(CD_TABLE + 64 * 4, CD_RA | (3n << 48n), STAGE1 + 0x4000 * 4, []);
  judge.stage2(5, S2_R | 1n, []);
  judge.ste(6, 0xdn, 0n, S2_R | 2n, BigInt(OTHER_S2));
  judge.tables(OTHER_S2, []);
  mapEverything(judge, 0x8800_0000n, 0n);
  for (const [streamID, page] of Object.values(PROBES)) {
    expect(judge.reach(streamID, page << 12n)).toBe(`0x${(0x8800_0000n | (page << 12n)).toString(16)}`);
  }
  mapEverything(judge, 0x8900_0000n, 0x10_0000n);
  return judge;
}

function died(judge: JudgeMachine): string[] {
  return Object.entries(PROBES)
    .filter(([, [streamID, page]]) => judge.reach(streamID, page << 12n).startsWith("0x89"))
    .map(([name]) => name);
}

function deadAfter(...commands: readonly (readonly [lo: bigint, hi: bigint])[]): string[] {
  const judge = warm();
  for (const [lo, hi] of commands) judge.command(lo, hi);
  judge.command(SYNC);
  expect(judge.commandError()).toBe(0);
  return died(judge);
}

test("without a command every entry lives", () => {
  expect(deadAfter()).toEqual([]);
});

describe("forms with an address or an ASID drop what they name and nothing else (§4.4.2 to §4.4.4)", () => {
  test.each([
    ["NH_ASID of VMID 1, ASID 1: not the global page", 0x0001_0001_0000_0011n, 0n, ["a0", "a1", "a2"]],
    ["NH_ASID of VMID 1, ASID 3: the nested stream", 0x0003_0001_0000_0011n, 0n, ["d0", "d1"]],
    ["NH_VA of VMID 1, ASID 1", 0x0001_0001_0000_0012n, 0x1_0000n, ["a0"]],
    ["NH_VA, Leaf=1", 0x0001_0001_0000_0012n, 0x1_0001n, ["a0"]],
    ["NH_VA of the next page", 0x0001_0001_0000_0012n, 0x1_1000n, ["a1"]],
    ["NH_VA of another ASID drops the global page", 0x0002_0001_0000_0012n, 0x1_8000n, ["a8"]],
    ["NH_VA of another ASID leaves a page with nG", 0x0002_0001_0000_0012n, 0x1_0000n, []],
    ["NH_VA of another VMID leaves it", 0x0001_0002_0000_0012n, 0x1_0000n, []],
    ["NH_VA of VMID 2", 0x0001_0002_0000_0012n, 0x3_0000n, ["c0"]],
    ["NH_VA of the nested stream", 0x0003_0001_0000_0012n, 0x4_0000n, ["d0"]],
    ["NH_VA leaves entries of stage 2 alone", 0x0001_0001_0000_0012n, 0x5_0000n, []],
    ["NH_VAA: ASID 1", 0x0000_0001_0000_0013n, 0x1_0000n, ["a0"]],
    ["NH_VAA: ASID 2", 0x0000_0001_0000_0013n, 0x2_0000n, ["b0"]],
    ["NH_VAA: the global page", 0x0000_0001_0000_0013n, 0x1_8000n, ["a8"]],
    ["NH_VAA of another VMID", 0x0000_0002_0000_0013n, 0x1_0000n, []],
    ["S2_IPA of VMID 2", 0x0000_0002_0000_002an, 0x6_0000n, ["f0"]],
    ["S2_IPA leaves stage 1 of the VMID", 0x0000_0001_0000_002an, 0x1_0000n, []],
    ["EL2_VA", 0x0000_0000_0000_0022n, 0x7_0000n, ["g0"]],
    ["EL2_VA leaves the other world", 0x0001_0000_0000_0022n, 0x1_0000n, []],
    ["NH_VA leaves EL2", 0x0000_0000_0000_0012n, 0x7_0000n, []],
    ["EL2_VAA of the next page", 0x0000_0000_0000_0023n, 0x7_1000n, ["g1"]],
    ["NH_VA with TG=4K and TTL=3", 0x0001_0001_0000_0012n, 0x1_0700n, ["a0"]],
    ["NH_VA range, NUM=1, SCALE=0: two pages", 0x0001_0001_0000_1012n, 0x1_0400n, ["a0", "a1"]],
    ["NH_VA range, NUM=0, SCALE=1: two pages", 0x0001_0001_0010_0012n, 0x1_0400n, ["a0", "a1"]],
    ["NH_VA range, NUM=2, SCALE=0: three pages", 0x0001_0001_0000_2012n, 0x1_0400n, ["a0", "a1", "a2"]],
    ["NH_VA range from the second page, NUM=1, TTL=3", 0x0001_0001_0000_1012n, 0x1_1700n, ["a1", "a2"]],
    [
      "NH_VA range of 64 pages, NUM=0, SCALE=6: one ASID only",
      0x0001_0001_0060_0012n,
      0x1_0400n,
      ["a0", "a1", "a2", "a8"],
    ],
    [
      "NH_VAA range of 64 pages, NUM=3, SCALE=4: every ASID of the VMID",
      0x0000_0001_0040_3013n,
      0x1_0400n,
      ["a0", "a1", "a2", "a8", "b0", "b1", "d0", "d1"],
    ],
    ["EL2_VA range, NUM=1", 0x0000_0000_0000_1022n, 0x7_0400n, ["g0", "g1"]],
  ])("%s", (_, lo, hi, expected) => {
    expect(deadAfter([lo, hi])).toEqual(expected);
  });

  test("S2_IPA of VMID 1, page 0 drops the stage 2 entry; no other page, VMID or stage 1 entry", () => {
    const dead = deadAfter([0x0000_0001_0000_002an, 0x5_0000n]);
    expect(dead).toContain("e0");
    expect(dead.filter((name) => name !== "e0")).toEqual([]);
  });

  test("S2_IPA range, NUM=1, drops both stage 2 entries", () => {
    const dead = deadAfter([0x0000_0001_0000_102an, 0x5_0400n]);
    expect(dead.filter((name) => name.startsWith("e"))).toEqual(["e0", "e1"]);
    expect(dead).not.toContain("f0");
  });

  test("S2_IPA and NH_ALL of the VMID together drop the combined entries (§3.17.5)", () => {
    expect(deadAfter([0x0000_0001_0000_002an, 0x4_0000n], [0x0000_0001_0000_0010n, 0n])).toEqual(
      expect.arrayContaining(["d0", "d1"]),
    );
  });
});

describe("forms for a whole VMID or world (§4.4.2 to §4.4.5)", () => {
  const VMID1_STAGE1 = ["a0", "a1", "a2", "a8", "b0", "b1", "d0", "d1"];
  test.each([
    ["NH_ALL of VMID 1", 0x0000_0001_0000_0010n, VMID1_STAGE1, ["c0", "f0", "g0", "g1"]],
    ["NH_ALL of VMID 2", 0x0000_0002_0000_0010n, ["c0"], [...VMID1_STAGE1, "e0", "g0"]],
    ["S12_VMALL of VMID 1", 0x0000_0001_0000_0028n, [...VMID1_STAGE1, "e0", "e1"], ["c0", "f0", "g0", "g1"]],
    ["S12_VMALL of VMID 2", 0x0000_0002_0000_0028n, ["c0", "f0"], [...VMID1_STAGE1, "e0", "g0"]],
    ["NSNH_ALL", 0x30n, [...VMID1_STAGE1, "c0", "e0", "e1", "f0"], ["g0", "g1"]],
    ["EL2_ALL", 0x20n, ["g0", "g1"], [...VMID1_STAGE1, "c0", "e0", "e1", "f0"]],
  ])("%s drops all of its own and leaves the others", (_, lo, mustDie, mustLive) => {
    const dead = deadAfter([lo, 0n]);
    expect(dead).toEqual(expect.arrayContaining(mustDie));
    expect(dead.filter((name) => mustLive.includes(name))).toEqual([]);
  });
});

test("an address inside a block drops the whole block's entry (§4.4.1)", () => {
  const judge = new JudgeMachine();
  judge.stage1(1, CD_RA, []);
  judge.put(STAGE1 + 0x4000 + 0x1000, 0x8800_0f41n);
  expect(judge.reach(1, 0x1000n)).toBe("0x88001000");
  expect(judge.reach(1, 0x1f_f000n)).toBe("0x881ff000");
  judge.put(STAGE1 + 0x4000 + 0x1000, 0x8900_0f41n & ~0x1f_0000n);
  judge.command(0x0000_0000_0000_0012n, 0x10_0001n);
  judge.command(SYNC);
  expect([judge.reach(1, 0x1000n), judge.reach(1, 0x1f_f000n)]).toEqual(["0x89001000", "0x891ff000"]);
});

test("CFGI_ALL leaves the TLB alone: TLBI is for translations (§3.21.3)", () => {
  expect(deadAfter([0x04n, 31n])).toEqual([]);
});
