// A device that is its owner's altogether: an iommufd of its own, whose pages are counted for whoever maps them and not for
// the broker's user, and the device's node, bound to it. The broker keeps copies to pass, and sets no stage.
// Source: Linux drivers/iommu/iommufd/io_pagetable.c (iommufd_option_rlimit_mode), drivers/vfio/device_cdev.c.

import type { DeviceDescriptor } from "../device-descriptors.ts";
import type { HostDevice } from "../inventory.ts";
import { BoundDevice } from "./bound-device.ts";
import { getHwInfo, type KernelFile, openIommufd, option } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";
import { OPTION, RLIMIT_MODE } from "./structs.ts";
import { type OnNotice, Undo } from "./undo.ts";

export class Vended {
  readonly #iommufd: KernelFile;
  readonly #device: BoundDevice;

  private constructor(iommufd: KernelFile, device: BoundDevice) {
    this.#iommufd = iommufd;
    this.#device = device;
  }

  /**
   * @param nodes  of iommufd and of the device
   * @throws BrokerError backend_unsupported without CAP_SYS_RESOURCE
   */
  static async open(
    kernel: Kernel,
    host: HostDevice,
    nodes: { readonly iommu: string; readonly cdev: string },
    onNotice: OnNotice,
  ): Promise<Vended> {
    const undo = new Undo(onNotice);
    return await undo.around(async () => {
      const iommufd = { kernel, fd: await openIommufd(kernel, nodes.iommu) };
      undo.add(() => kernel.close(iommufd.fd));
      // First of all: the kernel refuses it once there is an object.
      await option(iommufd, { option: OPTION.RLIMIT_MODE, object: 0, value: RLIMIT_MODE.PROCESS });
      const device = await BoundDevice.bind(kernel, host, nodes.cdev, iommufd.fd);
      undo.add(() => device.close());
      device.isShared = true;
      getHwInfo(iommufd, device.object); // a device that cannot be asked is of no use to whoever gets it
      return new Vended(iommufd, device);
    });
  }

  get descriptors(): readonly DeviceDescriptor[] {
    return [
      { kind: "iommufd", fd: this.#iommufd.fd },
      { kind: "vfio-cdev", fd: this.#device.file.fd, object: this.#device.object },
    ];
  }

  /** What is attached is taken off; a holder can attach it again. */
  async close(): Promise<void> {
    await this.#device.close();
    await this.#iommufd.kernel.close(this.#iommufd.fd);
  }
}
