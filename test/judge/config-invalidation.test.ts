// The third judge: what CMD_CFGI_* must drop from the configuration caches, and what it leaves, from the text alone.
// A changed structure that is still cached may be used; after the command that names it, it must not be.
// Source: IHI 0070G.b §3.21.2, §4.3.

import { describe, expect, test } from "vitest";
import {
  CD_RA,
  CD_TABLE,
  CR0,
  JudgeMachine,
  PAGE,
  STAGE1,
  STE_BYPASS,
  STE_S1,
  words,
} from "../support/judge-machine.ts";

const SYNC = 0x46n;
const STREAMS = [3, 4, 5, 6, 7, 8];

/** Streams 3 to 8 were bypassed once, so their STEs are cached; in memory they now abort. */
function warmStreams(): JudgeMachine {
  const judge = new JudgeMachine();
  for (const streamID of STREAMS) {
    judge.ste(streamID, STE_BYPASS, 0n);
    judge.access(streamID, 0x1000n);
    judge.ste(streamID, 0x1n, 0n);
  }
  return judge;
}

const dropped = (judge: JudgeMachine) => STREAMS.filter((streamID) => judge.reach(streamID, 0x1000n) === "abort");

describe("STEs", () => {
  test("a changed STE is stale until a command names it", () => {
    expect(dropped(warmStreams())).toEqual([]);
  });

  test.each([
    ["CFGI_STE, Leaf=1, of StreamID 5", 0x0000_0005_0000_0003n, 1n, [5]],
    ["CFGI_STE, Leaf=0, of StreamID 5", 0x0000_0005_0000_0003n, 0n, [5]],
    ["CFGI_STE_RANGE, Range=0, of StreamID 5: 4 and 5", 0x0000_0005_0000_0004n, 0n, [4, 5]],
    ["CFGI_STE_RANGE, Range=1, of StreamID 6: 4 to 7", 0x0000_0006_0000_0004n, 1n, [4, 5, 6, 7]],
    ["CFGI_STE_RANGE, Range=2, of StreamID 8: 8 to 15", 0x0000_0008_0000_0004n, 2n, [8]],
    ["CFGI_STE_RANGE, Range=7, of StreamID 0xff: 0 to 255", 0x0000_00ff_0000_0004n, 7n, [3, 4, 5, 6, 7, 8]],
    ["CFGI_ALL", 0x0000_0000_0000_0004n, 31n, [3, 4, 5, 6, 7, 8]],
    ["CFGI_CD of StreamID 5", 0x0000_0005_0000_0005n, 1n, []],
    ["CFGI_CD_ALL of StreamID 5", 0x0000_0005_0000_0006n, 0n, []],
    ["TLBI_NSNH_ALL", 0x30n, 0n, []],
    ["CFGI_STE of a StreamID beyond the table", 0x0001_0005_0000_0003n, 1n, []],
  ])("%s", (_, lo, hi, expected) => {
    const judge = warmStreams();
    judge.command(lo, hi);
    judge.command(SYNC);
    expect(dropped(judge)).toEqual(expected);
  });

  test("CFGI_STE of an STE whose level 1 descriptor changed reads both again with Leaf=0", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0xc);
    judge.put(0x8000_8008, 0x8000_9000n | 7n);
    judge.put(0x8000_9000 + 5 * 64, STE_BYPASS, 0n);
    judge.put(0x8000_a000 + 5 * 64, 0x1n, 0n);
    judge.smmu.write64(0x80, 0x8000_8000n);
    judge.smmu.write32(0x88, 0x1_018a);
    judge.smmu.write32(CR0, 0xd);
    expect(judge.reach(0x45, 0x1000n)).toBe("0x1000");
    judge.put(0x8000_8008, 0x8000_a000n | 7n);
    judge.command(0x0000_0045_0000_0003n, 0n);
    judge.command(SYNC);
    expect(judge.reach(0x45, 0x1000n)).toBe("abort");
  });

  test("an STE that was invalid, made valid, is used after CFGI_STE", () => {
    const judge = new JudgeMachine();
    expect(judge.reach(5, 0x1000n)).toBe("abort");
    judge.ste(5, STE_BYPASS, 0n);
    judge.command(0x0000_0005_0000_0003n, 1n);
    judge.command(SYNC);
    expect(judge.reach(5, 0x1000n)).toBe("0x1000");
  });
});

/** StreamIDs 5 and 6 with SubstreamIDs 1 and 2, all used once; in memory every CD is now invalid. */
function warmContexts(): JudgeMachine {
  const judge = new JudgeMachine();
  for (const streamID of [5, 6]) {
    const table = CD_TABLE + 0x100 * streamID;
    judge.ste(streamID, STE_S1 | BigInt(table) | (2n << 59n), 0n);
    for (const substreamID of [1, 2]) {
      const tables = STAGE1 + 0x1_0000 * streamID + 0x4000 * substreamID;
      const asid = BigInt(streamID * 16 + substreamID) << 48n;
      judge.cd(table + 64 * substreamID, CD_RA | asid, tables, [0x8800_0000n | PAGE]);
      expect(judge.reach(streamID, 0n, "read", substreamID)).toBe("0x88000000");
      judge.put(table + 64 * substreamID, 0n);
    }
  }
  return judge;
}

function droppedContexts(judge: JudgeMachine): string[] {
  const all = [5, 6].flatMap((streamID) => [1, 2].map((substreamID) => ({ streamID, substreamID })));
  return all
    .filter(({ streamID, substreamID }) => judge.reach(streamID, 0n, "read", substreamID) === "abort")
    .map(({ streamID, substreamID }) => `${streamID}.${substreamID}`);
}

describe("CDs", () => {
  test("a changed CD is stale until a command names it", () => {
    expect(droppedContexts(warmContexts())).toEqual([]);
  });

  test.each([
    ["CFGI_CD of 5.1, Leaf=1", 0x0000_0005_0000_1005n, 1n, ["5.1"]],
    ["CFGI_CD of 5.2, Leaf=0", 0x0000_0005_0000_2005n, 0n, ["5.2"]],
    ["CFGI_CD of 5.3, which nobody used", 0x0000_0005_0000_3005n, 1n, []],
    ["CFGI_CD_ALL of 5", 0x0000_0005_0000_0006n, 0n, ["5.1", "5.2"]],
    ["CFGI_STE of 5: its CDs too", 0x0000_0005_0000_0003n, 1n, ["5.1", "5.2"]],
    ["CFGI_STE_RANGE, Range=0, of 6: the CDs of 6 and 7", 0x0000_0006_0000_0004n, 0n, ["6.1", "6.2"]],
    ["CFGI_ALL", 0x04n, 31n, ["5.1", "5.2", "6.1", "6.2"]],
  ])("%s", (_, lo, hi, expected) => {
    const judge = warmContexts();
    judge.command(lo, hi);
    judge.command(SYNC);
    expect(droppedContexts(judge)).toEqual(expected);
  });

  test("the record after CFGI_CD is what memory holds now: C_BAD_CD", () => {
    const judge = warmContexts();
    judge.command(0x0000_0005_0000_1005n, 1n);
    judge.command(SYNC);
    judge.access(5, 0n, "read", 1);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_180an, 0n, 0n, 0n)]);
  });

  test("CFGI_CD leaves the stream's STE cached", () => {
    const judge = warmContexts();
    judge.ste(5, STE_BYPASS, 0n);
    judge.command(0x0000_0005_0000_1005n, 1n);
    judge.command(SYNC);
    expect(judge.reach(5, 0n, "read", 2)).toBe("0x88000000");
  });
});
