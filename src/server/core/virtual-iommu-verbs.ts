// What the edge may ask about virtual IOMMUs: their life, one mode for all devices, a guest's invalidations.
// virtual-iommu.ts answers.

import type { PlainStage } from "../../backends/backend.ts";
import type { BrokerError } from "../../backends/errors.ts";
import type { DeviceID, IommuID } from "../../backends/ids.ts";
import type { IdRegisters } from "../../backends/inventory.ts";
import type { CallGate } from "./call-gate.ts";
import type { VirtualIommuView } from "./views.ts";

export interface ModeResult {
  readonly device: DeviceID;
  readonly error: BrokerError | undefined;
  readonly generation: number;
}

export interface VirtualIommuVerbs {
  create(
    session: string,
    request: { addressSpace: string; iommus: readonly IommuID[]; registers: IdRegisters | undefined },
    gate?: CallGate,
  ): Promise<VirtualIommuView>;
  remove(session: string, virtualIommu: string, gate?: CallGate): Promise<void>;
  setMode(session: string, virtualIommu: string, mode: PlainStage, gate?: CallGate): Promise<readonly ModeResult[]>;
  /** Commands as raw doublewords with virtual StreamIDs; validated as a whole first. Returns how many were executed. */
  invalidate(
    session: string,
    virtualIommu: string,
    commands: readonly { dword0: bigint; dword1: bigint }[],
    gate?: CallGate,
  ): Promise<number>;
}
