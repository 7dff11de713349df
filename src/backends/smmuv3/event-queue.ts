// The Event queue: writes records, keeps the overflow flag, raises the interrupt.
// The record of a stalled transaction is never lost for lack of room, nor is it an overflow: it is refused, and its owner
// comes again when the queue is writable (respond.ts).
// Source: IHI 0070G.b §3.5.3, §7.2, §7.4, §3.12.2.

import { EVENT_BYTES } from "../../spec/events.ts";
import { GERROR } from "../../spec/registers.ts";
import { pow2 } from "../../spec/u64.ts";
import type { SmmuCounters } from "./counters.ts";
import type { GlobalErrors } from "./gerror.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import { entryAddress, isEmpty, isFull, next, type QueueShape, queueShape, wrapIndex } from "./queue.ts";

const INDEX_LIMIT = 2 ** 20;
const OVERFLOW_BIT = 2 ** 31;

export class EventQueue {
  isEnabled = false;
  #shape: QueueShape;
  #prod = 0;
  #cons = 0;
  #hasOverflowed = false; // OVFLG
  #isOverflowAcknowledged = false; // OVACKFLG
  readonly #memory: PhysicalMemory;
  readonly #features: Features;
  readonly #errors: GlobalErrors;
  readonly #counters: SmmuCounters;
  readonly #becameNonEmpty: () => void;

  constructor(
    parts: { memory: PhysicalMemory; features: Features; errors: GlobalErrors; counters: SmmuCounters },
    becameNonEmpty: () => void,
  ) {
    this.#memory = parts.memory;
    this.#features = parts.features;
    this.#errors = parts.errors;
    this.#counters = parts.counters;
    this.#becameNonEmpty = becameNonEmpty;
    this.#shape = queueShape(new Uint32Array(2), EVENT_BYTES, 0, parts.features);
  }

  setBase(base: Uint32Array): void {
    this.#shape = queueShape(base, EVENT_BYTES, this.#features.eventqBitsMax, this.#features);
  }

  get prod(): number {
    return this.#prod + (this.#hasOverflowed ? OVERFLOW_BIT : 0);
  }

  set prod(value: number) {
    this.#prod = wrapIndex(this.#shape, value % INDEX_LIMIT);
    this.#hasOverflowed = value >= OVERFLOW_BIT;
  }

  get cons(): number {
    return this.#cons + (this.#isOverflowAcknowledged ? OVERFLOW_BIT : 0);
  }

  /** Software consumed records or acknowledged an overflow. */
  set cons(value: number) {
    this.#cons = wrapIndex(this.#shape, value % INDEX_LIMIT);
    this.#isOverflowAcknowledged = value >= OVERFLOW_BIT;
  }

  /** @returns true when the record is in the queue; otherwise it is lost */
  record(words: Uint32Array<ArrayBuffer>): boolean {
    if (!this.isEnabled || this.#errors.isActive(GERROR.EVENTQ_ABT_ERR)) return this.#lose();
    if (isFull(this.#shape, this.#prod, this.#cons)) {
      if (this.#hasOverflowed === this.#isOverflowAcknowledged) this.#hasOverflowed = !this.#hasOverflowed;
      return this.#lose();
    }
    return this.#write(words);
  }

  /** @returns false when there is no room now: the record must be offered again */
  recordStall(words: Uint32Array<ArrayBuffer>): boolean {
    if (!this.isWritable()) return false;
    this.#write(words); // a record whose write aborts is lost, as the architecture allows (§7.2.2)
    return true;
  }

  /** Enabled, not full, no unacknowledged abort. Source: §7.2.1. */
  isWritable(): boolean {
    const isBroken = this.#errors.isActive(GERROR.EVENTQ_ABT_ERR);
    return this.isEnabled && !isBroken && !isFull(this.#shape, this.#prod, this.#cons);
  }

  #write(words: Uint32Array<ArrayBuffer>): boolean {
    const wasEmpty = isEmpty(this.#prod, this.#cons);
    const address = entryAddress(this.#shape, this.#prod);
    const isReachable = address < pow2(this.#features.oasBits);
    if (!isReachable || !this.#memory.writeBytes(address, new Uint8Array(words.buffer))) {
      this.#errors.raise(GERROR.EVENTQ_ABT_ERR);
      return this.#lose();
    }
    this.#prod = next(this.#shape, this.#prod);
    this.#counters.eventsRecorded += 1;
    if (wasEmpty) this.#becameNonEmpty();
    return true;
  }

  #lose(): false {
    this.#counters.eventsDropped += 1;
    return false;
  }
}
