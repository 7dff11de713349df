// The 32 bytes of an Event queue record as values: every field by its name, whatever the type.
// Which of them mean something depends on the type; the others read as what stands there.
// Source: IHI 0070G.b §7.3.

import { EVENT, EVENT_FETCH, EVENT_NUMBER, type EventName } from "./events.ts";
import { get, getAddress, getU64 } from "./layout.ts";

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
