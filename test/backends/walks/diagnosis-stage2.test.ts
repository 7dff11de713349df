// One seed for each way in which stage 2 refuses what stage 1 asks it for; what is said of it is by hand.
// Source: IHI 0070G.b §3.4, §3.13, §5.2 (S2PTW), §7.3.

import { describe, test } from "vitest";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { GUEST_BASE } from "../../support/guest-tables.ts";
import {
  expectDiagnosis,
  IDR,
  plantTables,
  READ_ONLY_IPA,
  type Seed,
  translating,
  WRITE_ONLY_IPA,
  withSubstreams,
} from "../../support/seeded-fault.ts";
import { at, LEAF } from "../../support/smmuv3-tables.ts";

const MSI_WINDOW = 0x0800_0000;
const hex = (value: number): string => `0x${value.toString(16)}`;
const STAGE2 = { structure: "stage 2" } as const;
const NOT_MAPPED = { event: "F_TRANSLATION", section: "§7.3.13", ...STAGE2, rule: "STAGE2_NOT_MAPPED" } as const;
/** Guest memory is nowhere near. */
const NOWHERE = 0x7000_0000;

function unmapped(what: string, ipa: number) {
  return {
    ...NOT_MAPPED,
    fields: { IPA: BigInt(ipa) },
    summary: `the ${what} at IPA ${hex(ipa)} is not mapped in stage 2`,
  };
}

function forbidden(rule: string, what: string, ipa: number, right: string) {
  return {
    ...{ event: "F_PERMISSION", section: "§7.3.16", ...STAGE2, rule, fields: { IPA: BigInt(ipa) } },
    summary: `the ${what} at IPA ${hex(ipa)} is mapped in stage 2, but not for ${right}`,
  };
}

describe("of stage 2 the IPA is told, what is there, and nothing of the host's", () => {
  test.each(
    Object.entries<Seed>({
      "no memory where the CD is": {
        plant: () => ({ ...unmapped("context descriptor", NOWHERE), vste: translating(NOWHERE) }),
      },
      "no memory where the L1CD is": {
        plant: () => ({ ...unmapped("L1CD", NOWHERE), vste: withSubstreams(NOWHERE, 8, 1, 2) }),
      },
      "no memory where the first table is": {
        plant: (tables) => ({
          ...unmapped("level 1 descriptor", NOWHERE),
          vste: translating(tables.cd("4K", NOWHERE)),
        }),
      },
      "no memory where the table of level 3 is": {
        plant: (tables) => {
          const { levels, vste } = plantTables(tables);
          tables.poke(levels[2], BigInt(NOWHERE) | 3n);
          return { ...unmapped("level 3 descriptor", NOWHERE + 5 * 8), vste };
        },
      },
      "no memory where the page is": {
        plant: (tables) => ({
          ...unmapped("page", NOWHERE + 0x128),
          vste: plantTables(tables, { target: NOWHERE }).vste,
        }),
      },
      "no memory at the address, without stage 1": {
        iova: BigInt(NOWHERE),
        plant: () => ({ ...unmapped("page", NOWHERE), vste: checkVSTE(0b1001n, 0n) }),
      },
      "a write to memory handed over read-only": {
        access: "write",
        plant: (tables) => ({
          ...forbidden("STAGE2_NOT_WRITABLE", "page", READ_ONLY_IPA + 0x128, "writing"),
          vste: plantTables(tables, { target: READ_ONLY_IPA }).vste,
        }),
      },
      "a read of memory handed over write-only": {
        plant: (tables) => ({
          ...forbidden("STAGE2_NOT_READABLE", "page", WRITE_ONLY_IPA + 0x128, "reading"),
          vste: plantTables(tables, { target: WRITE_ONLY_IPA }).vste,
        }),
      },
      "a CD in memory handed over write-only": {
        plant: () => ({
          ...forbidden("STAGE2_NOT_READABLE", "context descriptor", WRITE_ONLY_IPA, "reading"),
          vste: translating(WRITE_ONLY_IPA),
        }),
      },
      // §3.13: the update is a write of stage 1's, to memory that stage 2 has read-only
      "an Access flag that hardware should set in memory handed over read-only": {
        registers: { idr0: IDR.idr0 + 2 * 2 ** 6 },
        plant: (tables) => {
          const { levels, vste } = plantTables(tables, { attributes: LEAF.USER, extra0: at(1, 43) });
          // the page handed over read-only is the first of the file, at both addresses
          const leaf = GUEST_BASE + 5 * 8;
          tables.poke(leaf, tables.peek(levels[3]));
          tables.poke(levels[2], BigInt(READ_ONLY_IPA) | 3n);
          return { ...forbidden("STAGE2_NOT_WRITABLE", "level 3 descriptor", READ_ONLY_IPA + 40, "writing"), vste };
        },
      },
      "tables in the MSI window": {
        plant: (tables) => ({
          ...forbidden("STAGE2_PROTECTED_WALK", "level 1 descriptor", MSI_WINDOW, "tables"),
          section: "§5.2",
          vste: translating(tables.cd("4K", MSI_WINDOW)),
        }),
      },
      "a CD in the MSI window": {
        plant: () => ({
          ...forbidden("STAGE2_PROTECTED_WALK", "context descriptor", MSI_WINDOW, "tables"),
          section: "§5.2",
          vste: translating(MSI_WINDOW),
        }),
      },
      // 42 bits of output: stage 2 of 4 KiB tables starts at level 1, which resolves 39
      "an IPA that stage 2 has no bits for": {
        registers: { idr5: IDR.idr5 - 2 },
        plant: (tables) => ({
          ...{ event: "F_TRANSLATION", section: "§3.4", ...STAGE2, rule: "STAGE2_RANGE" },
          vste: plantTables(tables, { target: 2 ** 39 }).vste,
          fields: { IPA: 0x80_0000_0128n },
          summary: "the page at IPA 0x8000000128 is beyond the 39 bits of stage 2",
        }),
      },
    }),
  )("%s", async (_, seed) => {
    await expectDiagnosis(seed);
  });
});
