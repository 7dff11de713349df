// A function-level reset through VFIO, which takes whatever the device and its slot have (FLR, power states, the bus).
// Source: Linux drivers/vfio/pci/vfio_pci_core.c (VFIO_DEVICE_RESET), linux/vfio.h.

import type { ResetOutcome } from "../backend.ts";
import { BrokerError } from "../errors.ts";
import { type KernelFile, vfioDeviceInfo, vfioReset } from "./ioctl.ts";
import { VFIO_DEVICE_FLAGS } from "./structs.ts";

const ABSENT = "the kernel knows no reset for it (VFIO_DEVICE_FLAGS_RESET is clear)";

/** @param cdev  bound */
export async function resetDevice(cdev: KernelFile): Promise<ResetOutcome> {
  try {
    const { flags } = await vfioDeviceInfo(cdev);
    if (flags % (2 * VFIO_DEVICE_FLAGS.RESET) < VFIO_DEVICE_FLAGS.RESET) return { kind: "absent", reason: ABSENT };
    await vfioReset(cdev);
    return { kind: "done" };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return { kind: error.code === "backend_unsupported" ? "absent" : "failed", reason: error.message };
  }
}
