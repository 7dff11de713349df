// The third judge: which registers stand still while what they configure is in use, from the text alone (AIDR says v3.2, where
// ignoring the write is the only permitted behaviour).
// Source: IHI 0070G.b §6.3.9, §6.3.11, §6.3.12, §6.3.14, §6.3.20, §6.3.24 to §6.3.32.

import { describe, expect, test } from "vitest";
import { CR0, GERROR, GERRORN, IDR0, JudgeMachine, STE_BYPASS, STE_S1 } from "../support/judge-machine.ts";

const CR1 = 0x28;
const CR2 = 0x2c;

describe("while SMMUEN=1 (§6.3.24, §6.3.25, §6.3.12)", () => {
  test.each([
    ["STRTAB_BASE, low half", 0x80],
    ["STRTAB_BASE, high half", 0x84],
    ["STRTAB_BASE_CFG", 0x88],
    ["CR2", CR2],
  ])("a write to %s is ignored; with SMMUEN=0 it is not", (_, offset) => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0x1);
    const before = judge.smmu.read32(offset);
    judge.smmu.write32(offset, 0x42);
    expect(judge.smmu.read32(offset)).toBe(before);
    judge.smmu.write32(CR0, 0xc);
    judge.smmu.write32(offset, 0x42);
    expect(judge.smmu.read32(offset)).not.toBe(before);
  });

  test("the Stream table stays where it was for transactions too", () => {
    const judge = new JudgeMachine();
    judge.ste(1, STE_BYPASS, 0n);
    judge.smmu.write64(0x80, 0x8050_0000n);
    expect(judge.reach(1, 0x1000n)).toBe("0x1000");
  });
});

describe("while a queue is enabled (§6.3.26 to §6.3.32)", () => {
  test.each([
    ["CMDQ_BASE, low half", 0x90, 0x8],
    ["CMDQ_BASE, high half", 0x94, 0x8],
    ["CMDQ_CONS", 0x9c, 0x8],
    ["EVENTQ_BASE, low half", 0xa0, 0x4],
    ["EVENTQ_BASE, high half", 0xa4, 0x4],
    ["EVENTQ_PROD", 0x1_00a8, 0x4],
  ])("a write to %s is ignored; without it, whatever else is enabled, it is not", (_, offset, enable) => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, enable);
    const before = judge.smmu.read32(offset);
    judge.smmu.write32(offset, 0x3);
    expect(judge.smmu.read32(offset)).toBe(before);
    judge.smmu.write32(CR0, 0xd - enable);
    judge.smmu.write32(offset, 0x3);
    expect(judge.smmu.read32(offset)).toBe(0x3);
  });

  test("CMDQ_PROD and EVENTQ_CONS are software's at any time", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0x5);
    judge.smmu.write32(0x98, 0x3);
    judge.smmu.write32(0x1_00ac, 0x3);
    expect([judge.smmu.read32(0x98), judge.smmu.read32(0x1_00ac)]).toEqual([3, 3]);
  });
});

describe("CR1 (§6.3.11)", () => {
  test("TABLE_* [11:6] are read-only while SMMUEN=1", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0x1);
    judge.smmu.write32(CR1, 0xffff_ffff);
    expect(judge.smmu.read32(CR1)).toBe(0x03f);
  });

  test.each([
    ["CMDQEN", 0x8, IDR0],
    ["EVENTQEN", 0x4, IDR0],
    ["PRIQEN", 0x2, IDR0 | 0x1_0000],
  ])("QUEUE_* [5:0] are read-only while %s=1", (_, enable, idr0) => {
    const judge = new JudgeMachine({ idr0 });
    judge.smmu.write32(CR0, enable);
    judge.smmu.write32(CR1, 0xffff_ffff);
    expect(judge.smmu.read32(CR1)).toBe(0xfc0);
  });

  test("with everything disabled all twelve bits are written, and kept when the SMMU is enabled", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0);
    judge.smmu.write32(CR1, 0xffff_fa5a);
    judge.smmu.write32(CR0, 0xd);
    judge.smmu.write32(CR1, 0);
    expect(judge.smmu.read32(CR1)).toBe(0xa5a);
  });
});

describe("bits of features that are not there are RES0", () => {
  test.each([
    ["CR2.E2H without Hyp", CR2, IDR0 & ~0x200, 0x2],
    ["CR2.PTM without BTM", CR2, IDR0, 0x3],
    ["CR2.PTM with BTM", CR2, IDR0 | 0x20, 0x7],
    ["CR0: neither PRIQEN, ATSCHK nor VMW", CR0, IDR0, 0xd],
    ["CR0.PRIQEN with PRI", CR0, IDR0 | 0x1_0000, 0xf],
    ["CR0.ATSCHK with ATS", CR0, IDR0 | 0x400, 0x1d],
    ["CR0.VMW with VMW", CR0, IDR0 | 0x2_0000, 0x1cd],
  ])("%s", (_, offset, idr0, bits) => {
    const judge = new JudgeMachine({ idr0 });
    judge.smmu.write32(CR0, 0);
    judge.smmu.write32(offset, 0xffff_ffff);
    expect(judge.smmu.read32(offset)).toBe(bits);
  });
});

describe("GBPA.Update (§6.3.14.1)", () => {
  test("the fields of one write with Update=1 are taken together; reserved bits stay 0", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(0x44, 0xffff_ffff);
    expect(judge.smmu.read32(0x44)).toBe(0x001f_3f1f);
  });

  test("a write with Update=0 changes neither what is read nor what transactions meet", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0xc);
    judge.smmu.write32(0x44, 0x8010_0000);
    judge.smmu.write32(0x44, 0x0000_0000);
    expect(judge.smmu.read32(0x44)).toBe(0x0010_0000);
    expect(judge.reach(1, 0x1000n)).toBe("abort");
  });
});

describe("GERRORN (§6.3.20, §7.5)", () => {
  test("the SMMU never changes it, and it reads as it was written", () => {
    const judge = new JudgeMachine();
    judge.command(0xffn);
    expect(judge.smmu.read32(GERRORN)).toBe(0);
    judge.smmu.write32(GERRORN, 0x1);
    expect([judge.smmu.read32(GERROR), judge.smmu.read32(GERRORN)]).toEqual([0x0, 0x1]); // active again: still illegal
  });

  test("writing what it already holds acknowledges nothing", () => {
    const judge = new JudgeMachine();
    judge.command(0xffn);
    judge.smmu.write32(GERRORN, 0x0);
    judge.put(0x8001_0000, 0x46n, 0n);
    expect([judge.consumed(), judge.smmu.read32(GERROR)]).toEqual([0, 0x1]);
  });

  test("CMDQEN cleared and set does not acknowledge a command error (§6.3.28)", () => {
    const judge = new JudgeMachine();
    judge.command(0xffn);
    judge.put(0x8001_0000, 0x46n, 0n);
    judge.smmu.write32(CR0, 0x5);
    judge.smmu.write32(CR0, 0xd);
    expect([judge.consumed(), judge.smmu.read32(GERROR)]).toEqual([0, 0x1]);
    judge.acknowledgeErrors();
    expect(judge.consumed()).toBe(1);
  });
});

test("CR0ACK shows each field as soon as it was written, the others untouched (§6.3.9, §6.3.10)", () => {
  const judge = new JudgeMachine();
  const seen = [0x0, 0x1, 0x4, 0x8, 0xc, 0xd].map((value) => {
    judge.smmu.write32(CR0, value);
    return judge.smmu.read32(0x24);
  });
  expect(seen).toEqual([0x0, 0x1, 0x4, 0x8, 0xc, 0xd]);
});

test("after SMMUEN went from 1 to 0 and back, structures are read from the Stream table of then (§6.3.9.6)", () => {
  const judge = new JudgeMachine();
  judge.ste(1, STE_S1, 0n);
  judge.put(0x8050_0040, STE_BYPASS, 0n);
  judge.smmu.write32(CR0, 0xc);
  judge.smmu.write64(0x80, 0x8050_0000n);
  judge.smmu.write32(CR0, 0xd);
  judge.command(0x04n, 31n);
  judge.command(0x46n);
  expect(judge.reach(1, 0x1000n)).toBe("0x1000");
});
