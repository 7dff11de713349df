// Where each field of the uAPI's structures lies, as the reference prints it: "name@offset:bytes".
// Typed in from iommufd.h and vfio.h of Linux 7.2 as a C program printed them; not from our tables.

export const PRINTED: Readonly<Record<string, { readonly bytes: number; readonly fields: string }>> = {
  iommu_destroy: { bytes: 8, fields: "size@0:4 id@4:4" },
  iommu_ioas_alloc: { bytes: 12, fields: "size@0:4 flags@4:4 out_ioas_id@8:4" },
  iommu_ioas_iova_ranges: {
    bytes: 32,
    fields: "size@0:4 ioas_id@4:4 num_iovas@8:4 __reserved@12:4 allowed_iovas@16:8 out_iova_alignment@24:8",
  },
  iommu_ioas_map: {
    bytes: 40,
    fields: "size@0:4 flags@4:4 ioas_id@8:4 __reserved@12:4 user_va@16:8 length@24:8 iova@32:8",
  },
  iommu_ioas_map_file: {
    bytes: 40,
    fields: "size@0:4 flags@4:4 ioas_id@8:4 fd@12:4 start@16:8 length@24:8 iova@32:8",
  },
  iommu_ioas_unmap: { bytes: 24, fields: "size@0:4 ioas_id@4:4 iova@8:8 length@16:8" },
  iommu_option: { bytes: 24, fields: "size@0:4 option_id@4:4 op@8:2 __reserved@10:2 object_id@12:4 val64@16:8" },
  iommu_hwpt_alloc: {
    bytes: 48,
    fields:
      "size@0:4 flags@4:4 dev_id@8:4 pt_id@12:4 out_hwpt_id@16:4 __reserved@20:4 data_type@24:4 data_len@28:4 data_uptr@32:8 fault_id@40:4 __reserved2@44:4",
  },
  iommu_hw_info: {
    bytes: 40,
    fields:
      "size@0:4 flags@4:4 dev_id@8:4 data_len@12:4 data_uptr@16:8 in_data_type@24:4 out_data_type@24:4 out_max_pasid_log2@28:1 __reserved@29:3 out_capabilities@32:8",
  },
  iommu_hwpt_invalidate: {
    bytes: 32,
    fields: "size@0:4 hwpt_id@4:4 data_uptr@8:8 data_type@16:4 entry_len@20:4 entry_num@24:4 __reserved@28:4",
  },
  iommu_fault_alloc: { bytes: 16, fields: "size@0:4 flags@4:4 out_fault_id@8:4 out_fault_fd@12:4" },
  iommu_viommu_alloc: {
    bytes: 40,
    fields:
      "size@0:4 flags@4:4 type@8:4 dev_id@12:4 hwpt_id@16:4 out_viommu_id@20:4 data_len@24:4 __reserved@28:4 data_uptr@32:8",
  },
  iommu_vdevice_alloc: { bytes: 24, fields: "size@0:4 viommu_id@4:4 dev_id@8:4 out_vdevice_id@12:4 virt_id@16:8" },
  iommu_veventq_alloc: {
    bytes: 32,
    fields:
      "size@0:4 flags@4:4 viommu_id@8:4 type@12:4 veventq_depth@16:4 out_veventq_id@20:4 out_veventq_fd@24:4 __reserved@28:4",
  },
  vfio_device_bind_iommufd: {
    bytes: 24,
    fields: "argsz@0:4 flags@4:4 iommufd@8:4 out_devid@12:4 token_uuid_ptr@16:8",
  },
  vfio_device_attach_iommufd_pt: { bytes: 16, fields: "argsz@0:4 flags@4:4 pt_id@8:4 pasid@12:4" },
  vfio_device_detach_iommufd_pt: { bytes: 12, fields: "argsz@0:4 flags@4:4 pasid@8:4" },
  vfio_device_info: {
    bytes: 24,
    fields: "argsz@0:4 flags@4:4 num_regions@8:4 num_irqs@12:4 cap_offset@16:4 pad@20:4",
  },
  iommu_iova_range: { bytes: 16, fields: "start@0:8 last@8:8" },
  iommu_hwpt_vtd_s1: { bytes: 24, fields: "flags@0:8 pgtbl_addr@8:8 addr_width@16:4 __reserved@20:4" },
  iommu_hwpt_arm_smmuv3: { bytes: 16, fields: "ste@0:16" },
  iommu_hw_info_vtd: { bytes: 24, fields: "flags@0:4 __reserved@4:4 cap_reg@8:8 ecap_reg@16:8" },
  iommu_hw_info_arm_smmuv3: { bytes: 40, fields: "flags@0:4 __reserved@4:4 idr@8:24 iidr@32:4 aidr@36:4" },
  iommu_hw_info_amd: { bytes: 16, fields: "efr@0:8 efr2@8:8" },
  iommu_hwpt_vtd_s1_invalidate: { bytes: 24, fields: "addr@0:8 npages@8:8 flags@16:4 __reserved@20:4" },
  iommu_viommu_arm_smmuv3_invalidate: { bytes: 16, fields: "cmd@0:16" },
  iommu_hwpt_pgfault: {
    bytes: 40,
    fields: "flags@0:4 dev_id@4:4 pasid@8:4 grpid@12:4 perm@16:4 __reserved@20:4 addr@24:8 length@32:4 cookie@36:4",
  },
  iommu_hwpt_page_response: { bytes: 8, fields: "cookie@0:4 code@4:4" },
  iommufd_vevent_header: { bytes: 8, fields: "flags@0:4 sequence@4:4" },
  iommu_vevent_arm_smmuv3: { bytes: 32, fields: "evt@0:32" },
};
