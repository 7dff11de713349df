// A client's wish for a mapping against what there is: exact and aligned, within its file and the IPA space, clear of the
// hosts' reserved regions. What is wrong is named by its place in the request.

import { invalidField } from "../../backends/errors.ts";
import { type GuestMapping, type GuestMemoryFile, PAGE_BYTES, writeRefusalOf } from "../../backends/guest-memory.ts";
import type { HostIommu } from "../../backends/inventory.ts";
import { hex } from "../../spec/u64.ts";
import type { MappingRequest } from "./address-space-verbs.ts";

/** Ranges beyond this would not be exact numbers; no IOMMU here reaches it. */
const IPA_END = 1n << 52n;

export interface MappingBounds {
  /** Devices write by calls of this process: they are simulated. */
  readonly writesByCall: boolean;
  readonly ipaBits: number;
  readonly hosts: readonly HostIommu[];
}

export function checkMapping(
  request: MappingRequest,
  path: string,
  files: readonly GuestMemoryFile[],
  bounds: MappingBounds,
): GuestMapping {
  const ipa = pageAddress(request.ipa, `${path}.ipa`, true);
  const bytes = rangeBytes(request.ipa, request.bytes, `${path}.bytes`);
  const offset = pageAddress(request.offset, `${path}.offset`, true);
  const file = files[request.source];
  if (!file) throw invalidField(`${path}.source`, `${request.source} is not an index into ${files.length} sources`);
  if (!request.readable && !request.writable) {
    throw invalidField(`${path}.readable`, "neither readable nor writable: set one, or leave the range unmapped");
  }
  const refusal = request.writable ? writeRefusalOf(file, bounds.writesByCall) : undefined;
  if (refusal !== undefined) throw invalidField(`${path}.writable`, `the memory ${refusal}`);
  if (offset + bytes > file.bytes) {
    throw invalidField(`${path}.offset`, `range ends at ${offset + bytes}, the file has ${file.bytes} bytes`, {
      offset,
      bytes,
      file_bytes: file.bytes,
    });
  }
  checkPlace(ipa, bytes, path, bounds);
  return { ipa, bytes, file, offset, readable: request.readable, writable: request.writable };
}

function checkPlace(ipa: number, bytes: number, path: string, bounds: MappingBounds): void {
  for (const host of bounds.hosts) {
    const reserved = host.reservedRegions.find((region) => ipa < region.ipa + region.bytes && region.ipa < ipa + bytes);
    if (!reserved) continue;
    throw invalidField(
      `${path}.ipa`,
      `[${hex(ipa)}, ${hex(ipa + bytes)}) touches the reserved ${reserved.kind} region at ${hex(reserved.ipa)} of ${host.id}, ${reserved.bytes} bytes: leave it out`,
      { ipa: hex(ipa), bytes, reserved_ipa: hex(reserved.ipa), reserved_bytes: reserved.bytes, iommu: host.id },
    );
  }
  if (ipa + bytes > 2 ** bounds.ipaBits) {
    throw invalidField(`${path}.ipa`, `${hex(ipa + bytes)} is beyond the ${bounds.ipaBits}-bit IPA space`, {
      ipa: hex(ipa),
      bytes,
      ipa_bits: bounds.ipaBits,
    });
  }
}

export function pageAddress(value: bigint, path: string, zeroAllowed: boolean): number {
  const number = exactNumber(value, path);
  if (number % PAGE_BYTES !== 0 || (number === 0 && !zeroAllowed)) {
    throw invalidField(path, `${hex(value)} must be a multiple of ${PAGE_BYTES}`, { value: hex(value) });
  }
  return number;
}

export function rangeBytes(ipa: bigint, bytes: bigint, path: string): number {
  if (bytes <= 0n) throw invalidField(path, "must not be 0");
  const number = pageAddress(bytes, path, false);
  if (ipa + bytes > IPA_END) throw invalidField(path, `the range ends beyond ${hex(IPA_END)}`, { bytes });
  return number;
}

export function exactNumber(value: bigint, path: string): number {
  if (value < 0n || value >= IPA_END) {
    throw invalidField(path, `${hex(value)} is beyond ${hex(IPA_END)}`, { value: hex(value) });
  }
  return Number(value);
}
