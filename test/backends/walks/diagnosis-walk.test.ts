// One seed for each way in which a walk of stage 1 refuses an access, and each in which stage 2 does; what is said is by hand.
// Source: DDI 0487 D8.3, D8.4 (descriptors); IHI 0070G.b §3.4, §3.13, §5.4, §7.3.

import { describe, test } from "vitest";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { GUEST_BASE } from "../../support/guest-tables.ts";
import {
  expectDiagnosis,
  IDR,
  PAGE,
  plantTables,
  type Seed,
  translating,
  withSubstreams,
} from "../../support/seeded-fault.ts";
import { at, type CdOptions, contextDescriptor } from "../../support/smmuv3-tables.ts";

const DESCRIPTOR = { structure: "stage 1 descriptor" } as const;
const UNTRANSLATED = { event: "F_TRANSLATION", section: "§7.3.13" } as const;
const IOVA = BigInt(PAGE) + 0x128n;

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** The descriptor of a level is replaced by something else. */
function spoilt(
  level: 1 | 2 | 3,
  word: bigint,
  said: { rule: string; event: string; section: string; told: string; fields: Readonly<Record<string, bigint>> },
  options: CdOptions = {},
): Seed {
  return {
    plant: (tables) => {
      const { levels, vste } = plantTables(tables, options);
      const address = levels[level];
      tables.poke(address, word);
      const { told, ...cause } = said;
      const summary = told.replace("DESCRIPTOR", `level ${level} descriptor at IPA ${hex(address)}`);
      return { ...DESCRIPTOR, ...cause, vste, level, address, raw: [word], summary };
    },
  };
}

/** Bit 0 is clear; the rest is somebody's note. */
const INVALID = 0xbad0_0000n;

function invalid(level: 1 | 2 | 3, options: CdOptions = {}): Seed {
  const told = "bits 1:0 of the DESCRIPTOR are 0b00: it is not valid";
  return spoilt(
    level,
    INVALID,
    { ...UNTRANSLATED, rule: "DESCRIPTOR_INVALID", fields: { "descriptor[1:0]": 0n }, told },
    options,
  );
}

/** A walk that begins at level 0: T0SZ 16, 48 bits. */
function fromLevel0(word: bigint, said: { rule: string; value: bigint; told: string }): Seed {
  return {
    plant: (tables) => {
      const root = tables.root("4K");
      tables.poke(root, word);
      const cd = tables.allocate(64);
      tables.writeCD(contextDescriptor(root, { t0sz: 16 }), cd);
      return {
        ...{ ...DESCRIPTOR, ...UNTRANSLATED, vste: translating(cd), level: 0, address: root, raw: [word] },
        rule: said.rule,
        fields: { "descriptor[1:0]": said.value },
        summary: `bits 1:0 of the level 0 descriptor at IPA ${hex(root)} are ${said.told}`,
      };
    },
  };
}

/** Of the CD, which refuses by itself. */
function byCD(
  options: CdOptions,
  asked: Pick<Seed, "iova" | "registers">,
  said: { rule: string; fields: Readonly<Record<string, bigint>>; summary: string },
): Seed {
  return {
    ...asked,
    plant: (tables) => {
      const { cd, cdWords, vste } = plantTables(tables, options);
      return { event: "F_TRANSLATION", section: "§5.4", structure: "CD", ...said, vste, address: cd, raw: cdWords };
    },
  };
}

describe("an address that no table is for", () => {
  test.each(
    Object.entries<Seed>({
      "the upper half, which EPD1 disables": byCD(
        {},
        { iova: 0xffff_ffff_ffff_f000n },
        {
          rule: "TABLE_DISABLED",
          fields: { "CD.EPD1": 1n, InputAddr: 0xffff_ffff_ffff_f000n },
          summary: "CD.EPD1 is 1: no walk through TTB1, where 0xfffffffffffff000 lies",
        },
      ),
      "the lower half, which EPD0 disables": byCD(
        { extra0: at(1, 14) },
        {},
        {
          rule: "TABLE_DISABLED",
          fields: { "CD.EPD0": 1n, InputAddr: IOVA },
          summary: "CD.EPD0 is 1: no walk through TTB0, where 0x5128 lies",
        },
      ),
      "an unprivileged access with E0PD0": byCD(
        { extra1: at(1, 2) },
        { registers: { idr3: IDR.idr3 + 2 ** 13 } },
        {
          rule: "UNPRIVILEGED_DISABLED",
          fields: { "CD.E0PD0": 1n, InputAddr: IOVA },
          summary: "CD.E0PD0 is 1, and this is an unprivileged access",
        },
      ),
      "more bits than T0SZ leaves": {
        iova: 1n << 39n,
        plant: (tables) => ({
          ...{ event: "F_TRANSLATION", section: "§3.4.1", vste: plantTables(tables).vste },
          rule: "INPUT_ADDRESS_RANGE",
          structure: "input address",
          fields: { InputAddr: 1n << 39n, "CD.T0SZ": 25n, "CD.TBI0": 0n },
          summary: "0x8000000000 is outside the 39 bits that CD.T0SZ 25 leaves",
        }),
      },
      "without stage 1, more bits than addresses have": {
        iova: 1n << 48n,
        plant: () => ({
          ...{ event: "F_ADDR_SIZE", section: "§3.4", vste: checkVSTE(0b1001n, 0n) },
          rule: "INPUT_ADDRESS_SIZE",
          structure: "input address",
          fields: { InputAddr: 1n << 48n, "address bits": 48n },
          summary: "0x1000000000000 has more than 48 bits, and stage 1 does not translate",
        }),
      },
    }),
  )("%s", async (_, seed) => {
    await expectDiagnosis(seed);
  });
});

describe("a descriptor that leads nowhere is told with its level, its IPA and its value", () => {
  test.each(
    Object.entries<Seed>({
      "invalid at level 0": fromLevel0(INVALID, {
        rule: "DESCRIPTOR_INVALID",
        value: 0n,
        told: "0b00: it is not valid",
      }),
      "invalid at level 1": invalid(1),
      "invalid at level 2": invalid(2),
      "invalid at level 3": invalid(3),
      "a block at level 0": fromLevel0(0x4000_0001n, {
        rule: "DESCRIPTOR_TYPE",
        value: 1n,
        told: "0b01: that is reserved at this level",
      }),
      "a block at level 3": spoilt(3, 0x4000_0401n, {
        ...UNTRANSLATED,
        rule: "DESCRIPTOR_TYPE",
        fields: { "descriptor[1:0]": 1n },
        told: "bits 1:0 of the DESCRIPTOR are 0b01: that is reserved at this level",
      }),
      "a table beyond IPS": spoilt(
        2,
        0x1_0000_0003n,
        {
          ...{ event: "F_ADDR_SIZE", section: "§3.4", rule: "DESCRIPTOR_ADDRESS" },
          fields: { "descriptor.address": 0x1_0000_0000n, "address bits": 32n },
          told: "the address 0x100000000 in the DESCRIPTOR has more than the 32 bits that addresses have here",
        },
        { ips: 0 },
      ),
      "a page beyond IPS": spoilt(
        3,
        0x10_0000_0403n,
        {
          ...{ event: "F_ADDR_SIZE", section: "§3.4", rule: "DESCRIPTOR_ADDRESS" },
          fields: { "descriptor.address": 0x10_0000_0000n, "address bits": 36n },
          told: "the address 0x1000000000 in the DESCRIPTOR has more than the 36 bits that addresses have here",
        },
        { ips: 1 },
      ),
      "a page that was never accessed": spoilt(3, 0x4018_0043n, {
        ...{ event: "F_ACCESS", section: "§3.13", rule: "DESCRIPTOR_ACCESS_FLAG" },
        fields: { "descriptor.AF": 0n, "CD.HA": 0n, "CD.AFFD": 0n },
        told: "descriptor.AF is 0, and neither CD.HA nor CD.AFFD is 1",
      }),
    }),
  )("%s", async (_, seed) => {
    await expectDiagnosis(seed);
  });

  test.each([1, 2, 3] as const)("a read at level %i that aborts", async (level) => {
    await expectDiagnosis({
      plant: (tables, vmm) => {
        const { levels, vste } = plantTables(tables);
        const gone = vmm.file.bytes - 4096;
        if (level > 1) tables.poke(levels[level === 2 ? 1 : 2], BigInt(GUEST_BASE + gone) | 3n);
        const address = GUEST_BASE + gone + [0, 0, 0, 5 * 8][level]!;
        const cd = tables.allocate(64);
        tables.writeCD(contextDescriptor(GUEST_BASE + gone), cd);
        vmm.file.truncate(gone);
        return {
          ...{ event: "F_WALK_EABT", section: "§7.3.12", ...DESCRIPTOR, rule: "WALK_ABORTED", level, address },
          vste: level === 1 ? translating(cd) : vste,
          fields: { IPA: BigInt(address) },
          summary: `the read of the level ${level} descriptor at IPA ${hex(address)} aborted`,
        };
      },
    });
  });

  test.each(["CD", "L1CD"] as const)("a read of the %s that aborts", async (structure) => {
    await expectDiagnosis({
      plant: (_, vmm) => {
        const gone = vmm.file.bytes - 4096;
        vmm.file.truncate(gone);
        const address = GUEST_BASE + gone;
        const what = structure === "CD" ? "context descriptor" : "L1CD";
        return {
          ...{ event: "F_CD_FETCH", section: "§7.3.10", structure, rule: "CD_FETCH_ABORTED", address },
          vste: structure === "CD" ? translating(address) : withSubstreams(address, 8, 1, 2),
          fields: { IPA: BigInt(address) },
          summary: `the read of the ${what} at IPA ${hex(address)} aborted`,
        };
      },
    });
  });
});
