// From the backend's name in the configuration to the backend, and what a host is examined with. Imported by daemon.ts and
// daemon/ only.

import type { Backend } from "./backend.ts";
import { createSimulatedBackend } from "./sim/backend.ts";
import type { SimulatedConfig } from "./sim/inventory.ts";
import type { SimulatorControl } from "./simulator-control.ts";

export { examineHost, exitCodeOf } from "./iommufd/doctor.ts";
export { HOST_ROOTS } from "./iommufd/host-files.ts";

export interface BackendSelection {
  readonly backend: Backend;
  /** Present with the simulated backend. */
  readonly simulator: SimulatorControl | undefined;
}

export function selectBackend(config: {
  readonly backend: "simulated";
  readonly simulated: SimulatedConfig;
}): BackendSelection {
  const simulated = createSimulatedBackend(config.simulated);
  return { backend: simulated, simulator: simulated };
}
