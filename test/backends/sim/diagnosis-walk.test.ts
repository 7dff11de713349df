// One seed for each way in which a walk of stage 1 refuses an access, and each in which stage 2 does; what is said is by hand.
// Source: DDI 0487 D8.3, D8.4 (descriptors); IHI 0070G.b §3.4, §3.13, §5.4, §7.3.

import { describe, test } from "vitest";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { GUEST_BASE } from "../../support/guest-tables.ts";
import type { BufferFile } from "../../support/memory-file.ts";
import {
  addressIn,
  DATA,
  expectDiagnosis,
  IDR,
  PAGE,
  plantTables,
  READ_ONLY_IPA,
  type Seed,
  translating,
  WRITE_ONLY_IPA,
  withSubstreams,
} from "../../support/seeded-fault.ts";
import { at, type CdOptions, contextDescriptor, LEAF, OPEN } from "../../support/smmuv3-tables.ts";

const DESCRIPTOR = { structure: "stage 1 descriptor" } as const;
const UNTRANSLATED = { event: "F_TRANSLATION", section: "§7.3.13" } as const;
const FORBIDDEN = { event: "F_PERMISSION", section: "§7.3.16" } as const;
const MSI_WINDOW = 0x0800_0000;
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
        truncate(vmm.file, gone);
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
        truncate(vmm.file, gone);
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

/** The guest's file is shorter from here on: a bus error, as after a truncation that nobody was told of. */
function truncate(file: BufferFile, bytes: number): void {
  file.truncate(bytes);
}

const AP = "descriptor.AP[2:1]";

interface Refused {
  readonly attributes?: bigint;
  /** Bits of the level 1 table descriptor. */
  readonly table?: bigint;
  readonly cd?: CdOptions;
  readonly ask?: Pick<Seed, "access" | "privileged">;
  readonly registers?: Seed["registers"];
  readonly rule: string;
  readonly section?: string;
  readonly fields: Readonly<Record<string, bigint>>;
  readonly summary: string;
}

function refused({ ask, attributes = OPEN, cd, registers = {}, table = 0n, ...said }: Refused): Seed {
  return {
    ...ask,
    registers,
    plant: (tables) => {
      const { levels, vste } = plantTables(tables, { ...cd, attributes });
      const level = table === 0n ? 3 : 1;
      const address = levels[level];
      tables.poke(levels[1], tables.peek(levels[1]) | table);
      return { ...FORBIDDEN, ...DESCRIPTOR, ...said, vste, level, address, raw: [tables.peek(address)] };
    },
  };
}

const KERNEL = LEAF.AF | LEAF.NON_GLOBAL;

describe("the bit that forbids an access is told, with the access that was made", () => {
  test.each(
    Object.entries<Refused>({
      "AP[1] is 0, an unprivileged read": {
        attributes: KERNEL,
        rule: "LEAF_PRIVILEGED",
        fields: { [AP]: 0n },
        summary: "descriptor.AP[2:1] is 0b00: privileged accesses only, and this is an unprivileged read",
      },
      "AP[1] is 0, an unprivileged write": {
        attributes: KERNEL | LEAF.READ_ONLY,
        ask: { access: "write" },
        rule: "LEAF_PRIVILEGED",
        fields: { [AP]: 2n },
        summary: "descriptor.AP[2:1] is 0b10: privileged accesses only, and this is an unprivileged write",
      },
      "AP[2] is 1, an unprivileged write": {
        attributes: OPEN | LEAF.READ_ONLY,
        ask: { access: "write" },
        rule: "LEAF_READ_ONLY",
        fields: { [AP]: 3n, "descriptor.DBM": 0n },
        summary: "descriptor.AP[2:1] is 0b11: read-only, and this is an unprivileged write",
      },
      "AP[2] is 1, a privileged write": {
        attributes: KERNEL | LEAF.READ_ONLY,
        ask: { access: "write", privileged: true },
        rule: "LEAF_READ_ONLY",
        fields: { [AP]: 2n, "descriptor.DBM": 0n },
        summary: "descriptor.AP[2:1] is 0b10: read-only, and this is a privileged write",
      },
      "AP[2] is 1 with DBM, and HD 0": {
        attributes: OPEN | LEAF.READ_ONLY | LEAF.DBM,
        ask: { access: "write" },
        rule: "LEAF_READ_ONLY",
        fields: { [AP]: 3n, "descriptor.DBM": 1n },
        summary: "descriptor.AP[2:1] is 0b11: read-only, and this is an unprivileged write",
      },
      "UXN, an unprivileged fetch": {
        attributes: OPEN | LEAF.UXN,
        ask: { access: "execute" },
        rule: "LEAF_EXECUTE_NEVER",
        fields: { "descriptor.UXN": 1n },
        summary: "descriptor.UXN is 1, and this is an unprivileged instruction fetch",
      },
      "PXN, a privileged fetch": {
        attributes: KERNEL | LEAF.PXN,
        ask: { access: "execute", privileged: true },
        rule: "LEAF_EXECUTE_NEVER",
        fields: { "descriptor.PXN": 1n },
        summary: "descriptor.PXN is 1, and this is a privileged instruction fetch",
      },
      "APTable[0] of level 1": {
        table: at(1, 61),
        rule: "TABLE_PRIVILEGED",
        fields: { "descriptor.APTable": 1n },
        summary:
          "descriptor.APTable of a level 1 table is 0b01: privileged accesses only below it, and this is an unprivileged read",
      },
      "APTable[1] of level 1": {
        table: at(2, 61),
        ask: { access: "write", privileged: true },
        rule: "TABLE_READ_ONLY",
        fields: { "descriptor.APTable": 2n },
        summary: "descriptor.APTable of a level 1 table is 0b10: read-only below it, and this is a privileged write",
      },
      "UXNTable of level 1": {
        table: at(1, 60),
        ask: { access: "execute" },
        rule: "TABLE_EXECUTE_NEVER",
        fields: { "descriptor.UXNTable": 1n },
        summary: "descriptor.UXNTable of a level 1 table is 1, and this is an unprivileged instruction fetch",
      },
      "PXNTable of level 1": {
        attributes: KERNEL,
        table: at(1, 59),
        ask: { access: "execute", privileged: true },
        rule: "TABLE_EXECUTE_NEVER",
        fields: { "descriptor.PXNTable": 1n },
        summary: "descriptor.PXNTable of a level 1 table is 1, and this is a privileged instruction fetch",
      },
      "WXN, an unprivileged fetch from a writable page": {
        cd: { extra0: at(1, 36) },
        ask: { access: "execute" },
        rule: "WRITABLE_EXECUTE_NEVER",
        section: "§5.4",
        fields: { "CD.WXN": 1n, [AP]: 1n },
        summary: "CD.WXN is 1, and descriptor.AP[2:1] is 0b01: writable, and this is an unprivileged instruction fetch",
      },
      "WXN, a privileged fetch from a page that only the kernel writes": {
        attributes: KERNEL,
        cd: { extra0: at(1, 36) },
        ask: { access: "execute", privileged: true },
        rule: "WRITABLE_EXECUTE_NEVER",
        section: "§5.4",
        fields: { "CD.WXN": 1n, [AP]: 0n },
        summary: "CD.WXN is 1, and descriptor.AP[2:1] is 0b00: writable, and this is a privileged instruction fetch",
      },
      "a privileged fetch from what anybody may write": {
        ask: { access: "execute", privileged: true },
        rule: "UNPRIVILEGED_WRITABLE",
        fields: { [AP]: 1n },
        summary:
          "descriptor.AP[2:1] is 0b01: unprivileged accesses may write there, and this is a privileged instruction fetch",
      },
      "PAN, a privileged read of a page for unprivileged accesses": {
        cd: { extra0: at(1, 40) },
        ask: { privileged: true },
        rule: "PRIVILEGED_NEVER",
        section: "§5.4",
        fields: { "CD.PAN": 1n, [AP]: 1n },
        summary:
          "CD.PAN is 1, and descriptor.AP[2:1] is 0b01: a page for unprivileged accesses, and this is a privileged read",
      },
      "EPAN, a privileged write to a page that unprivileged accesses may fetch from": {
        attributes: KERNEL,
        cd: { extra0: at(1, 40), extra1: at(1, 59) }, // PAN [40], EPAN [123]
        ask: { access: "write", privileged: true },
        registers: { idr3: IDR.idr3 + 2 ** 17 },
        rule: "PRIVILEGED_NEVER_EXECUTABLE",
        section: "§5.4",
        fields: { "CD.PAN": 1n, "CD.EPAN": 1n, "descriptor.UXN": 0n },
        summary:
          "CD.PAN and CD.EPAN are 1, and descriptor.UXN is 0: unprivileged accesses may fetch there, and this is a privileged write",
      },
    }),
  )("%s", async (_, said) => {
    await expectDiagnosis(refused(said));
  });
});

const STAGE2 = { structure: "stage 2" } as const;
const NOT_MAPPED = { ...UNTRANSLATED, ...STAGE2, rule: "STAGE2_NOT_MAPPED" } as const;
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
    ...{ ...FORBIDDEN, ...STAGE2, rule, fields: { IPA: BigInt(ipa) } },
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

  test("the tables of a guest lead where they are planted", async () => {
    await expectDiagnosis({
      access: "write",
      plant: (tables) => {
        const { levels, vste } = plantTables(tables, { attributes: OPEN | LEAF.READ_ONLY });
        const address = levels[3];
        return {
          ...{ ...FORBIDDEN, ...DESCRIPTOR, rule: "LEAF_READ_ONLY", level: 3, address, vste },
          raw: [BigInt(addressIn(BigInt(DATA))) | OPEN | LEAF.READ_ONLY | 3n],
          fields: { [AP]: 3n, "descriptor.DBM": 0n },
          summary: "descriptor.AP[2:1] is 0b11: read-only, and this is an unprivileged write",
        };
      },
    });
  });
});
