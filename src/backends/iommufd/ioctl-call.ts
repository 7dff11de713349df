// The numbers of the ioctls, and how one is made: a structure goes in and comes back, and what fails is a BrokerError of
// errno.ts. The functions for each are in ioas-ioctl.ts, hwpt-ioctl.ts and vfio-ioctl.ts; ioctl.ts shows them all.
// Source: include/uapi/linux/iommufd.h, vfio.h of Linux 7.2.

import type { Facts } from "../errors.ts";
import { callError } from "./errno.ts";
import type { KernelCall } from "./errno-table.ts";
import type { IoctlResult, Kernel } from "./kernel.ts";

/** _IO(';', nr): no direction and no size, so the same on every architecture. */
export const REQUEST = {
  vfio_device_info: 0x3b6b,
  vfio_reset: 0x3b6f,
  bind_iommufd: 0x3b76,
  attach_pt: 0x3b77,
  detach_pt: 0x3b78,
  destroy: 0x3b80,
  ioas_alloc: 0x3b81,
  ioas_iova_ranges: 0x3b84,
  ioas_map: 0x3b85,
  ioas_unmap: 0x3b86,
  option: 0x3b87,
  hwpt_alloc: 0x3b89,
  get_hw_info: 0x3b8a,
  hwpt_invalidate: 0x3b8d,
  fault_queue_alloc: 0x3b8e,
  ioas_map_file: 0x3b8f,
  viommu_alloc: 0x3b90,
  vdevice_alloc: 0x3b91,
  veventq_alloc: 0x3b93,
} as const;

/** Where the calls go: an iommufd, or for the vfio functions an open device. */
export interface KernelFile {
  readonly kernel: Kernel;
  readonly fd: number;
}

type Numbered = keyof typeof REQUEST;

export interface CallOptions {
  /** Memory that the field at `pointerAt` points to. */
  readonly payload?: { readonly pointerAt: number; readonly bytes: Uint8Array } | undefined;
  /** Where the meaning of an errno is not the plain ioctl's. */
  readonly as?: KernelCall;
  /** What the call is about, for its error. */
  readonly facts?: Facts;
}

/** Makes a call that may sleep in the kernel. */
export async function call(
  { kernel, fd }: KernelFile,
  name: Numbered,
  bytes: Uint8Array,
  { payload, as = name, facts }: CallOptions = {},
): Promise<IoctlResult> {
  const request = { fd, request: REQUEST[name], bytes, ...(payload === undefined ? {} : { payload }) };
  const answer = await kernel.ioctl(request);
  if (answer.result < 0) throw callError(as, -answer.result, facts);
  return answer;
}
