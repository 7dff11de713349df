// Faults as both backends speak them: one decoded record with the device it belongs to, and what waits for an answer.

import type { DeviceID, VirtualStreamID } from "./ids.ts";

export type FaultClass = "CD" | "TTD" | "IN";

/** Of a record of the page request queue, which has no event number. */
export const PAGE_REQUEST = "PAGE_REQUEST";

/** What a device that waits is told: the first three a stalled transaction, the others a group of page requests. */
export type FaultAnswer = "retry" | "abort" | "terminate" | "success" | "invalid" | "failure";

/** A stalled transaction, or a group of page requests, that waits for an answer. */
export interface PendingFault {
  readonly kind: "stall" | "page-request";
  /** The backend's name for it, unique among all that wait of the device; opaque. */
  readonly cookie: number;
  /** Of a stall: its tag, 16 bits, as in the record. */
  readonly stag: number | undefined;
}

/** A device's request for a page. Source: IHI 0070G.b chapter 8. */
export interface PageRequestFacts {
  /** 4 KiB aligned, 64 bits. */
  readonly address: bigint;
  /** 9 bits. */
  readonly groupIndex: number;
  readonly last: boolean;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly privileged: boolean;
}

/** One record of an event queue or a page request queue. Field positions: IHI 0070G.b §7.3, §8.1; src/spec/events.ts. */
export interface FaultRecord {
  readonly device: DeviceID;
  /** The guest's StreamID of the device, absent when it has none. */
  readonly virtualStreamID: VirtualStreamID | undefined;
  readonly substreamID: number | undefined;
  /** Event name, verbatim: "C_BAD_CD"; or PAGE_REQUEST. */
  readonly type: string;
  /** 0: a page request. */
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
  /** Stage 2's, or of a structure of the host: no event of the guest's. */
  readonly hostOnly: boolean;
  /** Set: the device waits for respondToFault. */
  readonly pending: PendingFault | undefined;
  readonly pageRequest: PageRequestFacts | undefined;
  /** 32 bytes in the guest's terms: the virtual StreamID, or 0 while it has none, and a guest physical FetchAddr. 16 of a page request. */
  readonly record: Uint8Array;
}

/** What a backend tells its one listener. */
export type FaultNotice =
  | { readonly kind: "fault"; readonly fault: FaultRecord }
  /** The hardware ended what waited, without an answer: the stage was changed, or the device reset. */
  | { readonly kind: "ended"; readonly device: DeviceID; readonly cookie: number }
  /** The hardware queue overflowed: an unknown number of events is lost, of any device behind this IOMMU. */
  | { readonly kind: "overflow"; readonly devices: readonly DeviceID[] };

/** Something rare that an operator should read in the log. */
export interface Notice {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}
