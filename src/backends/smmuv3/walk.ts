// The table walk of one stage, any granule: the hot loop.
// Addresses are 32-bit halves, the lower one signed; descriptor bits are tested by hand.
// A walk reads at most five descriptors, whatever the tables hold.
// Source: DDI 0487 D8.2, D8.3; IHI 0070G.b §3.4 (address size), §3.13.6 (HAFT).

import { S1_TABLE } from "../../spec/descriptor.ts";
import { joinNumber } from "../../spec/u64.ts";
import type { SmmuCounters } from "./counters.ts";
import { NO_WINDOW, type PhysicalMemory } from "./memory.ts";
import type { TableFormat } from "./table-format.ts";
import type { Tlb, TlbFill } from "./tlb.ts";

/** What a walk, or an update of a descriptor, came to. */
export const WALK = {
  OK: 0,
  /** The bus refused an access; see fetchAddress. */
  EXTERNAL_ABORT: 1,
  TRANSLATION: 2,
  ADDRESS_SIZE: 3,
  /** The path to the descriptor faulted; the path knows why. */
  PATH: 4,
  /** Someone else changed the descriptor in between, see fetchAddress: walk again. */
  CHANGED: 5,
} as const;

export type WalkResult = (typeof WALK)[keyof typeof WALK];

/** From the address of a descriptor as the tables hold it to the physical one. */
export interface DescriptorPath {
  /** The physical address after a locate() that succeeded. */
  readonly hi: number;
  readonly lo: number;
  /** @returns false when the path faulted */
  locate(hi: number, lo: number, isWrite: boolean): boolean;
}

/** APTable[0], APTable[1], PXNTable and UXNTable gathered on the way down, as bits of tableLimits. */
export const TABLE_LIMIT = { NO_UNPRIVILEGED: 1, NO_WRITE: 2, PXN: 4, UXN: 8 } as const;

const AF_LO = 1 << S1_TABLE.AF.lsb;
/** Walk caches keep leaf tables as pieces of 4 KiB: a piece lies within one page of any stage 2. */
const PIECE_OFFSET = 0xff8;

/** Walks tables; the results are fields, valid until the next walk. */
export class TableWalk {
  /** Translated address, offset included. */
  outHi = 0;
  outLo = 0;
  /** log2 of the page or block. */
  leafBits = 0;
  /** Leaf descriptor, as the architecture numbers its bits whatever the endianness; signed 32-bit halves. */
  lo = 0;
  hi = 0;
  /** TABLE_LIMIT bits of the Table descriptors above the leaf. */
  tableLimits = 0;
  /** Physical address of the access that was aborted, or of the update that came too late. */
  fetchAddress = 0;
  /** Where descriptors are read without asking the memory map; the last stretch that held one. */
  window = NO_WINDOW;
  #descriptorHi = 0;
  #descriptorLo = 0;
  #paHi = 0;
  #paLo = 0;
  #bigEndian = false;

  readonly #memory: PhysicalMemory;
  readonly #counters: SmmuCounters;
  readonly #path: DescriptorPath | undefined;

  /** @param path  to the descriptors; undefined: the tables hold physical addresses */
  constructor(memory: PhysicalMemory, counters: SmmuCounters, path?: DescriptorPath) {
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
    let tableHi = format.baseHi;
    let tableLo = format.baseLo;
    this.tableLimits = 0;
    this.#bigEndian = format.bigEndian;
    for (;;) {
      const index = shift >= 32 ? inHi >>> (shift - 32) : (inLo >>> shift) | (inHi << (32 - shift));
      const found = this.#fetch(tableHi, tableLo | ((index & mask) << 3));
      if (found !== WALK.OK) return found;
      const type = this.lo & 3;
      if (level === 3 || type !== 3) {
        const isLeaf = level === 3 ? type === 3 : type === 1 && level >= 0 && (format.blockLevels & (1 << level)) !== 0;
        return isLeaf ? this.#takeLeaf(format, inHi, inLo, shift) : WALK.TRANSLATION;
      }
      tableHi = addressHi(format, this.hi, this.lo);
      if (tableHi >>> (format.outputBits - 32) !== 0) return WALK.ADDRESS_SIZE;
      if (format.hierarchical) this.tableLimits |= tableLimitsOf(this.hi);
      if (format.haft && (this.lo & AF_LO) === 0) {
        const updated = this.update(this.lo | AF_LO, this.hi);
        if (updated !== WALK.OK) return updated;
      }
      tableLo = this.lo & (-1 << format.pageBits);
      level += 1;
      shift -= stride;
      mask = (1 << stride) - 1;
    }
  }

  /** run() of tables that hold physical addresses. */
  runDirect(format: TableFormat, inHi: number, inLo: number): WalkResult {
    return format.isPlain && this.#runPlain(format, inHi, inLo) ? WALK.OK : this.run(format, inHi, inLo);
  }

  /**
   * The most frequent walk, to a page by way of plain 4 KiB tables inside the window; state is kept in locals.
   *
   * @returns false when it met anything else, with nothing counted or changed: run() starts over
   */
  #runPlain(format: TableFormat, inHi: number, inLo: number): boolean {
    const { words, hi: windowHi, lo: windowLo, bytes } = this.window;
    const limit = format.outputBits - 32;
    let hi = format.baseHi;
    let lo = format.baseLo;
    let offset = 0;
    for (let level = format.startLevel; level < 3; level++) {
      const index = level === 2 ? inLo >>> 21 : level === 1 ? (inHi << 2) | (inLo >>> 30) : inHi >>> 7;
      offset = (lo - windowLo + ((index & 0x1ff) << 3)) >>> 0;
      if (hi !== windowHi || offset >= bytes) return false;
      const word = words[offset >>> 2]!;
      hi = words[(offset >>> 2) + 1]! & 0xffff;
      if ((word & 3) !== 3 || hi >>> limit !== 0) return false;
      lo = word & -0x1000;
    }
    const leafLo = lo | ((inLo >>> 9) & 0xff8);
    offset = (leafLo - windowLo) >>> 0;
    if (hi !== windowHi || offset >= bytes) return false;
    const word = words[offset >>> 2]!;
    const upper = words[(offset >>> 2) + 1]!;
    const outHi = upper & 0xffff;
    if ((word & 3) !== 3 || outHi >>> limit !== 0) return false;
    this.#counters.transTableWalkAccess += 4 - format.startLevel;
    this.#paHi = this.#descriptorHi = hi;
    this.#paLo = this.#descriptorLo = leafLo;
    this.#bigEndian = false;
    this.lo = word;
    this.hi = upper;
    this.outHi = outHi;
    this.outLo = (word & -0x1000) | (inLo & 0xfff);
    this.leafBits = format.pageBits;
    return true;
  }

  /** Reads the leaf from the piece of a table in `slot` of a walk cache: what run() comes to below that table. */
  runCached(format: TableFormat, tables: Tlb, slot: number, inHi: number, inLo: number): WalkResult {
    const offset = (inLo >>> (format.pageBits - 3)) & PIECE_OFFSET;
    this.tableLimits = tables.permissions(slot);
    this.#bigEndian = format.bigEndian;
    this.#descriptorHi = tables.ipaHi(slot);
    this.#descriptorLo = tables.ipaLo(slot) | offset;
    const found = this.#read(tables.paHi(slot), tables.paLo(slot) | offset);
    if (found !== WALK.OK) return found;
    return (this.lo & 3) === 3 ? this.#takeLeaf(format, inHi, inLo, format.pageBits) : WALK.TRANSLATION;
  }

  /** Describes the piece of the table that held the last leaf. @returns false when a walk cache cannot use it */
  leafTable(format: TableFormat, fill: TlbFill): boolean {
    if (this.leafBits !== format.pageBits || format.startLevel === 3) return false;
    fill.paHi = this.#paHi;
    fill.paLo = this.#paLo & -0x1000;
    fill.ipaHi = this.#descriptorHi;
    fill.ipaLo = this.#descriptorLo & -0x1000;
    fill.permissions = this.tableLimits;
    fill.invalidateBits = 2 * format.pageBits - 3; // what lies below the whole table
    return true;
  }

  /** Replaces the descriptor read last, atomically, and only if it still holds what was read. Source: §3.13. */
  update(newLo: number, newHi: number): WalkResult {
    const path = this.#path;
    let pa = joinNumber(this.#descriptorHi, this.#descriptorLo);
    if (path !== undefined) {
      if (!path.locate(this.#descriptorHi, this.#descriptorLo, true)) return WALK.PATH;
      pa = joinNumber(path.hi, path.lo);
    }
    this.#counters.transTableWalkAccess += 1;
    const swap = this.#bigEndian;
    const result = this.#memory.compareAndSwap64(
      pa,
      (swap ? byteSwap(this.hi) : this.lo) >>> 0,
      (swap ? byteSwap(this.lo) : this.hi) >>> 0,
      (swap ? byteSwap(newHi) : newLo) >>> 0,
      (swap ? byteSwap(newLo) : newHi) >>> 0,
    );
    if (result !== "ok") {
      this.fetchAddress = pa;
      return result === "abort" ? WALK.EXTERNAL_ABORT : WALK.CHANGED;
    }
    this.lo = newLo;
    this.hi = newHi;
    return WALK.OK;
  }

  /** The descriptor whose address is as the tables hold it. */
  #fetch(hi: number, lo: number): WalkResult {
    const path = this.#path;
    if (path === undefined) {
      this.#descriptorHi = hi;
      this.#descriptorLo = lo;
      return this.#read(hi, lo);
    }
    if (!path.locate(hi, lo, false)) return WALK.PATH;
    this.#descriptorHi = hi;
    this.#descriptorLo = lo;
    return this.#read(path.hi, path.lo);
  }

  #read(paHi: number, paLo: number): WalkResult {
    this.#paHi = paHi;
    this.#paLo = paLo;
    this.#counters.transTableWalkAccess += 1;
    const window = this.window;
    const offset = (paLo - window.lo) >>> 0;
    if (paHi !== window.hi || offset >= window.bytes) return this.#readOutside(paHi, paLo);
    const lo = window.words[offset >>> 2]!;
    const hi = window.words[(offset >>> 2) + 1]!;
    this.lo = this.#bigEndian ? byteSwap(hi) : lo;
    this.hi = this.#bigEndian ? byteSwap(lo) : hi;
    return WALK.OK;
  }

  /** Not in the window: asks memory, and for a window for the next time. */
  #readOutside(paHi: number, paLo: number): WalkResult {
    const memory = this.#memory;
    const pa = joinNumber(paHi, paLo);
    if (!memory.read64(pa)) {
      this.fetchAddress = pa;
      return WALK.EXTERNAL_ABORT;
    }
    this.lo = this.#bigEndian ? byteSwap(memory.hi) : memory.lo | 0;
    this.hi = this.#bigEndian ? byteSwap(memory.lo) : memory.hi | 0;
    this.window = memory.window?.(pa) ?? this.window;
    return WALK.OK;
  }

  #takeLeaf(format: TableFormat, inHi: number, inLo: number, bits: number): WalkResult {
    const hi = addressHi(format, this.hi, this.lo);
    if (bits >= 32) {
      const mask = -1 << (bits - 32);
      if ((hi & mask) >>> (format.outputBits - 32) !== 0) return WALK.ADDRESS_SIZE;
      this.outHi = (hi & mask) | (inHi & ~mask);
      this.outLo = inLo | 0;
    } else {
      const mask = -1 << bits;
      if (hi >>> (format.outputBits - 32) !== 0) return WALK.ADDRESS_SIZE;
      this.outHi = hi;
      this.outLo = (this.lo & mask) | (inLo & ~mask);
    }
    this.leafBits = bits;
    return WALK.OK;
  }
}

/** Bits [51:32] of the address in a descriptor. */
function addressHi(format: TableFormat, hi: number, lo: number): number {
  if (format.ds) return (hi & 0x3_ffff) | ((lo & 0x300) << 10);
  if (format.wide64k) return (hi & 0xffff) | ((lo & 0xf000) << 4);
  return hi & 0xffff;
}

/** Bits 59 PXNTable, 60 UXNTable, 61 APTable[0], 62 APTable[1] of a Table descriptor, rearranged. */
function tableLimitsOf(hi: number): number {
  return ((hi >>> 29) & 3) | ((hi >>> 25) & 4) | ((hi >>> 25) & 8);
}

function byteSwap(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | ((word >>> 24) & 0xff);
}
