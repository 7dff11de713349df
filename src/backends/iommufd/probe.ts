// Asks one device what its IOMMU is, and the kernel whether a guest could nest there: bind, ask, allocate, close.
// Nothing is attached and nothing is mapped; closing both descriptors gives everything back. A device that somebody uses
// refuses the bind and is not disturbed. While it is bound its DMA is blocked, and VFIO resets it when it is let go.
// Source: Linux 7.2 drivers/vfio/device_cdev.c, drivers/iommu/iommufd.

import { BrokerError } from "../errors.ts";
import type { NativeDevice } from "./devices.ts";
import { callError } from "./errno.ts";
import type { HostRoots } from "./host-files.ts";
import { decodeHwInfo, type Hardware } from "./hw-info.ts";
import { bindIommufd, getHwInfo, hwptAlloc, ioasAlloc, type KernelFile, viommuAlloc } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";

export type ProbeAnswer =
  | {
      readonly kind: "answered";
      readonly hardware: Hardware;
      /** HW_CAPABILITIES of structs.ts. */
      readonly capabilities: bigint;
      /** Why a virtual IOMMU is refused; undefined: it is not, or there was none to ask for. */
      readonly nestingRefusal: string | undefined;
    }
  | { readonly kind: "refused"; readonly error: BrokerError };

/** Asks a device; never rejects for what the kernel says. */
export type DeviceProbe = (device: NativeDevice) => Promise<ProbeAnswer>;

export function deviceProbe(kernel: Kernel, roots: HostRoots): DeviceProbe {
  return async (device) => {
    try {
      return await withOpen(kernel, `${roots.dev}/iommu`, "open_iommu", (iommufd) =>
        withOpen(kernel, device.cdev ?? "", "open_cdev", (cdev) => ask(iommufd, cdev)),
      );
    } catch (error) {
      if (error instanceof BrokerError) return { kind: "refused", error };
      throw error;
    }
  };
}

async function ask(iommufd: KernelFile, cdev: KernelFile): Promise<ProbeAnswer> {
  const device = await bindIommufd(cdev, iommufd.fd);
  const info = getHwInfo(iommufd, device);
  const hardware = decodeHwInfo(info);
  const { capabilities } = info;
  const nestingRefusal = hardware.kind === "smmuv3" ? await viommuRefusal(iommufd, device) : undefined;
  return { kind: "answered", hardware, capabilities, nestingRefusal };
}

async function viommuRefusal(iommufd: KernelFile, device: number): Promise<string | undefined> {
  try {
    const ioas = await ioasAlloc(iommufd);
    const parent = await hwptAlloc(iommufd, device, { kind: "nest_parent", ioas });
    await viommuAlloc(iommufd, device, parent);
    return undefined;
  } catch (error) {
    if (error instanceof BrokerError) return error.message;
    throw error;
  }
}

async function withOpen<T>(
  kernel: Kernel,
  path: string,
  call: "open_iommu" | "open_cdev",
  use: (file: KernelFile) => Promise<T>,
): Promise<T> {
  const fd = await kernel.open(path);
  if (fd < 0) throw callError(call, -fd, { path });
  try {
    return await use({ kernel, fd });
  } finally {
    await kernel.close(fd);
  }
}
