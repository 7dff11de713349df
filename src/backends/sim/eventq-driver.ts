// Plays the host kernel's event thread for one simulated SMMU: takes records off the event queue, finds the device, tells
// its fault in the guest's terms. Runs on its own turn of the event loop, never inside a translation.
// Source: IHI 0070G.b §3.5.3 (overflow), §7.3 (records).

import { assert } from "../../spec/assert.ts";
import { decodeEvent } from "../../spec/event-record.ts";
import { get, set } from "../../spec/layout.ts";
import { EVENTQ_CONS, EVENTQ_PROD, REGISTER } from "../../spec/registers.ts";
import { faultRecord, type StreamOwner, type ToGuest } from "../fault-record.ts";
import type { FaultNotice } from "../faults.ts";
import type { DeviceID } from "../ids.ts";
import type { MemoryMap } from "../smmuv3/memory.ts";
import { EVENTS_MAX, type SmmuDriver } from "./smmu-driver.ts";
import type { Stalls } from "./stalls.ts";

const RECORD_BYTES = 32;
/** Records taken in one turn, so a storm leaves turns to others. */
const TURN_MAX = 256;

/** Who has this StreamID now; undefined: nobody. */
export type FindOwner = (streamID: number) => StreamOwner | undefined;
export class EventQueueDriver {
  readonly #driver: SmmuDriver;
  readonly #memory: MemoryMap;
  readonly #findOwner: FindOwner;
  readonly #toGuest: ToGuest;
  readonly #devices: () => readonly DeviceID[];
  readonly #stalls: Stalls;
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
    stalls: Stalls;
    deliver: (notice: FaultNotice) => void;
  }) {
    this.#driver = options.driver;
    this.#memory = options.memory;
    this.#findOwner = options.findOwner;
    this.#toGuest = options.toGuest;
    this.#devices = options.devices;
    this.#stalls = options.stalls;
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
    this.#stalls.collect(); // there is room now: stalls without a record got theirs, or went on
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
    const told = record.Stall ? this.#stalls.tell(owner.device, record.StreamID, record.STAG) : undefined;
    const pending = told && ({ kind: "stall", cookie: told.cookie, stag: record.STAG } as const);
    this.#deliver({ kind: "fault", fault: faultRecord({ record, words, owner, toGuest: this.#toGuest, pending }) });
    if (told?.isOver === true) this.#deliver({ kind: "ended", device: owner.device, cookie: told.cookie });
  }
}
