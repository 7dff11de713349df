// The third judge: the SMMU's own MSIs, the completion signals of CMD_SYNC, and the registers behind them, from the text alone.
// CMD_SYNC: CS [13:12], MSIData [63:32], MSIAddress[55:2] at [119:66], so the second doubleword is the address itself.
// Source: IHI 0070G.b §3.18, §4.7.3, §6.3.16 to §6.3.23, §6.3.30 to §6.3.32, §7.5.

import { describe, expect, test } from "vitest";
import { RamRegion } from "../../src/backends/smmuv3/memory.ts";
import { CMDQ_CONS, CR0, GERROR, GERRORN, IDR0, JudgeMachine } from "../support/judge-machine.ts";

/** IDR0 bit 13 (§6.3.1). */
const MSI = 0x2000;
const TARGET = 0x8040_0000;
const UNBACKED = 0x4000_0000;
const IRQ_CTRL = 0x50;

function withMsi(idr0 = IDR0 | MSI): JudgeMachine {
  const judge = new JudgeMachine({ idr0 });
  judge.put(TARGET, 0x1111_1111_2222_2222n);
  return judge;
}

/** Programs *_IRQ_CFG0 and CFG1 at `offset` with the source disabled, then enables all. */
function program(judge: JudgeMachine, offset: number, address: bigint, data: number): void {
  judge.smmu.write32(IRQ_CTRL, 0);
  judge.smmu.write64(offset, address);
  judge.smmu.write32(offset + 8, data);
  judge.smmu.write32(IRQ_CTRL, 0x5);
}

describe("CMD_SYNC, CS=0b01: the MSI (§4.7.3)", () => {
  test("writes the 32 bits of MSIData to MSIAddress, and nothing beside them", () => {
    const judge = withMsi();
    judge.command(0xdead_beef_0000_1046n, BigInt(TARGET));
    expect(judge.get(TARGET)).toBe(0x1111_1111_dead_beefn);
    expect([judge.consumed(), judge.smmu.read32(GERROR)]).toEqual([1, 0]);
  });

  test("the address is word-aligned, not doubleword-aligned", () => {
    const judge = withMsi();
    judge.command(0xdead_beef_0000_1046n, BigInt(TARGET + 4));
    expect(judge.get(TARGET)).toBe(0xdead_beef_2222_2222n);
  });

  test("MSIAttr and MSH change neither address nor data", () => {
    const judge = withMsi();
    judge.command(0xdead_beef_0fc0_1046n, BigInt(TARGET));
    expect(judge.get(TARGET)).toBe(0x1111_1111_dead_beefn);
  });

  test.each([
    ["CS=0b00 sends none", 0xdead_beef_0000_0046n, IDR0 | MSI],
    ["CS=0b10 sends none: it is for an event", 0xdead_beef_0000_2046n, IDR0 | MSI],
    ["CS=0b10 sends none with IDR0.SEV either", 0xdead_beef_0000_2046n, IDR0 | MSI | 0x4000],
    ["without IDR0.MSI the address is ignored", 0xdead_beef_0000_1046n, IDR0],
  ])("%s, and the command is consumed", (_, lo, idr0) => {
    const judge = withMsi(idr0);
    judge.command(lo, BigInt(TARGET));
    expect(judge.get(TARGET)).toBe(0x1111_1111_2222_2222n);
    expect([judge.consumed(), judge.commandError(), judge.smmu.read32(GERROR)]).toEqual([1, 0, 0]);
  });

  test("CS=0b11 is illegal: no MSI, not consumed", () => {
    const judge = withMsi();
    judge.command(0xdead_beef_0000_3046n, BigInt(TARGET));
    expect(judge.get(TARGET)).toBe(0x1111_1111_2222_2222n);
    expect([judge.consumed(), judge.commandError()]).toEqual([0, 1]);
  });

  test("MSIAddress 0 sends none, though there be memory at 0", () => {
    const judge = withMsi();
    judge.memory.add(new RamRegion(0, 0x1000));
    judge.command(0xdead_beef_0000_1046n, 0n);
    expect(judge.get(0)).toBe(0n);
  });

  test("an address of which the OAS leaves nothing is not 0: it is truncated and written (§4.7.3, §3.4.3)", () => {
    const judge = withMsi();
    judge.memory.add(new RamRegion(0, 0x1000));
    judge.command(0xdead_beef_0000_1046n, 0x0080_0000_0000_0000n);
    expect(judge.get(0)).toBe(0xdead_beefn);
  });

  test("bits above the OAS of 44 do not reach the bus", () => {
    const judge = withMsi();
    judge.command(0xdead_beef_0000_1046n, 0x00f0_1000_0000_0000n | BigInt(TARGET + 4));
    expect(judge.get(TARGET)).toBe(0xdead_beef_2222_2222n);
  });

  test("bits [127:120] and [65:64] are no part of the address", () => {
    const judge = withMsi();
    judge.command(0xdead_beef_0000_1046n, 0xff00_0000_0000_0003n | BigInt(TARGET));
    expect(judge.get(TARGET)).toBe(0x1111_1111_dead_beefn);
  });

  test("IRQ_CTRL does not gate it", () => {
    const judge = withMsi();
    judge.smmu.write32(IRQ_CTRL, 0);
    judge.command(0xdead_beef_0000_1046n, BigInt(TARGET));
    expect(judge.get(TARGET)).toBe(0x1111_1111_dead_beefn);
  });

  test("an aborted MSI makes MSI_CMDQ_ABT_ERR active; the queue goes on", () => {
    const judge = withMsi();
    judge.command(0xdead_beef_0000_1046n, BigInt(UNBACKED));
    expect([judge.smmu.read32(GERROR), judge.gerrorInterrupts]).toEqual([0x10, 1]);
    judge.command(0x0000_0001_0000_1046n, BigInt(TARGET));
    expect([judge.consumed(), judge.commandError(), judge.get(TARGET)]).toEqual([2, 0, 0x1111_1111_0000_0001n]);
  });

  test("while MSI_CMDQ_ABT_ERR is active another abort does not toggle it; acknowledged, it toggles back", () => {
    const judge = withMsi();
    for (let count = 0; count < 2; count += 1) judge.command(0x1046n, BigInt(UNBACKED));
    expect(judge.smmu.read32(GERROR)).toBe(0x10);
    judge.acknowledgeErrors();
    judge.command(0x1046n, BigInt(UNBACKED));
    expect([judge.smmu.read32(GERROR), judge.smmu.read32(GERRORN)]).toEqual([0, 0x10]);
  });

  test("who observes the MSI observes that the CMD_SYNC was consumed", () => {
    const judge = withMsi();
    const seen: number[] = [];
    class Doorbell extends RamRegion {
      override writeBytes(offset: number, from: Uint8Array): boolean {
        seen.push(judge.smmu.read32(CMDQ_CONS));
        return super.writeBytes(offset, from);
      }
    }
    judge.memory.add(new Doorbell(UNBACKED, 0x1000));
    judge.command(0x46n);
    judge.command(0x1046n, BigInt(UNBACKED));
    expect(seen).toEqual([2]);
  });
});

describe("the Event queue's MSI (§3.18.2, §6.3.30 to §6.3.32)", () => {
  test("is written when the empty queue gets a record, not when it gets another", () => {
    const judge = withMsi();
    program(judge, 0xb0, BigInt(TARGET), 0x77);
    judge.access(9, 0x1000n);
    expect(judge.get(TARGET)).toBe(0x1111_1111_0000_0077n);
    judge.put(TARGET, 0n);
    judge.access(9, 0x1000n);
    expect(judge.get(TARGET)).toBe(0n);
    judge.records();
    judge.access(9, 0x1000n);
    expect(judge.get(TARGET)).toBe(0x77n);
  });

  test("bits of ADDR above the OAS of 44 do not reach the bus, and those below are all kept (§3.4.3)", () => {
    const judge = withMsi();
    program(judge, 0xb0, 0x00f0_0000_0000_0000n | BigInt(TARGET + 4), 0x77);
    judge.access(9, 0x1000n);
    expect(judge.get(TARGET)).toBe(0x0000_0077_2222_2222n);
  });

  test("EVENTQ_IRQEN=0 sends none, and enabling it later sends none for what was before (§6.3.16)", () => {
    const judge = withMsi();
    program(judge, 0xb0, BigInt(TARGET), 0x77);
    judge.smmu.write32(IRQ_CTRL, 0x1);
    judge.access(9, 0x1000n);
    judge.smmu.write32(IRQ_CTRL, 0x5);
    expect([judge.get(TARGET), judge.eventInterrupts]).toEqual([0x1111_1111_2222_2222n, 0]);
  });

  test("ADDR=0 leaves the wired interrupt alone", () => {
    const judge = withMsi();
    judge.memory.add(new RamRegion(0, 0x1000));
    program(judge, 0xb0, 0n, 0x77);
    judge.access(9, 0x1000n);
    expect([judge.get(0), judge.eventInterrupts]).toEqual([0n, 1]);
  });

  test("who observes it observes the record", () => {
    const judge = withMsi();
    const seen: number[] = [];
    class Doorbell extends RamRegion {
      override writeBytes(offset: number, from: Uint8Array): boolean {
        seen.push(judge.smmu.read32(0x1_00a8));
        return super.writeBytes(offset, from);
      }
    }
    judge.memory.add(new Doorbell(UNBACKED, 0x1000));
    program(judge, 0xb0, BigInt(UNBACKED), 0x77);
    judge.access(9, 0x1000n);
    expect(seen).toEqual([1]);
  });

  test("its abort is MSI_EVENTQ_ABT_ERR, which does not stop the queue", () => {
    const judge = withMsi();
    program(judge, 0xb0, BigInt(UNBACKED), 0x77);
    judge.access(9, 0x1000n);
    judge.access(9, 0x1000n);
    expect([judge.smmu.read32(GERROR), judge.gerrorInterrupts, judge.records().length]).toEqual([0x20, 1, 2]);
  });
});

describe("the GERROR MSI (§7.5.1, §6.3.21 to §6.3.23)", () => {
  test("is written when an error becomes active", () => {
    const judge = withMsi();
    program(judge, 0x68, BigInt(TARGET), 0x99);
    judge.command(0xffn);
    expect(judge.get(TARGET)).toBe(0x1111_1111_0000_0099n);
  });

  test("GERROR_IRQEN=0 sends none", () => {
    const judge = withMsi();
    program(judge, 0x68, BigInt(TARGET), 0x99);
    judge.smmu.write32(IRQ_CTRL, 0x4);
    judge.command(0xffn);
    expect(judge.get(TARGET)).toBe(0x1111_1111_2222_2222n);
  });

  test("its abort is MSI_GERROR_ABT_ERR, for which no interrupt is sent", () => {
    const judge = withMsi();
    program(judge, 0x68, BigInt(UNBACKED), 0x99);
    judge.command(0xffn);
    expect([judge.smmu.read32(GERROR), judge.gerrorInterrupts]).toEqual([0x81, 1]);
  });
});

describe("the registers of the MSIs", () => {
  test.each([
    ["GERROR", 0x68, 0x4],
    ["EVENTQ", 0xb0, 0x1],
  ])("%s_IRQ_CFGn keep still while their interrupt is enabled, and only then (§6.3.21)", (_, offset, others) => {
    const judge = withMsi();
    judge.smmu.write32(IRQ_CTRL, others);
    judge.smmu.write64(offset, BigInt(TARGET));
    judge.smmu.write32(offset + 8, 0x77);
    judge.smmu.write32(IRQ_CTRL, 0x5);
    judge.smmu.write64(offset, 0n);
    judge.smmu.write32(offset + 8, 0);
    judge.smmu.write32(offset + 12, 0x3f);
    const { smmu } = judge;
    expect([smmu.read64(offset), smmu.read32(offset + 8), smmu.read32(offset + 12)]).toEqual([BigInt(TARGET), 0x77, 0]);
  });

  test.each([
    ["GERROR", 0x68],
    ["EVENTQ", 0xb0],
  ])("%s_IRQ_CFGn keep ADDR[55:2], DATA, SH and MemAttr; the rest is RES0", (_, offset) => {
    const judge = withMsi();
    judge.smmu.write32(IRQ_CTRL, 0);
    judge.smmu.write64(offset, 0xffff_ffff_ffff_ffffn);
    judge.smmu.write64(offset + 8, 0xffff_ffff_ffff_ffffn);
    expect(judge.smmu.read64(offset) & 0xff00_0000_0000_0003n).toBe(0n);
    expect(judge.smmu.read64(offset) & 0x0fff_ffff_fffcn).toBe(0x0fff_ffff_fffcn);
    expect(judge.smmu.read64(offset + 8)).toBe(0x0000_003f_ffff_ffffn);
  });

  test.each([0x68, 0x6c, 0x70, 0x74, 0xb0, 0xb4, 0xb8, 0xbc])("without IDR0.MSI offset %i is RES0", (offset) => {
    const judge = withMsi(IDR0);
    judge.smmu.write32(IRQ_CTRL, 0);
    judge.smmu.write32(offset, 0xffff_ffff);
    expect(judge.smmu.read32(offset)).toBe(0);
  });

  test.each([
    ["without MSI and PRI", 0, 0x105],
    ["with MSI", MSI, 0x1b5],
    ["with MSI and PRI", MSI | 0x1_0000, 0x1fd],
  ])("GERRORN %s has the bits of errors that can be (§6.3.19, §6.3.20)", (_, idr0, bits) => {
    const judge = new JudgeMachine({ idr0: IDR0 | idr0 });
    judge.smmu.write32(GERRORN, 0xffff_ffff);
    expect(judge.smmu.read32(GERRORN)).toBe(bits);
  });

  test("PRIQ_IRQEN is stored and acknowledged with IDR0.PRI, and RES0 without (§6.3.16, §6.3.18)", () => {
    const without = withMsi();
    without.smmu.write32(IRQ_CTRL, 0x7);
    expect([without.smmu.read32(IRQ_CTRL), without.smmu.read32(0x54)]).toEqual([0x5, 0x5]);
    const having = withMsi(IDR0 | 0x1_0000);
    having.smmu.write32(IRQ_CTRL, 0x7);
    expect([having.smmu.read32(IRQ_CTRL), having.smmu.read32(0x54)]).toEqual([0x7, 0x7]);
  });
});

test("a CMD_SYNC that is waiting while CMDQEN=0 sends its MSI when it is consumed", () => {
  const judge = withMsi();
  judge.smmu.write32(CR0, 0x5);
  judge.command(0x0000_0005_0000_1046n, BigInt(TARGET));
  expect(judge.get(TARGET)).toBe(0x1111_1111_2222_2222n);
  judge.smmu.write32(CR0, 0xd);
  expect(judge.get(TARGET)).toBe(0x1111_1111_0000_0005n);
});
