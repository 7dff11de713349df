// A guest's page table as the kernel takes it for VT-d's first stage: its flags are fields of the PASID table entry.
// Source: include/uapi/linux/iommufd.h of Linux 7.2 (iommu_hwpt_vtd_s1); VT-d §9.6.

import type { PageTable } from "../page-table.ts";
import type { VtdTable } from "./ioctl.ts";
import { VTD_S1_FLAGS } from "./structs.ts";

export function vtdTableOf({ addressBits, eafe, root, sre, wpe }: PageTable): VtdTable {
  const { EAFE, SRE, WPE } = VTD_S1_FLAGS;
  const flags = (sre ? SRE : 0n) + (eafe ? EAFE : 0n) + (wpe ? WPE : 0n);
  return { flags, pgtblAddr: root, addrWidth: addressBits };
}
