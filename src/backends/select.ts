// From the backend's name in the configuration to the backend, and what a host is examined with. Imported by daemon.ts and
// daemon/ only.
// "auto" is the native one where it works. Where it does not, nothing is guessed: hardware that is simulated without having
// been asked for would be a broker that confines nobody's devices.

import type { Backend } from "./backend.ts";
import type { StandIns } from "./device-descriptors.ts";
import { BrokerError } from "./errors.ts";
import type { Notice } from "./faults.ts";
import { type NativeSettings, type NativeSystem, startNativeHost } from "./iommufd/native-host.ts";
import { createSimulatedBackend } from "./sim/backend.ts";
import type { SimulatedConfig } from "./sim/inventory.ts";
import type { SimulatorControl } from "./simulator-control.ts";

export type { Notice } from "./faults.ts";
export { examineHost, exitCodeOf } from "./iommufd/doctor.ts";
export { counterFindings } from "./iommufd/doctor-counters.ts";
export { askingProbe } from "./iommufd/doctor-hardware.ts";
export { HOST_ROOTS } from "./iommufd/host-files.ts";
export type { NativeSettings, NativeSystem } from "./iommufd/native-host.ts";
export { deviceProbe } from "./iommufd/probe.ts";

export interface BackendSelection {
  readonly backend: Backend;
  /** Present with the simulated backend. */
  readonly simulator: SimulatorControl | undefined;
  /** Which it is, and why. */
  readonly chosen: Notice;
  /** Closes the backend, and gives the host back what was taken of it. */
  stop(): Promise<void>;
}

export interface BackendConfig {
  readonly backend: "simulated" | "iommufd" | "auto";
  readonly simulated: SimulatedConfig;
  readonly native: NativeSettings;
}

/**
 * @param system    asked for only where the native backend is wanted
 * @param standIns  what the simulated backend hands out; undefined: nothing
 * @throws BrokerError backend_unavailable where the native backend is wanted and does not work, with the remedy
 */
export async function selectBackend(
  config: BackendConfig,
  system: () => NativeSystem,
  standIns: StandIns | undefined,
): Promise<BackendSelection> {
  if (config.backend === "simulated") {
    const simulated = createSimulatedBackend(config.simulated, standIns);
    const facts = { backend: "simulated", reason: "the configuration says so, or nothing else" };
    const chosen = {
      level: "info",
      message: "the IOMMUs are simulated: no device of this host is touched",
      facts,
    } as const;
    return { backend: simulated, simulator: simulated, chosen, stop: () => simulated.close() };
  }
  if (config.native.bindDevices.length > 0 && system().notes === undefined) {
    const why = "native.bind_devices needs state_directory, to remember which driver a device had: set one";
    throw new BrokerError("backend_unavailable", why);
  }
  return await native(config, system());
}

async function native(
  { backend: wanted, native: settings }: BackendConfig,
  system: NativeSystem,
): Promise<BackendSelection> {
  const isAuto = wanted === "auto";
  const host = await startNativeHost(system, settings).catch((error: unknown) => {
    throw isAuto && error instanceof BrokerError ? refused(error.message) : error;
  });
  const { backend } = host;
  const devices = backend.inventory.devices().length;
  if (isAuto && devices === 0) {
    await host.stop();
    throw refused("no device is bound to vfio-pci: bind one, or name it in native.bind_devices");
  }
  const facts = {
    backend: "iommufd",
    devices,
    iommus: backend.inventory.iommus().length,
    reason: isAuto ? "backend is auto, and iommufd works here" : "the configuration says so",
  };
  const chosen = { level: "info", message: "the IOMMUs are this host's, by iommufd", facts } as const;
  return { backend, simulator: undefined, chosen, stop: () => host.stop() };
}

function refused(why: string): BrokerError {
  const remedy = "mend that, or ask for simulated IOMMUs with backend: simulated";
  return new BrokerError(
    "backend_unavailable",
    `backend is auto, and the native one does not work here: ${why}; ${remedy}`,
  );
}
