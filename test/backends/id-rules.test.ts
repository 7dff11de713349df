// Which ID registers can be simulated. Values by hand from IHI 0070G.b §6.3.1 to §6.3.8.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type GivenRegisters, registerProblems } from "../../src/backends/id-rules.ts";
import type { IdRegisters } from "../../src/backends/inventory.ts";
import { type Access, Smmu, type Transaction } from "../../src/backends/smmuv3/smmu.ts";
import { DEFAULT_INVENTORY } from "../../src/server/config/inventory.ts";
import { REGISTER } from "../../src/spec/registers.ts";
import { Chance, DescriptorMemory } from "../oracle/chance.ts";

/** S2P S1P, TTF 2, COHACC, STALL_MODEL 1; SIDSIZE 6; HAD XNX; OAS 44 bits, all granules; SMMUv3.1. */
const LEGAL = {
  idr0: 0x0100_001b,
  idr1: 0x0273_0006,
  idr2: 0,
  idr3: 0x14,
  idr4: 0,
  idr5: 0x74,
  idr6: 0,
  iidr: 0,
  aidr: 1,
};

function problems(registers: GivenRegisters): string[] {
  return registerProblems(registers).map(({ register, message }) => `${register} ${message}`);
}

describe("what can be simulated", () => {
  test.each(DEFAULT_INVENTORY.iommus)("the built-in $id", ({ registers }) => {
    expect(problems(registers)).toEqual([]);
  });

  test.each([
    ["the smallest", LEGAL],
    ["what QEMU 11.1 shows with stage=nested", { ...LEGAL, idr0: 0x0d44_101b, idr1: 0x0273_0010, idr3: 0x1414 }],
    ["an implementation's own IDR4 and IIDR", { ...LEGAL, idr4: 0xffff_ffff, iidr: 0xffff_ffff }],
    ["stage 1 only, SMMUv3.0, nothing else", { idr0: 0x0100_000a, idr5: 0x10 }],
    ["stalls, with a maximum", { ...LEGAL, idr0: LEGAL.idr0 & ~(3 << 24), idr5: 0x0001_0074 }],
    ["52 bits with 64 KiB pages", { ...LEGAL, idr5: 0x446 }],
    ["52 bits with DS", { ...LEGAL, idr5: 0x4b6 }],
    ["SMMUv3.4 with all it demands", { ...LEGAL, idr0: LEGAL.idr0 | (1 << 9), idr3: 0x42_6d14, aidr: 4 }],
    ["SMMUv3.3 with all it demands", { ...LEGAL, idr0: LEGAL.idr0 | (1 << 9), idr3: 0x6d14, aidr: 3 }],
  ])("%s", (_, registers) => {
    expect(problems(registers)).toEqual([]);
  });
});

describe("what breaks a rule of the architecture is refused with the field and its value", () => {
  const { idr0, idr1, idr3, idr5 } = LEGAL;
  test.each<[string, GivenRegisters]>([
    ["idr0 has IDR0.S1P 0: one of", { ...LEGAL, idr0: idr0 & ~3, idr3: 0 }],
    ["idr0 has IDR0.TTF 0: 0 is reserved", { ...LEGAL, idr0: idr0 & ~0xc }],
    ["idr0 has IDR0.Hyp 1: it is RES0 unless", { ...LEGAL, idr0: (idr0 & ~1) | (1 << 9) }],
    ["idr0 has IDR0.Hyp 0: it is not 0 in SMMUv3.2", { ...LEGAL, idr3: 0x0d14, aidr: 2 }],
    ["idr0 has IDR0.NS1ATS 1: it is RES0", { ...LEGAL, idr0: idr0 | (1 << 11) }],
    ["idr0 has IDR0.PRI 1: it is RES0", { ...LEGAL, idr0: idr0 | (1 << 16) }],
    ["idr0 has IDR0.ATSRECERR 1: it is RES0", { ...LEGAL, idr0: idr0 | (1 << 23) }],
    ["idr0 has IDR0.VMW 1: it is RES0", { ...LEGAL, idr0: (idr0 & ~1) | (1 << 17) }],
    ["idr0 has IDR0.TTENDIAN 1: 1 is reserved", { ...LEGAL, idr0: idr0 | (1 << 21) }],
    ["idr0 has IDR0.STALL_MODEL 3: 3 is reserved", { ...LEGAL, idr0: idr0 | (3 << 24), idr5: idr5 | (1 << 16) }],
    ["idr0 has IDR0.ST_LEVEL 2: it is at most 1", { ...LEGAL, idr0: idr0 | (2 << 27) }],
    ["idr0 has IDR0 bit 29: reserved", { ...LEGAL, idr0: idr0 | (1 << 29) }],
    ["idr1 has IDR1.SIDSIZE 7: 7 and more need IDR0.ST_LEVEL", { ...LEGAL, idr1: 0x0273_0007 }],
    ["idr1 has IDR1.SIDSIZE 33: it is at most 32", { ...LEGAL, idr0: idr0 | (1 << 27), idr1: 0x0273_0021 }],
    ["idr1 has IDR1.SSIDSIZE 21: it is at most 20", { ...LEGAL, idr1: idr1 | (21 << 6) }],
    ["idr1 has IDR1.CMDQS 20: it is at most 19", { ...LEGAL, idr1: (20 << 21) | (19 << 16) }],
    ["idr1 has IDR1.EVENTQS 20: it is at most 19", { ...LEGAL, idr1: (19 << 21) | (20 << 16) }],
    ["idr1 has IDR1.PRIQS 20: it is at most 19", { ...LEGAL, idr0: idr0 | 0x1_0400, idr1: idr1 | (20 << 11) }],
    ["idr2 has IDR2.BA_VATOS 1: it is RES0", { ...LEGAL, idr2: 1 }],
    ["idr2 has IDR2 bits 10, 31: reserved", { ...LEGAL, idr2: 0x8000_0400 }],
    ["idr3 has IDR3.HAD 1: it is RES0", { ...LEGAL, idr0: idr0 & ~2 }],
    ["idr3 has IDR3.HAD 0: it is not 0 in SMMUv3.1", { ...LEGAL, idr3: idr3 & ~4 }],
    ["idr3 has IDR3.PBHA 1: it is RES0 unless IDR3.HAD", { ...LEGAL, idr3: 0x18 }],
    ["idr3 has IDR3.PBHA 1: it is RES0 unless AIDR", { ...LEGAL, idr3: 0x0c, aidr: 0 }],
    ["idr3 has IDR3.XNX 1: it is RES0 unless AIDR", { ...LEGAL, aidr: 0 }],
    ["idr3 has IDR3.XNX 0: it is not 0 in SMMUv3.1", { ...LEGAL, idr3: idr3 & ~0x10 }],
    ["idr3 has IDR3.PPS 1: it is RES0", { ...LEGAL, idr3: idr3 | 0x20 }],
    ["idr3 has IDR3.FWB 0: it is not 0 in SMMUv3.2", { ...LEGAL, idr0: idr0 | (1 << 9), idr3: 0xc14, aidr: 2 }],
    ["idr3 has IDR3.RIL 0: it is not 0 in SMMUv3.2", { ...LEGAL, idr0: idr0 | (1 << 9), idr3: 0x914, aidr: 2 }],
    ["idr3 has IDR3.BBML 0: it is not 0 in SMMUv3.2", { ...LEGAL, idr0: idr0 | (1 << 9), idr3: 0x514, aidr: 2 }],
    ["idr3 has IDR3.BBML 3: it is at most 2", { ...LEGAL, idr3: 0x1814 }],
    ["idr3 has IDR3.E0PD 0: it is not 0 in SMMUv3.3", { ...LEGAL, idr0: idr0 | (1 << 9), idr3: 0x4d14, aidr: 3 }],
    ["idr3 has IDR3.PASIDTT 1: it is RES0", { ...LEGAL, idr0: idr0 | (1 << 10), idr3: idr3 | (1 << 16) }],
    ["idr3 has IDR3.DPT 1: it is RES0", { ...LEGAL, idr3: idr3 | (1 << 15) }],
    ["idr3 has IDR3.PTWNNC 1: it is RES0", { ...LEGAL, idr0: idr0 & ~1, idr3: 0x4014 }],
    ["idr3 has IDR3.PTWNNC 0: it is not 0 in SMMUv3.3", { ...LEGAL, idr0: idr0 | (1 << 9), idr3: 0x2d14, aidr: 3 }],
    ["idr3 has IDR3.EPAN 0: it is not 0 in SMMUv3.4", { ...LEGAL, aidr: 4 }],
    ["idr3 has IDR3.MTEPERM 0: it is not 0 in SMMUv3.4", { ...LEGAL, aidr: 4 }],
    ["idr3 has IDR3 bits 0, 6, 24: reserved", { ...LEGAL, idr3: idr3 | 0x0100_0041 }],
    ["idr5 has IDR5.GRAN4K 0: at least one granule", { ...LEGAL, idr5: 4 }],
    ["idr5 has IDR5.DS 1: it is RES0 unless IDR5.GRAN4K", { ...LEGAL, idr5: 0x4c4 }],
    ["idr5 has IDR5.DS 1: it is RES0 unless IDR5.VAX", { ...LEGAL, idr5: 0xf4 }],
    ["idr5 has IDR5.OAS 6: 6 (52 bits) is reserved", { ...LEGAL, idr3: 4, idr5: 0x76, aidr: 0 }],
    ["idr5 has IDR5.OAS 6: 6 (52 bits) needs", { ...LEGAL, idr5: 0x36 }],
    ["idr5 has IDR5.VAX 3: it is at most 2", { ...LEGAL, idr5: 0xc74 }],
    ["idr5 has IDR5.VAX 1: it is RES0 unless AIDR", { ...LEGAL, idr3: 4, idr5: 0x474, aidr: 0 }],
    ["idr5 has IDR5.VAX 1: it is RES0 unless IDR5.GRAN64K", { ...LEGAL, idr5: 0x434 }],
    ["idr5 has IDR5.STALL_MAX 1: it is RES0", { ...LEGAL, idr5: 0x0001_0074 }],
    ["idr5 has IDR5.STALL_MAX 0: 0 is for", { ...LEGAL, idr0: idr0 & ~(3 << 24) }],
    ["idr5 has IDR5 bits 3, 9, 12: reserved", { ...LEGAL, idr5: idr5 | 0x1208 }],
    ["idr6 has IDR6 bit 0: reserved", { ...LEGAL, idr6: 1 }],
    ["aidr has AIDR.ArchMajorRev 1: it is at most 0", { ...LEGAL, aidr: 0x11 }],
    ["aidr has AIDR.ArchMinorRev 5: it is at most 4", { ...LEGAL, aidr: 5 }],
    ["aidr has AIDR bit 8: reserved", { ...LEGAL, aidr: 0x101 }],
  ])("%s", (expected, registers) => {
    expect(
      problems(registers).some((problem) => problem.startsWith(expected)),
      problems(registers).join("\n"),
    ).toBe(true);
  });

  test.each<[string, GivenRegisters]>([
    ["TTF 3", { idr0: LEGAL.idr0 | (1 << 2) }],
    ["BTM 1", { idr0: LEGAL.idr0 | (1 << 5) }],
    ["DORMHINT 1", { idr0: LEGAL.idr0 | (1 << 8) }],
    ["ATOS 1", { idr0: LEGAL.idr0 | (1 << 15) }],
    ["VATOS 1", { idr0: LEGAL.idr0 | (1 << 20) }],
    ["RME_IMPL 1", { idr0: LEGAL.idr0 | (1 << 30) }],
    ["QUEUES_PRESET 1", { idr1: LEGAL.idr1 | (1 << 29) }],
    ["TABLES_PRESET 1", { idr1: LEGAL.idr1 | (1 << 30) }],
    ["ECMDQ 1", { idr1: (LEGAL.idr1 | (1 << 31)) >>> 0 }],
    ["MPAM 1", { idr3: LEGAL.idr3 | (1 << 7) }],
    ["DPT 1", { idr3: LEGAL.idr3 | (1 << 15) }],
    ["S1PI 1", { idr3: LEGAL.idr3 | (1 << 18) }],
    ["S2PI 1", { idr3: LEGAL.idr3 | (1 << 19) }],
    ["S2PO 1", { idr3: LEGAL.idr3 | (1 << 20) }],
    ["THE 1", { idr3: LEGAL.idr3 | (1 << 21) }],
    ["AIE 1", { idr3: LEGAL.idr3 | (1 << 23) }],
    ["OAS 7", { idr5: 0x77 }],
    ["D128 1", { idr5: 0x174 }],
    ["VAX 2", { idr5: 0x874 }],
    ["CMDQ_CONTROL_PAGE_LOG2NUMQ 1", { idr6: 1 << 16 }],
  ])("%s is told as what the model does not have", (field, change) => {
    expect(problems({ ...LEGAL, ...change }).filter((one) => one.includes("the model does not have"))).toEqual([
      expect.stringContaining(`.${field}: the model does not have`),
    ]);
  });
});

/** Registers of which many can be simulated: every field legal alone, some together not. */
function randomRegisters(chance: Chance): IdRegisters {
  const flags = (...bits: number[]): number => bits.reduce((sum, bit) => sum + (chance.oneIn(2) ? 2 ** bit : 0), 0);
  const stalls = chance.pick(0, 1, 2);
  const aidr = chance.pick(0, 1, 1, 1, 2);
  const idr0 = flags(4, 10, 12, 13, 14, 18, 19, 26) + chance.pick(1, 2, 3, 3, 3) + 8 + chance.below(4) * 64;
  const isWide = aidr > 0 && chance.oneIn(3);
  return {
    idr0: idr0 + chance.pick(0, 2, 3) * 2 ** 21 + stalls * 2 ** 24 + chance.pick(0, 1, 1) * 2 ** 27,
    idr1: chance.below(12) + chance.below(21) * 64 + 19 * 2 ** 16 + 19 * 2 ** 21 + flags(26, 27),
    idr2: 0,
    idr3: (aidr > 0 ? 0x14 : 0) + flags(8, 9, 10, 11, 13, 17) + (chance.oneIn(30) ? 2 ** chance.below(32) : 0),
    idr4: chance.below(2 ** 32),
    idr5: (isWide ? 0x440 + chance.pick(0, 0x80) + 6 : chance.below(6)) + 16 + flags(5) + (stalls === 1 ? 0 : 2 ** 21),
    idr6: 0,
    iidr: chance.below(2 ** 32),
    aidr,
  };
}

const STREAM_TABLE = 0x0400_0000;
const EVENT_QUEUE = 0x0600_0000;
const CONTEXT = 0x0700_0000n;

/** Most descriptors lead on. */
const OFTEN_WALKED = { abortsOneIn: 150, invalidOneIn: 20, unaccessedOneIn: 4, blockOneIn: 5, farOneIn: 12 };

/** V, any Config, one CD; stage 2 of 4 KiB tables from level 1; some bits turned over. */
function randomSTE(chance: Chance): bigint[] {
  const ste = [CONTEXT | (BigInt(chance.below(8)) << 1n) | 1n, chance.bits(64), 0x0408_0059_0000_0000n, 0x0800_0000n];
  ste[2] = ste[2]! | (BigInt(chance.below(7)) << 48n) | (chance.bits(4) << 52n);
  if (chance.oneIn(2)) ste[1] = ste[1]! & 3n;
  if (chance.oneIn(4)) ste[2] = ste[2]! ^ (chance.bits(32) << 32n);
  return [...ste, 0n, 0n, 0n, 0n];
}

/** T0SZ 25, 4 KiB, EPD1, V, AA64, R, A (§5.4); some bits turned over. */
function randomCD(chance: Chance): bigint[] {
  const first = 0x0000_6200_c000_0019n | (BigInt(chance.below(7)) << 32n) | (chance.bits(1) << 44n);
  return [
    chance.oneIn(3) ? first ^ chance.bits(48) : first,
    0x0900_0000n,
    0x0a00_0000n,
    chance.bits(64),
    0n,
    0n,
    0n,
    0n,
  ];
}

function randomTransaction(chance: Chance): Transaction {
  const substreamID = chance.oneIn(2) ? undefined : chance.below(2 ** 20);
  const access = chance.pick<Access>("read", "write", "execute");
  const iova = chance.bits(chance.pick(30, 30, 64));
  const transaction = { streamID: chance.below(64), iova, access, privileged: chance.oneIn(2) };
  return substreamID === undefined ? transaction : { ...transaction, substreamID };
}

test("registers that are not refused make an SMMU in which no access and no explanation throws (seed 20261123)", () => {
  const ends = new Set<string>();
  let simulated = 0;
  const property = fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (seed) => {
    const chance = new Chance(seed);
    const id = randomRegisters(chance);
    if (registerProblems(id).length > 0) return;
    simulated += 1;
    const style = { ...OFTEN_WALKED, isBigEndian: chance.oneIn(2), isWide: chance.oneIn(2) };
    const memory = new DescriptorMemory(seed, 48, style);
    const smmu = new Smmu(id, memory, { eventQueue: () => {}, gerror: () => {} });
    for (let streamID = 0; streamID < 64; streamID++) memory.put(STREAM_TABLE + streamID * 64, randomSTE(chance));
    memory.put(Number(CONTEXT), randomCD(chance));
    smmu.write64(REGISTER.STRTAB_BASE, BigInt(STREAM_TABLE));
    smmu.write32(REGISTER.STRTAB_BASE_CFG, chance.pick(6, 6, 6, 6 + 6 * 64 + 65536, 32));
    smmu.write64(REGISTER.EVENTQ_BASE, BigInt(EVENT_QUEUE + 4));
    smmu.write32(REGISTER.CR2, chance.below(4));
    smmu.write32(REGISTER.CR0, 5);
    for (let count = 0; count < 20; count++) {
      const transaction = randomTransaction(chance);
      const { outcome } = smmu.explain(transaction);
      const got = smmu.translate(transaction);
      ends.add(got.kind === "ok" ? "ok" : (got.fault?.type ?? "silent"));
      if (outcome.kind !== "not-covered") expect(got.kind).toBe(outcome.kind);
    }
  });
  fc.assert(property, { numRuns: 1000, seed: 20261123 });
  expect(simulated).toBeGreaterThan(300);
  const wanted = ["ok", "silent", "C_BAD_STE", "C_BAD_CD", "C_BAD_SUBSTREAMID", "F_TRANSLATION", "F_PERMISSION"];
  expect([...ends]).toEqual(expect.arrayContaining(wanted));
});
