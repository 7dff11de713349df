// Finds the machine's edu devices and gives them to vfio-pci.
// Source: Linux, Documentation/driver-api/vfio.rst, Documentation/ABI/testing/sysfs-bus-pci.

import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { GuestDevice } from "../kernel-case.ts";

const DEVICES = "/sys/bus/pci/devices";
/** Source: QEMU, docs/specs/edu.rst. */
const EDU = { vendor: "0x1234", device: "0x11e8" } as const;

/** In the order of their addresses. */
export function bindEduDevices(): GuestDevice[] {
  return readdirSync(DEVICES).filter(isEdu).sort().map(bindToVfio);
}

function isEdu(address: string): boolean {
  const attribute = (name: string): string => readFileSync(join(DEVICES, address, name), "utf8").trim();
  return attribute("vendor") === EDU.vendor && attribute("device") === EDU.device;
}

/** Undefined: nothing drives it. */
export function driverOf(address: string): string | undefined {
  const link = join(DEVICES, address, "driver");
  return existsSync(link) ? basename(readlinkSync(link)) : undefined;
}

/** As a device is that nobody has asked for yet. */
export function unbindFromVfio(address: string): void {
  writeFileSync(join(DEVICES, address, "driver_override"), "\n");
  writeFileSync("/sys/bus/pci/drivers/vfio-pci/unbind", address);
}

export function bindToVfio(address: string): GuestDevice {
  const path = join(DEVICES, address);
  writeFileSync(join(path, "driver_override"), "vfio-pci");
  writeFileSync("/sys/bus/pci/drivers_probe", address);
  const [name] = readdirSync(join(path, "vfio-dev"));
  if (name === undefined) throw new Error(`${address} has no node below vfio-dev`);
  return { address, cdev: `/dev/vfio/devices/${name}` };
}
