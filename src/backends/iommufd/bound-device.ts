// A device that is ours: its VFIO node open and bound to an iommufd. Bound and attached to nothing, its DMA is blocked;
// closing it gives it back to the host, detached, without its vDEVICE.
// Source: Linux drivers/vfio/device_cdev.c, drivers/iommu/iommufd/device.c.

import type { VirtualStreamID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import { attachPt, bindIommufd, detachPt, type KernelFile, openCdev } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";

export class BoundDevice {
  readonly host: HostDevice;
  readonly file: KernelFile;
  /** The kernel's number of it, on the iommufd it is bound to. */
  readonly object: number;
  /** The HWPT it is attached to; undefined: its DMA is blocked. */
  hwpt: number | undefined;
  /** The HWPT that was made for its guest's STE alone. */
  nested: number | undefined;
  /** Others were passed its node: what is known here of its attachment may be true no more. */
  isShared = false;
  #isClosed = false;
  /** Under which name the kernel knows it. */
  vdevice: { readonly id: number; readonly name: VirtualStreamID } | undefined;

  private constructor(host: HostDevice, file: KernelFile, object: number) {
    this.host = host;
    this.file = file;
    this.object = object;
  }

  /**
   * @param node  "/dev/vfio/devices/vfio3"
   * @param iommufd  every device of its group is bound to the same
   */
  static async bind(kernel: Kernel, host: HostDevice, node: string, iommufd: number): Promise<BoundDevice> {
    const file = { kernel, fd: await openCdev(kernel, node) };
    try {
      return new BoundDevice(host, file, await bindIommufd(file, iommufd));
    } catch (error) {
      await kernel.close(file.fd);
      throw error;
    }
  }

  /** What it was attached to stays when this fails. */
  async attach(hwpt: number | undefined): Promise<void> {
    if (hwpt === this.hwpt && !this.isShared) return;
    if (hwpt === undefined) await detachPt(this.file);
    else await attachPt(this.file, hwpt);
    this.hwpt = hwpt;
  }

  /**
   * Closing gives it to the host, unless others have its node: then it stays bound, and what was attached here is not.
   * Once more does nothing: by then its number may be another file's.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.isShared) await detachPt(this.file).catch(() => {}); // what closing does where nobody else has it
    await this.file.kernel.close(this.file.fd);
    this.hwpt = undefined;
    this.vdevice = undefined;
  }
}
