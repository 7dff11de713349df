// SRE 1, EAFE 2, WPE 4 (include/uapi/linux/iommufd.h, enum iommu_hwpt_vtd_s1_flags).

import { expect, test } from "vitest";
import { vtdTableOf } from "../../../src/backends/iommufd/vtd-table.ts";

const NONE = { root: 0x5000n, addressBits: 48, sre: false, eafe: false, wpe: false };

test.each([
  [{}, 0n],
  [{ sre: true }, 1n],
  [{ eafe: true }, 2n],
  [{ wpe: true }, 4n],
  [{ sre: true, eafe: true, wpe: true }, 7n],
])("%o is told in the kernel's bits", (set, flags) => {
  expect(vtdTableOf({ ...NONE, ...set })).toEqual({ flags, pgtblAddr: 0x5000n, addrWidth: 48 });
});
