// Plays the host kernel's event thread for one simulated SMMU: takes records off the event queue, finds the device,
// puts the guest's StreamID in place of the host's. Runs on its own turn of the event loop, never inside a translation.
// Source: IHI 0070G.b §3.5.3 (overflow), §7.3 (records).

import { assert } from "../../spec/assert.ts";
import { EVENT, EVENT_FETCH, EVENT_NUMBER, type EventName } from "../../spec/events.ts";
import { get, set, setAddress } from "../../spec/layout.ts";
import { EVENTQ_CONS, EVENTQ_PROD, REGISTER } from "../../spec/registers.ts";
import type { FaultNotice, FaultRecord } from "../faults.ts";
import type { DeviceID, VirtualStreamID } from "../ids.ts";
import { decodeEvent, type EventRecord } from "../smmuv3/event-record.ts";
import type { MemoryMap } from "../smmuv3/memory.ts";
import { EVENTS_MAX, type SmmuDriver } from "./smmu-driver.ts";

const RECORD_BYTES = 32;
/** Records taken in one turn, so a storm leaves turns to others. */
const TURN_MAX = 256;

export interface StreamOwner {
  readonly device: DeviceID;
  readonly virtualStreamID: VirtualStreamID | undefined;
}

/** Who has this StreamID now; undefined: nobody. */
export type FindOwner = (streamID: number) => StreamOwner | undefined;
/** The guest's address of a physical one in its own memory; undefined: the host's, or nobody's. */
export type ToGuest = (device: DeviceID, pa: number) => number | undefined;

export class EventQueueDriver {
  readonly #driver: SmmuDriver;
  readonly #memory: MemoryMap;
  readonly #findOwner: FindOwner;
  readonly #toGuest: ToGuest;
  readonly #devices: () => readonly DeviceID[];
  readonly #deliver: (notice: FaultNotice) => void;
  /** PROD and CONS as waiting() last read them: it is asked before every transaction that may record. */
  readonly #words = new Uint32Array(2);
  #scheduled: NodeJS.Immediate | undefined;

  constructor(options: {
    driver: SmmuDriver;
    memory: MemoryMap;
    findOwner: FindOwner;
    toGuest: ToGuest;
    /** Attached devices behind this SMMU: an overflow may have lost events of any. */
    devices: () => readonly DeviceID[];
    deliver: (notice: FaultNotice) => void;
  }) {
    this.#driver = options.driver;
    this.#memory = options.memory;
    this.#findOwner = options.findOwner;
    this.#toGuest = options.toGuest;
    this.#devices = options.devices;
    this.#deliver = options.deliver;
  }

  /** The interrupt: drain on the next turn. */
  schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.drain();
    });
  }

  /** Records waiting in the queue. */
  waiting(): number {
    this.#words[0] = this.#driver.smmu.read32(REGISTER.EVENTQ_PROD);
    this.#words[1] = this.#driver.smmu.read32(REGISTER.EVENTQ_CONS);
    const ahead = get(this.#words, 0, EVENTQ_PROD.WR) - get(this.#words, 1, EVENTQ_CONS.RD);
    return (ahead + 2 * EVENTS_MAX) % (2 * EVENTS_MAX);
  }

  /**
   * Takes at most TURN_MAX records; schedules itself when more are waiting. After an overflow it takes all there are:
   * what was lost comes behind them.
   */
  drain(): void {
    const { prod, cons, overflowed } = this.#indexes();
    const max = overflowed.now === overflowed.acknowledged ? TURN_MAX : EVENTS_MAX;
    let at = cons;
    for (let taken = 0; at !== prod && taken < max; taken += 1) {
      this.#take(at);
      at = (at + 1) % (2 * EVENTS_MAX);
    }
    const words = new Uint32Array(1);
    set(words, 0, EVENTQ_CONS.RD, at);
    if (overflowed.now) set(words, 0, EVENTQ_CONS.OVACKFLG, 1);
    if (overflowed.now !== overflowed.acknowledged) this.#deliver({ kind: "overflow", devices: this.#devices() });
    this.#driver.smmu.write32(REGISTER.EVENTQ_CONS, words[0]!);
    if (this.waiting() > 0) this.schedule();
  }

  /** Takes every record that is waiting, at most EVENTS_MAX of them: nothing records meanwhile. */
  drainAll(): void {
    while (this.waiting() > 0) this.drain();
  }

  stop(): void {
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  #indexes(): { prod: number; cons: number; overflowed: { now: boolean; acknowledged: boolean } } {
    const prod = Uint32Array.of(this.#driver.smmu.read32(REGISTER.EVENTQ_PROD));
    const cons = Uint32Array.of(this.#driver.smmu.read32(REGISTER.EVENTQ_CONS));
    return {
      prod: get(prod, 0, EVENTQ_PROD.WR),
      cons: get(cons, 0, EVENTQ_CONS.RD),
      overflowed: {
        now: get(prod, 0, EVENTQ_PROD.OVFLG) === 1,
        acknowledged: get(cons, 0, EVENTQ_CONS.OVACKFLG) === 1,
      },
    };
  }

  #take(index: number): void {
    const bytes = new Uint8Array(RECORD_BYTES);
    const at = this.#driver.eventQueueBase + (index % EVENTS_MAX) * RECORD_BYTES;
    assert(this.#memory.readBytes(at, bytes), "the event queue aborted");
    const words = new Uint32Array(bytes.buffer);
    const record = decodeEvent(words);
    const owner = this.#findOwner(record.StreamID);
    if (!owner) return; // a stream that was removed between the fault and this turn
    set(words, 0, EVENT.StreamID, owner.virtualStreamID ?? 0);
    const fetchAddress = this.#inGuestTerms(words, record, owner.device);
    this.#deliver({ kind: "fault", fault: faultOf(record, owner, bytes, fetchAddress) });
  }

  /** FetchAddr is physical: the guest's own address takes its place, or nothing where the host's structures are meant. */
  #inGuestTerms(words: Uint32Array, { FetchAddr, type }: EventRecord, device: DeviceID): number | undefined {
    if (type === undefined || !FETCH_FAULTS.has(type)) return undefined;
    const ipa = this.#toGuest(device, FetchAddr);
    setAddress(words, 0, EVENT_FETCH.FetchAddr, 3, ipa ?? 0);
    return ipa;
  }
}

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

/** The record in the vocabulary of both backends: only what its type has. */
function faultOf(
  record: EventRecord,
  owner: StreamOwner,
  bytes: Uint8Array,
  fetchAddress: number | undefined,
): FaultRecord {
  const type = record.type;
  const isStaged = type !== undefined && STAGED_FAULTS.has(type);
  const isAddressed = type !== undefined && ADDRESSED_FAULTS.has(type);
  return {
    device: owner.device,
    virtualStreamID: owner.virtualStreamID,
    substreamID: record.SSV || record.number === EVENT_NUMBER.C_BAD_SUBSTREAMID ? record.SubstreamID : undefined,
    type: type ?? `EVENT_0x${record.number.toString(16)}`,
    typeNumber: record.number,
    stage: isStaged ? (record.S2 ? 2 : 1) : undefined,
    class: isStaged ? record.CLASS : undefined,
    inputAddress: isAddressed ? record.InputAddr : undefined,
    ipa: isStaged && record.S2 && type !== "F_WALK_EABT" ? record.IPA : undefined,
    fetchAddress,
    read: isAddressed ? record.RnW : undefined,
    instruction: isAddressed ? record.InD : undefined,
    privileged: isAddressed ? record.PnU : undefined,
    transition: false, // stores and DMA share one thread here: no transaction runs while V=0
    hostOnly: isHosts(record, fetchAddress),
    pending: undefined,
    pageRequest: undefined,
    record: bytes,
  };
}

/** Stage 2's, or of structures that are the host's: a guest's SMMU has neither. */
function isHosts({ S2, type }: EventRecord, fetchAddress: number | undefined): boolean {
  if (type === undefined) return true;
  if (STAGED_FAULTS.has(type) && S2) return true;
  return FETCH_FAULTS.has(type) && fetchAddress === undefined;
}
