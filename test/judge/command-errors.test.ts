// The third judge: commands that must be refused, and what stays consumable afterwards, from the text alone.
// Source: IHI 0070G.b §4.1.3, §4.1.4, §4.3 to §4.7, §7.1.

import { describe, expect, test } from "vitest";
import { CMDQ_CONS, CMDQ_PROD, CR0, GERROR, IDR0, IDR3, JudgeMachine, RAM } from "../support/judge-machine.ts";

const ILL = 1;
const SYNC = 0x46n;

describe("CERROR_ILL on this interface (§4.1.3)", () => {
  test.each([
    ["opcode 0x00 is reserved", 0x00n, 0n],
    ["opcode 0x08 is reserved", 0x08n, 0n],
    ["opcode 0x14 is reserved", 0x14n, 0n],
    ["opcode 0x29 is reserved", 0x29n, 0n],
    ["opcode 0x47 is reserved", 0x47n, 0n],
    ["opcode 0xff is reserved", 0xffn, 0n],
    ["TLBI_EL3_ALL is not for the Non-secure queue (§4.4)", 0x18n, 0n],
    ["TLBI_EL3_VA is not for the Non-secure queue (§4.4)", 0x1an, 0n],
    ["SSec=1 in CFGI_STE (§4.3.1)", 0x0000_0001_0000_0403n, 0n],
    ["SSec=1 in CFGI_STE_RANGE (§4.3.2)", 0x0404n, 0n],
    ["SSec=1 in CFGI_CD (§4.3.3)", 0x0000_0001_0000_0405n, 0n],
    ["SSec=1 in CFGI_CD_ALL (§4.3.4)", 0x0000_0001_0000_0406n, 0n],
    ["SSec=1 in RESUME (§4.6.1)", 0x0000_0001_0000_0444n, 0n],
    ["SSec=1 in STALL_TERM (§4.6.2)", 0x0000_0001_0000_0445n, 0n],
    ["ATC_INV without IDR0.ATS (§4.5.1)", 0x0000_0001_0000_0040n, 0x34n],
    ["PRI_RESP without IDR0.PRI (§4.5.2)", 0x0000_0001_0000_0041n, 0n],
    ["SYNC with CS=0b11 (§4.7.3)", 0x3046n, 0n],
    ["TLBI_NH_VA with TG but no NUM, SCALE or TTL (§4.4.1.1)", 0x12n, 0x400n],
    ["TLBI_NH_VAA with TG but no NUM, SCALE or TTL (§4.4.1.1)", 0x13n, 0x800n],
    ["TLBI_S2_IPA with TG but no NUM, SCALE or TTL (§4.4.1.1)", 0x2an, 0xc00n],
    ["TLBI_EL2_VA with TG but no NUM, SCALE or TTL (§4.4.1.1)", 0x22n, 0x400n],
  ])("%s", (_, lo, hi) => {
    const judge = new JudgeMachine();
    judge.command(SYNC);
    judge.command(lo, hi);
    judge.command(SYNC);
    expect(judge.commandError()).toBe(ILL);
    expect(judge.consumed()).toBe(1);
    expect(judge.smmu.read32(GERROR)).toBe(0x1);
    expect(judge.gerrorInterrupts).toBe(1);
  });

  const WITHOUT_S1 = IDR0 & ~0x2;
  const WITHOUT_S2 = IDR0 & ~0x1;
  const WITHOUT_HYP = IDR0 & ~0x200;
  const TERMINATE_ONLY = IDR0 | 0x0100_0000;
  test.each([
    ["CFGI_CD without stage 1 (§4.3.3)", WITHOUT_S1, 0x05n],
    ["CFGI_CD_ALL without stage 1 (§4.3.4)", WITHOUT_S1, 0x06n],
    ["TLBI_NH_ALL without stage 1 (§4.4.2)", WITHOUT_S1, 0x10n],
    ["TLBI_NH_ASID without stage 1", WITHOUT_S1, 0x11n],
    ["TLBI_NH_VA without stage 1", WITHOUT_S1, 0x12n],
    ["TLBI_NH_VAA without stage 1", WITHOUT_S1, 0x13n],
    ["TLBI_S12_VMALL without stage 2 (§4.4.3)", WITHOUT_S2, 0x28n],
    ["TLBI_S2_IPA without stage 2", WITHOUT_S2, 0x2an],
    ["TLBI_EL2_ALL without Hyp (§4.4.4)", WITHOUT_HYP, 0x20n],
    ["TLBI_EL2_ASID without Hyp", WITHOUT_HYP, 0x21n],
    ["TLBI_EL2_VA without Hyp", WITHOUT_HYP, 0x22n],
    ["TLBI_EL2_VAA without Hyp", WITHOUT_HYP, 0x23n],
    ["RESUME with STALL_MODEL=1 (§4.6.1)", TERMINATE_ONLY, 0x44n],
    ["STALL_TERM with STALL_MODEL=1 (§4.6.2)", TERMINATE_ONLY, 0x45n],
  ])("%s", (_, idr0, lo) => {
    const judge = new JudgeMachine({ idr0, idr5: (idr0 & 0x0100_0000) === 0 ? 0x0004_0074 : 0x74 });
    judge.command(lo);
    expect([judge.commandError(), judge.consumed()]).toEqual([ILL, 0]);
  });

  test.each([
    ["PREFETCH_CONFIG", 0x01n, 0n],
    ["CFGI_STE", 0x03n, 1n],
    ["CFGI_STE_RANGE", 0x04n, 3n],
    ["CFGI_ALL", 0x04n, 31n],
    ["CFGI_CD", 0x05n, 1n],
    ["CFGI_CD_ALL", 0x06n, 0n],
    ["TLBI_NH_ALL", 0x10n, 0n],
    ["TLBI_NH_ASID", 0x11n, 0n],
    ["TLBI_NH_VA", 0x12n, 0n],
    ["TLBI_NH_VA with TTL alone", 0x12n, 0x700n],
    ["TLBI_NH_VAA", 0x13n, 0n],
    ["TLBI_EL2_ALL", 0x20n, 0n],
    ["TLBI_EL2_VA", 0x22n, 0n],
    ["TLBI_S12_VMALL", 0x28n, 0n],
    ["TLBI_S2_IPA", 0x2an, 0n],
    ["TLBI_NSNH_ALL", 0x30n, 0n],
    ["RESUME of a STAG that is not stalled", 0x44n, 0x1234n],
    ["STALL_TERM of a stream without stalls", 0x45n, 0n],
    ["SYNC with CS=0", 0x46n, 0n],
    ["SYNC with CS=SEV", 0x2046n, 0n],
  ])("%s is accepted", (_, lo, hi) => {
    const judge = new JudgeMachine();
    judge.command(lo, hi);
    expect([judge.commandError(), judge.consumed(), judge.smmu.read32(GERROR)]).toEqual([0, 1, 0]);
  });

  test("without RIL the range fields are RES0 and no error (§4.4.1.1)", () => {
    const judge = new JudgeMachine({ idr3: IDR3 & ~0x400 });
    judge.command(0x12n, 0x400n);
    expect([judge.commandError(), judge.consumed()]).toEqual([0, 1]);
  });
});

describe("after an error (§7.1)", () => {
  test("nothing is consumed until GERRORN acknowledges, also when PROD moves", () => {
    const judge = new JudgeMachine();
    judge.command(0xffn);
    judge.command(SYNC);
    judge.command(SYNC);
    expect(judge.consumed()).toBe(0);
    expect(judge.gerrorInterrupts).toBe(1);
  });

  test("the acknowledged command is fetched again: repaired, the queue goes on", () => {
    const judge = new JudgeMachine();
    judge.command(0xffn);
    judge.command(SYNC);
    judge.put(0x8001_0000, SYNC, 0n);
    judge.acknowledgeErrors();
    expect(judge.consumed()).toBe(2);
    expect(judge.smmu.read32(GERROR)).toBe(0x1);
  });

  test("the acknowledged command not repaired toggles GERROR back to 0: active again", () => {
    const judge = new JudgeMachine();
    judge.command(0xffn);
    judge.acknowledgeErrors();
    expect([judge.consumed(), judge.commandError(), judge.smmu.read32(GERROR)]).toEqual([0, ILL, 0]);
    expect(judge.gerrorInterrupts).toBe(2);
  });

  test("acknowledging another error bit does not let the queue go on", () => {
    const judge = new JudgeMachine();
    judge.command(0xffn);
    judge.put(0x8001_0000, SYNC, 0n);
    judge.smmu.write32(0x64, 0x4);
    expect(judge.consumed()).toBe(0);
  });
});

describe("CERROR_ABT (§4.1.4, §7.1)", () => {
  test("a command that cannot be fetched stops the queue with code 2", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0x5);
    judge.smmu.write64(0x90, 0x4000_0004n);
    judge.smmu.write32(CR0, 0xd);
    judge.smmu.write32(CMDQ_PROD, 1);
    expect([judge.commandError(), judge.consumed(), judge.smmu.read32(GERROR)]).toEqual([2, 0, 1]);
  });

  test("a queue whose memory has gone away aborts at the next command", () => {
    const judge = new JudgeMachine();
    judge.memory.remove(RAM);
    judge.smmu.write32(CMDQ_PROD, 1);
    expect(judge.commandError()).toBe(2);
  });
});

describe("indexes (§3.5.1)", () => {
  test("CONS wraps with its wrap bit after 2^LOG2SIZE commands", () => {
    const judge = new JudgeMachine({ commandQueueLog2: 1 });
    for (let index = 0; index < 3; index += 1) judge.command(SYNC);
    expect(judge.smmu.read32(CMDQ_CONS)).toBe(3);
    judge.command(SYNC);
    expect(judge.smmu.read32(CMDQ_CONS)).toBe(0);
  });

  test("CMDQEN=0 consumes nothing; CMDQEN=1 starts with what is waiting", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0x5);
    judge.command(SYNC);
    expect(judge.consumed()).toBe(0);
    judge.smmu.write32(CR0, 0xd);
    expect(judge.consumed()).toBe(1);
  });

  test("commands are consumed while SMMUEN=0", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0x8);
    judge.command(0x04n, 31n);
    judge.command(SYNC);
    expect(judge.consumed()).toBe(2);
  });
});
