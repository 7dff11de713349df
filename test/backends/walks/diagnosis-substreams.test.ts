// One seed for each way in which a SubstreamID, or its absence, has no context descriptor; what is said of it is by hand.
// Source: IHI 0070G.b §5.2 (S1DSS), §5.3, §7.3.7, §7.3.9.

import { describe, test } from "vitest";
import { checkVSTE } from "../../../src/backends/vste.ts";
import type { GuestTables } from "../../support/guest-tables.ts";
import { expectDiagnosis, IDR, PAGE, plantTables, type Seed, withSubstreams } from "../../support/seeded-fault.ts";
import { at } from "../../support/smmuv3-tables.ts";

const SUBSTREAM = { event: "C_BAD_SUBSTREAMID", section: "§7.3.9" } as const;
const DISABLED = { event: "F_STREAM_DISABLED", section: "§7.3.7", structure: "STE" } as const;

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
      "where the SMMU has none": {
        registers: { idr1: IDR.idr1 - 20 * 2 ** 6 },
        substreamID: 3,
        plant: (tables) => ({
          ...SUBSTREAM,
          vste: plantTables(tables).vste,
          rule: "SUBSTREAM_NOT_SUPPORTED",
          structure: "STE",
          fields: { SubstreamID: 3n, "IDR1.SSIDSIZE": 0n },
          summary: "SubstreamID 3, and IDR1.SSIDSIZE is 0",
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
