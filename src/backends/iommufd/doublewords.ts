// A guest's STE or a command as the kernel takes it: two doublewords, little-endian.
// Source: linux/iommufd.h, iommu_hwpt_arm_smmuv3.ste and iommu_viommu_arm_smmuv3_invalidate.cmd.

interface Pair {
  readonly dword0: bigint;
  readonly dword1: bigint;
}

const PAIR_BYTES = 16;

/** Pairs one after the other, 16 bytes each. */
export function bytesOfPairs(pairs: readonly Pair[]): Uint8Array {
  const bytes = new Uint8Array(PAIR_BYTES * pairs.length);
  const view = new DataView(bytes.buffer);
  for (const [index, { dword0, dword1 }] of pairs.entries()) {
    view.setBigUint64(PAIR_BYTES * index, dword0, true);
    view.setBigUint64(PAIR_BYTES * index + 8, dword1, true);
  }
  return bytes;
}
