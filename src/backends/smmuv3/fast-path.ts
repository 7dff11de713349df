// The way of nearly every transaction: same stream as the one before, TTB0's half, a translation that is in the TLB, or
// leaf tables that are in the walk caches. It answers only what succeeds, as stage1.ts and stage2.ts would, down to the
// counters; of anything else it says nothing and leaves nothing behind, and the general path decides.
// Relies on ConfigCache.version to change with anything that a route depends on, and on the layout of a Tlb's words.
// Source: IHI 0070G.b §3.4.1 (ranges), §3.17 (tags).

import type { ConfigCache, StreamConfig } from "./config-cache.ts";
import type { ContextConfig } from "./context.ts";
import type { SmmuCounters } from "./counters.ts";
import { NestedWalk, type NestedWalkParts } from "./nested-walk.ts";
import { TLB_HI_FACTOR, TLB_MARK, TLB_WORD, type Tlb, tlbHash } from "./tlb.ts";
import type { Access, Transaction } from "./transaction.ts";

/** What the last translation did with the TLB. */
export const TLB_USE = { NONE: 0, HIT: 1, MISS: 2 } as const;

/** Where an answer is put. */
export interface AnswerFields {
  tlbUse: number;
  paHi: number;
  paLo: number;
  ipaHi: number;
  ipaLo: number;
  pageBits: number;
  /** Memory attributes as the TLB keeps them; below zero: FastPath.attributes() has them. */
  found: number;
}

export interface FastPathParts extends NestedWalkParts {
  readonly cache: ConfigCache;
  readonly counters: SmmuCounters;
  readonly tlb: Tlb;
}

// V8 folds a module's own constants into code; those of other modules it loads each time
const { LO, HI, TAG, INFO, PA_HI, PA_LO, IPA_HI, IPA_LO } = TLB_WORD;
const { GLOBAL } = TLB_MARK;
const HI_FACTOR = TLB_HI_FACTOR;
const { HIT, MISS } = TLB_USE;
const NO_VERSION = -1;

/** The place of an access in StreamConfig.needs. */
export function accessIndex(access: Access, privileged: boolean): number {
  const kind = access === "read" ? 0 : access === "write" ? 1 : 2;
  return privileged ? kind + 3 : kind;
}

export class FastPath {
  #version = NO_VERSION;
  #streamID = 0;
  #substreamID: number | undefined;
  #access: Access = "read";
  #privileged = false;
  #needs: readonly number[] = [];
  /** PERMISSION bit of #access. */
  #need = 0;
  /** IOVA[63:32] shifted right by this many is zero in TTB0's range. */
  #rangeShift = 0;
  #tag = 0;
  #hash = 0;
  /** The low bits of an entry's first word. */
  #marks = 0;
  readonly #mask: number;
  readonly #words: Int32Array;
  readonly #cache: ConfigCache;
  readonly #counters: SmmuCounters;
  readonly #answer: AnswerFields;
  readonly #walk: NestedWalk;

  constructor(parts: FastPathParts, answer: AnswerFields) {
    this.#mask = parts.tlb.slotMask;
    this.#words = parts.tlb.words;
    this.#cache = parts.cache;
    this.#counters = parts.counters;
    this.#answer = answer;
    this.#walk = new NestedWalk(parts, answer);
  }

  /** The next transactions may be like this one, which led to `context`. */
  follow(tx: Omit<Transaction, "iova">, stream: StreamConfig, context: ContextConfig): void {
    const half = context.halves[0]!;
    this.#version = NO_VERSION;
    if (!half.isEnabled || half.e0pd || half.inputBits < 32) return;
    this.#version = this.#cache.version;
    this.#streamID = tx.streamID;
    this.#substreamID = tx.substreamID;
    this.#needs = stream.needs;
    this.#changeAccess(tx.access, tx.privileged);
    this.#rangeShift = half.inputBits - 32;
    this.#tag = context.tag;
    this.#hash = tlbHash(context.tag);
    this.#marks = (context.key << TLB_MARK.KEY_SHIFT) | TLB_MARK.VALID;
    this.#walk.follow(context, half, stream.stage2);
  }

  /** @returns false when it has no answer */
  translate(tx: Omit<Transaction, "iova">, hi: number, lo: number): boolean {
    if (
      this.#version !== this.#cache.version ||
      this.#streamID !== tx.streamID ||
      this.#substreamID !== tx.substreamID ||
      hi >> this.#rangeShift !== 0
    ) {
      return false;
    }
    if (this.#access !== tx.access || this.#privileged !== tx.privileged) this.#changeAccess(tx.access, tx.privileged);
    const words = this.#words;
    const mixed = (lo >>> 12) ^ (lo >>> 22) ^ Math.imul(hi, HI_FACTOR) ^ this.#hash;
    const slot = (mixed & this.#mask) << 3;
    const isOther =
      ((words[slot + LO]! & ~GLOBAL) ^ ((lo & -0x1000) | this.#marks)) |
      (words[slot + HI]! ^ hi) |
      (words[slot + TAG]! ^ this.#tag);
    const info = words[slot + INFO]!;
    if (isOther !== 0 || (info & this.#need) === 0) {
      if (!this.#walk.run(hi, lo, this.#need)) return false;
      this.#counters.tlbMiss += 1;
      this.#answer.tlbUse = MISS;
      return true;
    }
    this.#counters.tlbHit += 1;
    const answer = this.#answer;
    answer.tlbUse = HIT;
    answer.paHi = words[slot + PA_HI]!;
    answer.paLo = words[slot + PA_LO]! | (lo & 0xfff);
    answer.ipaHi = words[slot + IPA_HI]!;
    answer.ipaLo = words[slot + IPA_LO]! | (lo & 0xfff);
    answer.pageBits = (info >>> 6) & 0x3f;
    answer.found = info >>> 18;
    return true;
  }

  /** Memory attributes of the walk that answered last. */
  attributes(): number {
    return this.#walk.attributes();
  }

  #changeAccess(access: Access, privileged: boolean): void {
    this.#access = access;
    this.#privileged = privileged;
    this.#need = this.#needs[accessIndex(access, privileged)]!;
  }
}
