// The Event queue: writes records, keeps the overflow flag, raises the interrupt.
// The record of a stalled transaction is never lost for lack of room, nor is it an overflow: it is refused, and its owner
// comes again when the queue is writable (respond.ts).
// Where its owner wants it, a record equal to the last one in the queue is merged with it instead of written.
// Source: IHI 0070G.b §3.5.3, §7.2, §7.3.1, §7.4, §3.12.2.

import { EVENT_BYTES } from "../../spec/events.ts";
import { GERROR } from "../../spec/registers.ts";
import { alignDown, pow2 } from "../../spec/u64.ts";
import type { SmmuCounters } from "./counters.ts";
import type { GlobalErrors } from "./gerror.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import { entryAddress, isEmpty, isFull, next, type QueueShape, queueShape, wrapIndex } from "./queue.ts";

const INDEX_LIMIT = 2 ** 20;
const OVERFLOW_BIT = 2 ** 31;
/** InputAddr[11:0], which merging ignores, is in the low half of bits [159:128]. */
const INPUT_ADDRESS_WORD = 4;

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
  readonly #merges: boolean;
  /** The record before PROD, as far as it is this queue's own writing. */
  #last: Uint32Array | undefined;

  constructor(
    parts: { memory: PhysicalMemory; features: Features; errors: GlobalErrors; counters: SmmuCounters },
    becameNonEmpty: () => void,
    merges: boolean,
  ) {
    this.#merges = merges;
    this.#memory = parts.memory;
    this.#features = parts.features;
    this.#errors = parts.errors;
    this.#counters = parts.counters;
    this.#becameNonEmpty = becameNonEmpty;
    this.#shape = queueShape(new Uint32Array(2), EVENT_BYTES, 0, parts.features);
  }

  setBase(base: Uint32Array): void {
    this.#shape = queueShape(base, EVENT_BYTES, this.#features.eventqBitsMax, this.#features);
    this.#last = undefined;
  }

  get prod(): number {
    return this.#prod + (this.#hasOverflowed ? OVERFLOW_BIT : 0);
  }

  set prod(value: number) {
    this.#prod = wrapIndex(this.#shape, value % INDEX_LIMIT);
    this.#hasOverflowed = value >= OVERFLOW_BIT;
    this.#last = undefined;
  }

  get cons(): number {
    return this.#cons + (this.#isOverflowAcknowledged ? OVERFLOW_BIT : 0);
  }

  /** Software consumed records or acknowledged an overflow. */
  set cons(value: number) {
    this.#cons = wrapIndex(this.#shape, value % INDEX_LIMIT);
    this.#isOverflowAcknowledged = value >= OVERFLOW_BIT;
  }

  /**
   * @param mayMerge  the stream, or the kind of event, allows it (§7.3.1)
   * @returns true when the record is in the queue, its own or one that it was merged with; otherwise it is lost
   */
  record(words: Uint32Array<ArrayBuffer>, mayMerge: boolean): boolean {
    if (!this.isEnabled || this.#errors.isActive(GERROR.EVENTQ_ABT_ERR)) return this.#lose();
    if (mayMerge && this.#isLast(words)) {
      this.#counters.eventsMerged += 1;
      return true; // needs no room, so it is no overflow either
    }
    if (isFull(this.#shape, this.#prod, this.#cons)) {
      if (this.#hasOverflowed === this.#isOverflowAcknowledged) {
        this.#hasOverflowed = !this.#hasOverflowed;
        this.#counters.eventQueueOverflows += 1;
      }
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

  /** Equal to the last record, which software has not consumed. A stalled one has Stall=1 and is equal to none that asks. */
  #isLast(words: Uint32Array): boolean {
    const last = this.#last;
    if (!this.#merges || last === undefined || isEmpty(this.#prod, this.#cons)) return false;
    return words.every((word, index) => {
      const other = last[index]!;
      return index === INPUT_ADDRESS_WORD ? alignDown(word, 12) === alignDown(other, 12) : word === other;
    });
  }

  #write(words: Uint32Array<ArrayBuffer>): boolean {
    const wasEmpty = isEmpty(this.#prod, this.#cons);
    const address = entryAddress(this.#shape, this.#prod);
    const isReachable = address < pow2(this.#features.oasBits);
    if (!isReachable || !this.#memory.writeBytes(address, new Uint8Array(words.buffer))) {
      this.#errors.raise(GERROR.EVENTQ_ABT_ERR);
      return this.#lose();
    }
    this.#last = words;
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
