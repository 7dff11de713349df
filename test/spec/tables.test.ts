// The tables against words captured from real drivers and the arm-smmu-v3 driver's own masks.
import { describe, expect, test } from "vitest";
import { CD } from "../../src/spec/cd.ts";
import { CMD_CFGI_RANGE, CMD_RESUME, CMD_SYNC, CMD_TLBI } from "../../src/spec/commands.ts";
import { ADDRESS_SIZE_BITS, S2_START_LEVEL, TG0_PAGE_BITS, TG1_PAGE_BITS } from "../../src/spec/encodings.ts";
import { EVENT, EVENT_FETCH } from "../../src/spec/events.ts";
import { L1CD } from "../../src/spec/l1cd.ts";
import { L1STD } from "../../src/spec/l1std.ts";
import { type Field, get, getAddress, wordsOf } from "../../src/spec/layout.ts";
import { CMDQ_CONS, EVENTQ_PROD, GBPA, IDR0, IDR1, IDR3, IDR5, STRTAB_BASE_CFG } from "../../src/spec/registers.ts";
import { STE } from "../../src/spec/ste.ts";

/** Linux's GENMASK_ULL of dword n, as [msb, lsb] over the structure. */
const dword = (index: number, msb: number, lsb: number): [number, number] => [64 * index + msb, 64 * index + lsb];
const range = (field: Field): [number, number] => [field.msb, field.lsb];

describe("positions are those of Linux arm-smmu-v3.h", () => {
  test.each<[string, Field, [number, number]]>([
    ["STRTAB_STE_0_CFG", STE.Config, dword(0, 3, 1)],
    ["STRTAB_STE_0_S1FMT", STE.S1Fmt, dword(0, 5, 4)],
    ["STRTAB_STE_0_S1CTXPTR_MASK", STE.S1ContextPtr, [55, 6]],
    ["STRTAB_STE_0_S1CDMAX", STE.S1CDMax, dword(0, 63, 59)],
    ["STRTAB_STE_1_S1DSS", STE.S1DSS, dword(1, 1, 0)],
    ["STRTAB_STE_1_S1STALLD", STE.S1STALLD, dword(1, 27, 27)],
    ["STRTAB_STE_1_EATS", STE.EATS, dword(1, 29, 28)],
    ["STRTAB_STE_1_STRW", STE.STRW, dword(1, 31, 30)],
    ["STRTAB_STE_1_SHCFG", STE.SHCFG, dword(1, 45, 44)],
    ["STRTAB_STE_1_MEV", STE.MEV, dword(1, 19, 19)],
    ["STRTAB_STE_1_S2FWB", STE.S2FWB, dword(1, 25, 25)],
    ["STRTAB_STE_2_S2VMID", STE.S2VMID, dword(2, 15, 0)],
    ["STRTAB_STE_2_VTCR_S2T0SZ", STE.S2T0SZ, dword(2, 37, 32)],
    ["STRTAB_STE_2_VTCR_S2SL0", STE.S2SL0, dword(2, 39, 38)],
    ["STRTAB_STE_2_VTCR_S2TG", STE.S2TG, dword(2, 47, 46)],
    ["STRTAB_STE_2_VTCR_S2PS", STE.S2PS, dword(2, 50, 48)],
    ["STRTAB_STE_2_S2AA64", STE.S2AA64, dword(2, 51, 51)],
    ["STRTAB_STE_2_S2ENDI", STE.S2ENDI, dword(2, 52, 52)],
    ["STRTAB_STE_2_S2PTW", STE.S2PTW, dword(2, 54, 54)],
    ["STRTAB_STE_2_S2S", STE.S2S, dword(2, 57, 57)],
    ["STRTAB_STE_2_S2R", STE.S2R, dword(2, 58, 58)],
    ["STRTAB_L1_DESC_SPAN", L1STD.Span, dword(0, 4, 0)],
    ["CTXDESC_L1_DESC_L2PTR_MASK", L1CD.L2Ptr, [55, 12]],
    ["CTXDESC_CD_0_TCR_T0SZ", CD.T0SZ, dword(0, 5, 0)],
    ["CTXDESC_CD_0_TCR_TG0", CD.TG0, dword(0, 7, 6)],
    ["CTXDESC_CD_0_TCR_EPD0", CD.EPD0, dword(0, 14, 14)],
    ["CTXDESC_CD_0_TCR_EPD1", CD.EPD1, dword(0, 30, 30)],
    ["CTXDESC_CD_0_V", CD.V, dword(0, 31, 31)],
    ["CTXDESC_CD_0_TCR_IPS", CD.IPS, dword(0, 34, 32)],
    ["CTXDESC_CD_0_TCR_TBI0", CD.TBI0, dword(0, 38, 38)],
    ["CTXDESC_CD_0_TCR_HA", CD.HA, dword(0, 43, 43)],
    ["CTXDESC_CD_0_TCR_HD", CD.HD, dword(0, 42, 42)],
    ["CTXDESC_CD_0_S", CD.S, dword(0, 44, 44)],
    ["CTXDESC_CD_0_R", CD.R, dword(0, 45, 45)],
    ["CTXDESC_CD_0_A", CD.A, dword(0, 46, 46)],
    ["CTXDESC_CD_0_ASET", CD.ASET, dword(0, 47, 47)],
    ["CTXDESC_CD_0_ASID", CD.ASID, dword(0, 63, 48)],
    ["CMDQ_CFGI_1_RANGE", CMD_CFGI_RANGE.Range, dword(1, 4, 0)],
    ["CMDQ_TLBI_0_NUM", CMD_TLBI.NUM, dword(0, 16, 12)],
    ["CMDQ_TLBI_0_VMID", CMD_TLBI.VMID, dword(0, 47, 32)],
    ["CMDQ_TLBI_0_ASID", CMD_TLBI.ASID, dword(0, 63, 48)],
    ["CMDQ_TLBI_1_TTL", CMD_TLBI.TTL, dword(1, 9, 8)],
    ["CMDQ_TLBI_1_TG", CMD_TLBI.TG, dword(1, 11, 10)],
    ["CMDQ_RESUME_1_STAG", CMD_RESUME.STAG, dword(1, 15, 0)],
    ["CMDQ_SYNC_0_CS", CMD_SYNC.CS, dword(0, 13, 12)],
    ["CMDQ_SYNC_0_MSIDATA", CMD_SYNC.MSIData, dword(0, 63, 32)],
    ["EVTQ_0_SSID", EVENT.SubstreamID, dword(0, 31, 12)],
    ["EVTQ_0_SID", EVENT.StreamID, dword(0, 63, 32)],
    ["EVTQ_1_STAG", EVENT.STAG, dword(1, 15, 0)],
    ["EVTQ_1_STALL", EVENT.Stall, dword(1, 31, 31)],
    ["EVTQ_1_PnU", EVENT.PnU, dword(1, 33, 33)],
    ["EVTQ_1_InD", EVENT.InD, dword(1, 34, 34)],
    ["EVTQ_1_RnW", EVENT.RnW, dword(1, 35, 35)],
    ["EVTQ_1_S2", EVENT.S2, dword(1, 39, 39)],
    ["EVTQ_1_CLASS", EVENT.CLASS, dword(1, 41, 40)],
    ["EVTQ_1_TT_READ", EVENT.TTRnW, dword(1, 44, 44)],
    ["EVTQ_3_IPA", EVENT.IPA, [64 * 3 + 55, 64 * 3 + 12]],
    ["EVTQ_3_FETCH_ADDR", EVENT_FETCH.FetchAddr, dword(3, 55, 3)],
    ["IDR0_ST_LVL", IDR0.ST_LEVEL, dword(0, 28, 27)],
    ["IDR0_STALL_MODEL", IDR0.STALL_MODEL, dword(0, 25, 24)],
    ["IDR0_TTENDIAN", IDR0.TTENDIAN, dword(0, 22, 21)],
    ["IDR0_TTF", IDR0.TTF, dword(0, 3, 2)],
    ["IDR1_CMDQS", IDR1.CMDQS, dword(0, 25, 21)],
    ["IDR1_SSIDSIZE", IDR1.SSIDSIZE, dword(0, 10, 6)],
    ["IDR3_RIL", IDR3.RIL, dword(0, 10, 10)],
    ["IDR3_FWB", IDR3.FWB, dword(0, 8, 8)],
    ["IDR3_BBM", IDR3.BBML, dword(0, 12, 11)],
    ["IDR5_STALL_MAX", IDR5.STALL_MAX, dword(0, 31, 16)],
    ["IDR5_VAX", IDR5.VAX, dword(0, 11, 10)],
    ["GBPA_ABORT", GBPA.ABORT, dword(0, 20, 20)],
    ["STRTAB_BASE_CFG_SPLIT", STRTAB_BASE_CFG.SPLIT, dword(0, 10, 6)],
    ["CMDQ_CONS_ERR", CMDQ_CONS.ERR, dword(0, 30, 24)],
    ["Q_OVERFLOW_FLAG", EVENTQ_PROD.OVFLG, dword(0, 31, 31)],
  ])("%s", (_, field, expected) => {
    expect(range(field)).toEqual(expected);
  });
});

test("S2TTB and TTBx hold address[55:4]", () => {
  const words = wordsOf([0n, 0x00ff_ffff_ffff_fff0n, 0x0012_3456_789a_bcd0n, 0x00ab_cdef_0123_4560n]);
  expect(getAddress(words, 0, STE.S2TTB, 4)).toBe(0xab_cdef_0123_4560);
  expect(getAddress(words, 0, CD.TTB0, 4)).toBe(0xff_ffff_ffff_fff0);
  expect(getAddress(words, 0, CD.TTB1, 4)).toBe(0x12_3456_789a_bcd0);
  expect(get(words, 0, CD.HAFT)).toBe(0);
});

test("granules are encoded differently for TTB0 and TTB1", () => {
  expect(TG0_PAGE_BITS.map(String)).toEqual(["12", "16", "14", "-1"]);
  expect(TG1_PAGE_BITS.map(String)).toEqual(["-1", "14", "12", "16"]);
  expect([ADDRESS_SIZE_BITS[0], ADDRESS_SIZE_BITS[5], ADDRESS_SIZE_BITS[6]]).toEqual([32, 48, 52]);
  expect([S2_START_LEVEL[12], S2_START_LEVEL[14], S2_START_LEVEL[16]]).toEqual([
    [2, 1, 0, 3],
    [3, 2, 1, 0],
    [3, 2, 1, undefined],
  ]);
});
