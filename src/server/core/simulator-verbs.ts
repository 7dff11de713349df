// What the edge may ask of the simulated hardware. simulator-gate.ts answers.

import type { DeviceID } from "../../backends/ids.ts";
import type { HostDevice } from "../../backends/inventory.ts";
import type {
  DmaOutcome,
  MsiLog,
  RawStructures,
  SimulatedAccess,
  SimulatedDma,
  TranslationOutcome,
} from "../../backends/simulator-control.ts";
import type { CallGate } from "./call-gate.ts";

/** The Simulator service's verbs, each checked for ownership first. Only with the simulated backend. */
export interface SimulatorVerbs {
  addDevice(session: string, device: HostDevice): void;
  removeDevice(session: string, device: DeviceID, gate?: CallGate): Promise<void>;
  dma(session: string, device: DeviceID, accesses: readonly SimulatedDma[]): Promise<readonly DmaOutcome[]>;
  translate(
    session: string,
    device: DeviceID,
    accesses: readonly (SimulatedAccess & { readonly access: "read" | "write" | "execute" })[],
  ): Promise<readonly TranslationOutcome[]>;
  readMemory(session: string, addressSpace: string, ipa: bigint, bytes: number): Uint8Array;
  writeMemory(session: string, addressSpace: string, ipa: bigint, data: Uint8Array): void;
  structures(session: string, device: DeviceID, streamIndex: number, substreamID: number): RawStructures;
  msis(session: string, device: DeviceID): MsiLog;
}
