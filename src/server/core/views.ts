// What core tells the outside about its records: plain, frozen, without secrets. rpc/convert.ts turns them into messages.

import type { DeviceID, GroupID, IommuID, StreamID, VirtualStreamID } from "../../backends/ids.ts";
import type { IdRegisters } from "../../backends/inventory.ts";
import type { VSTE } from "../../backends/vste.ts";
import type { StageState } from "./stage-state.ts";

export interface SessionView {
  readonly id: string;
  readonly displayName: string;
  readonly ttlMs: number;
}

export interface DeviceView {
  readonly id: DeviceID;
  readonly iommu: IommuID;
  readonly group: GroupID;
  readonly groupDevices: readonly DeviceID[];
  readonly streamIDs: readonly StreamID[];
  readonly state: StageState;
  readonly generation: number;
  readonly attached: boolean;
  readonly owner: SessionView | undefined;
  readonly virtualIommu: string | undefined;
  readonly virtualStreamID: VirtualStreamID | undefined;
  /** The guest STE in force; undefined while the group has no owner. */
  readonly vste: VSTE | undefined;
}

export type Pinning = "eager" | "on-first-bind";

export interface AddressSpaceView {
  readonly id: string;
  readonly pinning: Pinning;
  readonly populated: boolean;
  readonly mappingCount: number;
  readonly mappedBytes: number;
  /** Labels of memory that was passed as a descriptor before a restart and has not been presented again. */
  readonly missing: readonly string[];
}

export interface VirtualIommuView {
  readonly id: string;
  readonly addressSpace: string;
  readonly registers: IdRegisters;
  readonly iommus: readonly IommuID[];
  readonly devices: readonly DeviceID[];
}

/** What the broker holds, counted for a scrape. */
export interface Census {
  readonly sessions: number;
  readonly addressSpaces: number;
  readonly virtualIommus: number;
  readonly mappedBytes: number;
  readonly devices: readonly {
    readonly id: DeviceID;
    readonly iommu: IommuID;
    readonly state: StageState;
    readonly generation: number;
    readonly attached: boolean;
  }[];
  readonly faults: FaultCensus;
}

export interface FaultCensus {
  /** Events that had no owner to go to. */
  readonly unrouted: number;
  /** Events pushed out of a ring before a subscriber took them. */
  readonly overrun: number;
  readonly subscribers: number;
}
