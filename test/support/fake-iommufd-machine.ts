// Machines for the fake iommufd: an SMMU as QEMU's virt machine with Linux 7.3 has it, a VT-d that nests as none of QEMU's does,
// and devices behind them.

import { IOMMU_HW_INFO_ARM_SMMUV3, IOMMU_HW_INFO_VTD } from "../../src/backends/iommufd/structs.ts";
import type { FakeDevice, FakeIommu, Range } from "./fake-iommufd-rules.ts";

/** SMMU_IDR0 to 5 of that SMMU, as GET_HW_INFO gave them: both stages, 16-bit StreamIDs, no SubstreamIDs, no ATS. */
const IDR = [0x0d44_101b, 0x0273_0010, 0, 0x0000_1414, 0, 0x0000_0074];
/** What the driver of SMMUv3 keeps for MSIs: 0x800_0000 and 1 MiB from there. */
export const MSI_WINDOW: Range = { start: 0x800_0000n, last: 0x80f_ffffn };

export function fakeSmmu(options: Partial<FakeIommu> = {}): FakeIommu {
  const idr = new Uint8Array(Uint32Array.from(IDR).buffer);
  const hwInfo = IOMMU_HW_INFO_ARM_SMMUV3.create({ idr, aidr: 1 });
  return { name: "smmu3.0x0000000009050000", kind: "smmuv3", hwInfo, nesting: true, coherentWalks: true, ...options };
}

/** CAP as QEMU's intel-iommu shows it: 48 bits (MGAW, SAGAW), no FS5LP. */
export const VTD_CAP_VALUE = 0x81d2_008c_222f_0606n;
/** ECAP.NEST 26, SMTS 43, SSTS 46, FSTS 47 (VT-d §11.4.3). */
export const VTD_NESTS = (1n << 26n) | (1n << 43n) | (1n << 46n) | (1n << 47n);

export function fakeVtd(cap = VTD_CAP_VALUE, ecap = VTD_NESTS): FakeIommu {
  const hwInfo = IOMMU_HW_INFO_VTD.create({ flags: 1, cap_reg: cap, ecap_reg: ecap });
  return { name: "dmar0", kind: "vtd", hwInfo, nesting: true, coherentWalks: false };
}

/** The n-th device: a node /dev/vfio/devices/vfioN, alone in the group N. */
export function fakeDevice(n: number, iommu: FakeIommu, options: Partial<FakeDevice> = {}): FakeDevice {
  const path = `/dev/vfio/devices/vfio${n}`;
  return { path, iommu, group: n, streams: 1, reserved: [MSI_WINDOW], resets: true, ...options };
}
