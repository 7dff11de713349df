// What goes into the SMMU and what comes out.
// Source: IHI 0070G.b §3.3.3 (inputs of a transaction), §3.12 (outcomes), §13 (attributes).

import { assert } from "../../spec/assert.ts";
import type { Fault } from "./fault.ts";

export type Access = "read" | "write" | "execute";

/** One device access. An execute is a read with InD=1; writes are always data. */
export interface Transaction {
  /** An integer below 2^32; anything else is a bug of the caller and throws. */
  readonly streamID: number;
  /** An integer below 2^20, likewise. Absent: the transaction has no SubstreamID (SSV=0). */
  readonly substreamID?: number;
  /** An address bus has 64 bits: what is beyond them is not conveyed. */
  readonly iova: bigint;
  readonly access: Access;
  /** The incoming PRIV attribute, before STE.PRIVCFG. */
  readonly privileged: boolean;
  /** PCIe's Translated: the address came from a translation request, and passes without one more (§3.9.1.3). */
  readonly translated?: boolean;
  /**
   * Memory attributes that the interconnect conveys: a MAIR byte in [7:0], SH[1:0] in [9:8]. Absent: it conveys none,
   * and the SMMU takes DEFAULT_ATTRIBUTES.
   */
  readonly attributes?: number;
}

/** What goes out beside the address. Source: §13.1.1. */
export interface MemoryAttributes {
  /** "Device-nGnRE", "Normal-iWB-oNC". */
  readonly memoryType: string;
  readonly shareability: "NSH" | "ISH" | "OSH";
  /** Hints of the cacheable levels, "iRAWAnTR-oRAnWATR"; empty when there is none. */
  readonly allocation: string;
}

/** The result of one transaction. */
export type Outcome =
  | {
      readonly kind: "ok";
      /** The full translated address. */
      readonly pa: number;
      /** Size of the page or block the address lies in; nested: the smaller of the two stages'. 0 when bypassed. */
      readonly pageBytes: number;
      /** Present when stage 2 translated: the address that stage 2 was given. */
      readonly ipa?: number;
      readonly bypass: boolean;
      readonly attributes: MemoryAttributes;
    }
  | {
      readonly kind: "abort" | "raz-wi";
      /** Undefined: terminated without a fault (STE.Config=0b0xx, GBPA). */
      readonly fault: Fault | undefined;
      /** True when a record was written to the Event queue. */
      readonly recorded: boolean;
    }
  | { readonly kind: "stalled"; readonly stag: number; readonly fault: Fault };

/** Who asks; both are checked before anything is looked up, for one that is no such number would be taken for another's. */
export function assertRequester({ streamID, substreamID }: Pick<Transaction, "streamID" | "substreamID">): void {
  if (!isBelow(streamID, 2 ** 32)) assert(false, `StreamID ${streamID} is not an integer from 0 to 2^32 - 1`);
  if (substreamID === undefined || isBelow(substreamID, 2 ** 20)) return;
  assert(false, `SubstreamID ${substreamID} is not an integer from 0 to 2^20 - 1`);
}

function isBelow(value: number, limit: number): boolean {
  return value >= 0 && value < limit && value % 1 === 0;
}

/** An address as 64 wires have it. */
export function busAddress(address: bigint): bigint {
  return BigInt.asUintN(64, address);
}
