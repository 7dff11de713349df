// The PRI queue: writes page requests, keeps the overflow flag, says when its interrupt is due.
// Unlike the Event queue's, an active overflow keeps new entries out even where there is room again (§8.1).
// Source: IHI 0070G.b §3.5.1, §8.1, §8.2, §6.3.33 to §6.3.36.

import { PAGE_REQUEST_BYTES } from "../../spec/page-requests.ts";
import { GERROR } from "../../spec/registers.ts";
import { pow2 } from "../../spec/u64.ts";
import type { GlobalErrors } from "./gerror.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import { entryAddress, isEmpty, isFull, next, type QueueShape, queueShape, wrapIndex } from "./queue.ts";

const INDEX_LIMIT = 2 ** 20;
const OVERFLOW_BIT = 2 ** 31;

/** What became of a message; "unavailable": disabled, in error, or the write was aborted. */
export type Queued = "queued" | "overflow" | "unavailable";

export class PageRequestQueue {
  /** PRIQEN as programmed; it counts only while SMMUEN is set. */
  isEnabled = false;
  /** PRIQ_IRQ_CFG2.LO: the interrupt is for messages with Last set. */
  isLastOnly = false;
  #shape: QueueShape;
  #prod = 0;
  #cons = 0;
  #hasOverflowed = false; // OVFLG
  #isOverflowAcknowledged = false; // OVACKFLG
  readonly #memory: PhysicalMemory;
  readonly #features: Features;
  readonly #errors: GlobalErrors;
  readonly #interrupt: () => void;

  constructor(
    parts: { memory: PhysicalMemory; features: Features; errors: GlobalErrors },
    /** An edge, before gating by IRQ_CTRL. */
    interrupt: () => void,
  ) {
    this.#memory = parts.memory;
    this.#features = parts.features;
    this.#errors = parts.errors;
    this.#interrupt = interrupt;
    this.#shape = queueShape(new Uint32Array(2), PAGE_REQUEST_BYTES, 0, parts.features);
  }

  setBase(base: Uint32Array): void {
    this.#shape = queueShape(base, PAGE_REQUEST_BYTES, this.#features.priqBitsMax, this.#features);
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

  set cons(value: number) {
    this.#cons = wrapIndex(this.#shape, value % INDEX_LIMIT);
    this.#isOverflowAcknowledged = value >= OVERFLOW_BIT;
  }

  /** @param isLast  the message has Last set */
  write(words: Uint32Array<ArrayBuffer>, isLast: boolean): Queued {
    if (!this.isEnabled || this.#errors.isActive(GERROR.PRIQ_ABT_ERR)) return "unavailable";
    const isOverflow = this.#hasOverflowed !== this.#isOverflowAcknowledged;
    if (isOverflow || isFull(this.#shape, this.#prod, this.#cons)) {
      if (!isOverflow) this.#hasOverflowed = !this.#hasOverflowed;
      if (this.isLastOnly && isLast) this.#interrupt();
      return "overflow";
    }
    const address = entryAddress(this.#shape, this.#prod);
    const isReachable = address < pow2(this.#features.oasBits);
    if (!isReachable || !this.#memory.writeBytes(address, new Uint8Array(words.buffer))) {
      this.#errors.raise(GERROR.PRIQ_ABT_ERR);
      return "unavailable";
    }
    const wasEmpty = isEmpty(this.#prod, this.#cons);
    this.#prod = next(this.#shape, this.#prod);
    if (this.isLastOnly ? isLast : wasEmpty) this.#interrupt();
    return "queued";
  }
}
