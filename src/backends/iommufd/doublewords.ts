// A guest's STE or a command as the kernel takes it: two doublewords, little-endian.
// Source: linux/iommufd.h, iommu_hwpt_arm_smmuv3.ste and iommu_viommu_arm_smmuv3_invalidate.cmd.

interface Pair {
  readonly dword0: bigint;
  readonly dword1: bigint;
}

const PAIR_BYTES = 16;
/** One pair, of which the bytes are a copy: a buffer of its own costs four times as much. */
const PAIR = new Uint8Array(PAIR_BYTES);
const PAIR_VIEW = new DataView(PAIR.buffer);

/** Pairs one after the other, 16 bytes each. */
export function bytesOfPairs(pairs: readonly Pair[]): Uint8Array {
  if (pairs.length === 1) return bytesOfPair(pairs[0]!);
  const bytes = new Uint8Array(PAIR_BYTES * pairs.length);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < pairs.length; index++) putPair(view, PAIR_BYTES * index, pairs[index]!);
  return bytes;
}

function bytesOfPair(pair: Pair): Uint8Array {
  putPair(PAIR_VIEW, 0, pair);
  return PAIR.slice();
}

function putPair(view: DataView, at: number, { dword0, dword1 }: Pair): void {
  view.setBigUint64(at, dword0, true);
  view.setBigUint64(at + 8, dword1, true);
}
