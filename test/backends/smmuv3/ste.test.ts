// Which STEs are legal, one rule at a time (§5.2.2). Words are hand-assembled: bit n of the STE is bit n % 64 of dword n / 64.
import { describe, expect, test } from "vitest";
import { checkSTE, decodeSTE } from "../../../src/backends/smmuv3/ste.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { IDS } from "../../support/smmuv3-machine.ts";
import { at, bypassSTE, type Doublewords, nestedSTE, stage1STE, stage2STE } from "../../support/smmuv3-tables.ts";

const S1 = stage1STE(0x4000_0000);
const S2 = stage2STE(0x4000_0000);
const ATS = { idr0: IDS.idr0 | (1 << 10) };

function verdict(ste: Doublewords, ids: Partial<typeof IDS> = {}): string | undefined {
  return checkSTE(decodeSTE(wordsOf(ste)), { ...IDS, ...ids });
}

function plus(ste: Doublewords, dword: number, bits: bigint): Doublewords {
  const changed: Doublewords = [...ste];
  changed[dword] = changed[dword]! ^ bits;
  return changed;
}

test("a Linux stage 1 STE decodes to what Linux meant", () => {
  // w0 V, Config 101, S1ContextPtr; w1 S1DSS=2, S1CIR=S1COR=1 (WB), S1CSH=3
  const ste = decodeSTE(wordsOf([0x43d0_b00bn, 0xd6n, 0n, 0n, 0n, 0n, 0n, 0n]));
  expect(ste).toMatchObject({ V: 1, Config: 5, S1ContextPtr: 0x43d0_b000, S1DSS: 2, S1CIR: 1, S1COR: 1, S1CSH: 3 });
});

test("a Linux stage 2 STE decodes to what Linux meant", () => {
  const ste = decodeSTE(wordsOf([0xdn, 0n, 0x044c_3594_0000_0002n, 0x4_8765_4000n, 0n, 0n, 0n, 0n]));
  expect(ste).toMatchObject({ Config: 6, S2VMID: 2, S2T0SZ: 0x14, S2SL0: 2, S2PS: 4, S2AA64: 1, S2PTW: 1, S2R: 1 });
  expect(ste.S2TTB).toBe(0x4_8765_4000);
});

test("the overrides of memory attributes are where §5.2 has them", () => {
  // MemAttr [99:96] 1010, MTCFG 100, ALLOCCFG [104:101] 1101, SHCFG [109:108] 11, S2FWB 89; S2SH0 [173:172] 10
  const ste = decodeSTE(wordsOf([0x9n, 0x31ba_0200_0000n, 0x2000_0000_0000n, 0n, 0n, 0n, 0n, 0n]));
  expect(ste).toMatchObject({ MemAttr: 10, MTCFG: 1, ALLOCCFG: 13, SHCFG: 3, S2FWB: 1, S2SH0: 2 });
});

test("the shapes the driver builds are legal", () => {
  for (const ste of [S1, S2, nestedSTE(S1, S2), bypassSTE()]) expect(verdict(ste)).toBeUndefined();
});

test("V=0 is illegal, Config=0b0xx is legal whatever the rest says", () => {
  const ones = 2n ** 64n - 1n;
  const garbage: Doublewords = [1n | at(3, 1), ones, ones, ones, ones, ones, ones, ones];
  expect(verdict([0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n])).toBe("V is 0");
  expect(verdict(garbage)).toBeUndefined();
  expect(verdict(garbage, { idr0: ATS.idr0 & ~(1 << 18) })).toBeUndefined(); // ATS, 8-bit VMIDs
});

describe("an STE is illegal", () => {
  test.each<[string, Doublewords, Partial<typeof IDS>, string]>([
    ["stage 1 without S1P", S1, { idr0: IDS.idr0 & ~2 }, "stage 1 is not implemented"],
    ["stage 2 without S2P", S2, { idr0: IDS.idr0 & ~1 }, "stage 2 is not implemented"],
    ["a reserved STRW", plus(S1, 1, at(1, 30)), {}, "STRW 1"],
    ["S1STALLD where stalls are not optional", plus(S1, 1, at(1, 27)), { idr0: IDS.idr0 | (2 << 24) }, "S1STALLD"],
    ["S1STALLD where nothing stalls", plus(S1, 1, at(1, 27)), { idr0: IDS.idr0 | (1 << 24) }, "S1STALLD"],
    ["S1CDMax above SSIDSIZE", stage1STE(0, { cdMax: 21 }), {}, "S1CDMax 21"],
    [
      "a two-level CD table of large leaves without CD2L",
      stage1STE(0, { cdMax: 12, fmt: 2 }),
      { idr0: IDS.idr0 & ~(1 << 19) },
      "S1Fmt 2",
    ],
    [
      "a two-level CD table without CD2L",
      stage1STE(0, { cdMax: 4, fmt: 1 }),
      { idr0: IDS.idr0 & ~(1 << 19) },
      "S1Fmt 1",
    ],
    ["S1ContextPtr beyond the OAS", plus(S1, 0, at(1, 48)), {}, "S1ContextPtr"],
    ["S2AA64=0", plus(S2, 2, at(1, 51)), {}, "S2AA64"],
    ["S2FWB over VMSAv8-32", plus(plus(S2, 1, at(1, 25)), 2, at(1, 51)), { idr3: IDS.idr3 | (1 << 8) }, "S2AA64"],
    ["VMSAv8-64 not offered", S2, { idr0: (IDS.idr0 & ~0xc) | 4 }, "VMSAv8-64"],
    ["S2S where nothing stalls", plus(S2, 2, at(1, 57)), { idr0: IDS.idr0 | (1 << 24) }, "S2S is 1"],
    ["S2S=0 where all stalls", S2, { idr0: IDS.idr0 | (2 << 24) }, "S2S is 0"],
    ["S2HA without HTTU", plus(S2, 2, at(1, 56)), {}, "S2HA"],
    ["S2HD without HTTU", plus(S2, 2, at(1, 55)), {}, "S2HD"],
    ["S2TTB beyond the OAS, whatever S2PS says", stage2STE(2 ** 48, { ps: 6, tg: 1, sl0: 1, t0sz: 24 }), {}, "S2TTB"],
    ["S2HD with Access flag only", plus(S2, 2, at(3, 55)), { idr0: IDS.idr0 | (1 << 6) }, "S2HD"],
    ["S2HAFT without S2HA", plus(S2, 2, at(1, 59)), { idr0: IDS.idr0 | (3 << 6) }, "S2HAFT"],
    ["a reserved S2TG", plus(S2, 2, at(3, 46)), {}, "S2TG 3"],
    ["a granule that is not offered", stage2STE(0, { tg: 1, sl0: 1, t0sz: 24 }), { idr5: 0x0010_0015 }, "S2TG 1"],
    ["S2TTB beyond S2PS", stage2STE(2 ** 32, { ps: 0 }), {}, "S2TTB"],
    ["S2TTB beyond 48 bits with a small granule", stage2STE(2 ** 48, { ps: 6 }), { idr5: 0x0010_0076 }, "48 bits"],
    ["S2T0SZ below the IAS", stage2STE(0, { t0sz: 15, sl0: 2 }), {}, "S2T0SZ 15"],
    ["S2T0SZ above 39 without STT", stage2STE(0, { t0sz: 40, sl0: 0 }), { idr3: 0 }, "S2T0SZ 40"],
    ["S2SL0 that resolves no bit", stage2STE(0, { t0sz: 34, sl0: 1 }), {}, "S2SL0 1"],
    ["S2SL0 that needs more than 16 tables", stage2STE(0, { t0sz: 20, sl0: 1 }), {}, "S2SL0 1"],
    ["S2SL0=3 with 64K", stage2STE(0, { tg: 1, t0sz: 24, sl0: 3 }), {}, "S2SL0 3"],
    ["a level 3 start without STT", stage2STE(0, { t0sz: 39, sl0: 3 }), { idr3: 0 }, "S2SL0 3"],
    ["a level 0 start below 44 bits", stage2STE(0, { t0sz: 24, sl0: 2 }), { idr5: 0x0010_0072 }, "S2SL0 2"],
    ["S2ENDI where tables are little-endian", plus(S2, 2, at(1, 52)), { idr0: IDS.idr0 | (2 << 21) }, "S2ENDI is 1"],
    ["little-endian tables where they are big-endian", S2, { idr0: IDS.idr0 | (3 << 21) }, "S2ENDI is 0"],
    ["a 16-bit VMID without VMID16", stage2STE(0, { vmid: 256 }), { idr0: IDS.idr0 & ~(1 << 18) }, "S2VMID"],
    ["S2POE without S2PIE", plus(S2, 2, at(1, 61)), { idr3: IDS.idr3 | (1 << 20) }, "S2PIE"],
    ["S2POE with S2HWU bits", plus(plus(S2, 2, at(3, 60)), 1, at(1, 8)), { idr3: IDS.idr3 | (1 << 20) | 8 }, "S2HWU"],
    [
      "VMSPtr beyond the OAS",
      plus(plus(nestedSTE(S1, S2), 1, at(1, 26)), 5, at(1, 48)),
      { idr3: IDS.idr3 | 128 },
      "VMSPtr",
    ],
    ["split-stage ATS without nesting", plus(S1, 1, at(2, 28)), ATS, "split-stage"],
    ["split-stage ATS with S2S", plus(plus(nestedSTE(S1, S2), 1, at(2, 28)), 2, at(1, 57)), ATS, "S2S"],
    [
      "split-stage ATS not offered",
      plus(nestedSTE(S1, S2), 1, at(2, 28)),
      { idr0: IDS.idr0 | (3 << 10) },
      "not supported",
    ],
    ["full ATS with S2S", plus(plus(S2, 1, at(1, 28)), 2, at(1, 57)), ATS, "full ATS"],
    [
      "DPT checks outside EL1",
      plus(plus(S1, 1, at(3, 28)), 1, at(2, 30)),
      { ...ATS, idr3: IDS.idr3 | (1 << 15) },
      "DPT",
    ],
    ["DPT checks with S2S", plus(plus(S2, 1, at(3, 28)), 2, at(1, 57)), { ...ATS, idr3: IDS.idr3 | (1 << 15) }, "DPT"],
  ])("%s", (_, ste, ids, reason) => {
    expect(verdict(ste, ids)).toContain(reason);
  });
});

describe("fields of a stage that is off, or of a feature that is absent, are not judged", () => {
  test.each<[string, Doublewords, Partial<typeof IDS>]>([
    ["stage 2 fields with Config=101", plus(S1, 2, at(0xffff, 32)), {}],
    ["S1STALLD with Config=110", plus(S2, 1, at(1, 27)), { idr0: IDS.idr0 | (1 << 24) }],
    ["STRW with stage 2", plus(nestedSTE(S1, S2), 1, at(1, 30)), {}],
    ["STRW without Hyp", plus(S1, 1, at(1, 30)), { idr0: IDS.idr0 & ~(1 << 9) }],
    ["S1CDMax without substreams", stage1STE(0, { cdMax: 31 }), { idr1: IDS.idr1 & ~0x7c0 }],
    ["EATS without ATS", plus(S1, 1, at(2, 28)), {}],
    ["EATS with DPT checks that do not exist", plus(S1, 1, at(3, 28)), ATS],
    ["S1ContextPtr as an IPA", nestedSTE(plus(S1, 0, at(1, 48)), S2), {}],
    ["S2FWB without IDR3.FWB", plus(S2, 1, at(1, 25)), {}],
    ["S2FWB with it", plus(S2, 1, at(1, 25)), { idr3: IDS.idr3 | (1 << 8) }],
    ["S2FWB with Config=101", plus(S1, 1, at(1, 25)), { idr3: IDS.idr3 | (1 << 8) }],
    ["overrides of attributes", plus(S1, 1, at(0x3f1f, 32)), {}],
    ["EATS with DPT checks that do not exist and S2S", plus(plus(S2, 1, at(3, 28)), 2, at(1, 57)), ATS],
    ["EATS in bypass", plus(bypassSTE(), 1, at(2, 28)), ATS],
    ["S2S of a full-ATS stream without stage 2", plus(plus(S1, 1, at(1, 28)), 2, at(1, 57)), ATS],
    ["STRW with Config=110", plus(S2, 1, at(1, 30)), {}],
    ["STRW in bypass", plus(bypassSTE(), 1, at(1, 30)), {}],
    ["STRW=2, which is EL2", plus(S1, 1, at(2, 30)), {}],
    ["S1Fmt with S1CDMax 0", stage1STE(0, { fmt: 1 }), { idr0: IDS.idr0 & ~(1 << 19) }],
    ["S1Fmt=3, which behaves as linear", stage1STE(0, { fmt: 3, cdMax: 4 }), { idr0: IDS.idr0 & ~(1 << 19) }],
    ["S1CDMax of SSIDSIZE", stage1STE(0, { cdMax: 20 }), {}],
    ["S2POE without S2PO", plus(S2, 2, at(1, 61)), {}],
    ["S2HAFT without HTTU 3", plus(S2, 2, at(1, 59)), { idr0: IDS.idr0 | (2 << 6) }],
    ["S2VMID 255 without VMID16", stage2STE(0, { vmid: 255 }), { idr0: IDS.idr0 & ~(1 << 18) }],
    ["S2TTB of 52 bits with 64K", stage2STE(2 ** 50, { ps: 6, tg: 1, sl0: 1, t0sz: 24 }), { idr5: 0x0010_0076 }],
    ["S2TTB of 52 bits with S2DS", stage2STE(2 ** 50, { ps: 6, extra3: at(1, 3) }), { idr5: 0x0010_04f6 }],
    ["a wide S2VMID in bypass", plus(bypassSTE(), 2, 0xffffn), { idr0: IDS.idr0 & ~(1 << 18) }],
  ])("%s", (_, ste, ids) => {
    expect(verdict(ste, ids)).toBeUndefined();
  });
});
