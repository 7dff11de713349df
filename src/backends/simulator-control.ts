// What the Simulator service may ask of the simulated backend. Interface only: sim implements it, daemon.ts hands it
// to rpc/simulator-service.ts, and nobody else sees it.

import type { AddressSpaceHandle } from "./backend.ts";
import type { DeviceID } from "./ids.ts";
import type { HostDevice } from "./inventory.ts";

export interface SimulatedAccess {
  readonly iova: bigint;
  readonly substreamID: number | undefined;
  readonly privileged: boolean;
  readonly streamIndex: number;
}

export type SimulatedDma = SimulatedAccess &
  ({ readonly kind: "read"; readonly bytes: number } | { readonly kind: "write"; readonly data: Uint8Array });

export type TransactionEnd = "ok" | "abort" | "raz-wi" | "bus-error" | "stalled";

export interface DmaOutcome {
  readonly end: TransactionEnd;
  readonly bytesDone: number;
  /** Empty for a write. */
  readonly data: Uint8Array;
}

export interface TranslationOutcome {
  readonly end: TransactionEnd;
  readonly pa: number;
  /** 0: bypass. */
  readonly pageBytes: number;
  readonly ipa: number | undefined;
  readonly bypass: boolean;
  /** "Normal-iWB-oWB" or "Device-nGnRE", and "NSH", "ISH" or "OSH"; undefined unless it was translated. */
  readonly attributes: { readonly memoryType: string; readonly shareability: string } | undefined;
  readonly fault:
    | {
        readonly type: string;
        readonly stage: 1 | 2 | undefined;
        readonly class: "CD" | "TTD" | "IN" | undefined;
        readonly ipa: number | undefined;
        readonly fetchAddress: number | undefined;
      }
    | undefined;
  readonly recorded: boolean;
}

export interface RawStructures {
  readonly streamID: number;
  readonly ste: readonly bigint[];
  /** Empty when no context descriptor can be reached. */
  readonly cd: readonly bigint[];
  readonly registers: readonly { readonly name: string; readonly offset: number; readonly value: bigint }[];
  readonly windows: readonly { readonly path: string; readonly pa: number; readonly bytes: number }[];
}

/** An interrupt message: a device's write to the host's MSI window. */
export interface Msi {
  /** From 1 since the device was attached or reset. */
  readonly sequence: number;
  readonly streamID: number;
  /** 32 bits. */
  readonly data: number;
  /** Where in the window. */
  readonly ipa: number;
}

export interface MsiLog {
  /** Since the device was attached or reset, those pushed out included. */
  readonly total: number;
  /** The latest, oldest first. */
  readonly msis: readonly Msi[];
  /** Where stage 2 leads the window. */
  readonly doorbell: { readonly ipa: number; readonly pa: number; readonly bytes: number };
}

export interface SimulatorControl {
  addDevice(device: HostDevice): void;
  removeDevice(device: DeviceID): Promise<void>;
  /**
   * In order; yields to the event loop between chunks, so a long batch delays nobody. What stalls, or asks for its page, waits for
   * respondToFault, or for the stage to change.
   */
  dma(device: DeviceID, accesses: readonly SimulatedDma[]): Promise<readonly DmaOutcome[]>;
  /** What stalls is "stalled" at once, and waits in the SMMU like any other. */
  translate(
    device: DeviceID,
    accesses: readonly (SimulatedAccess & { readonly access: "read" | "write" | "execute" })[],
  ): Promise<readonly TranslationOutcome[]>;
  structures(
    device: DeviceID,
    streamIndex: number,
    substreamID: number,
    space: AddressSpaceHandle | undefined,
  ): RawStructures;
  msis(device: DeviceID): MsiLog;
}
