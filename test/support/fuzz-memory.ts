// Memory for the fuzzer: counts every doubleword the model asks for and checks every address it asks with.
// A request outside the regions is legal (tables point anywhere) and must be answered by a bus error; a request that no
// bus could carry, or one that reaches a region beyond its end, is a bug and throws.
// Source: IHI 0070G.b §3.4 (physical addresses have at most 52 bits here), §3.15 (aligned 64-bit accesses).

import {
  MemoryMap,
  type MemoryWindow,
  type PhysicalMemory,
  RamRegion,
  type SwapResult,
} from "../../src/backends/smmuv3/memory.ts";

export const RAM_BYTES = 0x4_0000;
/** Two regions with a hole between, so that a range can begin inside and end outside. */
export const RAM_BASES = [0x8000_0000, 0x8008_0000] as const;

export class CountedMemory implements PhysicalMemory {
  /** Doublewords asked for since it was last set to 0, answered or not. */
  accesses = 0;
  /** Those of them that went through windows, all of them so far. */
  windowReads = 0;
  readonly #map = new MemoryMap();
  readonly #windows = new Map<MemoryWindow, MemoryWindow>();

  constructor() {
    for (const base of RAM_BASES) this.#map.add(new CheckedRegion(base, RAM_BYTES));
  }

  get lo(): number {
    return this.#map.lo;
  }

  get hi(): number {
    return this.#map.hi;
  }

  read64(pa: number): boolean {
    this.#count(pa, 8);
    return this.#map.read64(pa);
  }

  write64(pa: number, lo: number, hi: number): boolean {
    this.#count(pa, 8);
    return this.#map.write64(pa, lo, hi);
  }

  compareAndSwap64(pa: number, expectLo: number, expectHi: number, newLo: number, newHi: number): SwapResult {
    this.#count(pa, 8);
    return this.#map.compareAndSwap64(pa, expectLo, expectHi, newLo, newHi);
  }

  readBytes(pa: number, into: Uint8Array): boolean {
    this.#count(pa, into.length);
    return this.#map.readBytes(pa, into);
  }

  writeBytes(pa: number, from: Uint8Array): boolean {
    this.#count(pa, from.length);
    return this.#map.writeBytes(pa, from);
  }

  /** Reads through it are counted and checked like any other. */
  window(pa: number): MemoryWindow | undefined {
    const plain = this.#map.window(pa);
    if (plain === undefined) return undefined;
    const known = this.#windows.get(plain);
    if (known !== undefined) return known;
    const watched = { ...plain, words: this.#watched(plain) };
    this.#windows.set(plain, watched);
    return watched;
  }

  #watched({ words, bytes }: MemoryWindow): Int32Array {
    return new Proxy(words, {
      get: (target, name) => {
        const index = Number(name);
        if (!(index >= 0 && index < bytes / 4)) throw new Error(`word ${String(name)} is not in the window`);
        if (index % 2 === 0) {
          this.accesses += 1;
          this.windowReads += 1;
        }
        return target[index];
      },
      set: (_, name) => {
        throw new Error(`word ${String(name)} of a window was written`);
      },
    });
  }

  #count(pa: number, bytes: number): void {
    this.accesses += Math.ceil(bytes / 8);
    if (!Number.isSafeInteger(pa) || pa < 0 || pa + bytes > 2 ** 52 || (bytes === 8 && pa % 8 !== 0)) {
      throw new Error(`the model asked for ${bytes} bytes at ${pa}: no bus carries that`);
    }
  }
}

/** RAM that knows when it is reached past its end. */
class CheckedRegion extends RamRegion {
  override read64(offset: number, out: Uint32Array): boolean {
    this.#check(offset, 8);
    return super.read64(offset, out);
  }

  override write64(offset: number, lo: number, hi: number): boolean {
    this.#check(offset, 8);
    return super.write64(offset, lo, hi);
  }

  override compareAndSwap64(
    offset: number,
    expectLo: number,
    expectHi: number,
    newLo: number,
    newHi: number,
  ): SwapResult {
    this.#check(offset, 8);
    return super.compareAndSwap64(offset, expectLo, expectHi, newLo, newHi);
  }

  override readBytes(offset: number, into: Uint8Array): boolean {
    this.#check(offset, into.length);
    return super.readBytes(offset, into);
  }

  override writeBytes(offset: number, from: Uint8Array): boolean {
    this.#check(offset, from.length);
    return super.writeBytes(offset, from);
  }

  #check(offset: number, bytes: number): void {
    if (offset < 0 || offset + bytes > this.bytes) throw new Error(`offset ${offset} is outside its region`);
  }
}
