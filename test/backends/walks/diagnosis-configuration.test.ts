// One seed for each rule of an STE and a CD that a guest can break; what is said of it is by hand.
// Source: IHI 0070G.b §5.2.2, §5.4.1.

import { describe, test } from "vitest";
import {
  expectDiagnosis,
  IDR,
  plantTables,
  type Seed,
  translating,
  withSubstreams,
} from "../../support/seeded-fault.ts";
import { at, type CdOptions, contextDescriptor, type Doublewords } from "../../support/smmuv3-tables.ts";

const CD = { event: "C_BAD_CD", section: "§5.4.1", structure: "CD" } as const;
const STE = { event: "C_BAD_STE", section: "§5.2.2", structure: "STE" } as const;

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
