// The ioctls of an iommufd that concern address spaces, its options and its objects as such.
// Sizes and addresses are bigints, as in the structures.
// Source: include/uapi/linux/iommufd.h of Linux 7.2.

import { callError, ERRNO } from "./errno.ts";
import { call, type KernelFile, REQUEST } from "./ioctl-call.ts";
import type { Kernel } from "./kernel.ts";
import * as uapi from "./structs.ts";

/** A context of its own: objects are known by number within it, and closing it frees them all. */
export function openIommufd(kernel: Kernel, path: string): Promise<number> {
  return opened(kernel, "open_iommu", path);
}

/** The node of a VFIO device. */
export function openCdev(kernel: Kernel, path: string): Promise<number> {
  return opened(kernel, "open_cdev", path);
}

async function opened(kernel: Kernel, as: "open_iommu" | "open_cdev", path: string): Promise<number> {
  const fd = await kernel.open(path);
  if (fd < 0) throw callError(as, -fd, { path });
  return fd;
}

export async function destroy(file: KernelFile, id: number): Promise<void> {
  await call(file, "destroy", uapi.IOMMU_DESTROY.create({ id }), { facts: { id } });
}

export async function ioasAlloc(file: KernelFile): Promise<number> {
  const { bytes } = await call(file, "ioas_alloc", uapi.IOMMU_IOAS_ALLOC.create({}));
  return uapi.IOMMU_IOAS_ALLOC.read(bytes).out_ioas_id;
}

interface MapTarget {
  readonly ioas: number;
  readonly iova: bigint;
  readonly length: bigint;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** Maps memory of this process at exactly `iova`. It must stay mapped here for as long as it is there. */
export async function ioasMap(file: KernelFile, map: MapTarget & { readonly userVa: bigint }): Promise<void> {
  const { ioas: ioas_id, userVa: user_va, length, iova } = map;
  const bytes = uapi.IOMMU_IOAS_MAP.create({ flags: mapFlags(map), ioas_id, user_va, length, iova });
  await call(file, "ioas_map", bytes, { facts: { iova, length } });
}

/** Maps part of a memfd at exactly `iova`. The kernel keeps the file itself: `fd` may be closed afterwards. */
export async function ioasMapFile(
  file: KernelFile,
  map: MapTarget & { readonly fd: number; readonly start: bigint },
): Promise<void> {
  const { ioas: ioas_id, fd, start, length, iova } = map;
  const bytes = uapi.IOMMU_IOAS_MAP_FILE.create({ flags: mapFlags(map), ioas_id, fd, start, length, iova });
  await call(file, "ioas_map_file", bytes, { facts: { iova, length } });
}

function mapFlags({ readable, writable }: MapTarget): number {
  const { FIXED_IOVA, READABLE, WRITEABLE } = uapi.IOAS_MAP_FLAGS;
  return FIXED_IOVA + (readable ? READABLE : 0) + (writable ? WRITEABLE : 0);
}

/** @returns bytes that were unmapped. On failure mappings before the one at fault are gone all the same. */
export async function ioasUnmap(
  file: KernelFile,
  range: { readonly ioas: number; readonly iova: bigint; readonly length: bigint },
): Promise<bigint> {
  const { ioas: ioas_id, iova, length } = range;
  const created = uapi.IOMMU_IOAS_UNMAP.create({ ioas_id, iova, length });
  const { bytes } = await call(file, "ioas_unmap", created, { facts: { iova, length } });
  return uapi.IOMMU_IOAS_UNMAP.read(bytes).length;
}

export interface IovaRanges {
  /** First and last address, both inclusive. */
  readonly ranges: readonly { readonly start: bigint; readonly last: bigint }[];
  readonly alignment: bigint;
}

const IOVA_RANGES_FIRST = 16;
/** A MiB holds as many; a host has a handful. */
const IOVA_RANGES_MAX = 65_536;

/** Where something can be mapped; attaching a device takes its reserved ranges away. */
export async function ioasIovaRanges(file: KernelFile, ioas: number): Promise<IovaRanges> {
  for (let room = IOVA_RANGES_FIRST; ; ) {
    const { kernel, fd } = file;
    const answer = await kernel.ioctl({
      fd,
      request: REQUEST.ioas_iova_ranges,
      bytes: uapi.IOMMU_IOAS_IOVA_RANGES.create({ ioas_id: ioas, num_iovas: room }),
      payload: {
        pointerAt: uapi.IOMMU_IOAS_IOVA_RANGES.fields.allowed_iovas.at,
        bytes: new Uint8Array(room * uapi.IOMMU_IOVA_RANGE.bytes),
      },
    });
    const { num_iovas, out_iova_alignment } = uapi.IOMMU_IOAS_IOVA_RANGES.read(answer.bytes);
    const isShort = answer.result === -ERRNO.EMSGSIZE && num_iovas > room && num_iovas <= IOVA_RANGES_MAX;
    if (answer.result < 0 && !isShort) throw callError("ioas_iova_ranges", -answer.result, { ioas });
    if (!isShort) return { ranges: rangesIn(answer.payload, num_iovas), alignment: out_iova_alignment };
    room = num_iovas; // another device may come in between: then it is asked again
  }
}

function rangesIn(bytes: Uint8Array | undefined, count: number): IovaRanges["ranges"] {
  if (bytes === undefined) return [];
  return Array.from({ length: count }, (_, at) => uapi.IOMMU_IOVA_RANGE.read(bytes, at * uapi.IOMMU_IOVA_RANGE.bytes));
}

/** Sets an option of the whole iommufd, or of one object: OPTION and RLIMIT_MODE of structs.ts. */
export async function option(
  file: KernelFile,
  set: { readonly option: number; readonly object: number; readonly value: bigint },
): Promise<void> {
  const { option: option_id, object: object_id, value: val64 } = set;
  const bytes = uapi.IOMMU_OPTION.create({ option_id, op: uapi.OPTION_OP.SET, object_id, val64 });
  await call(file, "option", bytes, { facts: { option: option_id } });
}
