// The simulated hardware when the configuration names none: two SMMUv3s with different ID registers, eight devices in
// six IOMMU groups. deploy/simulated.yaml says the same with comments, and a test holds the two together; it is here as
// well so that an installed daemon needs no file.

import type { SimulatedSettings } from "./simulated.ts";

export const DEFAULT_INVENTORY: SimulatedSettings = {
  iommus: [
    {
      id: "smmu0",
      registers: { idr0: 0x0d4c_101b, idr1: 0x0273_0510, idr3: 0x0000_1414, idr5: 0x0000_0075, aidr: 0x1 },
    },
    {
      id: "smmu1",
      registers: { idr0: 0x0d44_101b, idr1: 0x0273_0210, idr3: 0x0000_0014, idr5: 0x0000_0054, aidr: 0x1 },
    },
  ],
  devices: [
    { id: "0000:00:01.0", iommu: "smmu0", group: 0, stream_ids: [0x8], pasid_bits: 0 },
    { id: "0000:00:02.0", iommu: "smmu0", group: 1, stream_ids: [0x10], pasid_bits: 0 },
    { id: "0000:01:00.0", iommu: "smmu0", group: 2, stream_ids: [0x100], pasid_bits: 20 },
    { id: "0000:02:00.0", iommu: "smmu0", group: 3, stream_ids: [0x200], pasid_bits: 0 },
    { id: "0000:02:00.1", iommu: "smmu0", group: 3, stream_ids: [0x201], pasid_bits: 0 },
    { id: "0000:02:00.2", iommu: "smmu0", group: 3, stream_ids: [0x202], pasid_bits: 0 },
    { id: "0001:00:01.0", iommu: "smmu1", group: 4, stream_ids: [0x8], pasid_bits: 0 },
    { id: "0001:01:00.0", iommu: "smmu1", group: 5, stream_ids: [0x100], pasid_bits: 8 },
  ],
  merge_events: false,
};
