// The host as the native backend finds and keeps it: devices that the configuration names are bound to vfio-pci, what is
// there is looked at, now and whenever something comes or goes, and at the end everything goes back.

import type { DeviceID, IommuID } from "../ids.ts";
import { createNativeBackend, type NativeBackend } from "./backend.ts";
import { scanHost } from "./devices.ts";
import { examineHost } from "./doctor.ts";
import { counterFindings } from "./doctor-counters.ts";
import { DriverBinding, type DriverNotes } from "./driver-binding.ts";
import type { HostFiles, HostRoots } from "./host-files.ts";
import { startHotplug, type WatchDirectory } from "./hotplug.ts";
import { NativeInventory } from "./inventory.ts";
import type { Kernel } from "./kernel.ts";
import type { PerfEvents } from "./perf-events.ts";
import { findPmcgs, PmcgCounters } from "./pmcg.ts";
import { deviceProbe } from "./probe.ts";

/** What the native backend needs of the system it runs on. */
export interface NativeSystem {
  readonly kernel: Kernel;
  readonly files: HostFiles;
  readonly roots: HostRoots;
  readonly watch: WatchDirectory;
  /** Undefined: the SMMUs' own counters are not read. */
  readonly perf?: PerfEvents;
  /** Undefined: there is no state directory. */
  readonly notes: DriverNotes | undefined;
  /** Whose permissions the examination speaks of. */
  readonly uid: number;
  readonly onBug: (error: unknown) => void;
}

export interface NativeSettings {
  /** Bound to vfio-pci for as long as the daemon runs. */
  readonly bindDevices: readonly DeviceID[];
  /** VT-d's first-stage tables are bound, unverified. */
  readonly experimentalVtdNesting: boolean;
}

export interface NativeHost {
  readonly backend: NativeBackend;
  /** Closes the backend, then gives the devices back to their drivers. */
  stop(): Promise<void>;
}

const GATHER_MS = 100;
const POLL_MS = 5000;

/** @throws BrokerError with the remedy where the kernel has no iommufd for us; every device is then where it was */
export async function startNativeHost(system: NativeSystem, settings: NativeSettings): Promise<NativeHost> {
  const { files, kernel, onBug, roots, watch } = system;
  const binding = system.notes && new DriverBinding({ files, roots, notes: system.notes });
  const failures: Error[] = [];
  if (binding !== undefined) failures.push(...(await takeAll(binding, settings.bindDevices)));
  const inventory = new NativeInventory(await scanHost(files, roots));
  const probe = deviceProbe(kernel, roots);
  const counting = await counterFindings(files, roots, system.perf);
  const counters = system.perf && PmcgCounters.open(system.perf, await findPmcgs(files, roots));
  let backend: NativeBackend;
  try {
    const experiments = { vtdNesting: settings.experimentalVtdNesting };
    backend = await createNativeBackend({ kernel, inventory, probe, experiments, ...(counters && { counters }) });
  } catch (error) {
    counters?.close();
    await binding?.giveBackAll();
    throw error;
  }
  for (const { message } of failures) backend.tell({ level: "error", message, facts: {} });
  const examine = async (): Promise<void> => {
    const probe = async (iommu: IommuID) => ({ kind: "answered", facts: inventory.factsOf(iommu) }) as const; // asked before
    inventory.tellFindings(await examineHost({ files, roots, uid: system.uid, probe, counters: counting }));
  };
  await examine();
  const rescan = async (): Promise<void> => {
    inventory.update(await scanHost(files, roots));
    await backend.probe();
    await examine();
  };
  const hotplug = startHotplug({ files, roots, watch, rescan, onBug, gatherMs: GATHER_MS, pollMs: POLL_MS });
  return {
    backend,
    stop: async () => {
      await hotplug.stop();
      await backend.close();
      for (const { message } of (await binding?.giveBackAll()) ?? []) {
        backend.tell({ level: "error", message, facts: {} });
      }
    },
  };
}

/** One that cannot be taken is told, and is no reason to serve nobody. */
async function takeAll(binding: DriverBinding, devices: readonly DeviceID[]): Promise<Error[]> {
  const failures: Error[] = [...(await binding.recover(new Set(devices)))];
  for (const device of devices) {
    await binding.take(device).catch((error: unknown) => {
      if (!(error instanceof Error)) throw error;
      failures.push(error);
    });
  }
  return failures;
}
