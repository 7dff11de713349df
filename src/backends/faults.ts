// Faults as both backends speak them: one decoded event record with the device it belongs to.

import type { DeviceID, VirtualStreamID } from "./ids.ts";

export type FaultClass = "CD" | "TTD" | "IN";

/** One record of an event queue. Field positions: IHI 0070G.b §7.3; see src/spec/events.ts. */
export interface FaultRecord {
  readonly device: DeviceID;
  /** The guest's StreamID of the device, absent when it has none. */
  readonly virtualStreamID: VirtualStreamID | undefined;
  readonly substreamID: number | undefined;
  /** Event name, verbatim: "C_BAD_CD". */
  readonly type: string;
  readonly typeNumber: number;
  readonly stage: 1 | 2 | undefined;
  readonly class: FaultClass | undefined;
  /** The device's address, absent for events that carry none. */
  readonly inputAddress: bigint | undefined;
  /** For stage 2 faults: 4 KiB aligned, below 2^52. */
  readonly ipa: number | undefined;
  /** For F_CD_FETCH and F_WALK_EABT: guest physical; undefined where the fetch was of the host's own structures. */
  readonly fetchAddress: number | undefined;
  /** These three are absent for events that do not carry them. */
  readonly read: boolean | undefined;
  readonly instruction: boolean | undefined;
  readonly privileged: boolean | undefined;
  /** Recorded while a breaking STE update held V=0. */
  readonly transition: boolean;
  /** The 32 bytes in the guest's terms: the virtual StreamID, or 0 while it has none, and a guest physical FetchAddr. */
  readonly record: Uint8Array;
}

/** What a backend tells its one listener. */
export type FaultNotice =
  | { readonly kind: "fault"; readonly fault: FaultRecord }
  /** The hardware queue overflowed: an unknown number of events is lost, of any device behind this IOMMU. */
  | { readonly kind: "overflow"; readonly devices: readonly DeviceID[] };

/** Something rare that an operator should read in the log. */
export interface Notice {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}
