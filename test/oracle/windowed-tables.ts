// Tables that are really there: two sets for stage 1, two for stage 2, 4 KiB pages, 2 MiB blocks in places.
// Both sets of a stage map the same addresses, so that only tags and keys tell their translations apart.
// Areas lie apart by the highest bit of the input, or next to each other: the same slots of small caches, and others.
// Source: DDI 0487 D8.2, D8.3.

import type { Chance } from "./chance.ts";
import { CONTROL, PAGE_BYTES, TABLE_REGIONS, type WindowedMemory } from "./windowed-memory.ts";

export const CONTEXTS = CONTROL + 0x1000;
const TWO_MIB = 2 ** 21;
const DATA_IPA = 0x8000_0000;
const PAGES = [0, 1, 2, 3, 4, 255, 510, 511];
/** A page of stage 2 for tables: all accesses, write-back, AF. */
const SOUND = 0x7ffn;
/** Stage 2's first level has up to 16 tables, aligned to them all. */
const ROOT2_PAGES = 16;

/** A descriptor that a sequence may write again. */
export interface Leaf {
  readonly pa: number;
  readonly stage: 1 | 2;
  readonly set: 0 | 1;
  /** The first address it maps, of its stage's input. */
  readonly input: number;
  readonly kind: "page" | "block" | "table";
}

export interface Sizes {
  readonly inputBits: number;
  readonly inputBits2: number;
  readonly startLevel2: number;
}

interface Geometry {
  readonly set: 0 | 1;
  readonly stage: 1 | 2;
  /** Physical. */
  readonly root: number;
  readonly startLevel: number;
}

export class WindowedTables {
  readonly leaves: Leaf[] = [];
  /** Input addresses that have a descriptor. */
  readonly inputs: number[] = [];
  readonly ipas: number[] = [];
  /** First levels: of stage 1 as stage 1 has them, of stage 2 physical. */
  readonly roots: number[] = [];
  readonly roots2: number[] = [];
  readonly #chance: Chance;
  readonly #memory: WindowedMemory;
  readonly #sizes: Sizes;
  /** Pages not taken yet, by region. */
  readonly #free = TABLE_REGIONS.map((base) =>
    Array.from({ length: 64 }, (_, at) => base + PAGE_BYTES * (2 * ROOT2_PAGES + at)).reverse(),
  );
  /** Regions that a stage's tables below the first are drawn from. */
  readonly #regions: readonly (readonly [number, ...number[]])[];
  readonly #isIdentity: boolean;
  readonly #isSpoilt: boolean;
  /** Bit of the IPA of some tables of stage 1, beyond what small IPS allow. */
  readonly #highBit: number;
  /** Stage 1's tables as stage 1 addresses them, and where they are. */
  readonly #physical = new Map<number, number>();
  #areas: readonly number[] = [];

  constructor(chance: Chance, memory: WindowedMemory, sizes: Sizes) {
    this.#chance = chance;
    this.#memory = memory;
    this.#sizes = sizes;
    this.#regions = chance.pick<readonly (readonly [number, ...number[]])[]>(
      [[0], [0]],
      [[1], [1]],
      [[0], [0]],
      [[1], [0]],
      [[2], [0]],
      [[0], [2]],
      [[3], [0, 0, 0, 0, 2]],
      [
        [0, 0, 0, 1, 2, 3],
        [0, 1, 1, 1, 1, 3],
      ],
    );
    this.#isIdentity = chance.oneIn(2);
    this.#isSpoilt = chance.oneIn(3);
    this.#highBit = chance.oneIn(2) ? 0 : 2 ** chance.pick(32, 36, Math.min(40, sizes.inputBits2));
    this.#mapStage1();
    this.#mapStage2();
  }

  /** What a descriptor may become. */
  redrawn({ stage, kind, pa, input }: Leaf): bigint {
    const old = this.#memory.at(pa) ?? 0n;
    if (kind === "table") return (old & 0x07ff_ffff_ffff_ffffn) | (this.#chance.bits(5) << 59n);
    if (stage === 1) return this.#leaf1(kind);
    const table = this.#physical.get(input);
    return table === undefined ? this.#leaf2(kind) : this.#tablePage(table, true);
  }

  #mapStage1(): void {
    const { inputBits } = this.#sizes;
    const span = 2 ** inputBits;
    const half = 2 ** (this.#sizes.inputBits2 - 1);
    this.#areas = [DATA_IPA, half > 2 ** 32 ? half + DATA_IPA : DATA_IPA + 2 * TWO_MIB, DATA_IPA + TWO_MIB];
    const first = this.#chance.oneIn(4) ? 0 : TWO_MIB * (Number(this.#chance.bits(27)) % (span / TWO_MIB));
    const areas = [first, (first + span / 2) % span, (first + TWO_MIB) % span];
    for (const set of [0, 1] as const) {
      const root = this.#tableOf1(1);
      this.roots.push(root);
      const startLevel = 4 - Math.ceil((inputBits - 12) / 9);
      const tables: Geometry = { set, stage: 1, root: this.#physical.get(root)!, startLevel };
      for (const [index, area] of areas.entries()) this.#mapArea(tables, area, index === 2 && this.#chance.oneIn(2));
    }
    this.inputs.push(...areas.flatMap((area) => PAGES.map((page) => area + page * PAGE_BYTES)));
  }

  #mapStage2(): void {
    const { inputBits2, startLevel2 } = this.#sizes;
    for (const set of [0, 1] as const) {
      const root = TABLE_REGIONS[this.#regions[1]![0]]! + PAGE_BYTES * ROOT2_PAGES * set;
      this.roots2.push(root);
      const tables: Geometry = { set, stage: 2, root, startLevel: startLevel2 };
      for (const [index, area] of this.#areas.entries()) {
        this.#mapArea(tables, area, index === 2 && this.#chance.oneIn(2));
      }
      for (const [ipa, pa] of this.#physical) {
        if (ipa < 2 ** inputBits2) this.#map(tables, ipa, "page", this.#tablePage(pa, this.#isSpoilt));
      }
      this.#map(tables, CONTEXTS, "page", BigInt(CONTEXTS) | SOUND);
      this.leaves.pop(); // nothing follows a CD that moves
    }
    this.ipas.push(...this.#areas.flatMap((area) => PAGES.map((page) => area + page * PAGE_BYTES)));
    this.ipas.push(...this.#physical.keys());
  }

  #mapArea(tables: Geometry, area: number, isBlock: boolean): void {
    const leaf = (kind: "page" | "block"): bigint => (tables.stage === 1 ? this.#leaf1(kind) : this.#leaf2(kind));
    if (isBlock) this.#map(tables, area, "block", leaf("block"));
    else for (const page of PAGES) this.#map(tables, area + page * PAGE_BYTES, "page", leaf("page"));
  }

  #map(tables: Geometry, input: number, kind: "page" | "block", descriptor: bigint): void {
    const { stage, set, startLevel } = tables;
    let table = tables.root;
    for (let level = startLevel; ; level++) {
      const entries = level === startLevel && stage === 2 ? 512 * ROOT2_PAGES : 512;
      const pa = table + 8 * (Math.floor(input / 2 ** (12 + 9 * (3 - level))) % entries);
      if (level === (kind === "page" ? 3 : 2)) {
        this.#memory.put(pa, [descriptor]);
        this.leaves.push({ pa, stage, set, input, kind });
        return;
      }
      if ((this.#memory.at(pa) ?? 0n) === 0n) {
        this.#memory.put(pa, [this.#tableDescriptor(stage)]);
        if (stage === 1) this.leaves.push({ pa, stage, set, input, kind: "table" });
      }
      const next = Number((this.#memory.at(pa) ?? 0n) & 0xffff_ffff_f000n);
      table = stage === 1 ? this.#physical.get(next)! : next;
    }
  }

  #tableDescriptor(stage: 1 | 2): bigint {
    const chance = this.#chance;
    const address = BigInt(stage === 1 ? this.#tableOf1() : this.#allocate(2));
    const limits = stage === 1 && chance.oneIn(4) ? (chance.bits(5) & chance.bits(5)) << 59n : 0n;
    const ignored = chance.oneIn(6) ? chance.bits(10) << 2n : 0n;
    return address | 3n | limits | ignored;
  }

  /** A new table of stage 1. @returns where stage 1 finds it */
  #tableOf1(highOneIn = 16): number {
    const pa = this.#allocate(1, highOneIn === 1);
    const high = highOneIn > 1 && this.#chance.oneIn(highOneIn) ? this.#highBit : 0;
    const ipa = this.#isIdentity ? pa : 0xc000_0000 + high + PAGE_BYTES * 3 * this.#physical.size;
    this.#physical.set(ipa, pa);
    return ipa;
  }

  #allocate(stage: 1 | 2, isRoot = false): number {
    const regions = this.#regions[stage - 1]!;
    const free = this.#free[isRoot ? regions[0] : this.#chance.pick(...regions)]!;
    const pa = this.#chance.oneIn(4) ? free.shift() : free.pop(); // from both ends: the last page of a region, too
    if (pa === undefined) throw new Error("there is no room for tables");
    return pa;
  }

  /** Stage 2 of a table of stage 1. */
  #tablePage(pa: number, isSpoilt: boolean): bigint {
    const chance = this.#chance;
    const descriptor = BigInt(pa) | SOUND;
    if (!isSpoilt || !chance.oneIn(6)) return descriptor;
    return (descriptor & ~chance.pick(0x3cn, 0x30n, 0x400n, 0x80n, 0x40n, 0x2n, 0x80n)) | (chance.flag() << 51n);
  }

  #leaf1(kind: "page" | "block"): bigint {
    const chance = this.#chance;
    const area = BigInt(chance.pick(this.#areas[0]!, ...this.#areas));
    let value = kind === "page" ? area + BigInt(chance.pick(0, ...PAGES) * PAGE_BYTES) : area;
    if (chance.oneIn(24)) value |= 1n << BigInt(chance.pick(32, 36, 39, 40, 42, 44, 47, this.#sizes.inputBits2 % 48));
    value |= chance.oneIn(8) ? 0n : 1n << 6n;
    const isReadOnly = chance.flag(4);
    const maybeClean = isReadOnly & chance.bits(1); // with DBM hardware makes it writable
    value |= (isReadOnly << 7n) | (maybeClean << 51n);
    return value | this.#common(kind, chance.bits(3), chance.bits(1));
  }

  #leaf2(kind: "page" | "block"): bigint {
    const chance = this.#chance;
    let value = 0x5000_0000n + (kind === "page" ? chance.bits(12) << 12n : chance.bits(3) << 21n);
    if (chance.oneIn(3)) value |= 1n << BigInt(chance.oneIn(6) ? chance.pick(32, 36, 40, 42, 44) : chance.pick(28, 29));
    value |= (chance.oneIn(20) ? 0n : 1n << 6n) | (chance.oneIn(6) ? 0n : 1n << 7n);
    return value | this.#common(kind, chance.bits(4), chance.bits(1));
  }

  /** What leaves of both stages have alike; bit 11 is nG, or nothing. */
  #common(kind: "page" | "block", memoryType: bigint, bit11: bigint): bigint {
    const chance = this.#chance;
    const type = chance.oneIn(40) ? chance.bits(2) : kind === "page" ? 3n : 1n;
    const accessed = chance.oneIn(20) ? 0n : 1n << 10n;
    const upper =
      (chance.flag(4) << 51n) | (chance.flag(10) << 53n) | (chance.flag(10) << 54n) | (chance.flag(8) << 52n);
    return type | (memoryType << 2n) | (chance.bits(2) << 8n) | accessed | (bit11 << 11n) | upper;
  }
}
