// The third judge: stalled transactions, their records and their answers, from the text alone.
// A stall record has bit 31 of the second doubleword and the STAG below it.
// Source: IHI 0070G.b §3.12.2, §4.6, §5.5, §7.2.

import { describe, expect, test } from "vitest";
import {
  CD_RA,
  CD_S,
  CD_TABLE,
  CR0,
  EVENTQ_PROD,
  IDR0,
  JudgeMachine,
  PAGE,
  S2_R,
  S2_S,
  STAGE1,
  STE_BYPASS,
  STE_NESTED,
  STE_S1,
  words,
} from "../support/judge-machine.ts";

const SYNC = 0x46n;
const STALL = 0x8000_0000n;
const L3 = STAGE1 + 5 * 0x4000 + 0x2000;

const retry = (streamID: bigint) => 0x1044n | (streamID << 32n);
const abort = (streamID: bigint) => 0x2044n | (streamID << 32n);
const terminate = (streamID: bigint) => 0x0044n | (streamID << 32n);

function stalling(pages: readonly bigint[] = []): JudgeMachine {
  const judge = new JudgeMachine();
  judge.stage1(5, CD_S, pages);
  return judge;
}

describe("what stalls (§3.12.2, §5.5)", () => {
  test.each([
    ["F_TRANSLATION", 0n, 0x10n],
    ["F_ADDR_SIZE", 0x0000_1000_0000_0f43n, 0x11n],
    ["F_ACCESS", 0x8800_0b43n, 0x12n],
    ["F_PERMISSION", 0x8800_0fc3n, 0x13n],
  ])("%s of stage 1 with CD.S=1: the record has Stall and the STAG", (_, page, code) => {
    const judge = stalling([page]);
    const stag = judge.stall(5, 0x0ab8n, "write");
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0000n | code, 0x0000_0200_0000_0000n | STALL | stag, 0x0ab8n, 0n),
    ]);
  });

  test("CD.S=1 records also with CD.R=0", () => {
    const judge = stalling();
    judge.put(CD_TABLE + 5 * 64, 0x0000_1204_c000_0019n);
    const stag = judge.stall(5, 0n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_0208_0000_0000n | STALL | stag, 0n, 0n)]);
  });

  test("stage 2 with S2S=1: the record has S2, the IPA, Stall and the STAG", () => {
    const judge = new JudgeMachine();
    judge.stage2(5, S2_S, []);
    const stag = judge.stall(5, 0x3123n);
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0010n, 0x0000_0288_0000_0000n | STALL | stag, 0x3123n, 0x3000n),
    ]);
  });

  test("S2S=1 records also with S2R=0", () => {
    const judge = new JudgeMachine();
    judge.stage2(5, S2_S & ~0x0400_0000_0000_0000n, []);
    judge.stall(5, 0x3123n);
    expect(judge.records()).toHaveLength(1);
  });

  test("a stage 2 fault on a CD fetch follows S2S, not the CD", () => {
    const judge = new JudgeMachine();
    judge.stage2(5, S2_S, [], STE_NESTED | 0x1000n);
    const stag = judge.stall(5, 0x3123n);
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0010n, 0x0000_0088_0000_0000n | STALL | stag, 0x3123n, 0x1000n),
    ]);
  });

  test("a stage 2 fault of a stream whose CD has S=1 but whose S2S=0 aborts", () => {
    const judge = new JudgeMachine();
    judge.stage2(5, S2_R, [], STE_NESTED | BigInt(CD_TABLE));
    judge.cd(CD_TABLE, CD_S, STAGE1, [0x7000n | PAGE]);
    expect(judge.reach(5, 0n)).toBe("abort");
  });

  test("F_WALK_EABT never stalls", () => {
    const judge = stalling();
    judge.put(CD_TABLE + 5 * 64 + 8, 0x4000_0000n);
    expect(judge.reach(5, 0n)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_000bn, 0x0000_0108_0000_0000n, 0n, 0x4000_0000n)]);
  });

  test("S1STALLD=1 makes a CD with S=1 illegal (§5.4.1)", () => {
    const judge = stalling();
    judge.ste(5, STE_S1 | BigInt(CD_TABLE + 5 * 64), 0x0800_0000n);
    expect(judge.reach(5, 0n)).toBe("abort");
    expect(judge.records()).toEqual([words(0x0000_0005_0000_000an, 0n, 0n, 0n)]);
  });

  test("two stalled transactions have two STAGs", () => {
    const judge = stalling();
    expect(judge.stall(5, 0n)).not.toBe(judge.stall(5, 0x1000n));
  });
});

describe("CMD_RESUME (§4.6.1)", () => {
  test("retry walks again and reaches what software mapped meanwhile", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0x0ab8n);
    judge.put(L3, 0x8800_0f43n);
    judge.command(retry(5n), stag);
    expect(judge.resumed()).toEqual(["0x88000ab8"]);
  });

  test("retry reads the configuration again", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0x0ab8n);
    judge.ste(5, STE_BYPASS, 0n);
    judge.command(0x0000_0005_0000_0003n, 1n);
    judge.command(SYNC);
    judge.command(retry(5n), stag);
    expect(judge.resumed()).toEqual(["0xab8"]);
  });

  test("retry of what still faults stalls again with a record of its own, and can be answered", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0x0ab8n);
    judge.records();
    judge.command(retry(5n), stag);
    const [record] = judge.records();
    expect(record).toContain("0x0000000500000010 0x000002088000");
    const again = BigInt(record!.split(" ")[1]!) & 0xffffn;
    judge.resumed();
    judge.command(abort(5n), again);
    expect(judge.resumed()).toEqual(["abort"]);
  });

  test("Ac=0 with Ab=1 aborts", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0n);
    judge.command(abort(5n), stag);
    expect(judge.resumed()).toEqual(["abort"]);
  });

  test("Ac=0 with Ab=0 is RAZ/WI where TERM_MODEL=0", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0n);
    judge.command(terminate(5n), stag);
    expect(judge.resumed()).toEqual(["raz-wi"]);
  });

  test("Ac=0 with Ab=0 aborts where TERM_MODEL=1", () => {
    const judge = new JudgeMachine({ idr0: IDR0 | 0x0400_0000 });
    judge.stage1(5, CD_S, []);
    const stag = judge.stall(5, 0n);
    judge.command(terminate(5n), stag);
    expect(judge.resumed()).toEqual(["abort"]);
  });

  test("Ac=1 retries whatever Ab is", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0n);
    judge.put(L3, 0x8800_0f43n);
    judge.command(retry(5n) | 0x2000n, stag);
    expect(judge.resumed()).toEqual(["0x88000000"]);
  });

  test("a STAG of another StreamID has no effect, and no error", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0n);
    judge.command(abort(6n), stag);
    expect([judge.resumed(), judge.commandError()]).toEqual([[], 0]);
    judge.command(abort(5n), stag);
    expect(judge.resumed()).toEqual(["abort"]);
  });

  test("a STAG that is not stalled has no effect, and no error", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0n);
    judge.command(abort(5n), stag ^ 1n);
    expect([judge.resumed(), judge.commandError()]).toEqual([[], 0]);
  });

  test("the second answer to a STAG has no effect", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0n);
    judge.command(abort(5n), stag);
    judge.command(abort(5n), stag);
    expect(judge.resumed()).toEqual(["abort"]);
  });
});

describe("CMD_STALL_TERM and the rest that ends stalls", () => {
  test("STALL_TERM aborts every stall of its stream and no other (§4.6.2)", () => {
    const judge = stalling();
    judge.stage1(6, CD_S, []);
    judge.stall(5, 0n);
    judge.stall(5, 0x1000n);
    const other = judge.stall(6, 0n);
    judge.command(0x0000_0005_0000_0045n);
    expect(judge.resumed()).toEqual(["abort", "abort"]);
    judge.command(abort(6n), other);
    expect(judge.resumed()).toEqual(["abort"]);
  });

  test("clearing SMMUEN terminates them with an abort (§3.12.2)", () => {
    const judge = stalling();
    judge.stall(5, 0n);
    judge.smmu.write32(CR0, 0xc);
    expect(judge.resumed()).toEqual(["abort"]);
  });

  test("CFGI_ALL, TLBI_NSNH_ALL and SYNC leave a recorded stall alone (§3.12.2)", () => {
    const judge = stalling();
    const stag = judge.stall(5, 0n);
    judge.command(0x04n, 31n);
    judge.command(0x30n);
    judge.command(SYNC);
    expect(judge.resumed()).toEqual([]);
    judge.command(abort(5n), stag);
    expect(judge.resumed()).toEqual(["abort"]);
  });
});

describe("stall records are never lost (§3.5.3, §7.2)", () => {
  function full(): JudgeMachine {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    judge.stage1(5, CD_S, []);
    judge.access(9, 0n);
    judge.access(9, 0n);
    expect(judge.smmu.read32(EVENTQ_PROD)).toBe(0x2);
    return judge;
  }

  test("with a full queue the transaction stalls, no overflow is flagged, the record comes when there is room", () => {
    const judge = full();
    const stag = judge.stall(5, 0x0ab8n);
    expect(judge.smmu.read32(EVENTQ_PROD)).toBe(0x2);
    judge.records();
    expect(judge.records()).toEqual([
      words(0x0000_0005_0000_0010n, 0x0000_0208_0000_0000n | STALL | stag, 0x0ab8n, 0n),
    ]);
  });

  test("two that wait come in their order, each once", () => {
    const judge = full();
    judge.stall(5, 0x1000n);
    judge.stall(5, 0x2000n);
    judge.records();
    expect(judge.records().map((record) => record.split(" ")[2])).toEqual(["0x0000000000001000", "0x0000000000002000"]);
    expect(judge.records()).toEqual([]);
  });

  test("one that an invalidation and SYNC covered while it waited is retried, and leaves no record if it now succeeds", () => {
    const judge = full();
    judge.stall(5, 0x0ab8n);
    judge.put(L3, 0x8800_0f43n);
    judge.command(0x10n);
    judge.command(SYNC);
    judge.records();
    expect(judge.records()).toEqual([]);
    expect(judge.resumed()).toEqual(["0x88000ab8"]);
  });

  test("with EVENTQEN=0 it waits until the queue is enabled", () => {
    const judge = stalling();
    judge.smmu.write32(CR0, 0x9);
    const stag = judge.stall(5, 0n);
    expect(judge.smmu.read32(EVENTQ_PROD)).toBe(0);
    judge.smmu.write32(CR0, 0xd);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_0208_0000_0000n | STALL | stag, 0n, 0n)]);
  });

  test("STALL_TERM of one that waits leaves no record behind", () => {
    const judge = full();
    judge.stall(5, 0n);
    judge.command(0x0000_0005_0000_0045n);
    judge.records();
    expect(judge.records()).toEqual([]);
  });
});

describe("IDR5.STALL_MAX (§6.3.6)", () => {
  test("no more than STALL_MAX transactions are stalled with a record; an answer makes room for another", () => {
    const judge = stalling();
    const stags = [0, 1, 2, 3].map((page) => judge.stall(5, BigInt(page) << 12n));
    judge.access(5, 0x8000n);
    expect(judge.records().filter((record) => record.includes("0x000002088000"))).toHaveLength(4);
    judge.command(abort(5n), stags[0]!);
    expect(judge.resumed()[0]).toBe("abort");
    const later = judge.access(5, 0x9000n);
    expect(later.kind).toBe("stalled");
  });
});

test("CD.S=0 does not stall: R and A decide (§5.5)", () => {
  const judge = new JudgeMachine();
  judge.stage1(5, CD_RA & ~0x0000_4000_0000_0000n, []);
  expect(judge.reach(5, 0n)).toBe("raz-wi");
  expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_0208_0000_0000n, 0n, 0n)]);
});
