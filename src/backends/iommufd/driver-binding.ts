// Gives devices to vfio-pci and back, for those that the configuration names (native.bind_devices) and no others.
// Before a device is touched, a note in the state directory says which driver and which override it had: a daemon that died
// in between finds it at its next start, so nothing else has to be journaled. The note goes when the device is back.
// Every step that fails is undone and told with the remedy; a device that is where it should be is left alone.
// Source: Linux Documentation/ABI/testing/sysfs-bus-pci (driver_override, drivers_probe), sysfs-bus-pci drivers' unbind.

import { BrokerError } from "../errors.ts";
import type { DeviceID } from "../ids.ts";
import { type HostFiles, type HostRoots, readText } from "./host-files.ts";

const VFIO_PCI = "vfio-pci";
const PCI_ADDRESS = /^[\da-f]{4,8}:[\da-f]{2}:[01][\da-f]\.[0-7]$/;
const DRIVER_NAME = /^[\w.+-]{1,63}$/;
/** What driver_override reads as when there is none, and what takes one away. */
const NO_OVERRIDE = "(null)";
const CLEAR_OVERRIDE = "\n";

/** What a device was before it was taken. */
export interface DriverNote {
  readonly device: DeviceID;
  /** Undefined: nothing drove it. */
  readonly driver: string | undefined;
  /** Undefined: there was none. */
  readonly override: string | undefined;
}

/** Where notes outlive the daemon: one for each device, written to the disk before they resolve. */
export interface DriverNotes {
  read(): Promise<readonly DriverNote[]>;
  write(note: DriverNote): Promise<void>;
  remove(device: DeviceID): Promise<void>;
}

export interface DriverBindingDeps {
  readonly files: HostFiles;
  readonly roots: HostRoots;
  readonly notes: DriverNotes;
}

export class DriverBinding {
  readonly #deps: DriverBindingDeps;
  readonly #taken = new Map<DeviceID, DriverNote>();

  constructor(deps: DriverBindingDeps) {
    this.#deps = deps;
  }

  /**
   * Devices that a daemon before this one took and did not give back. Those that are named again stay as they are and
   * keep their notes; the others are given back.
   * @returns what could not be given back
   */
  async recover(named: ReadonlySet<DeviceID>): Promise<readonly BrokerError[]> {
    for (const note of await this.#deps.notes.read()) this.#taken.set(note.device, note);
    const failures: BrokerError[] = [];
    for (const device of [...this.#taken.keys()].filter((id) => !named.has(id))) {
      const failure = await failureOf(() => this.giveBack(device));
      if (failure !== undefined) failures.push(failure);
    }
    return failures;
  }

  /**
   * Binds a device to vfio-pci. One that is there already stays, and is not given back later, for it was not taken here.
   * @throws BrokerError with what failed and the remedy; the device is as it was
   */
  async take(device: DeviceID): Promise<void> {
    const path = this.#pathOf(device);
    const { files, notes } = this.#deps;
    if ((await files.linkName(`${path}/subsystem`)) === undefined) {
      throw new BrokerError("device_unknown", `${device} is not on this host's PCI bus: take it out of bind_devices`, {
        device,
      });
    }
    const driver = await files.linkName(`${path}/driver`);
    if (driver === VFIO_PCI) return;
    const override = overrideOf(await readText(files, `${path}/driver_override`));
    const note = this.#taken.get(device) ?? { device, driver, override };
    await notes.write(note);
    this.#taken.set(device, note);
    try {
      await this.#put(device, { override: VFIO_PCI, from: driver, probes: true });
      await this.#expectDriver(device, VFIO_PCI);
    } catch (error) {
      const undone = await failureOf(() => this.giveBack(device));
      if (undone === undefined || !(error instanceof BrokerError)) throw error;
      throw new BrokerError(error.code, `${error.message}; and ${undone.message}`, error.facts, { cause: undone });
    }
  }

  /**
   * Gives a device back to the driver it had; does nothing for one that was not taken here. A device that somebody else
   * has bound elsewhere meanwhile, or removed, is no longer ours to move.
   * @throws BrokerError when its driver does not take it again; its note stays
   */
  async giveBack(device: DeviceID): Promise<void> {
    const note = this.#taken.get(device);
    if (note === undefined) return;
    const { files, notes } = this.#deps;
    const path = this.#pathOf(device);
    if ((await files.linkName(`${path}/subsystem`)) !== undefined) {
      const now = await files.linkName(`${path}/driver`);
      const override = overrideOf(await readText(files, `${path}/driver_override`));
      // Driven by nothing, with its override back: an earlier try ended before its driver took it.
      const isHalfway = now === undefined && override === note.override;
      const isOurs = override === VFIO_PCI || now === VFIO_PCI || isHalfway;
      if (isOurs) {
        const from = now === note.driver ? undefined : now;
        // One that nothing drove stays so: asked, some driver might take it.
        await this.#put(device, { override: note.override, from, probes: note.driver !== undefined });
        if (note.driver !== undefined) await this.#expectDriver(device, note.driver);
      }
    }
    this.#taken.delete(device);
    await notes.remove(device);
  }

  /** take() for those who go on without the device. @returns what failed */
  async tryTake(device: DeviceID): Promise<BrokerError | undefined> {
    return await failureOf(() => this.take(device));
  }

  /** Gives everything back that was taken. @returns what could not be */
  async giveBackAll(): Promise<readonly BrokerError[]> {
    const failures: BrokerError[] = [];
    for (const device of [...this.#taken.keys()]) {
      const failure = await failureOf(() => this.giveBack(device));
      if (failure !== undefined) failures.push(failure);
    }
    return failures;
  }

  /** Says who may drive it, takes it from who does, and asks the drivers. */
  async #put(
    device: DeviceID,
    { override, from, probes }: { override: string | undefined; from: string | undefined; probes: boolean },
  ): Promise<void> {
    const { roots } = this.#deps;
    await this.#write(device, `${this.#pathOf(device)}/driver_override`, override ?? CLEAR_OVERRIDE);
    if (from !== undefined) await this.#write(device, `${roots.sys}/bus/pci/drivers/${from}/unbind`, device);
    if (probes) await this.#write(device, `${roots.sys}/bus/pci/drivers_probe`, device);
  }

  async #write(device: DeviceID, path: string, text: string): Promise<void> {
    const errno = await this.#deps.files.write(path, text);
    if (errno === undefined) return;
    throw new BrokerError(
      "backend_failed",
      `device ${device}: writing ${path} fails (${errno}): ${REMEDIES[errno] ?? "look into the kernel log"}`,
      { device, path, errno },
    );
  }

  async #expectDriver(device: DeviceID, wanted: string): Promise<void> {
    const { files, roots } = this.#deps;
    const found = await files.linkName(`${this.#pathOf(device)}/driver`);
    if (found === wanted) return;
    const isLoaded = (await files.linkName(`${roots.sys}/bus/pci/drivers/${wanted}/module`)) !== undefined;
    const remedy = isLoaded ? "look into the kernel log" : `load it (modprobe ${wanted}), or look into the kernel log`;
    throw new BrokerError(
      "backend_failed",
      `device ${device} is driven by ${found ?? "nothing"} and not by ${wanted}: ${remedy}`,
      { device, driver: found ?? "", wanted },
    );
  }

  #pathOf(device: DeviceID): string {
    if (!PCI_ADDRESS.test(device)) {
      throw new BrokerError(
        "argument_invalid",
        `bind_devices: ${device} is no PCI address: only PCI devices are bound, written as 0000:01:00.0`,
        { device },
      );
    }
    return `${this.#deps.roots.sys}/bus/pci/devices/${device}`;
  }
}

async function failureOf(verb: () => Promise<void>): Promise<BrokerError | undefined> {
  try {
    await verb();
    return undefined;
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES:
    "run the daemon as root, or with CAP_DAC_OVERRIDE, or bind the device yourself and take it out of bind_devices",
  EPERM: "run the daemon as root, or bind the device yourself and take it out of bind_devices",
  EROFS: "sysfs is mounted read-only here (a container?): bind the device on the host",
  ENOENT: "this kernel has no such file, or the device went away: load vfio-pci, or bind the device yourself",
  ENODEV: "the device or its driver went away meanwhile",
  EBUSY: "its driver does not let go of it: stop what uses it",
};

/** What driver_override says; a name that no driver has is none. */
function overrideOf(text: string | undefined): string | undefined {
  return text === undefined || text === NO_OVERRIDE || !DRIVER_NAME.test(text) ? undefined : text;
}
