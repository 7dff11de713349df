// An event record in the vocabulary of both backends: only what its type has, and whose business it is.
// A guest has a vSMMU with one stage: what speaks of stage 2, of the host's structures, or of what no vSMMU has, is the
// host's. Physical addresses become the guest's, or nothing.
// Source: IHI 0070G.b §7.3; Linux arm_smmu_handle_event forwards C_BAD_*, F_STREAM_DISABLED and 0x10 to 0x13 of stage 1.

import type { EventRecord } from "../spec/event-record.ts";
import { EVENT, EVENT_FETCH, EVENT_NUMBER, type EventName } from "../spec/events.ts";
import { set, setAddress, setU64 } from "../spec/layout.ts";
import type { FaultRecord, PendingFault } from "./faults.ts";
import type { DeviceID, VirtualStreamID } from "./ids.ts";

export interface StreamOwner {
  readonly device: DeviceID;
  readonly virtualStreamID: VirtualStreamID | undefined;
}

/** The guest's address of a physical one in its own memory; undefined: the host's, or nobody's. */
export type ToGuest = (device: DeviceID, pa: number) => number | undefined;

/** Whose an event is: the guest's, the host's, or told by its S2 bit, or by whether its address is the guest's own. */
export type Whose = "guest" | "host" | "stage" | "address" | "stage-and-address";

/** Every event, and why it is whose it is. */
export const EVENT_OWNERS: Readonly<Record<EventName, { readonly whose: Whose; readonly reason: string }>> = {
  F_UUT: {
    whose: "host",
    reason: "what the host's interconnect does not carry: Reason is IMPLEMENTATION DEFINED (§7.3.2)",
  },
  C_BAD_STREAMID: { whose: "host", reason: "the StreamID is beyond the host's stream table, not the guest's (§7.3.3)" },
  F_STE_FETCH: { whose: "host", reason: "the stream table that was fetched from is the host's (§7.3.4)" },
  C_BAD_STE: {
    whose: "guest",
    reason: "the fields of stage 1 are the guest's; those of the host are as they should be (§5.2.2)",
  },
  F_BAD_ATS_TREQ: { whose: "guest", reason: "EATS is the guest's, and so is what its device asks for (§7.3.6)" },
  F_STREAM_DISABLED: { whose: "guest", reason: "S1DSS is the guest's (§7.3.7)" },
  F_TRANSL_FORBIDDEN: {
    whose: "address",
    reason: "a translated address is physical: the guest knows its own only (§7.3.8)",
  },
  C_BAD_SUBSTREAMID: { whose: "guest", reason: "S1CDMax and the table of CDs are the guest's (§7.3.9)" },
  F_CD_FETCH: {
    whose: "address",
    reason: "the CD is the guest's, unless stage 2 led to what is not its memory (§7.3.10)",
  },
  C_BAD_CD: { whose: "guest", reason: "the CD is the guest's (§7.3.11)" },
  F_WALK_EABT: {
    whose: "stage-and-address",
    reason: "tables of stage 2 are the host's, those of stage 1 the guest's (§7.3.12)",
  },
  F_TRANSLATION: { whose: "stage", reason: "a fault of stage 2 is the host's, whatever was accessed (§7.3.13)" },
  F_ADDR_SIZE: { whose: "stage", reason: "as F_TRANSLATION (§7.3.14)" },
  F_ACCESS: { whose: "stage", reason: "as F_TRANSLATION (§7.3.15)" },
  F_PERMISSION: { whose: "stage", reason: "as F_TRANSLATION (§7.3.16)" },
  F_TLB_CONFLICT: { whose: "stage", reason: "overlapping descriptors of stage 1 are the guest's (§7.3.17)" },
  F_CFG_CONFLICT: {
    whose: "host",
    reason: "STE.CONT, by which entries overlap, is never the guest's to set (§7.3.18)",
  },
  E_PAGE_REQUEST: { whose: "guest", reason: "a hint of the guest's device about a page of its own (§7.3.19)" },
  F_VMS_FETCH: { whose: "host", reason: "the VMS is the host's: a guest's STE has no VMSPtr (§7.3.20)" },
};

const FETCH_FAULTS: ReadonlySet<EventName> = new Set(["F_STE_FETCH", "F_CD_FETCH", "F_WALK_EABT", "F_VMS_FETCH"]);
const STAGED_FAULTS: ReadonlySet<EventName> = new Set([
  "F_WALK_EABT",
  "F_TRANSLATION",
  "F_ADDR_SIZE",
  "F_ACCESS",
  "F_PERMISSION",
]);
const ADDRESSED_FAULTS: ReadonlySet<EventName> = new Set([
  ...STAGED_FAULTS,
  "F_UUT",
  "F_TRANSL_FORBIDDEN",
  "F_TLB_CONFLICT",
]);

/** @param words  the record as taken off the queue; it becomes the guest's */
export function faultRecord(of: {
  record: EventRecord;
  words: Uint32Array<ArrayBuffer>;
  owner: StreamOwner;
  toGuest: ToGuest;
  pending: PendingFault | undefined;
}): FaultRecord {
  const { owner, pending, record, words } = of;
  const { type } = record;
  set(words, 0, EVENT.StreamID, owner.virtualStreamID ?? 0);
  const address = guestAddress(record, owner.device, of.toGuest);
  if (address !== "none") writeAddress(words, record, address);
  const isStaged = type !== undefined && STAGED_FAULTS.has(type);
  const isAddressed = type !== undefined && ADDRESSED_FAULTS.has(type);
  const isTranslated = type === "F_TRANSL_FORBIDDEN";
  const inputAddress = isTranslated ? bigOf(address) : record.InputAddr;
  return {
    device: owner.device,
    virtualStreamID: owner.virtualStreamID,
    substreamID: record.SSV || record.number === EVENT_NUMBER.C_BAD_SUBSTREAMID ? record.SubstreamID : undefined,
    type: type ?? `EVENT_0x${record.number.toString(16)}`,
    typeNumber: record.number,
    stage: isStaged ? (record.S2 ? 2 : 1) : undefined,
    class: isStaged ? record.CLASS : undefined,
    inputAddress: isAddressed ? inputAddress : undefined,
    ipa: isStaged && record.S2 && type !== "F_WALK_EABT" ? record.IPA : undefined,
    fetchAddress: isTranslated || address === "none" ? undefined : address,
    read: isAddressed ? record.RnW : undefined,
    instruction: isAddressed ? record.InD : undefined,
    privileged: isAddressed ? record.PnU : undefined,
    transition: false, // stores and DMA share one thread here: no transaction runs while V=0
    hostOnly: isHosts(record, address),
    pending,
    pageRequest: undefined,
    record: new Uint8Array(words.buffer),
  };
}

/** What the physical address of a record is to the guest; "none": the record has none. */
type GuestAddress = number | undefined | "none";

function guestAddress({ FetchAddr, InputAddr, type }: EventRecord, device: DeviceID, toGuest: ToGuest): GuestAddress {
  if (type === undefined) return "none";
  if (FETCH_FAULTS.has(type)) return toGuest(device, FetchAddr);
  // beyond 2^53 no memory is, and a number would be another one
  if (type === "F_TRANSL_FORBIDDEN") return InputAddr < 2n ** 53n ? toGuest(device, Number(InputAddr)) : undefined;
  return "none";
}

/** Zero where the address is not the guest's. */
function writeAddress(words: Uint32Array, { type }: EventRecord, address: number | undefined): void {
  if (type === "F_TRANSL_FORBIDDEN") setU64(words, 0, EVENT.InputAddr, BigInt(address ?? 0));
  else setAddress(words, 0, EVENT_FETCH.FetchAddr, 3, address ?? 0);
}

function bigOf(address: GuestAddress): bigint | undefined {
  return typeof address === "number" ? BigInt(address) : undefined;
}

/** Of a number that the architecture leaves to implementations (0xE0 to 0xEF), or that is unknown, nobody can say more. */
function isHosts({ S2, type }: EventRecord, address: GuestAddress): boolean {
  if (type === undefined) return true;
  switch (EVENT_OWNERS[type].whose) {
    case "guest":
      return false;
    case "host":
      return true;
    case "stage":
      return S2;
    case "address":
      return address === undefined;
    case "stage-and-address":
      return S2 || address === undefined;
  }
}
