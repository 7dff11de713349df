// Plain memory in a few small regions, as a guest has it: the engine reads its tables through windows.
// Two regions touch, so that tables lie at an edge; two share the lower half of their addresses, so that the upper counts.

import { MemoryMap, RamRegion, type SwapResult } from "../../src/backends/smmuv3/memory.ts";
import { joinBigint } from "../../src/spec/u64.ts";

export const PAGE_BYTES = 4096;
const REGION_BYTES = 96 * PAGE_BYTES;
/** STEs, CDs and queues. */
export const CONTROL = 0x2000_0000;
/** Tables. The later ones have addresses of 33 and 37 bits. */
export const TABLE_REGIONS = [0x4000_0000, 0x4000_0000 + REGION_BYTES, 0x1_4000_0000, 0x10_4000_0000] as const;

export class WindowedMemory extends MemoryMap {
  /** Where hardware has updated a descriptor. */
  readonly changed = new Set<number>();

  constructor() {
    super();
    for (const base of [CONTROL, ...TABLE_REGIONS]) this.add(new RamRegion(base, REGION_BYTES));
  }

  at(pa: number): bigint | undefined {
    return this.read64(pa) ? joinBigint(this.hi, this.lo) : undefined;
  }

  put(pa: number, doublewords: readonly bigint[]): void {
    doublewords.forEach((value, index) => {
      this.write64(pa + 8 * index, Number(value & 0xffff_ffffn), Number(value >> 32n));
    });
  }

  override compareAndSwap64(pa: number, expectLo: number, expectHi: number, newLo: number, newHi: number): SwapResult {
    const result = super.compareAndSwap64(pa, expectLo, expectHi, newLo, newHi);
    if (result === "ok") this.changed.add(pa);
    return result;
  }
}
