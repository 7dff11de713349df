// The structures of iommufd and of VFIO devices that the backend uses, field by field as the C compiler lays them out, and
// the values that go into them. Names are the kernel's, without reserved fields, which stay zero.
// Each ioctl's own structure says its length in its first four bytes (`size`, or `argsz` for VFIO); the tables leave that out.
// Source: include/uapi/linux/iommufd.h and vfio.h of Linux 7.2, printed by a C program.

import { byteRange, sizedStruct, struct, u8, u16, u32, u64 } from "./struct-layout.ts";

export const IOMMU_DESTROY = sizedStruct(8, { id: u32(4) });
export const IOMMU_IOAS_ALLOC = sizedStruct(12, { flags: u32(4), out_ioas_id: u32(8) });
export const IOMMU_IOAS_IOVA_RANGES = sizedStruct(32, {
  ioas_id: u32(4),
  num_iovas: u32(8),
  allowed_iovas: u64(16),
  out_iova_alignment: u64(24),
});
export const IOMMU_IOAS_MAP = sizedStruct(40, {
  flags: u32(4),
  ioas_id: u32(8),
  user_va: u64(16),
  length: u64(24),
  iova: u64(32),
});
export const IOMMU_IOAS_MAP_FILE = sizedStruct(40, {
  flags: u32(4),
  ioas_id: u32(8),
  fd: u32(12),
  start: u64(16),
  length: u64(24),
  iova: u64(32),
});
export const IOMMU_IOAS_UNMAP = sizedStruct(24, { ioas_id: u32(4), iova: u64(8), length: u64(16) });
export const IOMMU_OPTION = sizedStruct(24, { option_id: u32(4), op: u16(8), object_id: u32(12), val64: u64(16) });
export const IOMMU_HWPT_ALLOC = sizedStruct(48, {
  flags: u32(4),
  dev_id: u32(8),
  pt_id: u32(12),
  out_hwpt_id: u32(16),
  data_type: u32(24),
  data_len: u32(28),
  data_uptr: u64(32),
  fault_id: u32(40),
});
/** in_data_type and out_data_type are one field: the kernel writes its answer over the question. */
export const IOMMU_HW_INFO = sizedStruct(40, {
  flags: u32(4),
  dev_id: u32(8),
  data_len: u32(12),
  data_uptr: u64(16),
  in_data_type: u32(24),
  out_data_type: u32(24),
  out_max_pasid_log2: u8(28),
  out_capabilities: u64(32),
});
export const IOMMU_HWPT_INVALIDATE = sizedStruct(32, {
  hwpt_id: u32(4),
  data_uptr: u64(8),
  data_type: u32(16),
  entry_len: u32(20),
  entry_num: u32(24),
});
export const IOMMU_FAULT_ALLOC = sizedStruct(16, { flags: u32(4), out_fault_id: u32(8), out_fault_fd: u32(12) });
export const IOMMU_VIOMMU_ALLOC = sizedStruct(40, {
  flags: u32(4),
  type: u32(8),
  dev_id: u32(12),
  hwpt_id: u32(16),
  out_viommu_id: u32(20),
  data_len: u32(24),
  data_uptr: u64(32),
});
export const IOMMU_VDEVICE_ALLOC = sizedStruct(24, {
  viommu_id: u32(4),
  dev_id: u32(8),
  out_vdevice_id: u32(12),
  virt_id: u64(16),
});
export const IOMMU_VEVENTQ_ALLOC = sizedStruct(32, {
  flags: u32(4),
  viommu_id: u32(8),
  type: u32(12),
  veventq_depth: u32(16),
  out_veventq_id: u32(20),
  out_veventq_fd: u32(24),
});

export const VFIO_DEVICE_BIND_IOMMUFD = sizedStruct(24, {
  flags: u32(4),
  iommufd: u32(8),
  out_devid: u32(12),
  token_uuid_ptr: u64(16),
});
export const VFIO_DEVICE_ATTACH_IOMMUFD_PT = sizedStruct(16, { flags: u32(4), pt_id: u32(8), pasid: u32(12) });
export const VFIO_DEVICE_DETACH_IOMMUFD_PT = sizedStruct(12, { flags: u32(4), pasid: u32(8) });
export const VFIO_DEVICE_INFO = sizedStruct(24, {
  flags: u32(4),
  num_regions: u32(8),
  num_irqs: u32(12),
  cap_offset: u32(16),
});

export const IOMMU_IOVA_RANGE = struct(16, { start: u64(0), last: u64(8) });
export const IOMMU_HWPT_VTD_S1 = struct(24, { flags: u64(0), pgtbl_addr: u64(8), addr_width: u32(16) });
/** The first two doublewords of a stream table entry. */
export const IOMMU_HWPT_ARM_SMMUV3 = struct(16, { ste: byteRange(0, 16) });
export const IOMMU_HW_INFO_VTD = struct(24, { flags: u32(0), cap_reg: u64(8), ecap_reg: u64(16) });
/** idr is SMMU_IDR0 to SMMU_IDR5. */
export const IOMMU_HW_INFO_ARM_SMMUV3 = struct(40, {
  flags: u32(0),
  idr: byteRange(8, 24),
  iidr: u32(32),
  aidr: u32(36),
});
export const IOMMU_HW_INFO_AMD = struct(16, { efr: u64(0), efr2: u64(8) });
export const IOMMU_HWPT_VTD_S1_INVALIDATE = struct(24, { addr: u64(0), npages: u64(8), flags: u32(16) });
/** One entry of the command queue. */
export const IOMMU_VIOMMU_ARM_SMMUV3_INVALIDATE = struct(16, { cmd: byteRange(0, 16) });
export const IOMMU_HWPT_PGFAULT = struct(40, {
  flags: u32(0),
  dev_id: u32(4),
  pasid: u32(8),
  grpid: u32(12),
  perm: u32(16),
  addr: u64(24),
  length: u32(32),
  cookie: u32(36),
});
export const IOMMU_HWPT_PAGE_RESPONSE = struct(8, { cookie: u32(0), code: u32(4) });
export const IOMMUFD_VEVENT_HEADER = struct(8, { flags: u32(0), sequence: u32(4) });
/** One record of the event queue. */
export const IOMMU_VEVENT_ARM_SMMUV3 = struct(32, { evt: byteRange(0, 32) });

export const IOAS_MAP_FLAGS = { FIXED_IOVA: 1, WRITEABLE: 2, READABLE: 4 } as const;
export const OPTION = { RLIMIT_MODE: 0, HUGE_PAGES: 1 } as const;
export const OPTION_OP = { SET: 0, GET: 1 } as const;
/** What OPTION.RLIMIT_MODE counts pinned memory against: the user, or the process. */
export const RLIMIT_MODE = { USER: 0n, PROCESS: 1n } as const;
export const HWPT_FLAGS = { NEST_PARENT: 1, DIRTY_TRACKING: 2, FAULT_ID_VALID: 4, PASID: 8 } as const;
export const HWPT_DATA = { NONE: 0, VTD_S1: 1, ARM_SMMUV3: 2, AMD_GUEST: 3 } as const;
export const VTD_S1_FLAGS = { SRE: 1n, EAFE: 2n, WPE: 4n } as const;
export const HW_INFO_FLAGS = { INPUT_TYPE: 1 } as const;
export const HW_INFO_TYPE = { DEFAULT: 0, INTEL_VTD: 1, ARM_SMMUV3: 2, TEGRA241_CMDQV: 3, AMD: 4 } as const;
export const HW_CAPABILITIES = {
  DIRTY_TRACKING: 1n,
  PCI_PASID_EXEC: 2n,
  PCI_PASID_PRIV: 4n,
  PCI_ATS_NOT_SUPPORTED: 8n,
} as const;
/** VTD_S1 goes to a nested HWPT, ARM_SMMUV3 to a vIOMMU. */
export const INVALIDATE_DATA = { VTD_S1: 0, ARM_SMMUV3: 1 } as const;
export const PGFAULT_FLAGS = { PASID_VALID: 1, LAST_PAGE: 2 } as const;
export const PGFAULT_PERM = { READ: 1, WRITE: 2, EXEC: 4, PRIV: 8 } as const;
export const PAGE_RESPONSE_CODE = { SUCCESS: 0, INVALID: 1 } as const;
export const VIOMMU_TYPE = { DEFAULT: 0, ARM_SMMUV3: 1, TEGRA241_CMDQV: 2 } as const;
export const VEVENTQ_TYPE = { DEFAULT: 0, ARM_SMMUV3: 1, TEGRA241_CMDQV: 2 } as const;
export const VEVENT_FLAGS = { LOST_EVENTS: 1 } as const;
export const VFIO_DEVICE_FLAGS = { RESET: 1, PCI: 2, PLATFORM: 4, CAPS: 128 } as const;
