// The third judge: SMMUEN=0, GBPA, and the register file, from the text alone.
// Source: IHI 0070G.b §3.4, §3.11, §6.3.

import { describe, expect, test } from "vitest";
import { CR0, GERROR, GERRORN, IDR0, IDR5, JudgeMachine, STE_BYPASS } from "../support/judge-machine.ts";

describe("SMMUEN=0 (§3.11, §6.3.15)", () => {
  test("GBPA.ABORT=0 lets a transaction through at its own address, whatever its STE says", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0xc);
    expect(judge.smmu.translate({ streamID: 1, iova: 0x1234_5678n, access: "write", privileged: false })).toMatchObject(
      {
        kind: "ok",
        pa: 0x1234_5678,
        bypass: true,
      },
    );
    expect(judge.records()).toEqual([]);
  });

  test("GBPA.ABORT=1 terminates with an abort and no event", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0xc);
    judge.smmu.write32(0x44, 0x8010_0000);
    expect(judge.access(1, 0x1000n)).toEqual({ kind: "abort", fault: undefined, recorded: false });
    expect(judge.records()).toEqual([]);
  });

  test("an address of exactly OAS bits more aborts without an event; one below passes (§3.4)", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0xc);
    expect(judge.reach(1, 0xfff_ffff_fff8n)).toBe("0xffffffffff8");
    expect(judge.reach(1, 0x1000_0000_0000n)).toBe("abort");
    expect(judge.reach(1, 0xffff_0000_0000_0000n)).toBe("abort");
    expect(judge.records()).toEqual([]);
  });

  test("GBPA has no effect while SMMUEN=1", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(0x44, 0x8010_0000);
    judge.ste(1, STE_BYPASS, 0n);
    expect(judge.reach(1, 0x1000n)).toBe("0x1000");
  });

  test("a StreamID beyond the table is not looked up while SMMUEN=0", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(0x2c, 0x2);
    judge.smmu.write32(CR0, 0xc);
    expect(judge.reach(0xffff, 0x4000n)).toBe("0x4000");
    expect(judge.records()).toEqual([]);
  });

  test("a SubstreamID is no fault while SMMUEN=0", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0xc);
    expect(judge.reach(1, 0x4000n, "read", 7)).toBe("0x4000");
  });
});

describe("GBPA (§6.3.15)", () => {
  test("a write without Update=1 is ignored", () => {
    const judge = new JudgeMachine();
    const before = judge.smmu.read32(0x44);
    judge.smmu.write32(0x44, 0x0010_0000);
    expect(judge.smmu.read32(0x44)).toBe(before);
  });

  test("Update reads as 0 once the update has taken effect, and ABORT as written", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(0x44, 0x8010_0000);
    expect(judge.smmu.read32(0x44) & 0x8010_0000).toBe(0x0010_0000);
    judge.smmu.write32(0x44, 0x8000_0000);
    expect(judge.smmu.read32(0x44) & 0x8010_0000).toBe(0);
  });
});

describe("update and acknowledge pairs", () => {
  test("CR0ACK follows CR0 (§6.3.9, §6.3.10)", () => {
    const judge = new JudgeMachine();
    expect(judge.smmu.read32(0x24)).toBe(0xd);
    judge.smmu.write32(CR0, 0x4);
    expect(judge.smmu.read32(0x24)).toBe(0x4);
  });

  test("CR0's reserved bits, and PRIQEN without IDR0.PRI, are not acknowledged", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0xffff_ffff);
    expect(judge.smmu.read32(0x24) & 0xffff_fe22).toBe(0);
  });

  test("CR0ACK and IRQ_CTRL_ACK cannot be written", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(0x24, 0);
    judge.smmu.write32(0x54, 0);
    expect([judge.smmu.read32(0x24), judge.smmu.read32(0x54)]).toEqual([0xd, 0x5]);
  });

  test("IRQ_CTRL_ACK follows IRQ_CTRL in its implemented bits; PRIQ is none without IDR0.PRI (§6.3.16)", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(0x50, 0xffff_ffff);
    expect(judge.smmu.read32(0x54)).toBe(0x5);
    judge.smmu.write32(0x50, 0x1);
    expect(judge.smmu.read32(0x54)).toBe(0x1);
  });

  test("GERROR is read-only, GERRORN keeps what software writes in its implemented bits (§6.3.18, §6.3.19)", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(GERROR, 0x1);
    expect(judge.smmu.read32(GERROR)).toBe(0);
    judge.smmu.write32(GERRORN, 0xffff_fe02);
    expect(judge.smmu.read32(GERRORN)).toBe(0);
  });
});

describe("identification and reserved space (§6.1, §6.3)", () => {
  test("ID registers read as configured and ignore writes", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(0x0, 0);
    judge.smmu.write32(0x14, 0xffff_ffff);
    expect(judge.smmu.read32(0x0)).toBe(IDR0);
    expect(judge.smmu.read32(0x14)).toBe(IDR5);
    expect(judge.smmu.read32(0x18)).toBe(0x0000_043b);
    expect(judge.smmu.read32(0x1c)).toBe(0x2);
  });

  test.each(["0x30", "0x58", "0xd00", "0x10000", "0x10100"])("offset %s is RES0: reads 0, keeps nothing", (offset) => {
    const judge = new JudgeMachine();
    judge.smmu.write32(Number(offset), 0xffff_ffff);
    expect(judge.smmu.read32(Number(offset))).toBe(0);
  });

  test("STRTAB_BASE keeps RA and the address bits only (§6.3.24)", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0);
    judge.smmu.write64(0x80, 0xffff_ffff_ffff_ffffn);
    const value = judge.smmu.read64(0x80);
    expect(value & 0xbf00_0000_0000_003fn).toBe(0n);
    expect(value & 0x4000_0fff_ffff_ffc0n).toBe(0x4000_0fff_ffff_ffc0n);
  });

  test("the halves of a 64-bit register are the register at its offset and four above", () => {
    const judge = new JudgeMachine();
    judge.smmu.write32(CR0, 0);
    judge.smmu.write32(0x80, 0x1234_5640);
    judge.smmu.write32(0x84, 0x0000_0001);
    expect(judge.smmu.read64(0x80)).toBe(0x0000_0001_1234_5640n);
  });
});

test("with IRQ_CTRL=0 neither an event nor a global error raises its line (§3.18)", () => {
  const judge = new JudgeMachine();
  judge.smmu.write32(0x50, 0);
  judge.access(9, 0x1000n);
  judge.command(0xffn);
  expect([judge.eventInterrupts, judge.gerrorInterrupts]).toEqual([0, 0]);
  expect(judge.records()).toHaveLength(1);
  expect(judge.smmu.read32(GERROR)).toBe(1);
});
