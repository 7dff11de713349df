// The ioctls of a VFIO device's own node: whose it is, what translates for it, its reset.
// Source: include/uapi/linux/vfio.h of Linux 7.2.

import { call, type KernelFile } from "./ioctl-call.ts";
import * as uapi from "./structs.ts";

/**
 * Takes the device, and its whole IOMMU group, for one iommufd.
 * @returns the device's object there
 */
export async function bindIommufd(cdev: KernelFile, iommufd: number): Promise<number> {
  const { bytes } = await call(cdev, "bind_iommufd", uapi.VFIO_DEVICE_BIND_IOMMUFD.create({ iommufd }));
  return uapi.VFIO_DEVICE_BIND_IOMMUFD.read(bytes).out_devid;
}

/**
 * Attaches the device, or replaces what it is attached to; when that fails, the old one stays.
 * @param target  an HWPT, or an IOAS for which the kernel then makes one
 * @returns the HWPT that was chosen
 */
export async function attachPt(cdev: KernelFile, target: number): Promise<number> {
  const created = uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT.create({ pt_id: target });
  const { bytes } = await call(cdev, "attach_pt", created, { facts: { target } });
  return uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT.read(bytes).pt_id;
}

/** Every DMA of the device faults from here on. */
export async function detachPt(cdev: KernelFile): Promise<void> {
  await call(cdev, "detach_pt", uapi.VFIO_DEVICE_DETACH_IOMMUFD_PT.create({}));
}

/** @throws BrokerError backend_unsupported when the device knows no reset */
export async function vfioReset(cdev: KernelFile): Promise<void> {
  await call(cdev, "vfio_reset", new Uint8Array());
}

export interface VfioDeviceInfo {
  /** VFIO_DEVICE_FLAGS of structs.ts. */
  readonly flags: number;
  readonly regions: number;
  readonly interrupts: number;
}

export async function vfioDeviceInfo(cdev: KernelFile): Promise<VfioDeviceInfo> {
  const { bytes } = await call(cdev, "vfio_device_info", uapi.VFIO_DEVICE_INFO.create({}));
  const { flags, num_regions: regions, num_irqs: interrupts } = uapi.VFIO_DEVICE_INFO.read(bytes);
  return { flags, regions, interrupts };
}
