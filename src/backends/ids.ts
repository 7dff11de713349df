// Branded identifiers and their checked constructors: a StreamID is never passed where a SubstreamID belongs.
// Bounds: StreamID 32 bits (IDR1.SIDSIZE), SubstreamID 20 bits (IDR1.SSIDSIZE), IOVA 64 bits.

import { BrokerError } from "./errors.ts";

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** A StreamID of the host, 0 … 2^32 - 1. */
export type StreamID = Branded<number, "StreamID">;
/** A StreamID as a guest numbers it, 0 … 2^32 - 1. */
export type VirtualStreamID = Branded<number, "VirtualStreamID">;
/** A SubstreamID (PASID), 0 … 2^20 - 1. */
export type SubstreamID = Branded<number, "SubstreamID">;
/** Name of a device within this host: a PCI address, or what the simulator was told. 1…63 characters. */
export type DeviceID = Branded<string, "DeviceID">;
/** Name of a host IOMMU, 1…63 characters. */
export type IommuID = Branded<string, "IommuID">;
/** The host's number of an IOMMU group, 0 … 2^31 - 1. */
export type GroupID = Branded<number, "GroupID">;
/** An input address, 64 bits, exactly as the device gave it. */
export type IOVA = Branded<bigint, "IOVA">;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$/;

export function streamID(value: number): StreamID {
  return checked(value, 32, "StreamID") as StreamID;
}

export function virtualStreamID(value: number): VirtualStreamID {
  return checked(value, 32, "virtual StreamID") as VirtualStreamID;
}

export function substreamID(value: number): SubstreamID {
  return checked(value, 20, "SubstreamID") as SubstreamID;
}

export function groupID(value: number): GroupID {
  return checked(value, 31, "IOMMU group") as GroupID;
}

export function deviceID(value: string): DeviceID {
  return checkedName(value, "device") as DeviceID;
}

export function iommuID(value: string): IommuID {
  return checkedName(value, "IOMMU") as IommuID;
}

export function iova(value: bigint): IOVA {
  if (value < 0n || value >> 64n !== 0n) throw outOfRange("IOVA", `0x${value.toString(16)}`, 64);
  return value as IOVA;
}

function checked(value: number, bits: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** bits) throw outOfRange(what, String(value), bits);
  return value;
}

function checkedName(value: string, what: string): string {
  if (NAME.test(value)) return value;
  const shown = JSON.stringify(value.slice(0, 80));
  throw new BrokerError(
    "argument_invalid",
    `${what} id ${shown} must be 1 to 63 of A-Z a-z 0-9 . _ : - and begin with a letter or digit`,
    { value: shown },
  );
}

function outOfRange(what: string, value: string, bits: number): BrokerError {
  return new BrokerError("argument_invalid", `${what} ${value} does not fit ${bits} bits`, { value, bits });
}
