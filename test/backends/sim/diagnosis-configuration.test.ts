// One seed for each rule of an STE, a CD and a SubstreamID that a guest can break; what is said of it is by hand.
// Source: IHI 0070G.b §5.2.2, §5.4.1, §7.3.7, §7.3.9.

import { describe, test } from "vitest";
import { checkVSTE } from "../../../src/backends/vste.ts";
import type { GuestTables } from "../../support/guest-tables.ts";
import {
  expectDiagnosis,
  IDR,
  PAGE,
  plantTables,
  type Seed,
  translating,
  withSubstreams,
} from "../../support/seeded-fault.ts";
import { at, type CdOptions, contextDescriptor, type Doublewords } from "../../support/smmuv3-tables.ts";

const CD = { event: "C_BAD_CD", section: "§5.4.1", structure: "CD" } as const;
const STE = { event: "C_BAD_STE", section: "§5.2.2", structure: "STE" } as const;
const SUBSTREAM = { event: "C_BAD_SUBSTREAMID", section: "§7.3.9" } as const;
const DISABLED = { event: "F_STREAM_DISABLED", section: "§7.3.7", structure: "STE" } as const;

/** A guest whose CD alone is wrong. */
function badCD(
  options: CdOptions,
  said: { readonly rule: string; readonly fields: Readonly<Record<string, bigint>>; readonly summary: string },
  registers: Seed["registers"] = {},
): Seed {
  return {
    registers,
    plant: (tables) => {
      const { cd, cdWords, vste } = plantTables(tables, options);
      return { ...CD, ...said, vste, address: cd, raw: cdWords };
    },
  };
}

/** CDs of doubleword 0 changed: what contextDescriptor has no option for. */
function flippedCD(flipped: bigint, said: Parameters<typeof badCD>[1]): Seed {
  return {
    plant: (tables) => {
      const { cd, cdWords, vste } = plantTables(tables);
      const words: Doublewords = [...cdWords];
      words[0] ^= flipped;
      tables.writeCD(words, cd);
      return { ...CD, ...said, vste, address: cd, raw: words };
    },
  };
}

describe("the rule of an illegal context descriptor is told, with the field and what it was held against", () => {
  test.each(
    Object.entries<Seed>({
      "V is 0": flippedCD(at(1, 31), { rule: "CD_NOT_VALID", fields: { "CD.V": 0n }, summary: "CD.V is 0" }),
      "S is 1 where nothing stalls": badCD(
        { extra0: at(1, 44) },
        {
          rule: "CD_STALL",
          fields: { "CD.S": 1n, "IDR0.STALL_MODEL": 1n },
          summary: "CD.S is 1, and IDR0.STALL_MODEL is 1: nothing stalls",
        },
      ),
      // the host sets STE.S1STALLD, which the guest is not shown: its own STE has 0
      "S is 1 where this stream does not stall": badCD(
        { extra0: at(1, 44) },
        {
          rule: "CD_STALL",
          fields: { "CD.S": 1n },
          summary: "CD.S is 1, and this stream's accesses do not stall",
        },
        { idr0: IDR.idr0 - 2 ** 24, idr5: IDR.idr5 + 2 ** 20 }, // STALL_MODEL 0; STALL_MAX 16
      ),
      "A is 0 where what is terminated aborts": badCD(
        { abort: false },
        {
          rule: "CD_ABORT_FORCED",
          fields: { "CD.A": 0n, "IDR0.TERM_MODEL": 1n },
          summary: "CD.A is 0, and IDR0.TERM_MODEL is 1: what is terminated aborts",
        },
      ),
      "AA64 is 0": flippedCD(at(1, 41), {
        rule: "CD_FORMAT",
        fields: { "CD.AA64": 0n, "IDR0.TTF": 2n },
        summary: "CD.AA64 is 0, and IDR0.TTF 2 does not offer that format",
      }),
      "HA is 1 without HTTU": badCD(
        { extra0: at(1, 43) },
        {
          rule: "CD_ACCESS_FLAG",
          fields: { "CD.HA": 1n, "CD.HD": 0n, "IDR0.HTTU": 0n },
          summary: "CD.HA is 1 and CD.HD 0, and IDR0.HTTU is 0",
        },
      ),
      "HD is 1 with HTTU 1": badCD(
        { extra0: at(3, 42) },
        {
          rule: "CD_DIRTY_STATE",
          fields: { "CD.HD": 1n, "IDR0.HTTU": 1n },
          summary: "CD.HD is 1, and IDR0.HTTU 1 has no dirty state",
        },
        { idr0: IDR.idr0 + 2 ** 6 },
      ),
      "HAFT is 1 without HA": badCD(
        { extra1: at(1, 3) },
        {
          rule: "CD_TABLE_ACCESS_FLAG",
          fields: { "CD.HAFT": 1n, "CD.HA": 0n, "IDR0.HTTU": 3n },
          summary: "CD.HAFT is 1, and CD.HA is 0",
        },
        { idr0: IDR.idr0 + 3 * 2 ** 6 },
      ),
      "ASID of 9 bits without ASID16": badCD(
        { asid: 0x1a3 },
        {
          rule: "CD_ASID_SIZE",
          fields: { "CD.ASID": 0x1a3n, "IDR0.ASID16": 0n },
          summary: "CD.ASID 0x1a3 needs 16 bits, and IDR0.ASID16 is 0",
        },
        { idr0: IDR.idr0 - 2 ** 12 },
      ),
      "ENDI is 1 where tables are little-endian": badCD(
        { extra0: at(1, 15) },
        {
          rule: "CD_ENDIAN",
          fields: { "CD.ENDI": 1n, "IDR0.TTENDIAN": 2n },
          summary: "CD.ENDI is 1, and IDR0.TTENDIAN 2 has little-endian tables only",
        },
      ),
      "TG0 is reserved": badCD(
        { tg0: 3 },
        { rule: "CD_GRANULE", fields: { "CD.TG0": 3n }, summary: "CD.TG0 is 3: reserved" },
      ),
      "TG1 is reserved, and EPD1 0": flippedCD(at(1, 30), {
        rule: "CD_GRANULE",
        fields: { "CD.TG1": 0n },
        summary: "CD.TG1 is 0: reserved",
      }),
      "TG0 is a granule that the SMMU does not have": badCD(
        { tg0: 2 },
        {
          rule: "CD_GRANULE",
          fields: { "CD.TG0": 2n },
          summary: "CD.TG0 is 2: 16 KiB, which IDR5 does not offer",
        },
        { idr5: IDR.idr5 - 2 ** 5 },
      ),
      "T0SZ below its bounds": badCD(
        { t0sz: 10 },
        {
          rule: "CD_INPUT_SIZE",
          fields: { "CD.T0SZ": 10n, "CD.TG0": 0n },
          summary: "CD.T0SZ 10 is outside 16 to 39",
        },
      ),
      "T1SZ above its bounds": badCD(
        { ttb1: 0x4010_0000, t1sz: 45 },
        {
          rule: "CD_INPUT_SIZE",
          fields: { "CD.T1SZ": 45n, "CD.TG1": 2n },
          summary: "CD.T1SZ 45 is outside 16 to 39",
        },
      ),
      "TTB1 beyond IPS": badCD(
        { ttb1: 0x1_0000_0000, ips: 0 },
        {
          rule: "CD_TABLE_ADDRESS",
          fields: { "CD.TTB1": 0x1_0000_0000n, "CD.IPS": 0n },
          summary: "CD.TTB1 0x100000000 has more than the 32 bits that addresses have here",
        },
      ),
      "TTB0 beyond IPS": {
        plant: (tables) => {
          const cd = tables.allocate(64);
          const cdWords = contextDescriptor(0x10_0000_0000, { ips: 1 });
          tables.writeCD(cdWords, cd);
          return {
            ...CD,
            ...{ vste: translating(cd), address: cd, raw: cdWords, rule: "CD_TABLE_ADDRESS" },
            fields: { "CD.TTB0": 0x10_0000_0000n, "CD.IPS": 1n },
            summary: "CD.TTB0 0x1000000000 has more than the 36 bits that addresses have here",
          };
        },
      },
    }),
  )("%s", async (_, seed) => {
    await expectDiagnosis(seed);
  });
});

describe("the rule of an STE that a guest can make illegal is told; the STE itself is the host's", () => {
  test.each(
    Object.entries<Seed>({
      "more CDs than SubstreamIDs": {
        plant: (tables) => ({
          ...STE,
          vste: withSubstreams(tables.allocate(64), 31),
          rule: "STE_CD_COUNT",
          fields: { "STE.S1CDMax": 31n, "IDR1.SSIDSIZE": 20n },
          summary: "STE.S1CDMax 31 is above IDR1.SSIDSIZE 20",
        }),
      },
      "a two-level CD table without CD2L": {
        registers: { idr0: IDR.idr0 - 2 ** 19 },
        plant: (tables) => ({
          ...STE,
          vste: withSubstreams(tables.allocate(64), 8, 1),
          rule: "STE_CD_TWO_LEVEL",
          fields: { "STE.S1Fmt": 1n, "STE.S1CDMax": 8n, "IDR0.CD2L": 0n },
          summary: "STE.S1Fmt 1 is a two-level table, and IDR0.CD2L is 0",
        }),
      },
      "S1STALLD where nothing stalls": {
        plant: (tables) => ({
          ...STE,
          vste: translating(plantTables(tables).cd, 0n, at(1, 27)),
          rule: "STE_STALL_DISABLE",
          fields: { "STE.S1STALLD": 1n, "IDR0.STALL_MODEL": 1n },
          summary: "STE.S1STALLD is 1, and IDR0.STALL_MODEL is 1, not 0",
        }),
      },
    }),
  )("%s", async (_, seed) => {
    await expectDiagnosis(seed);
  });
});

/** 64 CDs at a place of their own, each the same good one. */
function cdTable(tables: GuestTables): number {
  const { cdWords } = plantTables(tables);
  const table = tables.allocate(4096);
  for (let ssid = 0; ssid < 64; ssid += 1) tables.writeCD(cdWords, table + 64 * ssid);
  return table;
}

/** An L1CD table of 64 bytes whose first entry is as given. */
function l1(tables: GuestTables, entry: bigint): number {
  const table = tables.allocate(64);
  tables.poke(table, entry);
  return table;
}

describe("why a SubstreamID, or its absence, has no context descriptor is told", () => {
  test.each(
    Object.entries<Seed>({
      "where there is one CD": {
        substreamID: 5,
        plant: (tables) => ({
          ...SUBSTREAM,
          vste: plantTables(tables).vste,
          rule: "SUBSTREAM_ONE_CD",
          structure: "STE",
          fields: { SubstreamID: 5n, "STE.S1CDMax": 0n },
          summary: "SubstreamID 5, and STE.S1CDMax is 0: there is one context descriptor",
        }),
      },
      "beyond the table": {
        substreamID: 16,
        plant: (tables) => ({
          ...SUBSTREAM,
          vste: withSubstreams(cdTable(tables), 4),
          rule: "SUBSTREAM_OUT_OF_TABLE",
          structure: "STE",
          fields: { SubstreamID: 16n, "STE.S1CDMax": 4n },
          summary: "SubstreamID 16 is beyond the 2^4 context descriptors of STE.S1CDMax",
        }),
      },
      "where stage 1 is bypassed": {
        substreamID: 1,
        plant: () => ({
          ...SUBSTREAM,
          vste: checkVSTE(0b1001n, 0n),
          rule: "SUBSTREAM_WITHOUT_STAGE1",
          structure: "STE",
          fields: { SubstreamID: 1n },
          summary: "SubstreamID 1 where stage 1 does not translate",
        }),
      },
      "an L1CD that is not valid": {
        substreamID: 3,
        plant: (tables) => {
          const table = l1(tables, BigInt(PAGE));
          return {
            ...SUBSTREAM,
            ...{ vste: withSubstreams(table, 8, 1), address: table, raw: [BigInt(PAGE)], structure: "L1CD" },
            rule: "L1CD_NOT_VALID",
            fields: { "L1CD.V": 0n },
            summary: "L1CD.V is 0",
          };
        },
      },
      // the record's SubstreamID is 0 and says not that there was none; with 0 it would have been F_STREAM_DISABLED
      "an L1CD that is not valid, for an access without SubstreamID that uses CD 0": {
        plant: (tables) => {
          const table = l1(tables, 0n);
          return {
            ...SUBSTREAM,
            ...{ vste: withSubstreams(table, 8, 1, 2), address: table, raw: [0n], structure: "L1CD" },
            rule: "L1CD_NOT_VALID",
            fields: { "L1CD.V": 0n },
            summary: "L1CD.V is 0",
          };
        },
      },
      // L2Ptr is address[55:12], and no address has more than 52 bits
      "an L1CD that points beyond 52 bits": {
        substreamID: 3,
        plant: (tables) => {
          const entry = at(1, 52) | 1n;
          const table = l1(tables, entry);
          return {
            ...SUBSTREAM,
            ...{ vste: withSubstreams(table, 8, 1), address: table, raw: [entry], structure: "L1CD" },
            rule: "L1CD_ADDRESS",
            fields: { "L1CD.L2Ptr": at(1, 52) },
            summary: "L1CD.L2Ptr 0x10000000000000 has more than 52 bits",
          };
        },
      },
      "none, with S1DSS 0": {
        plant: (tables) => ({
          ...DISABLED,
          vste: withSubstreams(cdTable(tables), 4, 0, 0),
          rule: "SUBSTREAM_REQUIRED",
          fields: { "STE.S1DSS": 0n },
          summary: "STE.S1DSS is 0: an access without SubstreamID is terminated",
        }),
      },
      // the record has no SubstreamID at all
      "0, with S1DSS 2": {
        substreamID: 0,
        plant: (tables) => ({
          ...DISABLED,
          vste: withSubstreams(cdTable(tables), 4, 0, 2),
          rule: "SUBSTREAM_ZERO",
          fields: { "STE.S1DSS": 2n },
          summary: "STE.S1DSS is 2: SubstreamID 0 is no access's own",
        }),
      },
    }),
  )("%s", async (_, seed) => {
    await expectDiagnosis(seed);
  });
});
