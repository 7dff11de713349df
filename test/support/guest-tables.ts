// A guest's stage-1 structures, written into its memory as its kernel would: tables of any granule, CDs, CD tables.
// Entries come bit by bit from smmuv3-tables.ts, not from src/spec. Guest memory begins at IPA 0x4000_0000.
// Source: DDI 0487 D8.2, D8.3; IHI 0070G.b §5.3, §5.4.

import type { BufferFile } from "./memory-file.ts";
import { contextDescriptor, type Doublewords, OPEN } from "./smmuv3-tables.ts";

export const GUEST_BASE = 0x4000_0000;

/** Page size as the TG0 field has it, bits of input address for a walk of two or three levels, level of its start. */
export const GRANULES = {
  "4K": { pageBits: 12, tg0: 0, t0sz: 25, start: 1 },
  "16K": { pageBits: 14, tg0: 2, t0sz: 28, start: 2 },
  "64K": { pageBits: 16, tg0: 1, t0sz: 22, start: 2 },
} as const;
export type Granule = keyof typeof GRANULES;

export class GuestTables {
  readonly #file: BufferFile;
  #free = 0x1_0000;

  constructor(file: BufferFile) {
    this.#file = file;
  }

  /** IPA of `bytes` of zeroed guest memory, aligned to their size. */
  allocate(bytes: number): number {
    const align = Math.max(64, 2 ** Math.ceil(Math.log2(bytes)));
    const offset = Math.ceil(this.#free / align) * align;
    this.#free = offset + bytes;
    return GUEST_BASE + offset;
  }

  poke(ipa: number, value: bigint): void {
    const { buffer, byteOffset } = this.#file.data;
    new DataView(buffer, byteOffset).setBigUint64(ipa - GUEST_BASE, value, true);
  }

  peek(ipa: number): bigint {
    const { buffer, byteOffset } = this.#file.data;
    return new DataView(buffer, byteOffset).getBigUint64(ipa - GUEST_BASE, true);
  }

  /** An empty first-level table. */
  root(granule: Granule): number {
    return this.allocate(2 ** GRANULES[granule].pageBits);
  }

  /** Maps one page; returns the IPA of its descriptor. */
  map(granule: Granule, root: number, va: number, ipa: number, attributes: bigint = OPEN): number {
    const { pageBits, start } = GRANULES[granule];
    const stride = pageBits - 3;
    let table = root;
    for (let level: number = start; ; level += 1) {
      const index = Math.floor(va / 2 ** (pageBits + (3 - level) * stride)) % 2 ** stride;
      const entry = table + index * 8;
      if (level === 3) {
        this.poke(entry, BigInt(ipa) | attributes | 3n);
        return entry;
      }
      if ((this.peek(entry) & 1n) === 0n) this.poke(entry, BigInt(this.allocate(2 ** pageBits)) | 3n);
      table = Number(this.peek(entry) & 0xffff_ffff_f000n);
    }
  }

  /** Writes a CD for `root`, at `address` or at a place of its own; returns where. */
  cd(granule: Granule, root: number, options: { asid?: number; address?: number } = {}): number {
    const { t0sz, tg0 } = GRANULES[granule];
    const { asid = 1, address = this.allocate(64) } = options;
    this.writeCD(contextDescriptor(root, { t0sz, tg0, asid }), address);
    return address;
  }

  writeCD(cd: Doublewords, address: number): void {
    cd.forEach((value, index) => {
      this.poke(address + 8 * index, value);
    });
  }
}
