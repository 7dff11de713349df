// A fault as the 32 bytes of an Event queue record, and back.
// Which fields a record has depends on its type; fields it has not are zero.
// Source: IHI 0070G.b §7.3.

import { EVENT_CLASS } from "../../spec/encodings.ts";
import { EVENT, EVENT_ATS_REQUEST, EVENT_FETCH, EVENT_NUMBER, EVENT_WORDS, type EventName } from "../../spec/events.ts";
import { get, getAddress, getU64, set, setAddress, setU64 } from "../../spec/layout.ts";
import { alignDown } from "../../spec/u64.ts";
import type { Fault } from "./fault.ts";

/** Every field an event record may have, by its name in the architecture. */
export interface EventRecord {
  /** Undefined: a number this model does not know. */
  readonly type: EventName | undefined;
  readonly number: number;
  readonly SSV: boolean;
  readonly SubstreamID: number;
  readonly StreamID: number;
  /** Meaningful when Stall is set. */
  readonly STAG: number;
  /** The same bits as STAG, in records that do not stall. */
  readonly Reason: number;
  readonly Stall: boolean;
  readonly PnU: boolean;
  readonly InD: boolean;
  readonly RnW: boolean;
  readonly S2: boolean;
  /** Undefined: the reserved encoding 0b11. */
  readonly CLASS: "CD" | "TTD" | "IN" | undefined;
  readonly TTRnW: boolean;
  readonly InputAddr: bigint;
  /** Address[55:12] of the IPA, as an address. Shares its doubleword with FetchAddr. */
  readonly IPA: number;
  /** Address[55:3] of the aborted access, as an address. */
  readonly FetchAddr: number;
}

const NAMES = new Map<number, EventName>();
for (const [name, number] of eventEntries()) NAMES.set(number, name);

function eventEntries(): readonly (readonly [EventName, number])[] {
  const names: EventName[] = [];
  let name: EventName;
  for (name in EVENT_NUMBER) names.push(name);
  return names.map((each) => [each, EVENT_NUMBER[each]]);
}

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

/** Decodes 8 words; every field is given, whether or not the type has it. */
export function decodeEvent(words: Uint32Array): EventRecord {
  const flag = (field: (typeof EVENT)[keyof typeof EVENT]): boolean => get(words, 0, field) === 1;
  const number = get(words, 0, EVENT.Type);
  return {
    type: NAMES.get(number),
    number,
    SSV: flag(EVENT.SSV),
    SubstreamID: get(words, 0, EVENT.SubstreamID),
    StreamID: get(words, 0, EVENT.StreamID),
    STAG: get(words, 0, EVENT.STAG),
    Reason: get(words, 0, EVENT_FETCH.Reason),
    Stall: flag(EVENT.Stall),
    PnU: flag(EVENT.PnU),
    InD: flag(EVENT.InD),
    RnW: flag(EVENT.RnW),
    S2: flag(EVENT.S2),
    CLASS: (["CD", "TTD", "IN"] as const)[get(words, 0, EVENT.CLASS)],
    TTRnW: flag(EVENT.TTRnW),
    InputAddr: getU64(words, 0, EVENT.InputAddr),
    IPA: getAddress(words, 0, EVENT.IPA, 12),
    FetchAddr: getAddress(words, 0, EVENT_FETCH.FetchAddr, 3),
  };
}
