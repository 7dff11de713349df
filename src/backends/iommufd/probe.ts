// Asks one device what its IOMMU is, and the kernel whether a guest could nest there: bind, ask, allocate, close.
// Nothing is attached and nothing is mapped; closing both descriptors gives everything back. A device that somebody uses
// refuses the bind and is not disturbed. While it is bound its DMA is blocked, and VFIO resets it when it is let go.
// Source: Linux 7.2 drivers/vfio/device_cdev.c, drivers/iommu/iommufd.

import { BrokerError } from "../errors.ts";
import type { NativeDevice } from "./devices.ts";
import { callError } from "./errno.ts";
import type { HostRoots } from "./host-files.ts";
import { decodeHwInfo, type Hardware } from "./hw-info.ts";
import { bindIommufd, getHwInfo, hwptAlloc, ioasAlloc, type KernelFile, veventqAlloc, viommuAlloc } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";

export type ProbeAnswer =
  | {
      readonly kind: "answered";
      readonly hardware: Hardware;
      /** HW_CAPABILITIES of structs.ts. */
      readonly capabilities: bigint;
      /** Why a virtual IOMMU is refused; undefined: it is not, or there was none to ask for. */
      readonly nestingRefusal: string | undefined;
      /** Its virtual IOMMU has a queue of events (vEVENTQ): without one nobody is told faults that do not stall. */
      readonly hasEvents: boolean;
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
  if (hardware.kind !== "smmuv3") {
    return { kind: "answered", hardware, capabilities, nestingRefusal: undefined, hasEvents: false };
  }
  return { kind: "answered", hardware, capabilities, ...(await askForGuests(iommufd, device)) };
}

/** What a guest would get here. */
async function askForGuests(
  iommufd: KernelFile,
  device: number,
): Promise<{ readonly nestingRefusal: string | undefined; readonly hasEvents: boolean }> {
  let viommu: number;
  try {
    const ioas = await ioasAlloc(iommufd);
    const parent = await hwptAlloc(iommufd, device, { kind: "nest_parent", ioas });
    viommu = await viommuAlloc(iommufd, device, parent);
  } catch (error) {
    if (error instanceof BrokerError) return { nestingRefusal: error.message, hasEvents: false };
    throw error;
  }
  return { nestingRefusal: undefined, hasEvents: await hasEventQueue(iommufd, viommu) };
}

async function hasEventQueue(iommufd: KernelFile, viommu: number): Promise<boolean> {
  try {
    const { fd } = await veventqAlloc(iommufd, viommu, 1);
    await iommufd.kernel.close(fd); // it would keep what the iommufd has
    return true;
  } catch (error) {
    if (error instanceof BrokerError) return false;
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
