// Stage-2 tables of one nesting parent, 4 KiB granule, built in the simulated host's memory: IPA → PA.
// Blocks of 1 GiB and 2 MiB are used where IPA, PA and length allow. A count stands beside each table, so an emptied one
// is taken out; its frame is given back only after the caller has invalidated the TLB. The leaves are in the table
// memory alone: what a guest maps costs 8 bytes a leaf, not an object.
// Source: Arm ARM DDI 0487 D8.3 (descriptors), D8.2 (4 KiB granule); IHI 0070G.b §5.2 (S2T0SZ, S2SL0).

import { assert } from "../../spec/assert.ts";
import { hi32, lo32 } from "../../spec/u64.ts";
import type { PhysicalMemory } from "../smmuv3/memory.ts";
import type { FrameSource } from "./frames.ts";

const LEVEL_BYTES = [2 ** 39, 2 ** 30, 2 ** 21, 2 ** 12] as const;
const ENTRIES = 512;

/** Page and block sizes these tables use, in bytes. */
export const STAGE2_PAGE_BYTES: readonly number[] = [LEVEL_BYTES[3], LEVEL_BYTES[2], LEVEL_BYTES[1]];

// Low bits of a descriptor: valid, table/page; leaf attributes MemAttr 0b1111 (Normal write-back) or
// 0b0001 (Device-nGnRE), SH inner, AF.
const VALID = 0b01;
const TABLE_OR_PAGE = 0b11;
const MEM_ATTR_WRITE_BACK = 0b1111 * 2 ** 2;
const MEM_ATTR_DEVICE = 0b0001 * 2 ** 2;
const S2AP_READ = 2 ** 6;
const S2AP_WRITE = 2 ** 7;
const SH_INNER = 0b11 * 2 ** 8;
const ACCESS_FLAG = 2 ** 10;

/** What a leaf lets through, and whether memory or a device's registers stand behind it. */
export interface LeafKind {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly device?: boolean;
}

interface Table {
  readonly pa: number;
  readonly level: number;
  /** Next-level tables by index. */
  readonly children: Map<number, Table>;
  /** Entries in use: tables and leaves. */
  used: number;
}

/** A leaf that was taken out: what a TLB may still hold. */
export interface RemovedLeaf {
  readonly ipa: number;
  readonly bytes: number;
}

export class Stage2Tables {
  readonly #memory: PhysicalMemory;
  readonly #frames: FrameSource;
  readonly #root: Table;
  readonly ipaBits: number;

  /** @param ipaBits  25 to 48: the start level follows from it, without concatenation */
  constructor(memory: PhysicalMemory, frames: FrameSource, ipaBits: number) {
    assert(ipaBits >= 25 && ipaBits <= 48, `stage 2 with ${ipaBits}-bit IPAs`);
    this.#memory = memory;
    this.#frames = frames;
    this.ipaBits = ipaBits;
    this.#root = { pa: frames.take(), level: startLevel(ipaBits), children: new Map(), used: 0 };
  }

  /** S2TTB. */
  get root(): number {
    return this.#root.pa;
  }

  /** S2SL0 for the 4 KiB granule: 2 starts at level 0, 1 at level 1, 0 at level 2. */
  get s2sl0(): number {
    return 2 - this.#root.level;
  }

  /** Maps a range; nothing in it may be mapped. On limit_reached nothing of it stays mapped. */
  map(ipa: number, pa: number, bytes: number, access: LeafKind): void {
    const attributes =
      (access.device === true ? MEM_ATTR_DEVICE : MEM_ATTR_WRITE_BACK) +
      SH_INNER +
      ACCESS_FLAG +
      (access.readable ? S2AP_READ : 0) +
      (access.writable ? S2AP_WRITE : 0);
    let done = 0;
    try {
      while (done < bytes) {
        const level = leafLevel(ipa + done, pa + done, bytes - done);
        this.#mapLeaf(ipa + done, pa + done + attributes + (level === 3 ? TABLE_OR_PAGE : VALID), level);
        done += LEVEL_BYTES[level]!;
      }
    } catch (error) {
      // Over the whole range: the leaf that failed may have left empty tables behind it.
      for (const frame of this.unmap(ipa, bytes).frames) this.#frames.give(frame);
      throw error;
    }
  }

  /** Takes the leaves of a range out. The frames of emptied tables are the caller's to give back. */
  unmap(ipa: number, bytes: number): { leaves: RemovedLeaf[]; frames: number[] } {
    const removed: { leaves: RemovedLeaf[]; frames: number[] } = { leaves: [], frames: [] };
    if (bytes > 0) this.#unmapIn(this.#root, 0, ipa, ipa + bytes, removed);
    return removed;
  }

  /** Gives every frame back; no STE points here any more and the TLB is invalidated. */
  destroy(): void {
    const giveBack = (table: Table): void => {
      for (const child of table.children.values()) giveBack(child);
      this.#frames.give(table.pa);
    };
    giveBack(this.#root);
  }

  #mapLeaf(ipa: number, descriptor: number, level: number): void {
    let table = this.#root;
    while (table.level < level) table = this.#childOf(table, indexAt(table.level, ipa));
    this.#fill(table, indexAt(level, ipa), descriptor);
  }

  #childOf(table: Table, index: number): Table {
    const child = table.children.get(index);
    if (child) return child;
    const made: Table = { pa: this.#frames.take(), level: table.level + 1, children: new Map(), used: 0 };
    this.#fill(table, index, made.pa + TABLE_OR_PAGE);
    table.children.set(index, made);
    return made;
  }

  #unmapIn(
    table: Table,
    tableIpa: number,
    from: number,
    to: number,
    removed: { leaves: RemovedLeaf[]; frames: number[] },
  ): void {
    const bytes = LEVEL_BYTES[table.level]!;
    const first = Math.max(0, Math.floor((from - tableIpa) / bytes));
    const last = Math.min(ENTRIES - 1, Math.floor((to - 1 - tableIpa) / bytes));
    for (let index = first; index <= last; index += 1) {
      const child = table.children.get(index);
      const ipa = tableIpa + index * bytes;
      if (child !== undefined) {
        this.#unmapIn(child, ipa, from, to, removed);
        if (child.used > 0) continue;
        removed.frames.push(child.pa);
        table.children.delete(index);
      } else if (this.#isUsed(table, index)) {
        assert(ipa >= from && ipa + bytes <= to, "a stage-2 leaf reaches beyond what is unmapped");
        removed.leaves.push({ ipa, bytes });
      } else continue;
      this.#store(table, index, 0);
      table.used -= 1;
    }
  }

  #fill(table: Table, index: number, descriptor: number): void {
    assert(!this.#isUsed(table, index), "a stage-2 leaf is already there");
    this.#store(table, index, descriptor);
    table.used += 1;
  }

  #isUsed(table: Table, index: number): boolean {
    assert(this.#memory.read64(table.pa + 8 * index), "the simulated host's own memory aborted");
    return this.#memory.lo % 2 === VALID;
  }

  #store(table: Table, index: number, descriptor: number): void {
    const done = this.#memory.write64(table.pa + 8 * index, lo32(descriptor), hi32(descriptor));
    assert(done, "the simulated host's own memory aborted");
  }
}

/** Leaves that a range takes: arithmetic only, so that a range can be refused before any work. */
export function leafCount(ipa: number, pa: number, bytes: number): number {
  const [, gibibyte, mebibytes2, page] = LEVEL_BYTES;
  const inPages = (_: number, length: number): number => length / page;
  const inBlocks = (block: number, smaller: (start: number, length: number) => number) => {
    if ((ipa - pa) % block !== 0) return smaller;
    return (start: number, length: number): number => {
      const head = Math.min(length, (block - (start % block)) % block);
      const tail = (length - head) % block;
      return smaller(start, head) + (length - head - tail) / block + smaller(start + length - tail, tail);
    };
  };
  return inBlocks(gibibyte, inBlocks(mebibytes2, inPages))(ipa, bytes);
}

/** A range in pieces of a few thousand leaves at most, cut only where no block would be. */
export function* slicesOf(ipa: number, pa: number, bytes: number): Generator<{ offset: number; bytes: number }> {
  const [, gibibyte, mebibytes2] = LEVEL_BYTES;
  const step = (ipa - pa) % mebibytes2 === 0 ? gibibyte : 16 * mebibytes2;
  for (let offset = 0; offset < bytes; ) {
    const piece = Math.min(bytes - offset, step - ((ipa + offset) % step));
    yield { offset, bytes: piece };
    offset += piece;
  }
}

function startLevel(ipaBits: number): number {
  if (ipaBits > 39) return 0;
  return ipaBits > 30 ? 1 : 2;
}

function leafLevel(ipa: number, pa: number, bytes: number): number {
  for (const level of [1, 2]) {
    const size = LEVEL_BYTES[level]!;
    if (ipa % size === 0 && pa % size === 0 && bytes >= size) return level;
  }
  return 3;
}

function indexAt(level: number, ipa: number): number {
  return Math.floor(ipa / LEVEL_BYTES[level]!) % ENTRIES;
}
