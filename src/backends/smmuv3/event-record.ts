// A fault as the 32 bytes of an Event queue record; src/spec/event-record.ts is the way back.
// Which fields a record has depends on its type; fields it has not are zero.
// Source: IHI 0070G.b §7.3.

import { EVENT_CLASS } from "../../spec/encodings.ts";
import { EVENT, EVENT_ATS_REQUEST, EVENT_FETCH, EVENT_NUMBER, EVENT_WORDS, type EventName } from "../../spec/events.ts";
import { set, setAddress, setU64 } from "../../spec/layout.ts";
import { alignDown } from "../../spec/u64.ts";
import type { Fault } from "./fault.ts";

const PAGE_BYTES = 4096n;

/** Types whose record says nothing of SSV; C_BAD_SUBSTREAMID still has the SubstreamID (§7.3.9). */
const WITHOUT_SSV: ReadonlySet<EventName> = new Set<EventName>(["F_STREAM_DISABLED", "C_BAD_SUBSTREAMID"]);

/**
 * Encodes a fault.
 *
 * @param stag  given for a stalled transaction: Stall=1 and this STAG
 */
export function encodeEvent(fault: Fault, stag?: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(EVENT_WORDS);
  set(words, 0, EVENT.Type, EVENT_NUMBER[fault.type]);
  set(words, 0, EVENT.StreamID, fault.streamID);
  if (fault.substreamID !== undefined && fault.type !== "F_STREAM_DISABLED") {
    set(words, 0, EVENT.SubstreamID, fault.substreamID);
    if (!WITHOUT_SSV.has(fault.type)) set(words, 0, EVENT.SSV, 1);
  }
  if (stag !== undefined) {
    set(words, 0, EVENT.Stall, 1);
    set(words, 0, EVENT.STAG, stag);
  }
  if (fault.asked !== undefined) encodeAsked(words, fault.asked, fault.inputAddr ?? 0n);
  else if (fault.inputAddr !== undefined) encodeTransaction(words, fault, fault.inputAddr);
  if (fault.fetchAddress !== undefined) {
    setAddress(words, 0, EVENT_FETCH.FetchAddr, 3, alignDown(fault.fetchAddress, 3));
  } else if (fault.ipa !== undefined) {
    setAddress(words, 0, EVENT.IPA, 12, alignDown(fault.ipa, 12));
  }
  return words;
}

function encodeTransaction(words: Uint32Array, fault: Fault, inputAddr: bigint): void {
  setU64(words, 0, EVENT.InputAddr, inputAddr);
  if (fault.privileged === true) set(words, 0, EVENT.PnU, 1);
  if (fault.instruction === true) set(words, 0, EVENT.InD, 1);
  if (fault.read === true) set(words, 0, EVENT.RnW, 1);
  if (fault.stage === 2) set(words, 0, EVENT.S2, 1);
  if (fault.class !== undefined) set(words, 0, EVENT.CLASS, EVENT_CLASS[fault.class]);
  if (fault.tableRead === true) set(words, 0, EVENT.TTRnW, 1);
}

/** A request is for one STU, and always to read. Source: §7.3.6. */
function encodeAsked(words: Uint32Array, asked: NonNullable<Fault["asked"]>, inputAddr: bigint): void {
  set(words, 0, EVENT_ATS_REQUEST.R, 1);
  if (asked.write) set(words, 0, EVENT_ATS_REQUEST.W, 1);
  if (asked.execute) set(words, 0, EVENT_ATS_REQUEST.X, 1);
  if (asked.privileged) set(words, 0, EVENT_ATS_REQUEST.PRIV, 1);
  set(words, 0, EVENT_ATS_REQUEST.Span, 1);
  setU64(words, 0, EVENT_ATS_REQUEST.InputAddr, inputAddr / PAGE_BYTES);
}
