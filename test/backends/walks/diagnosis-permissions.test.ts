// One seed for each bit of stage 1 that forbids an access; what is said of it is by hand.
// Source: DDI 0487 D8.4 (permissions); IHI 0070G.b §5.4 (WXN, PAN, EPAN), §3.13 (DBM).

import { describe, test } from "vitest";
import { expectDiagnosis, IDR, plantTables, type Seed } from "../../support/seeded-fault.ts";
import { at, type CdOptions, LEAF, OPEN } from "../../support/smmuv3-tables.ts";

const FORBIDDEN = { event: "F_PERMISSION", section: "§7.3.16", structure: "stage 1 descriptor" } as const;
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
      return { ...FORBIDDEN, ...said, vste, level, address, raw: [tables.peek(address)] };
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
