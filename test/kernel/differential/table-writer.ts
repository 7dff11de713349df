// Writes translation tables of one granule into a trial's words, a walk at a time, and spoils one step of it when asked.
// Bit by bit from the manual, without the broker's own layouts: what is wrong there must not be wrong here too.
// Source: Arm DDI 0487 D8.3 (descriptors), D8.2 (levels of each granule).

import type { Chance } from "../../oracle/chance.ts";
import { at } from "../../support/smmuv3-tables.ts";
import { RAM } from "../guest/nested.ts";
import { ACCESS_BYTES, DATA_BYTES, PLACE } from "./trial.ts";

export interface Shape {
  /** log2 of the granule: 12, 14 or 16. */
  readonly pageBits: number;
  /** 64 - T0SZ. */
  readonly inputBits: number;
}

/** What is wrong on a way: nothing, a leaf, a table, both. */
export interface Spoilt {
  readonly leaf?: Spoiler | undefined;
  readonly table?: Spoiler | undefined;
  /** Of the table; undefined: any. */
  readonly level?: number | undefined;
}

/** Changes the descriptor of a leaf or of a table. */
export interface Spoiler {
  readonly way: string;
  readonly where: keyof Pick<Spoilt, "leaf" | "table">;
  readonly change: (descriptor: bigint, chance: Chance, level: number) => bigint;
  /** Makes a block a table: the walk goes on in it, by bits of the input address that nobody has chosen for that. */
  readonly goesOn?: true;
}

/** Block descriptors are at these levels, for 4, 16 and 64 KiB (D8.3.1, without FEAT_LPA2). */
const BLOCK_LEVELS = new Map([
  [12, [1, 2]],
  [14, [2]],
  [16, [2]],
]);
const TABLE = 3n;
const PAGE = 3n;
const BLOCK = 1n;
/** AP[1], SH, AF and nG: [6], [9:8], [10], [11]. */
const OPEN = at(1, 6) | at(3, 8) | at(1, 10) | at(1, 11);
const PAGE_BYTES = 4096;
const ENTRIES_MAX = PAGE_BYTES / 8;

export function levelBits({ pageBits }: Shape, level: number): number {
  return pageBits + (3 - level) * (pageBits - 3);
}

export function startLevel(shape: Shape): number {
  const levels = Math.ceil((shape.inputBits - shape.pageBits) / (shape.pageBits - 3));
  return 4 - levels;
}

/**
 * The first table has at most 4 KiB. QEMU translates the IPA of a table's beginning by stage 2 and goes on from there in the
 * host's memory: it rounds that address down to the first table's size, and finds entries behind it, where the pages that
 * are next to each other in the guest's memory need not be. What it finds then is nobody's tables.
 */
export function isSmall(shape: Shape): boolean {
  return shape.inputBits - levelBits(shape, startLevel(shape)) <= Math.log2(ENTRIES_MAX);
}

export class TableWriter {
  readonly words: Map<number, bigint>;
  readonly root: number;
  readonly #shape: Shape;
  /** Offsets of tables by the offset of the descriptor that leads there, whatever was made of it since. */
  readonly #below = new Map<number, number>();
  #next: number = PLACE.tables;

  constructor(words: Map<number, bigint>, shape: Shape) {
    this.words = words;
    this.#shape = shape;
    this.root = this.#allocate();
  }

  /**
   * A way to a page of the data for a new input address.
   *
   * @param slot  of the access in its trial: no two have the same low bits
   * @returns the input address; undefined when another access's leaf is on its way
   */
  write(chance: Chance, slot: number, { leaf, level: wanted, table: spoiler }: Spoilt): bigint | undefined {
    const shape = this.#shape;
    const first = startLevel(shape);
    const blocks = (BLOCK_LEVELS.get(shape.pageBits) ?? []).filter((level) => level >= first);
    const hasBlock = chance.oneIn(4) && (leaf?.goesOn !== true || 2 ** shape.pageBits === PAGE_BYTES);
    const leafLevel = hasBlock ? (blocks[chance.below(blocks.length)] ?? 3) : 3;
    const spoilt = wanted ?? first + chance.below(Math.max(1, leafLevel - first));
    const leafBits = levelBits(shape, leafLevel);
    const ipa = RAM.ipa + PLACE.data + PAGE_BYTES * chance.below(DATA_BYTES / PAGE_BYTES);
    const low = (ipa % 2 ** leafBits) + 0x100 * slot + ACCESS_BYTES * chance.below(64);
    const iova = this.#within(chance.bits(shape.inputBits - leafBits) << BigInt(leafBits)) | BigInt(low);
    let table = this.root;
    for (let level = first; level < leafLevel; level += 1) {
      const entry = table + 8 * this.#index(iova, level);
      const known = this.#below.get(entry);
      if (known === undefined && this.words.has(entry)) return undefined;
      table = known ?? this.#allocate();
      if (known !== undefined) continue;
      this.#below.set(entry, table);
      const descriptor = BigInt(RAM.ipa + table) | TABLE;
      this.words.set(entry, level === spoilt && spoiler ? spoiler.change(descriptor, chance, level) : descriptor);
    }
    const entry = table + 8 * this.#index(iova, leafLevel);
    if (this.words.has(entry)) return undefined;
    const attributes = OPEN | (leafLevel === 3 ? PAGE : BLOCK) | (chance.bits(3) << 2n); // AttrIndx [4:2]
    const descriptor = BigInt(ipa - (ipa % 2 ** leafBits)) | attributes;
    this.words.set(entry, leaf ? leaf.change(descriptor, chance, leafLevel) : descriptor);
    return iova;
  }

  /** Only the first 4 KiB of a table are used: see isSmall(). */
  #within(iova: bigint): bigint {
    let all = iova;
    for (let level = startLevel(this.#shape); level <= 3; level += 1) {
      const index = this.#index(iova, level);
      all -= BigInt(index - (index % ENTRIES_MAX)) << BigInt(levelBits(this.#shape, level));
    }
    return all;
  }

  #index(iova: bigint, level: number): number {
    const bits = levelBits(this.#shape, level);
    const first = startLevel(this.#shape);
    const width = level === first ? this.#shape.inputBits - bits : this.#shape.pageBits - 3;
    return Number((iova >> BigInt(bits)) & (at(1, width) - 1n));
  }

  /** A table of its granule's size, aligned to it. */
  #allocate(): number {
    const offset = this.#next;
    this.#next += 2 ** this.#shape.pageBits;
    return offset;
  }
}
