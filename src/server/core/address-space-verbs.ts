// What the edge may ask about a guest's address space: its life, its mappings and the memory behind them.
// address-space.ts answers; addresses and lengths are still as the client sent them.

import type { CallGate } from "./call-gate.ts";
import type { Caller } from "./caller.ts";
import type { AddressSpaceView, Pinning } from "./views.ts";

export interface MappingRequest {
  readonly ipa: bigint;
  readonly bytes: bigint;
  /** Index into sources. */
  readonly source: number;
  readonly offset: bigint;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** A path, or the ticket of a descriptor that was put. */
export type MemorySource = string | { readonly ticket: string };

export interface MapRequest {
  readonly addressSpace: string;
  readonly sources: readonly MemorySource[];
  readonly mappings: readonly MappingRequest[];
  /** Who calls, for its tickets; absent: who has the session. */
  readonly caller?: Caller;
}

export interface PresentRequest {
  readonly addressSpace: string;
  readonly label: string;
  readonly ticket: string;
  /** As in MapRequest. */
  readonly caller?: Caller;
}

export interface AddressSpaceVerbs {
  create(session: string, pinning: Pinning, gate?: CallGate): Promise<AddressSpaceView>;
  remove(session: string, addressSpace: string, gate?: CallGate): Promise<void>;
  map(session: string, request: MapRequest, gate?: CallGate): Promise<AddressSpaceView>;
  /** Memory that was mapped by ticket before a restart, put again. */
  present(session: string, request: PresentRequest, gate?: CallGate): Promise<AddressSpaceView>;
  unmap(
    session: string,
    request: { addressSpace: string; ranges: readonly { ipa: bigint; bytes: bigint }[] },
    gate?: CallGate,
  ): Promise<{ view: AddressSpaceView; unmappedBytes: number }>;
}
