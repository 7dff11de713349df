// Which CDs are legal, one rule at a time (§5.4.2).
import { describe, expect, test } from "vitest";
import { type CdSetting, checkCD, decodeCD } from "../../../src/backends/smmuv3/cd.ts";
import { decodeSTE } from "../../../src/backends/smmuv3/ste.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { IDS } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, type Doublewords, stage1STE } from "../../support/smmuv3-tables.ts";

const STE = stage1STE(0x4000_0000);
const CD = contextDescriptor(0x4000_0000);

/** OAS 52, all granules, VAX 1, with and without DS (§6.3.6). */
const WIDE = { idr5: 0x0010_04f6 };
const VAX = { idr5: 0x0010_0476 };

function verdict(cd: Doublewords, ids: Partial<typeof IDS> = {}, setting: Partial<CdSetting> = {}): string | undefined {
  return checkCD(decodeCD(wordsOf(cd)), { ste: decodeSTE(wordsOf(STE)), world: "EL1", ...setting }, { ...IDS, ...ids });
}

function plus(cd: Doublewords, dword: number, bits: bigint): Doublewords {
  const changed: Doublewords = [...cd];
  changed[dword] = changed[dword]! ^ bits;
  return changed;
}

test("a Linux CD decodes to what Linux meant", () => {
  const cd = decodeCD(wordsOf([0x0002_e204_c000_3510n, 0x43d0_a000n, 0n, 0xffff_ffff_f404_ff44n, 0n, 0n, 0n, 0n]));
  expect(cd).toMatchObject({ V: 1, IPS: 4, AA64: 1, R: 1, A: 1, S: 0, ASET: 1, ASID: 2, MAIR0: 0xf404_ff44 });
  expect(cd.halves[0]).toMatchObject({ TxSZ: 16, pageBits: 12, EPDx: 0, TTBx: 0x43d0_a000 });
  expect(cd.halves[1].EPDx).toBe(1);
});

describe("a CD is illegal", () => {
  const stalling = { ste: decodeSTE(wordsOf([STE[0], at(1, 27), 0n, 0n, 0n, 0n, 0n, 0n])) }; // S1STALLD, bit 91
  test.each<[string, Doublewords, Partial<typeof IDS>, Partial<CdSetting>, string]>([
    ["V=0", plus(CD, 0, at(1, 31)), {}, {}, "V is 0"],
    ["S with S1STALLD", plus(CD, 0, at(1, 44)), {}, stalling, "S1STALLD"],
    ["A=0 where termination always aborts", plus(CD, 0, at(1, 46)), { idr0: IDS.idr0 | (1 << 26) }, {}, "A is 0"],
    ["S where nothing stalls", plus(CD, 0, at(1, 44)), { idr0: IDS.idr0 | (1 << 24) }, {}, "S is 1"],
    ["S=0 where all stalls", CD, { idr0: IDS.idr0 | (2 << 24) }, {}, "S is 0"],
    ["AA64=0", plus(CD, 0, at(1, 41)), {}, {}, "AA64 is 0"],
    ["VMSAv8-64 not offered", CD, { idr0: (IDS.idr0 & ~0xc) | 4 }, {}, "AA64 is 1"],
    ["ENDI where tables are little-endian", plus(CD, 0, at(1, 15)), { idr0: IDS.idr0 | (2 << 21) }, {}, "ENDI is 1"],
    ["little-endian where tables are big-endian", CD, { idr0: IDS.idr0 | (3 << 21) }, {}, "ENDI is 0"],
    ["HA without HTTU", plus(CD, 0, at(1, 43)), {}, {}, "HTTU is 0"],
    ["HD with Access flag only", plus(CD, 0, at(3, 42)), { idr0: IDS.idr0 | (1 << 6) }, {}, "HTTU is 1"],
    ["HAFT without HA", plus(CD, 1, at(1, 3)), { idr0: IDS.idr0 | (3 << 6) }, {}, "HAFT"],
    ["a 16-bit ASID without ASID16", plus(CD, 0, at(256, 48)), { idr0: IDS.idr0 & ~(1 << 12) }, {}, "ASID"],
    ["a reserved TG0", plus(CD, 0, at(3, 6)), {}, {}, "TG0"],
    ["TG1=0, which is reserved", plus(contextDescriptor(0, { ttb1: 0 }), 0, at(2, 22)), {}, {}, "TG1"],
    ["T0SZ below 16", contextDescriptor(0, { t0sz: 15 }), {}, {}, "T0SZ 15"],
    ["T0SZ above 39 without STT", contextDescriptor(0, { t0sz: 40 }), { idr3: 0 }, {}, "T0SZ 40"],
    ["T0SZ above 47 with STT and 64K", contextDescriptor(0, { t0sz: 48, tg0: 1 }), {}, {}, "T0SZ 48"],
    ["T1SZ out of range", contextDescriptor(0, { ttb1: 0, t1sz: 5 }), {}, {}, "T1SZ 5"],
    ["HD without HTTU", plus(CD, 0, at(1, 42)), {}, {}, "HTTU is 0"],
    ["ENDI with one half on", plus(CD, 0, at(1, 15)), { idr0: IDS.idr0 | (2 << 21) }, {}, "ENDI is 1"],
    ["T0SZ 15 for 64K without VAX", contextDescriptor(0, { t0sz: 15, tg0: 1 }), {}, {}, "T0SZ 15"],
    ["T0SZ 15 for 4K with VAX but without DS", contextDescriptor(0, { t0sz: 15 }), WIDE, {}, "T0SZ 15"],
    ["T0SZ 15 with DS where IDR5 has none", plus(contextDescriptor(0, { t0sz: 15 }), 2, at(1, 58)), VAX, {}, "T0SZ 15"],
    ["TTB0 beyond 48 bits with 4K", contextDescriptor(2 ** 48, { ips: 6 }), { idr5: 0x0010_0076 }, {}, "48 bits"],
    ["TTB0 beyond the OAS", contextDescriptor(2 ** 48, { ips: 6, tg0: 1 }), {}, {}, "TTB0"],
    ["TTB0 beyond IPS", contextDescriptor(2 ** 32, { ips: 0 }), {}, {}, "TTB0"],
    ["TTB1 beyond the OAS", contextDescriptor(0, { ttb1: 2 ** 48 }), {}, {}, "TTB1"],
  ])("%s", (_, cd, ids, setting, reason) => {
    expect(verdict(cd, ids, setting)).toContain(reason);
  });
});

describe("a CD is legal", () => {
  const allOff = plus(CD, 0, at(1, 14) | at(1, 15) | at(3, 6)); // EPD0 with EPD1 set: ENDI and TG0 are not judged
  test.each<[string, Doublewords, Partial<typeof IDS>, Partial<CdSetting>]>([
    ["as built", CD, {}, {}],
    ["with A=0 where RAZ/WI is possible", plus(CD, 0, at(1, 46)), {}, {}],
    ["with ASID 255 without ASID16", contextDescriptor(0, { asid: 255 }), { idr0: IDS.idr0 & ~(1 << 12) }, {}],
    ["with T0SZ 16", contextDescriptor(0, { t0sz: 16 }), {}, {}],
    ["with T0SZ 48 where tables may be small", contextDescriptor(0, { t0sz: 48 }), {}, {}],
    [
      "with TG1=3, which is 64 KiB",
      plus(contextDescriptor(0, { ttb1: 0, tg0: 1 }), 0, at(1, 22)),
      { idr5: 0x0010_0045 },
      {},
    ],
    ["with TTB0 of 52 bits and 64K", contextDescriptor(2 ** 50, { ips: 6, tg0: 1 }), { idr5: 0x0010_0076 }, {}],
    ["with TTB0 of 52 bits and DS", plus(contextDescriptor(2 ** 50, { ips: 6 }), 2, at(1, 58)), WIDE, {}],
    ["with T0SZ 12 for 4K with DS", plus(contextDescriptor(0, { t0sz: 12, ips: 6 }), 2, at(1, 58)), WIDE, {}],
    ["with both halves off, whatever they hold", allOff, { idr0: IDS.idr0 | (2 << 21) }, {}],
    [
      "in EL2 with a wide ASID and anything in TTB1",
      contextDescriptor(0, { asid: 0xffff, ttb1: 2 ** 50, t1sz: 1 }),
      { idr0: IDS.idr0 & ~(1 << 12) },
      { world: "EL2" },
    ],
    ["with T0SZ=12 for 64K where VAX is 1", contextDescriptor(0, { t0sz: 12, tg0: 1 }), { idr5: 0x0010_0475 }, {}],
    ["with reserved bits above TTB0", plus(CD, 1, at(0xf, 52)), {}, {}],
  ])("%s", (_, cd, ids, setting) => {
    expect(verdict(cd, ids, setting)).toBeUndefined();
  });

  test("EL2 ignores EPD0: its half is judged", () => {
    const cd = plus(contextDescriptor(0, { t0sz: 5 }), 0, at(1, 14));
    expect(verdict(cd)).toBeUndefined();
    expect(verdict(cd, {}, { world: "EL2" })).toContain("T0SZ 5");
  });
});
