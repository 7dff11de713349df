// What an IOMMU says of itself: asked through a device that nobody uses, which is ours for that moment.
// Registers do not tell whether the kernel nests (firmware, errata, the kernel's configuration): that is tried, on an
// address space without memory that is gone again when this returns.
// Source: Linux drivers/iommu/iommufd/device.c (iommufd_get_hw_info), arm_smmu_get_viommu_size.

import { BrokerError } from "../errors.ts";
import type { HostDevice } from "../inventory.ts";
import { BoundDevice } from "./bound-device.ts";
import { decodeHwInfo, iommuFacts } from "./hw-info.ts";
import type { IommuFacts } from "./inventory.ts";
import { destroy, getHwInfo, hwptAlloc, ioasAlloc, type KernelFile, viommuAlloc } from "./ioctl.ts";
import type { OnNotice } from "./undo.ts";
import { Undo } from "./undo.ts";

export interface Probed {
  readonly device: HostDevice;
  readonly node: string;
  /** An iommufd of the broker's own. */
  readonly file: KernelFile;
  readonly allowsVtd: boolean;
  readonly onNotice: OnNotice;
}

/** @throws BrokerError when the device cannot be had or the kernel does not answer */
export async function probeIommu({ allowsVtd, device, file, node, onNotice }: Probed): Promise<IommuFacts> {
  const bound = await BoundDevice.bind(file.kernel, device, node, file.fd);
  try {
    const hardware = decodeHwInfo(getHwInfo(file, bound.object));
    const refusal = hardware.kind === "smmuv3" ? await refusalOf(file, bound.object, onNotice) : undefined;
    return iommuFacts(hardware, { refusal, allowsVtd });
  } finally {
    await bound.close();
  }
}

/** Why the kernel gives no vIOMMU here; undefined: it does. */
async function refusalOf(file: KernelFile, device: number, onNotice: OnNotice): Promise<string | undefined> {
  const made = new Undo(onNotice);
  const keep = (id: number): number => {
    made.add(() => destroy(file, id));
    return id;
  };
  try {
    const ioas = keep(await ioasAlloc(file));
    const parent = keep(await hwptAlloc(file, device, { kind: "nest_parent", ioas }));
    keep(await viommuAlloc(file, device, parent));
    return undefined;
  } catch (error) {
    if (error instanceof BrokerError && error.code === "backend_unsupported") return error.message;
    throw error;
  } finally {
    await made.takeBack();
  }
}
