// A page request as the 16 bytes of a PRI queue entry, and back.
// Source: IHI 0070G.b §8.

import { get, getU64, set, setU64 } from "../../spec/layout.ts";
import { PAGE_REQUEST, PAGE_REQUEST_WORDS } from "../../spec/page-requests.ts";

/** A device asks for one page of a group (PRG) to be made present. */
export interface PageRequest {
  /** An integer below 2^32; anything else is a bug of the caller and throws. */
  readonly streamID: number;
  /** An integer below 2^20, likewise. Absent: no PASID, and then execute and privileged do not exist. */
  readonly substreamID?: number;
  /** Bits [11:0] are not conveyed, nor any beyond [63:0]. */
  readonly address: bigint;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly privileged: boolean;
  /** The last request of its group. */
  readonly last: boolean;
  /** An integer below 512, likewise. */
  readonly prgIndex: number;
}

export function isPrgIndex(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < PRG_INDEX_LIMIT;
}

/** With a PASID and {Last, W, R} = 0b100: no request, the end of what was asked for under the PASID. Source: §8. */
export function isStopMarker(request: PageRequest): boolean {
  return request.substreamID !== undefined && request.last && !request.write && !request.read;
}

export function encodePageRequest(request: PageRequest): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(PAGE_REQUEST_WORDS);
  set(words, 0, PAGE_REQUEST.StreamID, request.streamID);
  if (request.substreamID !== undefined) {
    set(words, 0, PAGE_REQUEST.SSV, 1);
    set(words, 0, PAGE_REQUEST.SubstreamID, request.substreamID);
    if (request.execute) set(words, 0, PAGE_REQUEST.X, 1);
    if (request.privileged) set(words, 0, PAGE_REQUEST.Priv, 1);
  }
  if (request.read) set(words, 0, PAGE_REQUEST.R, 1);
  if (request.write) set(words, 0, PAGE_REQUEST.W, 1);
  if (request.last) set(words, 0, PAGE_REQUEST.Last, 1);
  set(words, 0, PAGE_REQUEST.PRGIndex, request.prgIndex);
  setU64(words, 0, PAGE_REQUEST.PageAddress, request.address / PAGE_BYTES);
  return words;
}

export function decodePageRequest(words: Uint32Array): PageRequest {
  const flag = (field: (typeof PAGE_REQUEST)[keyof typeof PAGE_REQUEST]): boolean => get(words, 0, field) === 1;
  return {
    streamID: get(words, 0, PAGE_REQUEST.StreamID),
    ...(flag(PAGE_REQUEST.SSV) ? { substreamID: get(words, 0, PAGE_REQUEST.SubstreamID) } : {}),
    address: getU64(words, 0, PAGE_REQUEST.PageAddress) * PAGE_BYTES,
    read: flag(PAGE_REQUEST.R),
    write: flag(PAGE_REQUEST.W),
    execute: flag(PAGE_REQUEST.X),
    privileged: flag(PAGE_REQUEST.Priv),
    last: flag(PAGE_REQUEST.Last),
    prgIndex: get(words, 0, PAGE_REQUEST.PRGIndex),
  };
}

const PAGE_BYTES = 4096n;
const PRG_INDEX_LIMIT = 512;
