// The kernel's side of driver_override, unbind and drivers_probe over a made-up sysfs: what a write there brings about.

import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { HostFiles } from "../../src/backends/iommufd/host-files.ts";
import { hostFiles } from "../../src/os/host-files.ts";
import type { FakeSysfs } from "./fake-sysfs.ts";

export class DriverCore {
  /** Which driver takes a device that has no override. */
  readonly natural = new Map<string, string>();
  /** Drivers that do not take anything. */
  readonly refusing = new Set<string>();
  /** The errno of the next writes to paths that end so. */
  readonly errnos = new Map<string, string>();
  readonly writes: string[] = [];
  readonly #sysfs: FakeSysfs;

  constructor(sysfs: FakeSysfs) {
    this.#sysfs = sysfs;
  }

  get files(): HostFiles {
    return { ...hostFiles, write: (path, text) => this.#write(path, text) };
  }

  driverOf(id: string): Promise<string | undefined> {
    return hostFiles.linkName(`${this.#sysfs.roots.sys}/bus/pci/devices/${id}/driver`);
  }

  overrideOf(id: string): string {
    return readFileSync(`${this.#sysfs.roots.sys}/bus/pci/devices/${id}/driver_override`, "utf8").trim();
  }

  async #write(path: string, text: string): Promise<string | undefined> {
    const errno = [...this.errnos].find(([end]) => path.endsWith(end))?.[1];
    if (errno !== undefined) return errno;
    this.writes.push(`${basename(path)} ${text.trim()}`);
    if (path.endsWith("/driver_override")) {
      writeFileSync(path, `${text.trim() === "" ? "(null)" : text}\n`); // as driver_set_override has it
    } else if (path.endsWith("/unbind")) {
      if ((await this.driverOf(text)) !== basename(dirname(path))) return "ENODEV";
      this.#sysfs.drive(text, undefined);
    } else if ((await this.driverOf(text)) === undefined) {
      const override = this.overrideOf(text);
      const driver = override === "(null)" ? this.natural.get(text) : override;
      if (driver !== undefined && !this.refusing.has(driver)) {
        this.#sysfs.drive(text, driver, driver === "vfio-pci" ? "vfio0" : undefined);
      }
    }
    return undefined;
  }
}
