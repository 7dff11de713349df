// Physical memory as the model sees it: doublewords and byte ranges at a physical address, or an external abort.
// An abort is a return value, never an exception. Addresses are exact numbers below 2^52.
// MemoryMap finds the region; RamRegion is plain zero-filled memory whose chunks exist once they are written.
// Source: IHI 0070G.b §3.15 (single-copy atomicity of 64-bit accesses), §7.2 (external aborts are events).

import { assert } from "../../spec/assert.ts";
import { hex, hi32, low32 } from "../../spec/u64.ts";

export type SwapResult = "ok" | "changed" | "abort";

/** 64-bit little-endian accesses; false is an external abort (bus error). */
export interface PhysicalMemory {
  /** Bits [31:0] of the last successful read64, unsigned. */
  readonly lo: number;
  /** Bits [63:32] of the last successful read64, unsigned. */
  readonly hi: number;
  /** Reads the doubleword at `pa` (8-byte aligned) into lo and hi. */
  read64(pa: number): boolean;
  write64(pa: number, lo: number, hi: number): boolean;
  /** Atomic compare-and-swap of one doubleword; "changed": it no longer held the expected value, nothing was written. */
  compareAndSwap64(pa: number, expectLo: number, expectHi: number, newLo: number, newHi: number): SwapResult;
  /** The whole range or a bus error. */
  readBytes(pa: number, into: Uint8Array): boolean;
  writeBytes(pa: number, from: Uint8Array): boolean;
  /** Plain memory around `pa` to read without a call; undefined where there is none. Absent: there is none anywhere. */
  window?(pa: number): MemoryWindow | undefined;
}

/** A stretch of plain memory. Reads see what writes through the map do; a window that closes has no bytes left. */
export interface MemoryWindow {
  /** In the order of a little-endian machine. */
  readonly words: Int32Array;
  /** Address of its start, bits [63:32] and, signed, [31:0]. */
  readonly hi: number;
  readonly lo: number;
  /** Below 2^31. A window does not cross a multiple of 4 GiB: readers subtract the low halves and compare the high ones. */
  readonly bytes: number;
}

/** One contiguous piece of a memory map. Offsets are relative to `base`; the map has already checked them. */
export interface MemoryRegion {
  readonly base: number;
  readonly bytes: number;
  /** out[0] receives bits [31:0], out[1] bits [63:32]. */
  read64(offset: number, out: Uint32Array): boolean;
  write64(offset: number, lo: number, hi: number): boolean;
  compareAndSwap64(offset: number, expectLo: number, expectHi: number, newLo: number, newHi: number): SwapResult;
  readBytes(offset: number, into: Uint8Array): boolean;
  writeBytes(offset: number, from: Uint8Array): boolean;
  /** Absent where memory has to be asked each time. */
  window?(offset: number): MemoryWindow | undefined;
  /** Taken out of its map, for good: its windows close. */
  close?(): void;
}

/** A memory map of regions that do not overlap; what lies in no region aborts. */
export class MemoryMap implements PhysicalMemory {
  lo = 0;
  hi = 0;
  readonly #pair = new Uint32Array(2);
  #regions: MemoryRegion[] = [];
  #last: MemoryRegion | undefined;

  /** Adds a region. Overlap with another is a bug of the caller. */
  add(region: MemoryRegion): void {
    for (const other of this.#regions) {
      const apart = region.base + region.bytes <= other.base || other.base + other.bytes <= region.base;
      assert(apart, `memory regions at ${hex(region.base)} and ${hex(other.base)} overlap`);
    }
    this.#regions.push(region);
    this.#regions.sort((a, b) => a.base - b.base);
  }

  /** Removes the region that starts at `base`; accesses to it abort from now on. */
  remove(base: number): void {
    for (const region of this.#regions) if (region.base === base) region.close?.();
    this.#regions = this.#regions.filter((region) => region.base !== base);
    this.#last = undefined;
  }

  read64(pa: number): boolean {
    const region = this.#find(pa, 8);
    if (region === undefined || !region.read64(pa - region.base, this.#pair)) return false;
    this.lo = this.#pair[0]!;
    this.hi = this.#pair[1]!;
    return true;
  }

  write64(pa: number, lo: number, hi: number): boolean {
    const region = this.#find(pa, 8);
    return region?.write64(pa - region.base, lo, hi) ?? false;
  }

  compareAndSwap64(pa: number, expectLo: number, expectHi: number, newLo: number, newHi: number): SwapResult {
    const region = this.#find(pa, 8);
    return region?.compareAndSwap64(pa - region.base, expectLo, expectHi, newLo, newHi) ?? "abort";
  }

  readBytes(pa: number, into: Uint8Array): boolean {
    return this.#eachPiece(pa, into.length, (region, offset, start, end) =>
      region.readBytes(offset, into.subarray(start, end)),
    );
  }

  writeBytes(pa: number, from: Uint8Array): boolean {
    const whole = this.#eachPiece(pa, from.length, () => true);
    if (!whole) return false; // nothing is written when a part of the range is a bus error
    return this.#eachPiece(pa, from.length, (region, offset, start, end) =>
      region.writeBytes(offset, from.subarray(start, end)),
    );
  }

  window(pa: number): MemoryWindow | undefined {
    const region = this.#find(pa, 8);
    return region?.window?.(pa - region.base);
  }

  #eachPiece(
    pa: number,
    bytes: number,
    act: (region: MemoryRegion, offset: number, start: number, end: number) => boolean,
  ): boolean {
    let done = 0;
    while (done < bytes) {
      const region = this.#find(pa + done, 1);
      if (region === undefined) return false;
      const offset = pa + done - region.base;
      const piece = Math.min(bytes - done, region.bytes - offset);
      if (!act(region, offset, done, done + piece)) return false;
      done += piece;
    }
    return true;
  }

  #find(pa: number, bytes: number): MemoryRegion | undefined {
    const last = this.#last;
    if (last !== undefined && pa >= last.base && pa + bytes <= last.base + last.bytes) return last;
    let low = 0;
    let high = this.#regions.length - 1;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const region = this.#regions[middle]!;
      if (pa < region.base) high = middle - 1;
      else if (pa >= region.base + region.bytes) low = middle + 1;
      else if (pa + bytes > region.base + region.bytes) return undefined;
      else return (this.#last = region);
    }
    return undefined;
  }
}

/** Large enough that a guest's tables share a chunk; the system commits pages of it as they are written. */
const CHUNK_BYTES = 2 ** 22;
const FOUR_GIB = 2 ** 32;

class Chunk implements MemoryWindow {
  /** Offset in its region. */
  readonly start: number;
  readonly words: Int32Array;
  readonly octets: Uint8Array;
  readonly hi: number;
  readonly lo: number;
  bytes: number;

  constructor(base: number, start: number, bytes: number) {
    assert((base % FOUR_GIB) + bytes <= FOUR_GIB, `a window at ${hex(base)} of ${bytes} bytes crosses 4 GiB`);
    this.start = start;
    this.words = new Int32Array(bytes / 4);
    this.octets = new Uint8Array(this.words.buffer);
    this.hi = hi32(base);
    this.lo = low32(base);
    this.bytes = bytes;
  }
}

/** A window on nothing. Of the chunks' class, so that code which reads through windows sees one shape of object. */
export const NO_WINDOW: MemoryWindow = new Chunk(0, 0, 0);

/**
 * Zero-filled memory of any size; a chunk takes room only once something was written to it. Chunks are aligned by physical
 * address, not from the region's base, so that none crosses a multiple of 4 GiB; the first and the last may be shorter.
 */
export class RamRegion implements MemoryRegion {
  readonly base: number;
  readonly bytes: number;
  /** What the first chunk lacks at its start. */
  readonly #skew: number;
  readonly #chunks = new Map<number, Chunk>();
  #lastIndex = -1;
  #lastChunk: Chunk | undefined;

  constructor(base: number, bytes: number) {
    assert(base % 8 === 0 && bytes % 8 === 0 && bytes > 0, `RAM at ${hex(base)} is not a range of doublewords`);
    this.base = base;
    this.bytes = bytes;
    this.#skew = base % CHUNK_BYTES;
  }

  read64(offset: number, out: Uint32Array): boolean {
    const chunk = this.#chunkAt(offset);
    const word = chunk === undefined ? 0 : (offset - chunk.start) / 4;
    out[0] = chunk === undefined ? 0 : chunk.words[word]!;
    out[1] = chunk === undefined ? 0 : chunk.words[word + 1]!;
    return true;
  }

  write64(offset: number, lo: number, hi: number): boolean {
    const { words, start } = this.#makeChunk(offset);
    const word = (offset - start) / 4;
    words[word] = lo;
    words[word + 1] = hi;
    return true;
  }

  compareAndSwap64(offset: number, expectLo: number, expectHi: number, newLo: number, newHi: number): SwapResult {
    const { words, start } = this.#makeChunk(offset);
    const word = (offset - start) / 4;
    if (words[word] !== (expectLo | 0) || words[word + 1] !== (expectHi | 0)) return "changed";
    words[word] = newLo;
    words[word + 1] = newHi;
    return "ok";
  }

  readBytes(offset: number, into: Uint8Array): boolean {
    this.#eachPiece(offset, into.length, (from, start, end) => {
      const chunk = this.#chunkAt(from);
      if (chunk === undefined) into.fill(0, start, end);
      else into.set(chunk.octets.subarray(from - chunk.start, from - chunk.start + end - start), start);
    });
    return true;
  }

  writeBytes(offset: number, from: Uint8Array): boolean {
    this.#eachPiece(offset, from.length, (to, start, end) => {
      const chunk = this.#makeChunk(to);
      chunk.octets.set(from.subarray(start, end), to - chunk.start);
    });
    return true;
  }

  window(offset: number): MemoryWindow | undefined {
    return this.#chunkAt(offset);
  }

  close(): void {
    for (const chunk of this.#chunks.values()) chunk.bytes = 0;
  }

  /** The pieces of a range that lie in one chunk each. */
  #eachPiece(offset: number, bytes: number, act: (offset: number, start: number, end: number) => void): void {
    let done = 0;
    while (done < bytes) {
      const left = CHUNK_BYTES - ((offset + done + this.#skew) % CHUNK_BYTES);
      const piece = Math.min(bytes - done, left);
      act(offset + done, done, done + piece);
      done += piece;
    }
  }

  #chunkAt(offset: number): Chunk | undefined {
    const index = Math.floor((offset + this.#skew) / CHUNK_BYTES);
    if (index === this.#lastIndex) return this.#lastChunk;
    const chunk = this.#chunks.get(index);
    if (chunk !== undefined) {
      this.#lastIndex = index;
      this.#lastChunk = chunk;
    }
    return chunk;
  }

  #makeChunk(offset: number): Chunk {
    const existing = this.#chunkAt(offset);
    if (existing !== undefined) return existing;
    const index = Math.floor((offset + this.#skew) / CHUNK_BYTES);
    const start = Math.max(0, index * CHUNK_BYTES - this.#skew);
    const end = Math.min(this.bytes, (index + 1) * CHUNK_BYTES - this.#skew);
    const made = new Chunk(this.base + start, start, end - start);
    this.#chunks.set(index, made);
    this.#lastIndex = index;
    this.#lastChunk = made;
    return made;
  }
}
