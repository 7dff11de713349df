// A made-up host's /sys, /dev and /proc in a temporary folder, laid out as Linux 7.3 lays them out.
// Devices lie beneath sys/devices; everything else points at them by links, as there.

import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { HostRoots } from "../../src/backends/iommufd/host-files.ts";

export interface FakeDevice {
  readonly id: string;
  readonly group: number;
  readonly iommu?: string;
  readonly bus?: "pci" | "platform";
  readonly driver?: string;
  /** "vfio0": it has that device node. */
  readonly cdev?: string;
  readonly config?: Uint8Array;
  /** The physical function of which it is a virtual one. */
  readonly physfn?: string;
}

/** The line of the MSI window as an Arm kernel prints it. */
export const MSI_LINE = "0x0000000008000000 0x00000000080fffff msi\n";

export class FakeSysfs {
  readonly root = mkdtempSync(join(tmpdir(), "fake-sysfs-"));
  readonly roots: HostRoots = { sys: this.#made("sys"), dev: this.#made("dev"), proc: this.#made("proc") };

  constructor() {
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }));
    this.#made("sys/kernel/iommu_groups");
    this.#made("sys/class/iommu");
  }

  add(device: FakeDevice): void {
    const { bus = "pci", iommu = "smmu3.0x0000000009050000" } = device;
    const path = this.#made(`sys/devices/pci0000:00/${device.id}`);
    this.#made(`sys/devices/platform/arm-smmu-v3.0.auto/iommu/${iommu}`);
    this.link(join(this.root, `sys/devices/platform/arm-smmu-v3.0.auto/iommu/${iommu}`), `sys/class/iommu/${iommu}`);
    this.link(this.#made(`sys/bus/${bus}`), `sys/devices/pci0000:00/${device.id}/subsystem`);
    this.link(join(this.root, `sys/class/iommu/${iommu}`), `sys/devices/pci0000:00/${device.id}/iommu`);
    this.link(path, `sys/bus/${bus}/devices/${device.id}`);
    this.link(path, `sys/kernel/iommu_groups/${device.group}/devices/${device.id}`);
    this.link(
      join(this.root, `sys/kernel/iommu_groups/${device.group}`),
      `sys/devices/pci0000:00/${device.id}/iommu_group`,
    );
    this.write(`sys/kernel/iommu_groups/${device.group}/reserved_regions`, MSI_LINE);
    this.write(`sys/devices/pci0000:00/${device.id}/driver_override`, "(null)\n");
    if (device.config !== undefined) this.write(`sys/devices/pci0000:00/${device.id}/config`, device.config);
    if (device.physfn !== undefined) {
      this.link(
        join(this.root, `sys/devices/pci0000:00/${device.physfn}`),
        `sys/devices/pci0000:00/${device.id}/physfn`,
      );
    }
    this.drive(device.id, device.driver, device.cdev, bus);
  }

  /** As the kernel does when a driver takes a device or lets go of it. */
  drive(id: string, driver: string | undefined, cdev?: string, bus = "pci"): void {
    const path = `sys/devices/pci0000:00/${id}`;
    rmSync(join(this.root, path, "driver"), { force: true });
    rmSync(join(this.root, path, "vfio-dev"), { recursive: true, force: true });
    if (driver !== undefined) {
      this.link(this.#made(`sys/bus/${bus}/drivers/${driver}`), `${path}/driver`);
    }
    if (cdev !== undefined) {
      this.write(`${path}/vfio-dev/${cdev}/dev`, "508:0\n");
      this.write(`dev/vfio/devices/${cdev}`, "");
    }
  }

  remove(id: string, group: number): void {
    unlinkSync(join(this.root, `sys/kernel/iommu_groups/${group}/devices/${id}`));
    renameSync(join(this.root, `sys/devices/pci0000:00/${id}`), join(this.root, `gone-${id}`));
  }

  write(path: string, content: string | Uint8Array): void {
    this.#made(dirname(path));
    writeFileSync(join(this.root, path), content);
  }

  erase(path: string): void {
    rmSync(join(this.root, path));
  }

  link(target: string, path: string): void {
    this.#made(dirname(path));
    rmSync(join(this.root, path), { force: true });
    symlinkSync(target, join(this.root, path));
  }

  #made(path: string): string {
    mkdirSync(join(this.root, path), { recursive: true });
    return join(this.root, path);
  }
}

/**
 * 4 KiB of config space with these extended capabilities, one after the other from 0x100.
 * @param capabilities  id (linux/pci_regs.h PCI_EXT_CAP_ID_*) and the 32 bits after the header
 */
export function configSpace(capabilities: readonly (readonly [id: number, register: number])[]): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  for (const [index, [id, register]] of capabilities.entries()) {
    const at = 0x100 + 0x10 * index;
    const next = index + 1 < capabilities.length ? at + 0x10 : 0;
    view.setUint32(at, id + 0x1_0000 + next * 0x10_0000, true);
    view.setUint32(at + 4, register, true);
  }
  return bytes;
}
