// The third judge: VMID wildcards, EL2 with E2H, ranges of the larger granules, level hints and ASET, from the text alone.
// A page is used once and then leads elsewhere: 0x88… says the entry lives, 0x89… that it died.
// CMD_TLBI_*: NUM [16:12], SCALE [24:20], VMID [47:32], ASID [63:48]; second doubleword Leaf 0, TTL [9:8], TG [11:10], address.
// Source: IHI 0070G.b §3.17, §4.4, §6.3.9.1.

import { describe, expect, test } from "vitest";
import {
  CD_RA,
  CD_TABLE,
  CR0,
  IDR0,
  JudgeMachine,
  PAGE,
  PAGE_GLOBAL,
  STAGE1,
  STE_S1,
} from "../support/judge-machine.ts";

const OLD = 0x8800_0000n;
const NEW = 0x8900_0000n;
/** CR0: SMMUEN, EVENTQEN, CMDQEN. */
const ON = 0xd;
/** STE.STRW [95:94] = 0b10: EL2, or EL2-E2H with CR2.E2H (§5.2). */
const STRW_EL2 = 0x8000_0000n;

/** A stream of which one page was used and moved: page 1 of stream 1, page 2 of stream 2; `world` is doubleword 1 of the STE. */
interface Entry {
  readonly vmid?: bigint;
  readonly asid?: bigint;
  readonly world?: bigint;
  readonly page?: bigint;
}

function warm(judge: JudgeMachine, entries: readonly Entry[]): void {
  entries.forEach(({ vmid = 0n, asid = 0n, world = 0n, page = PAGE }, index) => {
    const streamID = index + 1;
    const cd = CD_TABLE + 64 * streamID;
    judge.ste(streamID, STE_S1 | BigInt(cd), world, vmid);
    judge.cd(cd, CD_RA | (asid << 48n), STAGE1 + 0x4000 * streamID, []);
    const leaf = STAGE1 + 0x4000 * streamID + 0x2000 + 8 * streamID;
    judge.put(leaf, OLD | page);
    expect(judge.reach(streamID, BigInt(streamID) << 12n)).toBe("0x88000000");
    judge.put(leaf, NEW | page);
  });
}

/** Which of the entries (by stream) died of the command. */
function dead(judge: JudgeMachine, count: number, lo: bigint, hi = 0n): number[] {
  judge.command(lo, hi);
  judge.command(0x46n);
  expect(judge.commandError()).toBe(0);
  return Array.from({ length: count }, (_, index) => index + 1).filter(
    (streamID) => judge.reach(streamID, BigInt(streamID) << 12n) === "0x89000000",
  );
}

describe("CR0.VMW (§3.17.6, §6.3.9)", () => {
  const VMIDS = [0x20n, 0x21n, 0x22n, 0x24n, 0x28n, 0x30n, 0x40n, 0x120n];
  const wildcard = (vmw: number): JudgeMachine => {
    const judge = new JudgeMachine({ idr0: IDR0 | 0x2_0000 });
    judge.smmu.write32(CR0, ON | (vmw << 6));
    // one page each: stage 1 entries of VMIDs that differ
    warm(
      judge,
      VMIDS.map((vmid) => ({ vmid })),
    );
    return judge;
  };

  test.each([
    [0, [1]],
    [1, [1, 2]],
    [2, [1, 2, 3]],
    [3, [1, 2, 3, 4]],
    [4, [1, 2, 3, 4, 5]],
    [5, [1]],
    [6, [1]],
    [7, [1]],
  ])(
    "VMW=%i: NH_ALL of VMID 0x20 drops the VMIDs that agree above the wildcard; above 4 it is as 0",
    (vmw, expected) => {
      expect(dead(wildcard(vmw), VMIDS.length, 0x0000_0020_0000_0010n)).toEqual(expected);
    },
  );

  test("the command's own low bits are wild too, and so are those of NH_VA, NH_ASID and S12_VMALL", () => {
    expect(dead(wildcard(2), VMIDS.length, 0x0000_0023_0000_0010n)).toEqual([1, 2, 3]);
    expect(dead(wildcard(2), VMIDS.length, 0x0000_0023_0000_7012n, 0x1400n)).toEqual([1, 2, 3]);
    expect(dead(wildcard(2), VMIDS.length, 0x0000_0023_0000_0011n)).toEqual([1, 2, 3]);
    expect(dead(wildcard(2), VMIDS.length, 0x0000_0023_0000_0028n)).toEqual([1, 2, 3]);
  });

  test("lookups tell every VMID apart, whatever VMW says", () => {
    const judge = new JudgeMachine({ idr0: IDR0 | 0x2_0000 });
    judge.smmu.write32(CR0, ON | 0x100);
    warm(judge, [{ vmid: 0x20n }]);
    judge.ste(2, STE_S1 | BigInt(CD_TABLE + 128), 0n, 0x21n);
    judge.cd(CD_TABLE + 128, CD_RA, STAGE1 + 0x8000, [0n, NEW | PAGE]);
    expect(judge.reach(2, 0x1000n)).toBe("0x89000000");
  });
});

describe("EL2-E2H (§3.17.5, §4.4.2.7 to §4.4.2.10)", () => {
  const e2h = (): JudgeMachine => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0);
    judge.smmu.write32(0x2c, 0x1);
    judge.smmu.write32(CR0, ON);
    // 1, 2: EL2-E2H with ASIDs 5 and 6; 3: EL2-E2H global, ASID 7; 4: EL1 of VMID 0 and ASID 5
    warm(judge, [
      { world: STRW_EL2, asid: 5n },
      { world: STRW_EL2, asid: 6n },
      { world: STRW_EL2, asid: 7n, page: PAGE_GLOBAL },
      { asid: 5n },
    ]);
    return judge;
  };

  test.each([
    ["EL2_ALL: all of them, not EL1", 0x20n, 0n, [1, 2, 3]],
    ["EL2_ASID 5: not the global one, not EL1", 0x0005_0000_0000_0021n, 0n, [1]],
    ["EL2_ASID 7: its entry is global", 0x0007_0000_0000_0021n, 0n, []],
    ["EL2_VA of ASID 5, pages 1 to 4: and the global one", 0x0005_0000_0000_3022n, 0x1400n, [1, 3]],
    ["EL2_VA of ASID 5, page 1, Leaf=1", 0x0005_0000_0000_0022n, 0x1001n, [1]],
    ["EL2_VA of ASID 5, page 3: the global one", 0x0005_0000_0000_0022n, 0x3000n, [3]],
    ["EL2_VA of a page of another ASID", 0x0005_0000_0000_0022n, 0x2000n, []],
    ["EL2_VAA, pages 1 to 4: every ASID, not EL1", 0x3023n, 0x1400n, [1, 2, 3]],
    ["NH_ALL of VMID 0: EL1 only", 0x10n, 0n, [4]],
    ["NH_VA of VMID 0 and ASID 5, pages 1 to 4: EL1 only", 0x0005_0000_0000_3012n, 0x1400n, [4]],
    ["NSNH_ALL: not the hypervisor's", 0x30n, 0n, [4]],
  ])("%s", (_, lo, hi, expected) => {
    expect(dead(e2h(), 4, lo, hi)).toEqual(expected);
  });

  test("CR2.E2H=1: EL2_VA and VAA leave what was inserted as EL2; EL2_ALL does not", () => {
    for (const [lo, expected] of [
      [0x22n, []],
      [0x23n, []],
      [0x20n, [1]],
    ] as const) {
      const judge = new JudgeMachine();
      warm(judge, [{ world: STRW_EL2, page: PAGE_GLOBAL }]);
      const toggle = (value: number): void => {
        judge.smmu.write32(CR0, 0x8);
        judge.smmu.write32(0x2c, value);
        judge.smmu.write32(CR0, ON);
      };
      toggle(1);
      judge.command(lo, 0x1000n);
      toggle(0);
      expect(dead(judge, 1, 0x46n)).toEqual(expected);
    }
  });
});

describe("ranges of 16 KiB and 64 KiB granules (§4.4.1.1)", () => {
  /** TG0 at CD [7:6]: 1 64K, 2 16K. T0SZ 28 (16K: from level 2) and 35 (64K: from level 3), so one table each. */
  function pages(granule: bigint, t0sz: bigint, bits: number): JudgeMachine {
    const judge = new JudgeMachine();
    judge.ste(1, STE_S1 | BigInt(CD_TABLE), 0n, 0n);
    const cd = (CD_RA & ~0xffn) | (granule << 6n) | t0sz;
    judge.put(CD_TABLE, cd, BigInt(STAGE1), 0n, 0xffn);
    const level3 = bits === 14 ? STAGE1 + 0x4000 : STAGE1;
    if (bits === 14) judge.put(STAGE1, BigInt(level3) | 3n);
    for (let index = 0; index < 8; index += 1)
      judge.put(level3 + 8 * index, OLD | (BigInt(index) << BigInt(bits)) | PAGE);
    for (let index = 0n; index < 8n; index += 1n) {
      expect(judge.reach(1, index << BigInt(bits))).toBe(`0x${(OLD | (index << BigInt(bits))).toString(16)}`);
    }
    for (let index = 0; index < 8; index += 1)
      judge.put(level3 + 8 * index, NEW | (BigInt(index) << BigInt(bits)) | PAGE);
    return judge;
  }
  const died = (judge: JudgeMachine, bits: number, lo: bigint, hi: bigint): number[] => {
    judge.command(lo, hi);
    judge.command(0x46n);
    expect(judge.commandError()).toBe(0);
    return [0, 1, 2, 3, 4, 5, 6, 7].filter((index) => judge.reach(1, BigInt(index) << BigInt(bits)).startsWith("0x89"));
  };

  test.each([
    ["16K, NUM=1: two pages from 0x8000", 2n, 28n, 14, 0x1012n, 0x8800n, [2, 3]],
    ["16K, NUM=0, SCALE=1: two pages from 0", 2n, 28n, 14, 0x0010_0012n, 0x0800n, [0, 1]],
    ["16K, NUM=2, SCALE=1: six pages from 0x4000", 2n, 28n, 14, 0x0010_2012n, 0x4800n, [1, 2, 3, 4, 5, 6]],
    ["16K, TTL=3 alone: one page", 2n, 28n, 14, 0x12n, 0x8b00n, [2]],
    ["64K, NUM=1: two pages from 0x2_0000", 1n, 35n, 16, 0x1012n, 0x2_0c00n, [2, 3]],
    ["64K, NUM=0, SCALE=2: four pages from 0x1_0000", 1n, 35n, 16, 0x0020_0012n, 0x1_0c00n, [1, 2, 3, 4]],
    ["64K, TTL=3 alone: one page", 1n, 35n, 16, 0x12n, 0x5_0f00n, [5]],
    ["16K, Leaf=1, NUM=1: leaves die all the same", 2n, 28n, 14, 0x1012n, 0x8801n, [2, 3]],
    ["without TG an address inside a 16 KiB page means that page", 2n, 28n, 14, 0x12n, 0x9000n, [2]],
    ["without TG an address inside a 64 KiB page means that page", 1n, 35n, 16, 0x12n, 0x5_f000n, [5]],
  ] as const)("%s", (_, granule, t0sz, bits, lo, hi, expected) => {
    expect(died(pages(granule, t0sz, bits), bits, lo, hi)).toEqual(expected);
  });

  test("TTL=1 of 16 KiB is reserved without DS and as TTL=0: alone it is a range of nothing, CERROR_ILL", () => {
    const judge = new JudgeMachine();
    judge.command(0x12n, 0x0900n);
    expect(judge.commandError()).toBe(1);
  });

  test("a range at the top of the address space does not wrap to its bottom", () => {
    const judge = pages(2n, 28n, 14);
    // 0xffff_ffff_ffff_c000, NUM=31, SCALE=1: 64 pages, of which one is left
    expect(died(judge, 14, 0x0011_f012n, 0xffff_ffff_ffff_c800n)).toEqual([]);
  });
});

describe("level hints that do not match (§4.4.1.1: only matching levels are required to go)", () => {
  test("a hint of the block's own level drops the block; addresses beyond the range stay", () => {
    const judge = new JudgeMachine();
    judge.stage1(1, CD_RA, []);
    const level2 = STAGE1 + 0x4000 + 0x1000;
    judge.put(level2, OLD | 0xf41n, 0x8820_0f41n);
    expect([judge.reach(1, 0x1000n), judge.reach(1, 0x20_1000n)]).toEqual(["0x88001000", "0x88201000"]);
    judge.put(level2, NEW | 0xf41n, 0x8920_0f41n);
    judge.command(0x12n, 0x0000_0600n); // TG=4K, TTL=2
    judge.command(0x46n);
    expect([judge.reach(1, 0x1000n), judge.reach(1, 0x20_1000n)]).toEqual(["0x89001000", "0x88201000"]);
  });

  test("TTL without TG is no hint: what the address names dies at any level", () => {
    const judge = new JudgeMachine();
    judge.stage1(1, CD_RA, []);
    judge.put(STAGE1 + 0x4000 + 0x1000, OLD | 0xf41n);
    expect(judge.reach(1, 0x1000n)).toBe("0x88001000");
    judge.put(STAGE1 + 0x4000 + 0x1000, NEW | 0xf41n);
    judge.command(0x12n, 0x0000_0300n); // TTL=3
    judge.command(0x46n);
    expect(judge.reach(1, 0x1000n)).toBe("0x89001000");
  });
});

describe("ASET, CD bit 47 (§3.17.1)", () => {
  const ASET = 0x0000_8000_0000_0000n;

  test("a global entry of one ASET is not found by a lookup of the other", () => {
    const judge = new JudgeMachine();
    warm(judge, [{ asid: 5n, page: PAGE_GLOBAL }]);
    judge.ste(2, STE_S1 | BigInt(CD_TABLE + 128), 0n, 0n);
    judge.cd(CD_TABLE + 128, CD_RA | ASET | 0x0005_0000_0000_0000n, STAGE1 + 0x8000, [0n, NEW | PAGE_GLOBAL]);
    expect(judge.reach(2, 0x1000n)).toBe("0x89000000");
  });

  test("commands do not ask for it", () => {
    for (const [lo, hi] of [
      [0x0005_0000_0000_0011n, 0n],
      [0x0005_0000_0000_0012n, 0x1000n],
      [0x13n, 0x1000n],
      [0x10n, 0n],
    ] as const) {
      const judge = new JudgeMachine();
      judge.ste(1, STE_S1 | BigInt(CD_TABLE), 0n, 0n);
      judge.cd(CD_TABLE, CD_RA | ASET | 0x0005_0000_0000_0000n, STAGE1, [0n, OLD | PAGE]);
      expect(judge.reach(1, 0x1000n)).toBe("0x88000000");
      judge.put(STAGE1 + 0x2008, NEW | PAGE);
      expect(dead(judge, 1, lo, hi)).toEqual([1]);
    }
  });
});
