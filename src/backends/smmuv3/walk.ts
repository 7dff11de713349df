// The table walk of one stage, any granule: the hot loop.
// Addresses are exact numbers outside and 32-bit halves inside; descriptor bits are tested by hand.
// A walk reads at most five descriptors, whatever the tables hold.
// Source: DDI 0487 D8.2, D8.3; IHI 0070G.b §3.4 (address size), §3.13.6 (HAFT).

import { S1_TABLE } from "../../spec/descriptor.ts";
import { joinNumber } from "../../spec/u64.ts";
import type { SmmuCounters } from "./counters.ts";
import type { PhysicalMemory } from "./memory.ts";
import type { TableFormat } from "./table-format.ts";

/** What a walk, or an update of a descriptor, came to. */
export const WALK = {
  OK: 0,
  /** The bus refused an access; see fetchAddress. */
  EXTERNAL_ABORT: 1,
  TRANSLATION: 2,
  ADDRESS_SIZE: 3,
  /** The path to the descriptor faulted; the path knows why. */
  PATH: 4,
  /** Someone else changed the descriptor in between: walk again. */
  CHANGED: 5,
} as const;

export type WalkResult = (typeof WALK)[keyof typeof WALK];

/** From the address of a descriptor as the tables hold it to the physical one. */
export interface DescriptorPath {
  /** @returns the physical address; -1 when the path faulted */
  locate(address: number, isWrite: boolean): number;
}

/** The path of stage 2, and of stage 1 without stage 2. */
export const DIRECT_PATH: DescriptorPath = { locate: (address) => address };

/** APTable[0], APTable[1], PXNTable and UXNTable gathered on the way down, as bits of tableLimits. */
export const TABLE_LIMIT = { NO_UNPRIVILEGED: 1, NO_WRITE: 2, PXN: 4, UXN: 8 } as const;

const AF_LO = 1 << S1_TABLE.AF.lsb;

/** Walks tables; the results are fields, valid until the next walk. */
export class TableWalk {
  /** Translated address, offset included. */
  output = 0;
  /** log2 of the page or block. */
  leafBits = 0;
  /** Leaf descriptor, as the architecture numbers its bits whatever the endianness; signed 32-bit halves. */
  lo = 0;
  hi = 0;
  /** TABLE_LIMIT bits of the Table descriptors above the leaf. */
  tableLimits = 0;
  /** Physical address of the access that was aborted. */
  fetchAddress = 0;
  #descriptorAddress = 0;
  #bigEndian = false;

  readonly #memory: PhysicalMemory;
  readonly #counters: SmmuCounters;
  readonly #path: DescriptorPath;

  constructor(memory: PhysicalMemory, counters: SmmuCounters, path: DescriptorPath) {
    this.#memory = memory;
    this.#counters = counters;
    this.#path = path;
  }

  /**
   * Walks from the first level to a leaf.
   *
   * @param inHi  bits [51:32] of the input address; the caller has checked it against the input size
   * @param inLo  bits [31:0]
   */
  run(format: TableFormat, inHi: number, inLo: number): WalkResult {
    const stride = format.pageBits - 3;
    let level = format.startLevel;
    let shift = format.pageBits + (3 - level) * stride;
    let mask = (1 << format.startIndexBits) - 1;
    let table = format.base;
    this.tableLimits = 0;
    this.#bigEndian = format.bigEndian;
    for (;;) {
      const index = shift >= 32 ? inHi >>> (shift - 32) : (inLo >>> shift) | (inHi << (32 - shift));
      const found = this.#fetch(table + (index & mask) * 8);
      if (found !== WALK.OK) return found;
      if ((this.lo & 1) === 0) return WALK.TRANSLATION;
      const hasTableBit = (this.lo & 2) !== 0;
      if (level === 3 ? !hasTableBit : !hasTableBit && (level < 0 || (format.blockLevels & (1 << level)) === 0)) {
        return WALK.TRANSLATION;
      }
      const isLeaf = level === 3 || !hasTableBit;
      const address = this.#address(format, isLeaf ? shift : format.pageBits);
      if (address >= format.outputLimit) return WALK.ADDRESS_SIZE;
      if (isLeaf) {
        this.leafBits = shift;
        this.output = address + offsetBelow(inHi, inLo, shift);
        return WALK.OK;
      }
      if (format.hierarchical) this.tableLimits |= tableLimitsOf(this.hi);
      if (format.haft && (this.lo & AF_LO) === 0) {
        const updated = this.update(this.lo | AF_LO, this.hi);
        if (updated !== WALK.OK) return updated;
      }
      table = address;
      level += 1;
      shift -= stride;
      mask = (1 << stride) - 1;
    }
  }

  /** Replaces the descriptor read last, atomically, and only if it still holds what was read. Source: §3.13. */
  update(newLo: number, newHi: number): WalkResult {
    const pa = this.#path.locate(this.#descriptorAddress, true);
    if (pa < 0) return WALK.PATH;
    this.#counters.transTableWalkAccess += 1;
    const swap = this.#bigEndian;
    const result = this.#memory.compareAndSwap64(
      pa,
      (swap ? byteSwap(this.hi) : this.lo) >>> 0,
      (swap ? byteSwap(this.lo) : this.hi) >>> 0,
      (swap ? byteSwap(newHi) : newLo) >>> 0,
      (swap ? byteSwap(newLo) : newHi) >>> 0,
    );
    if (result === "abort") {
      this.fetchAddress = pa;
      return WALK.EXTERNAL_ABORT;
    }
    if (result === "changed") return WALK.CHANGED;
    this.lo = newLo;
    this.hi = newHi;
    return WALK.OK;
  }

  #fetch(address: number): WalkResult {
    const pa = this.#path.locate(address, false);
    if (pa < 0) return WALK.PATH;
    this.#counters.transTableWalkAccess += 1;
    if (!this.#memory.read64(pa)) {
      this.fetchAddress = pa;
      return WALK.EXTERNAL_ABORT;
    }
    this.#descriptorAddress = address;
    this.lo = this.#bigEndian ? byteSwap(this.#memory.hi) : this.#memory.lo | 0;
    this.hi = this.#bigEndian ? byteSwap(this.#memory.lo) : this.#memory.hi | 0;
    return WALK.OK;
  }

  /** The address in the descriptor read last, its bits below `lowBit` taken as zero. */
  #address(format: TableFormat, lowBit: number): number {
    const lo = this.lo;
    let hi = this.hi & 0xffff;
    if (format.ds) hi |= (this.hi & 0x3_0000) | ((lo & 0x300) << 10);
    else if (format.wide64k) hi |= (lo & 0xf000) << 4;
    if (lowBit >= 32) return joinNumber(hi & (-1 << (lowBit - 32)), 0);
    return joinNumber(hi, lo & (-1 << lowBit));
  }
}

/** The bits of an address below `bit`. */
function offsetBelow(hi: number, lo: number, bit: number): number {
  if (bit >= 32) return joinNumber(hi & ((1 << (bit - 32)) - 1), lo);
  return (lo & ((1 << bit) - 1)) >>> 0;
}

/** Bits 59 PXNTable, 60 UXNTable, 61 APTable[0], 62 APTable[1] of a Table descriptor, rearranged. */
function tableLimitsOf(hi: number): number {
  return ((hi >>> 29) & 3) | ((hi >>> 25) & 4) | ((hi >>> 25) & 8);
}

function byteSwap(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | ((word >>> 24) & 0xff);
}
