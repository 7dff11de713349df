// The third judge: page requests, the PRI queue and automatic responses, from the text alone.
// A record: StreamID [31:0], SubstreamID [51:32], Priv 58, X 59, R 60, W 61, Last 62, SSV 63; PRGIndex [72:64],
// address[63:12] at [127:76]. The text has a figure; the positions are Linux's (PRIQ_0_*, PRIQ_1_*).
// Source: IHI 0070G.b chapter 8, §5.2 (PPAR), §6.3.33 to §6.3.36.

import { describe, expect, test } from "vitest";
import type { PageRequest, PageResponse } from "../../src/backends/smmuv3/smmu.ts";
import {
  CR0,
  CR2,
  GERROR,
  IDR0_ATS,
  IDR1,
  IDR3,
  JudgeMachine,
  type JudgeOptions,
  PRI_QUEUE,
  PRIQ_CONS,
  PRIQ_PROD,
  words,
} from "../support/judge-machine.ts";

const IRQ_CTRL = 0x50;
const PRIQ_BASE = 0xc0;
const PRIQ_IRQ_CFG0 = 0xd0;
const PRIQ_IRQ_CFG2 = 0xdc;
const ENABLED = 0xf;
const OVFLG = 2 ** 31;
/** PRIQS 8. */
const IDR1_PRI = IDR1 | 0x4000;
const MSI = 0x2000;

const REQUEST: PageRequest = {
  streamID: 5,
  address: 0x1234_5000n,
  read: true,
  write: false,
  execute: false,
  privileged: false,
  last: true,
  prgIndex: 7,
};

interface World {
  readonly judge: JudgeMachine;
  readonly responses: PageResponse[];
}

function world(options: JudgeOptions = {}, cr0 = ENABLED, cr2 = 0): World {
  const responses: PageResponse[] = [];
  const atc = {
    invalidate: (): "done" => "done",
    pageResponse: (response: PageResponse): void => {
      responses.push(response);
    },
  };
  const judge = new JudgeMachine({ idr0: IDR0_ATS, idr1: IDR1_PRI, atc, ...options });
  judge.smmu.write32(CR0, 0xc);
  judge.smmu.write32(CR2, cr2);
  judge.smmu.write64(PRIQ_BASE, BigInt(PRI_QUEUE) | 1n); // two entries
  judge.smmu.write32(IRQ_CTRL, 0x7);
  judge.smmu.write32(CR0, cr0);
  return { judge, responses };
}

/** Two requests fill the queue; the third overflows it. */
function overflowing(options: JudgeOptions = {}, cr2 = 0): World {
  const made = world(options, ENABLED, cr2);
  for (const prgIndex of [1, 2]) made.judge.smmu.pageRequest({ ...REQUEST, prgIndex });
  return made;
}

function entry(judge: JudgeMachine, index: number): string {
  return words(judge.get(PRI_QUEUE + 16 * index), judge.get(PRI_QUEUE + 16 * index + 8));
}

describe("records (§8)", () => {
  test.each([
    ["read, last", {}, 0x5000_0000_0000_0005n, 0x1234_5007n],
    ["write", { read: false, write: true }, 0x6000_0000_0000_0005n, 0x1234_5007n],
    ["not the last", { last: false, prgIndex: 511 }, 0x1000_0000_0000_0005n, 0x1234_51ffn],
    [
      "a PASID, all rights",
      { substreamID: 0xab, write: true, execute: true, privileged: true },
      0xfc00_00ab_0000_0005n,
      0x1234_5007n,
    ],
    ["no PASID: neither X nor Priv", { execute: true, privileged: true }, 0x5000_0000_0000_0005n, 0x1234_5007n],
    [
      "a high address, low bits dropped",
      { address: 0xffff_8000_0000_1abcn },
      0x5000_0000_0000_0005n,
      0xffff_8000_0000_1007n,
    ],
    ["a wide StreamID", { streamID: 0xfedc_ba98 }, 0x5000_0000_fedc_ba98n, 0x1234_5007n],
    ["a Stop PASID marker", { substreamID: 0xab, read: false }, 0xc000_00ab_0000_0005n, 0x1234_5007n],
  ])("%s", (_, request, first, second) => {
    const { judge, responses } = world();
    expect(judge.smmu.pageRequest({ ...REQUEST, ...request })).toBe("queued");
    expect(judge.smmu.read32(PRIQ_PROD)).toBe(1);
    expect(entry(judge, 0)).toBe(words(first, second));
    expect(responses).toEqual([]);
  });

  test("an SMMU without substreams drops the PASID", () => {
    const { judge } = world({ idr1: IDR1_PRI & ~0x7c0 });
    judge.smmu.pageRequest({ ...REQUEST, substreamID: 0xab, privileged: true });
    expect(entry(judge, 0)).toBe(words(0x5000_0000_0000_0005n, 0x1234_5007n));
  });

  test("neither ATSCHK nor STE.EATS is asked", () => {
    const { judge } = world({}, 0x1f);
    expect(judge.smmu.pageRequest(REQUEST)).toBe("queued");
  });
});

describe("automatic failures (§8.2, §8.3)", () => {
  test.each([
    ["PRIQEN=0", 0xd],
    ["SMMUEN=0", 0xe],
  ])("%s: every request fails, the last of a group or not, without a PASID", (_, cr0) => {
    const { judge, responses } = world({}, cr0);
    expect(judge.smmu.pageRequest({ ...REQUEST, substreamID: 0xab })).toBe("auto-response");
    expect(judge.smmu.pageRequest({ ...REQUEST, last: false })).toBe("auto-response");
    const failure = { streamID: 5, substreamID: undefined, prgIndex: 7, response: "failure" };
    expect(responses).toEqual([failure, failure]);
    expect(judge.smmu.read32(PRIQ_PROD)).toBe(0);
  });

  test("Stop markers are discarded without a word", () => {
    const { judge, responses } = world({}, 0xd);
    expect(judge.smmu.pageRequest({ ...REQUEST, substreamID: 0xab, read: false })).toBe("discarded");
    expect(responses).toEqual([]);
  });

  test("what looks like one without a PASID is a request", () => {
    const { judge, responses } = world({}, 0xd);
    expect(judge.smmu.pageRequest({ ...REQUEST, read: false })).toBe("auto-response");
    expect(responses).toHaveLength(1);
  });

  test("a write that is aborted: PRIQ_ABT_ERR, and failure then and until it is acknowledged", () => {
    const { judge, responses } = world({}, 0xc);
    judge.smmu.write64(PRIQ_BASE, 0x4000_0001n);
    judge.smmu.write32(CR0, ENABLED);
    expect(judge.smmu.pageRequest(REQUEST)).toBe("auto-response");
    expect(judge.smmu.read32(GERROR)).toBe(0x8);
    expect([judge.gerrorInterrupts, judge.priInterrupts, judge.smmu.read32(PRIQ_PROD)]).toEqual([1, 0, 0]);
    judge.smmu.write32(CR0, 0xd);
    judge.smmu.write64(PRIQ_BASE, BigInt(PRI_QUEUE) | 1n);
    judge.smmu.write32(CR0, ENABLED);
    expect(judge.smmu.pageRequest({ ...REQUEST, last: false })).toBe("auto-response");
    expect(responses.map(({ response }) => response)).toEqual(["failure", "failure"]);
    judge.acknowledgeErrors();
    expect(judge.smmu.pageRequest(REQUEST)).toBe("queued");
  });

  test("an SMMU without IDR0.PRI receives nothing", () => {
    const { judge, responses } = world({ idr0: IDR0_ATS - 0x1_0000 });
    expect(judge.smmu.pageRequest(REQUEST)).toBe("discarded");
    expect(responses).toEqual([]);
    expect(judge.smmu.read32(0x24) % 4).toBe(1); // PRIQEN is RES0
  });
});

describe("overflow (§8.1)", () => {
  test("toggles OVFLG, and keeps entries out until it is acknowledged, room or not", () => {
    const { judge } = overflowing();
    expect(judge.smmu.read32(PRIQ_PROD)).toBe(2);
    judge.smmu.pageRequest(REQUEST);
    expect(judge.smmu.read32(PRIQ_PROD)).toBe(OVFLG + 2);
    judge.smmu.write32(PRIQ_CONS, 2); // empty, and not acknowledged
    expect(judge.smmu.pageRequest(REQUEST)).toBe("auto-response");
    expect(judge.smmu.read32(PRIQ_PROD)).toBe(OVFLG + 2);
    judge.smmu.write32(PRIQ_CONS, OVFLG + 2);
    expect(judge.smmu.pageRequest(REQUEST)).toBe("queued");
    expect(judge.smmu.read32(PRIQ_PROD)).toBe(OVFLG + 3);
    judge.smmu.pageRequest(REQUEST);
    judge.smmu.pageRequest(REQUEST);
    expect(judge.smmu.read32(PRIQ_PROD)).toBe(0); // index 0 after the wrap, OVFLG toggled back
  });

  test("requests that are not the last of their group are ignored without a word", () => {
    const { judge, responses } = overflowing();
    expect(judge.smmu.pageRequest({ ...REQUEST, last: false })).toBe("discarded");
    expect([judge.smmu.read32(PRIQ_PROD), responses]).toEqual([OVFLG + 2, []]);
  });

  test("Stop markers are discarded, and are an overflow too", () => {
    const { judge, responses } = overflowing();
    expect(judge.smmu.pageRequest({ ...REQUEST, substreamID: 3, read: false })).toBe("discarded");
    expect([judge.smmu.read32(PRIQ_PROD), responses]).toEqual([OVFLG + 2, []]);
  });

  // V, Config 0b100; PPAR is bit 82, 0x4_0000 of the second doubleword
  const VALID = [0x9n, 0n] as const;
  const WITH_PPAR = [0x9n, 0x4_0000n] as const;
  const INVALID = [0n, 0x4_0000n] as const;
  const PPS = IDR3 | 0x20;
  test.each([
    ["no PASID, whatever the STE", IDR3, INVALID, undefined, undefined, "success"],
    ["a PASID, PPS=1: the STE is not looked at", PPS, INVALID, 0xab, 0xab, "success"],
    ["a PASID, PPS=0, PPAR=1", IDR3, WITH_PPAR, 0xab, 0xab, "success"],
    ["a PASID, PPS=0, PPAR=0", IDR3, VALID, 0xab, undefined, "success"],
    ["a PASID, PPS=0, no valid STE", IDR3, INVALID, 0xab, undefined, "failure"],
  ])("%s", (_, idr3, ste, asked, answered, response) => {
    const { judge, responses } = overflowing({ idr3 });
    judge.ste(5, ...ste);
    judge.smmu.pageRequest(asked === undefined ? REQUEST : { ...REQUEST, substreamID: asked });
    expect(responses).toEqual([{ streamID: 5, substreamID: answered, prgIndex: 7, response }]);
    expect(judge.records()).toEqual([]);
  });

  test("without substreams there is no PASID to answer with, and no STE is looked at", () => {
    const { judge, responses } = overflowing({ idr1: IDR1_PRI & ~0x7c0 });
    judge.smmu.pageRequest({ ...REQUEST, substreamID: 0xab });
    expect(responses).toEqual([{ streamID: 5, substreamID: undefined, prgIndex: 7, response: "success" }]);
  });

  test.each([
    [5, 0x8, [words(0x0000_0005_0000_3804n, 0n, 0n, 0n)]],
    [5, 0x2, []],
    [0x100, 0x8, []],
    [0x100, 0xa, [words(0x0000_0100_0000_3802n, 0n, 0n, 0n)]],
  ])("stream %#, CR2 %#: what stood in the way of PPAR is recorded as REC_CFG_ATS says", (streamID, cr2, records) => {
    const { judge } = overflowing({}, cr2);
    judge.smmu.pageRequest({ ...REQUEST, streamID, substreamID: 3 });
    expect(judge.records()).toEqual(records);
  });
});

describe("the interrupt (§6.3.36)", () => {
  test("LO=0: when the queue becomes non-empty", () => {
    const { judge } = world();
    judge.smmu.pageRequest({ ...REQUEST, last: false });
    judge.smmu.pageRequest(REQUEST);
    expect(judge.priInterrupts).toBe(1);
  });

  test("not without IRQ_CTRL.PRIQ_IRQEN", () => {
    const { judge } = world();
    judge.smmu.write32(IRQ_CTRL, 0x5);
    judge.smmu.pageRequest(REQUEST);
    expect(judge.priInterrupts).toBe(0);
  });

  test("LO=1: for every last request, also one that overflows, and for no other", () => {
    const { judge } = world({ idr0: IDR0_ATS | MSI }, 0xd);
    judge.smmu.write32(IRQ_CTRL, 0x5);
    judge.smmu.write32(PRIQ_IRQ_CFG2, 0x8000_0000);
    judge.smmu.write32(IRQ_CTRL, 0x7);
    judge.smmu.pageRequest(REQUEST);
    expect(judge.priInterrupts).toBe(0); // discarded for another reason than overflow
    judge.smmu.write32(CR0, ENABLED);
    judge.smmu.pageRequest({ ...REQUEST, last: false });
    expect(judge.priInterrupts).toBe(0);
    judge.smmu.pageRequest(REQUEST);
    expect(judge.priInterrupts).toBe(1);
    judge.smmu.pageRequest({ ...REQUEST, last: false });
    judge.smmu.pageRequest(REQUEST);
    expect(judge.priInterrupts).toBe(2);
  });
});

describe("registers (§6.3.33 to §6.3.36)", () => {
  test("base and PROD are held while PRIQEN is 1, and by PRIQEN alone", () => {
    const { judge } = world({}, 0xe); // SMMUEN=0, PRIQEN=1
    judge.smmu.write64(PRIQ_BASE, 0x8000_0005n);
    judge.smmu.write32(PRIQ_PROD, 1);
    expect([judge.smmu.read64(PRIQ_BASE), judge.smmu.read32(PRIQ_PROD)]).toEqual([BigInt(PRI_QUEUE) | 1n, 0]);
    judge.smmu.write32(CR0, 0xc);
    judge.smmu.write64(PRIQ_BASE, 0x8000_0005n);
    judge.smmu.write32(PRIQ_PROD, OVFLG + 1);
    expect([judge.smmu.read64(PRIQ_BASE), judge.smmu.read32(PRIQ_PROD)]).toEqual([0x8000_0005n, OVFLG + 1]);
  });

  test("the MSI's registers exist with IDR0.MSI and are held while PRIQ_IRQEN is 1", () => {
    const { judge } = world({ idr0: IDR0_ATS | MSI });
    judge.smmu.write64(PRIQ_IRQ_CFG0, 0x0800_0040n);
    expect(judge.smmu.read64(PRIQ_IRQ_CFG0)).toBe(0n);
    judge.smmu.write32(IRQ_CTRL, 0);
    judge.smmu.write64(PRIQ_IRQ_CFG0, 0x0800_0043n);
    judge.smmu.write32(PRIQ_IRQ_CFG2, 0xffff_ffff);
    expect([judge.smmu.read64(PRIQ_IRQ_CFG0), judge.smmu.read32(PRIQ_IRQ_CFG2)]).toEqual([0x0800_0040n, 0x8000_003f]);
  });

  test("without IDR0.PRI they read as zero", () => {
    const { judge } = world({ idr0: IDR0_ATS - 0x1_0000 }, 0xc);
    judge.smmu.write32(PRIQ_PROD, 1);
    judge.smmu.write32(PRIQ_CONS, 1);
    expect([judge.smmu.read64(PRIQ_BASE), judge.smmu.read32(PRIQ_PROD), judge.smmu.read32(PRIQ_CONS)]).toEqual([
      0n,
      0,
      0,
    ]);
  });

  test("the queue is no larger than PRIQS", () => {
    const { judge } = world({ idr1: IDR1 | 0x800 }, 0xc); // PRIQS 1
    judge.smmu.write64(PRIQ_BASE, BigInt(PRI_QUEUE) | 8n);
    judge.smmu.write32(CR0, ENABLED);
    for (let count = 0; count < 3; count++) judge.smmu.pageRequest(REQUEST);
    expect(judge.smmu.read32(PRIQ_PROD)).toBe(OVFLG + 2);
    expect(judge.smmu.read64(PRIQ_BASE)).toBe(BigInt(PRI_QUEUE) | 8n); // reads back as written
  });
});
