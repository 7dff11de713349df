// Physical memory as the model sees it: doublewords and byte ranges at a physical address, or an external abort.
// An abort is a return value, never an exception. Addresses are exact numbers below 2^52.
// MemoryMap finds the region; RamRegion is plain zero-filled memory whose chunks exist once they are written.
// Source: IHI 0070G.b §3.15 (single-copy atomicity of 64-bit accesses), §7.2 (external aborts are events).

import { assert } from "../../spec/assert.ts";
import { hex } from "../../spec/u64.ts";

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

const CHUNK_BYTES = 65_536;

/** Zero-filled memory of any size; a chunk takes room only once something was written to it. */
export class RamRegion implements MemoryRegion {
  readonly base: number;
  readonly bytes: number;
  readonly #chunks = new Map<number, DataView<ArrayBuffer>>();
  #lastIndex = -1;
  #lastChunk: DataView<ArrayBuffer> | undefined;

  constructor(base: number, bytes: number) {
    assert(base % 8 === 0 && bytes % 8 === 0 && bytes > 0, `RAM at ${hex(base)} is not a range of doublewords`);
    this.base = base;
    this.bytes = bytes;
  }

  read64(offset: number, out: Uint32Array): boolean {
    const chunk = this.#chunkAt(Math.floor(offset / CHUNK_BYTES));
    const within = offset % CHUNK_BYTES;
    out[0] = chunk === undefined ? 0 : chunk.getUint32(within, true);
    out[1] = chunk === undefined ? 0 : chunk.getUint32(within + 4, true);
    return true;
  }

  write64(offset: number, lo: number, hi: number): boolean {
    const chunk = this.#makeChunk(Math.floor(offset / CHUNK_BYTES));
    chunk.setUint32(offset % CHUNK_BYTES, lo, true);
    chunk.setUint32((offset % CHUNK_BYTES) + 4, hi, true);
    return true;
  }

  compareAndSwap64(offset: number, expectLo: number, expectHi: number, newLo: number, newHi: number): SwapResult {
    const chunk = this.#makeChunk(Math.floor(offset / CHUNK_BYTES));
    const within = offset % CHUNK_BYTES;
    const same =
      chunk.getUint32(within, true) === expectLo >>> 0 && chunk.getUint32(within + 4, true) === expectHi >>> 0;
    if (!same) return "changed";
    this.write64(offset, newLo, newHi);
    return "ok";
  }

  readBytes(offset: number, into: Uint8Array): boolean {
    this.#eachPiece(offset, into.length, (index, within, start, end) => {
      const chunk = this.#chunkAt(index);
      if (chunk === undefined) into.fill(0, start, end);
      else into.set(new Uint8Array(chunk.buffer, within, end - start), start);
    });
    return true;
  }

  writeBytes(offset: number, from: Uint8Array): boolean {
    this.#eachPiece(offset, from.length, (index, within, start, end) => {
      new Uint8Array(this.#makeChunk(index).buffer).set(from.subarray(start, end), within);
    });
    return true;
  }

  #eachPiece(
    offset: number,
    bytes: number,
    act: (index: number, within: number, start: number, end: number) => void,
  ): void {
    let done = 0;
    while (done < bytes) {
      const within = (offset + done) % CHUNK_BYTES;
      const piece = Math.min(bytes - done, CHUNK_BYTES - within);
      act(Math.floor((offset + done) / CHUNK_BYTES), within, done, done + piece);
      done += piece;
    }
  }

  #chunkAt(index: number): DataView<ArrayBuffer> | undefined {
    if (index === this.#lastIndex) return this.#lastChunk;
    const chunk = this.#chunks.get(index);
    if (chunk !== undefined) {
      this.#lastIndex = index;
      this.#lastChunk = chunk;
    }
    return chunk;
  }

  #makeChunk(index: number): DataView<ArrayBuffer> {
    const existing = this.#chunkAt(index);
    if (existing !== undefined) return existing;
    const made = new DataView(new ArrayBuffer(CHUNK_BYTES));
    this.#chunks.set(index, made);
    this.#lastIndex = index;
    this.#lastChunk = made;
    return made;
  }
}
