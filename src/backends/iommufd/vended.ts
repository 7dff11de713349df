// A device that is its owner's altogether: an iommufd of its own, whose pages are counted for whoever maps them and not for
// the broker's user, and the device's node, which is bound to it here or by whoever is passed it. The broker sets no stage.
// Source: Linux drivers/iommu/iommufd/io_pagetable.c (iommufd_option_rlimit_mode), drivers/vfio/device_cdev.c.

import type { VendedNode } from "../backend.ts";
import type { DeviceDescriptor } from "../device-descriptors.ts";
import { BrokerError } from "../errors.ts";
import type { HostDevice } from "../inventory.ts";
import { BoundDevice } from "./bound-device.ts";
import { bindIommufd, detachPt, getHwInfo, type KernelFile, openCdev, openIommufd, option } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";
import { OPTION, RLIMIT_MODE } from "./structs.ts";
import { type OnNotice, Undo } from "./undo.ts";

export interface VendOptions {
  readonly kernel: Kernel;
  readonly host: HostDevice;
  readonly nodes: { readonly iommu: string; readonly cdev: string };
  readonly node: VendedNode;
  readonly onNotice: OnNotice;
}

export class Vended {
  readonly #options: VendOptions;
  readonly #iommufd: KernelFile;
  readonly #file: KernelFile;
  /** On the iommufd; undefined: not bound by the broker. */
  readonly #object: number | undefined;

  private constructor(options: VendOptions, files: { iommufd: KernelFile; file: KernelFile }, object?: number) {
    this.#options = options;
    this.#iommufd = files.iommufd;
    this.#file = files.file;
    this.#object = object;
  }

  /** @throws BrokerError backend_unsupported without CAP_SYS_RESOURCE */
  static async open(options: VendOptions): Promise<Vended> {
    const { host, kernel, node, nodes, onNotice } = options;
    const undo = new Undo(onNotice);
    return await undo.around(async () => {
      const iommufd = { kernel, fd: await openIommufd(kernel, nodes.iommu) };
      undo.add(() => kernel.close(iommufd.fd));
      // First of all: the kernel refuses it once there is an object.
      await option(iommufd, { option: OPTION.RLIMIT_MODE, object: 0, value: RLIMIT_MODE.PROCESS });
      const device = await BoundDevice.bind(kernel, host, nodes.cdev, iommufd.fd);
      undo.add(() => device.close());
      getHwInfo(iommufd, device.object); // a device that cannot be asked is of no use to whoever gets it
      const { file, object } = device;
      if (node === "bound") return new Vended(options, { iommufd, file }, object);
      // One open file is bound once and for good: another is passed, and the device's object goes with this one.
      const fresh = { kernel, fd: await openCdev(kernel, nodes.cdev) };
      await device.close();
      return new Vended(options, { iommufd, file: fresh });
    });
  }

  get descriptors(): readonly DeviceDescriptor[] {
    const node = { kind: "vfio-cdev", fd: this.#file.fd } as const;
    return [
      { kind: "iommufd", fd: this.#iommufd.fd },
      this.#object === undefined ? node : { ...node, object: this.#object },
    ];
  }

  /**
   * What is attached is taken off; a holder can attach it again.
   * @throws what the kernel said when a node that was passed unbound could not be bound; nothing is closed then
   */
  async close(): Promise<void> {
    if (this.#object !== undefined || (await this.#isTaken())) await detachPt(this.#file);
    const { kernel } = this.#options;
    await kernel.close(this.#file.fd);
    await kernel.close(this.#iommufd.fd);
  }

  /**
   * A copy that nobody has bound could not be seen, and could be bound when the device is another's no more. So it is bound
   * now, as the copies are one open file: to an iommufd that has nothing to attach to, and of which nobody has a descriptor.
   * @returns whether its holder has bound it before
   */
  async #isTaken(): Promise<boolean> {
    const { kernel, nodes } = this.#options;
    const empty = await openIommufd(kernel, nodes.iommu);
    try {
      await bindIommufd(this.#file, empty);
      return false;
    } catch (error) {
      if (error instanceof BrokerError && error.facts.errno === "EINVAL") return true;
      throw error;
    } finally {
      await kernel.close(empty);
    }
  }
}
