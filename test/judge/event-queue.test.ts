// The third judge: the Event queue's indexes, overflow, refusal and interrupt, from the text alone.
// Source: IHI 0070G.b §3.5.1 to §3.5.3, §3.18, §7.2, §7.4.

import { describe, expect, test } from "vitest";
import { RamRegion } from "../../src/backends/smmuv3/memory.ts";
import {
  CD_RA,
  CD_S,
  CD_TABLE,
  CR0,
  EVENTQ_CONS,
  EVENTQ_PROD,
  GERROR,
  GERRORN,
  JudgeMachine,
  STE_S1,
  words,
} from "../support/judge-machine.ts";

/** A record each, without a mapping or an STE: C_BAD_STE of StreamIDs 0x10, 0x11… */
function raise(judge: JudgeMachine, count: number, from = 0x10): void {
  for (let index = 0; index < count; index += 1) judge.access(from + index, 0x1000n);
}

const badSTE = (streamID: bigint) => words((streamID << 32n) | 0x04n, 0n, 0n, 0n);
const prod = (judge: JudgeMachine) => judge.smmu.read32(EVENTQ_PROD);

describe("overflow (§7.4)", () => {
  test("a record that finds the queue full is lost and toggles OVFLG", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    raise(judge, 3);
    expect(prod(judge)).toBe(0x8000_0002);
    expect(judge.records()).toEqual([badSTE(0x10n), badSTE(0x11n)]);
    expect(judge.smmu.counters).toMatchObject({ eventsRecorded: 2, eventsDropped: 1 });
  });

  test("more losses do not toggle it again before software has acknowledged", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    raise(judge, 4);
    expect(prod(judge)).toBe(0x8000_0002);
    raise(judge, 1);
    expect(prod(judge)).toBe(0x8000_0002);
  });

  test("room made without an acknowledgement is used, and a second overflow stays unsaid", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    raise(judge, 3);
    judge.records();
    raise(judge, 2, 0x20);
    expect(prod(judge)).toBe(0x8000_0000);
    raise(judge, 1);
    expect(prod(judge)).toBe(0x8000_0000);
    expect(judge.records()).toEqual([badSTE(0x20n), badSTE(0x21n)]);
  });

  test("after OVACKFLG was made equal the next overflow toggles OVFLG back to 0", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    raise(judge, 3);
    judge.smmu.write32(EVENTQ_CONS, 0x8000_0002);
    raise(judge, 2);
    expect(prod(judge)).toBe(0x8000_0000);
    raise(judge, 1);
    expect(prod(judge)).toBe(0x0000_0000);
  });

  test("a queue of one entry is full after one record", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 0 });
    raise(judge, 2);
    expect(prod(judge)).toBe(0x8000_0001);
    expect(judge.records()).toEqual([badSTE(0x10n)]);
  });
});

describe("indexes (§3.5.1)", () => {
  test("PROD wraps with its wrap bit, and the entry is reused", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    const seen: number[] = [];
    for (let index = 0; index < 5; index += 1) {
      raise(judge, 1, 0x10 + index);
      seen.push(prod(judge));
      expect(judge.records()).toEqual([badSTE(0x10n + BigInt(index))]);
    }
    expect(seen).toEqual([1, 2, 3, 0, 1]);
  });

  test("the records of one turn lie at consecutive 32-byte entries", () => {
    const judge = new JudgeMachine();
    raise(judge, 2);
    expect(judge.get(0x8002_0000)).toBe(0x0000_0010_0000_0004n);
    expect(judge.get(0x8002_0020)).toBe(0x0000_0011_0000_0004n);
  });
});

describe("EVENTQEN=0 (§7.2)", () => {
  test("a record is discarded, which is no overflow", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0x9);
    expect(judge.access(0x10, 0x1000n)).toMatchObject({ kind: "abort", recorded: false });
    expect(prod(judge)).toBe(0);
    judge.smmu.write32(CR0, 0xd);
    expect(judge.records()).toEqual([]);
  });

  test("with a full queue neither", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    raise(judge, 2);
    judge.smmu.write32(CR0, 0x9);
    raise(judge, 1);
    expect(prod(judge)).toBe(0x2);
  });

  test("what was written before stays to be read", () => {
    const judge = new JudgeMachine();
    raise(judge, 1);
    judge.smmu.write32(CR0, 0x9);
    expect(judge.records()).toEqual([badSTE(0x10n)]);
  });
});

describe("EVENTQ_ABT_ERR (§7.2)", () => {
  function unbacked(): JudgeMachine {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0x9);
    judge.smmu.write64(0xa0, 0x4000_0004n);
    judge.smmu.write32(CR0, 0xd);
    raise(judge, 1);
    return judge;
  }

  test("a record that cannot be written makes the error active and raises the global error interrupt", () => {
    const judge = unbacked();
    expect(judge.smmu.read32(GERROR)).toBe(0x4);
    expect(judge.gerrorInterrupts).toBe(1);
  });

  test("it is not counted as an overflow", () => {
    expect(prod(unbacked())).toBeLessThan(0x8000_0000);
  });

  test("until GERRORN acknowledges nothing is written, though memory be back", () => {
    const judge = unbacked();
    judge.memory.add(new RamRegion(0x4000_0000, 0x1000));
    const before = prod(judge);
    raise(judge, 1);
    expect(prod(judge)).toBe(before);
    judge.smmu.write32(GERRORN, 0x4);
    raise(judge, 1, 0x20);
    expect(judge.get(0x4000_0000 + 32 * before)).toBe(0x0000_0020_0000_0004n);
    expect(judge.smmu.read32(GERROR)).toBe(0x4);
  });

  test("a second failure while the first is active does not toggle GERROR back", () => {
    const judge = unbacked();
    raise(judge, 1);
    expect(judge.smmu.read32(GERROR)).toBe(0x4);
  });

  test("CMDQ_ERR and EVENTQ_ABT_ERR are acknowledged each for itself", () => {
    const judge = unbacked();
    judge.command(0xffn);
    expect(judge.smmu.read32(GERROR)).toBe(0x5);
    judge.smmu.write32(GERRORN, 0x4);
    expect(judge.consumed()).toBe(0);
  });
});

describe("a queue that is not writable, and stalls (§7.2.1, §7.2.2, §7.4)", () => {
  const STALLED = 0x0000_0208_8000_0000n;
  const resumeAbort = 0x0000_0005_0000_2044n;

  test("a record that waits is no overflow; a lost one beside it is, and OVFLG stays when the first is written", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    judge.stage1(5, CD_S, []);
    raise(judge, 2);
    const stag = judge.stall(5, 0x4000n);
    expect(prod(judge)).toBe(0x2);
    raise(judge, 1);
    expect(prod(judge)).toBe(0x8000_0002);
    judge.smmu.write32(EVENTQ_CONS, 0x8000_0002);
    expect(prod(judge)).toBe(0x8000_0003);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, STALLED | stag, 0x4000n, 0n)]);
  });

  test("room that appears is taken by what waits, before anything later", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    judge.stage1(5, CD_S, []);
    raise(judge, 2);
    const stag = judge.stall(5, 0x4000n);
    judge.smmu.write32(EVENTQ_CONS, 0x1);
    raise(judge, 1, 0x20); // the queue is full again
    expect(prod(judge)).toBe(0x8000_0003);
    expect(judge.records()).toEqual([badSTE(0x11n), words(0x0000_0005_0000_0010n, STALLED | stag, 0x4000n, 0n)]);
  });

  test("with EVENTQ_ABT_ERR active a stall waits, and its record comes when the error is acknowledged", () => {
    const judge = new JudgeMachine();
    judge.stage1(5, CD_S, []);
    judge.smmu.write32(CR0, 0x9);
    judge.smmu.write64(0xa0, 0x4000_0004n);
    judge.smmu.write32(CR0, 0xd);
    raise(judge, 1);
    judge.memory.add(new RamRegion(0x4000_0000, 0x1000));
    const stag = judge.stall(5, 0x4000n);
    expect([prod(judge), judge.smmu.read32(GERROR)]).toEqual([0, 0x4]);
    judge.smmu.write32(GERRORN, 0x4);
    expect(prod(judge)).toBe(1);
    expect([judge.get(0x4000_0000), judge.get(0x4000_0008)]).toEqual([0x0000_0005_0000_0010n, STALLED | stag]);
  });

  test("a stall record whose write aborts is lost; the transaction is still held, and can be terminated", () => {
    const judge = new JudgeMachine();
    judge.stage1(5, CD_S, []);
    judge.smmu.write32(CR0, 0x9);
    judge.smmu.write64(0xa0, 0x4000_0004n);
    judge.smmu.write32(CR0, 0xd);
    const stag = judge.stall(5, 0x4000n);
    expect([prod(judge), judge.smmu.read32(GERROR), judge.eventInterrupts]).toEqual([0, 0x4, 0]);
    judge.memory.add(new RamRegion(0x4000_0000, 0x1000));
    judge.smmu.write32(GERRORN, 0x4);
    expect([prod(judge), judge.resumed()]).toEqual([0, []]);
    judge.command(resumeAbort, stag);
    expect(judge.resumed()).toEqual(["abort"]);
  });

  test("SMMUEN 1 to 0 ends stalls that wait for their record too, and leaves none behind (§6.3.9.6)", () => {
    const judge = new JudgeMachine({ eventQueueLog2: 1 });
    judge.stage1(5, CD_S, []);
    raise(judge, 2);
    judge.stall(5, 0x4000n);
    judge.stall(5, 0x5000n);
    judge.smmu.write32(CR0, 0xc);
    expect(judge.resumed()).toEqual(["abort", "abort"]);
    expect(judge.records()).toEqual([badSTE(0x10n), badSTE(0x11n)]);
    expect(judge.records()).toEqual([]);
    judge.smmu.write32(CR0, 0xd);
    expect(judge.records()).toEqual([]);
  });
});

describe("the interrupt (§3.18)", () => {
  test("is raised when the empty queue gets a record, and again after it was emptied", () => {
    const judge = new JudgeMachine();
    raise(judge, 1);
    expect(judge.eventInterrupts).toBe(1);
    judge.records();
    raise(judge, 1);
    expect(judge.eventInterrupts).toBe(2);
  });

  test("is not raised by a record that was lost", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0x9);
    raise(judge, 1);
    expect(judge.eventInterrupts).toBe(0);
  });
});

describe("merging (§7.3.1)", () => {
  function faulting(mev: bigint): JudgeMachine {
    const judge = new JudgeMachine();
    judge.stage1(5, CD_RA, []);
    judge.ste(5, STE_S1 | BigInt(CD_TABLE + 5 * 64), mev << 19n);
    return judge;
  }

  test("MEV=0 keeps two equal translation faults apart", () => {
    const judge = faulting(0n);
    judge.access(5, 0x1000n);
    judge.access(5, 0x1000n);
    expect(judge.records()).toHaveLength(2);
  });

  test("MEV=1 keeps faults of two pages, and a read and a write, apart", () => {
    const judge = faulting(1n);
    judge.access(5, 0x1000n);
    judge.access(5, 0x2000n);
    judge.access(5, 0x2000n, "write");
    expect(judge.records()).toHaveLength(3);
  });

  test("MEV=1 never leaves a fault without any record", () => {
    const judge = faulting(1n);
    judge.access(5, 0x1010n);
    judge.records();
    judge.access(5, 0x1020n);
    expect(judge.records()).toEqual([words(0x0000_0005_0000_0010n, 0x0000_0208_0000_0000n, 0x1020n, 0n)]);
  });
});
