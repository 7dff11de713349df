// What the backend contract is tried on: a backend, and means to see what it did. A means that a subject has not is absent,
// and with it the cases that need it.

import type { Backend } from "../../src/backends/backend.ts";
import type { GuestMemoryFile } from "../../src/backends/guest-memory.ts";
import type { DeviceID, GroupID } from "../../src/backends/ids.ts";
import type { HostDevice } from "../../src/backends/inventory.ts";
import type { Scene } from "./scene.ts";

/** Guest memory, zeroed at first, with the number of those who hold it. */
export interface ContractFile extends GuestMemoryFile {
  readonly references: number;
  /** Stores a doubleword, as a CPU of the guest would. */
  poke(offset: number, value: bigint): void;
}

export interface Means {
  /** The 8 doublewords of a device's STE, in memory where the SMMU reads it. */
  readonly streamTable?: (device: DeviceID) => Promise<readonly bigint[]>;
  /** An access of the device to memory that it may read and write; "ok" where it came to guest memory, anything else where not. */
  readonly dma?: (device: DeviceID, iova: number) => Promise<string>;
  /** A group of several devices behind the same IOMMU as `single`. */
  readonly group?: { readonly id: GroupID; readonly members: readonly DeviceID[] };
  /** A device whose faults of stage 1 stall, if its guest's CD says so. */
  readonly stalls?: HostDevice;
  /** A preview has the host's STE. */
  readonly hostPreview?: true;
  /** Faults of the host's stage 2 are told to the broker. */
  readonly stage2Faults?: true;
}

export type Need = keyof Means;

export const ALL_NEEDS: readonly Need[] = ["streamTable", "dma", "group", "stalls", "hostPreview", "stage2Faults"];

export interface ContractSubject {
  readonly backend: Backend;
  /** Two devices with groups of their own and one StreamID each, behind one IOMMU. */
  readonly single: HostDevice;
  readonly other: HostDevice;
  readonly means: Means;
  file(bytes: number): ContractFile;
  /** Lets faults arrive: until it is enough, and else as long as one could be on its way. */
  settle(isEnough?: () => boolean): Promise<void>;
  /** After the backend was closed. */
  end(): Promise<void>;
}

/** Why a subject has not a means, and whether it could be seen to have it after all: then the reason does not hold any more. */
export interface Lack {
  /** Of the machine or the kernel. */
  readonly capability: string;
  /** Absent: the subject is made so, and nothing could show it. */
  readonly isThere?: (scene: Scene) => boolean | Promise<boolean>;
}

export type Lacks = Readonly<Partial<Record<Need, Lack>>>;

export type MakeSubject = () => Promise<ContractSubject>;
