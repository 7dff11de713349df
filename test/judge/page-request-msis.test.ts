// The third judge: the PRI queue's own MSI and what its abort leaves behind, from the text alone.
// PRIQ_IRQ_CFG0 0xd0 (ADDR[55:2]), CFG1 0xd8 (DATA), CFG2 0xdc (LO 31); PRIQ_IRQEN is IRQ_CTRL[1], its error GERROR[6].
// Source: IHI 0070G.b §3.18, §6.3.16, §6.3.19, §6.3.34 to §6.3.36, §7.5, §8.1.

import { describe, expect, test } from "vitest";
import { RamRegion } from "../../src/backends/smmuv3/memory.ts";
import type { PageRequest } from "../../src/backends/smmuv3/smmu.ts";
import {
  CR0,
  GERROR,
  GERRORN,
  IDR0_ATS,
  IDR1,
  JudgeMachine,
  PRI_QUEUE,
  PRIQ_CONS,
  PRIQ_PROD,
} from "../support/judge-machine.ts";

/** IDR0 bit 13 (§6.3.1). */
const MSI = 0x2000;
/** PRIQS 8. */
const IDR1_PRI = IDR1 | 0x4000;
const TARGET = 0x8040_0000;
const UNBACKED = 0x4000_0000;
const IRQ_CTRL = 0x50;
const ALL_ENABLED = 0x7;
const BEFORE = 0x1111_1111_2222_2222n;
const WRITTEN = 0x1111_1111_0000_0077n;
const LO = 0x8000_0000;

const LAST: PageRequest = {
  streamID: 5,
  address: 0x1234_5000n,
  read: true,
  write: false,
  execute: false,
  privileged: false,
  last: true,
  prgIndex: 7,
};
const NOT_LAST: PageRequest = { ...LAST, last: false };

interface Programmed {
  readonly address?: bigint;
  readonly cfg2?: number;
  readonly irqCtrl?: number;
  readonly idr0?: number;
}

/** A PRI queue of two entries whose MSI writes 0x77. */
function machine({
  address = BigInt(TARGET),
  cfg2 = 0,
  irqCtrl = ALL_ENABLED,
  idr0 = IDR0_ATS | MSI,
}: Programmed = {}) {
  const judge = new JudgeMachine({ idr0, idr1: IDR1_PRI });
  judge.put(TARGET, BEFORE);
  judge.smmu.write32(IRQ_CTRL, 0);
  judge.smmu.write64(0xc0, BigInt(PRI_QUEUE) | 1n);
  judge.smmu.write64(0xd0, address);
  judge.smmu.write32(0xd8, 0x77);
  judge.smmu.write32(0xdc, cfg2);
  judge.smmu.write32(IRQ_CTRL, irqCtrl);
  judge.smmu.write32(CR0, 0xf);
  return judge;
}

describe("LO=0: the MSI of a queue that becomes non-empty (§6.3.36)", () => {
  test("is 32 bits of DATA at ADDR, for the first request and not for the second", () => {
    const judge = machine();
    judge.smmu.pageRequest(NOT_LAST);
    expect([judge.get(TARGET), judge.priInterrupts]).toEqual([WRITTEN, 1]);
    judge.put(TARGET, BEFORE);
    judge.smmu.pageRequest(LAST);
    expect(judge.get(TARGET)).toBe(BEFORE);
  });

  test("is written again when software has emptied the queue", () => {
    const judge = machine();
    judge.smmu.pageRequest(LAST);
    judge.put(TARGET, BEFORE);
    judge.smmu.write32(PRIQ_CONS, 1);
    judge.smmu.pageRequest(LAST);
    expect(judge.get(TARGET)).toBe(WRITTEN);
  });

  test("MemAttr and SH change neither address nor data", () => {
    const judge = machine({ cfg2: 0x3f });
    judge.smmu.pageRequest(LAST);
    expect(judge.get(TARGET)).toBe(WRITTEN);
  });

  test("bits of ADDR above the OAS of 44 do not reach the bus (§3.4.3)", () => {
    const judge = machine({ address: 0x00f0_0000_0000_0000n | BigInt(TARGET + 4) });
    judge.smmu.pageRequest(LAST);
    expect(judge.get(TARGET)).toBe(0x0000_0077_2222_2222n);
  });

  test("who observes it observes the entry and PROD (§3.18)", () => {
    const judge = machine({ address: BigInt(UNBACKED) });
    const seen: (number | bigint)[] = [];
    class Doorbell extends RamRegion {
      override writeBytes(offset: number, from: Uint8Array): boolean {
        seen.push(judge.smmu.read32(PRIQ_PROD), judge.get(PRI_QUEUE));
        return super.writeBytes(offset, from);
      }
    }
    judge.memory.add(new Doorbell(UNBACKED, 0x1000));
    judge.smmu.pageRequest(LAST);
    expect(seen).toEqual([1, 0x5000_0000_0000_0005n]);
  });
});

test("LO=1: the MSI is for last requests, into a queue with others and into a full one (§6.3.36, §8.1)", () => {
  const judge = machine({ cfg2: LO });
  judge.smmu.pageRequest(NOT_LAST);
  expect(judge.get(TARGET)).toBe(BEFORE);
  judge.smmu.pageRequest(LAST);
  expect(judge.get(TARGET)).toBe(WRITTEN);
  judge.put(TARGET, BEFORE);
  judge.smmu.pageRequest(NOT_LAST);
  expect(judge.get(TARGET)).toBe(BEFORE);
  judge.smmu.pageRequest(LAST);
  expect(judge.get(TARGET)).toBe(WRITTEN);
});

describe("no MSI is sent", () => {
  test("while PRIQ_IRQEN=0, nor later for what was before (§6.3.16)", () => {
    const judge = machine({ irqCtrl: 0x5 });
    judge.smmu.pageRequest(LAST);
    judge.smmu.write32(IRQ_CTRL, ALL_ENABLED);
    expect([judge.get(TARGET), judge.priInterrupts]).toEqual([BEFORE, 0]);
  });

  test("with ADDR=0, though there be memory at 0; the wired interrupt is raised", () => {
    const judge = machine({ address: 0n });
    judge.memory.add(new RamRegion(0, 0x1000));
    judge.smmu.pageRequest(LAST);
    expect([judge.get(0), judge.priInterrupts]).toEqual([0n, 1]);
  });

  test("without IDR0.MSI: the registers are RES0, and the wired interrupt is raised", () => {
    const judge = machine({ idr0: IDR0_ATS });
    judge.smmu.pageRequest(LAST);
    expect([judge.smmu.read64(0xd0), judge.get(TARGET), judge.priInterrupts]).toEqual([0n, BEFORE, 1]);
  });
});

describe("an MSI that is aborted (§6.3.19)", () => {
  test("is MSI_PRIQ_ABT_ERR, told by the GERROR interrupt; requests go on being queued", () => {
    const judge = machine({ address: BigInt(UNBACKED) });
    expect([judge.smmu.pageRequest(LAST), judge.smmu.pageRequest(LAST)]).toEqual(["queued", "queued"]);
    expect([judge.smmu.read32(GERROR), judge.gerrorInterrupts, judge.smmu.read32(PRIQ_PROD)]).toEqual([0x40, 1, 2]);
  });

  test("does not toggle an active error; acknowledged, the next one toggles it back", () => {
    const judge = machine({ address: BigInt(UNBACKED), cfg2: LO });
    judge.smmu.pageRequest(LAST);
    judge.smmu.pageRequest(LAST);
    expect(judge.smmu.read32(GERROR)).toBe(0x40);
    judge.acknowledgeErrors();
    judge.smmu.write32(PRIQ_CONS, judge.smmu.read32(PRIQ_PROD));
    judge.smmu.pageRequest(LAST);
    expect([judge.smmu.read32(GERROR), judge.smmu.read32(GERRORN)]).toEqual([0, 0x40]);
  });
});
