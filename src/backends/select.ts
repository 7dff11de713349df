// From the backend's name in the configuration to the backend. Imported by daemon.ts only.

import type { Backend } from "./backend.ts";
import { createSimulatedBackend } from "./sim/backend.ts";
import type { SimulatedConfig } from "./sim/inventory.ts";
import type { SimulatorControl } from "./simulator-control.ts";

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
