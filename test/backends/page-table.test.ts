import { expect, test } from "vitest";
import { iommuID } from "../../src/backends/ids.ts";
import type { HostIommu } from "../../src/backends/inventory.ts";
import { checkPageTable, pageTableRefusal, requirePageTables } from "../../src/backends/page-table.ts";
import { refusal } from "../support/host.ts";

const FORM = { addressBits: [48, 57], rootBits: 39, sre: false, eafe: true, unverified: "nobody has tried" };
const TABLE = { root: 0x7f_ffff_f000n, addressBits: 57, sre: false, eafe: true, wpe: true };
const VTD: HostIommu = {
  id: iommuID("dmar0"),
  registers: undefined,
  otherHardware: { kind: "vtd", raw: [], fields: [] },
  ipaBits: 39,
  reservedRegions: [],
  stage2PageBytes: [4096],
  nesting: { supported: true },
  pageTables: FORM,
};

test("the last page below the width is a root, and the next is not", async () => {
  checkPageTable(FORM, TABLE);
  const error = await refusal(() => checkPageTable(FORM, { ...TABLE, root: 0x80_0000_0000n }));
  expect(error.fields).toEqual([{ path: "page_table.root", description: expect.stringContaining("39-bit") }]);
});

test("an IOMMU with a form takes tables, and others say why they do not", async () => {
  const { pageTables: _, ...without } = VTD;
  expect(requirePageTables(VTD)).toBe(FORM);
  expect(pageTableRefusal(VTD)).toBeUndefined();
  const nesting = { supported: false, reason: "set the key" } as const;
  expect(pageTableRefusal({ ...without, nesting })).toBe("set the key");
  const error = await refusal(() => requirePageTables({ ...without, nesting }));
  expect([error.code, error.facts]).toEqual([
    "backend_unsupported",
    { iommu: "dmar0", table_shape: "TABLE_SHAPE_SINGLE_PAGE_TABLE", field: "page_table" },
  ]);
});
