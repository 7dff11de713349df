// Streams of every regime, what their translations leave in the caches, and a changed table behind each.
// A leaf that still leads to `old` is cached; a table that still leads to `viaOldTable` is.
// One VMID has either stage-1-only streams or a stage 2, as the architecture asks (§3.17).

import type { Chance } from "../oracle/chance.ts";
import { IDS, Machine, OFFSET } from "./smmuv3-machine.ts";
import {
  at,
  contextDescriptor,
  type Doublewords,
  LEAF,
  nestedSTE,
  S2_OPEN,
  stage1STE,
  stage2STE,
} from "./smmuv3-tables.ts";

export type Regime = "EL1" | "EL2" | "EL2-E2H" | "IPA";

/** Something that a translation has left behind, as §3.17 tags it. */
export interface Cached {
  readonly what: "leaf" | "table";
  readonly regime: Regime;
  readonly vmid: number;
  readonly asid: number;
  readonly isGlobal: boolean;
  /** log2 of the granule. */
  readonly granule: number;
  /** Of a leaf; of the descriptor that leads to a table. */
  readonly level: number;
  readonly base: number;
  readonly bytes: number;
  readonly streamID: number;
  /** An address that shows whether it is still there. */
  readonly probe: number;
  readonly old: number;
}

const GRANULES = [12, 14, 16] as const;
const TG: Readonly<Record<number, number>> = { 12: 0, 14: 2, 16: 1 };
/** 39 bits of 4 KiB pages start at level 1, 36 bits of the others at level 2. */
const T0SZ: Readonly<Record<number, number>> = { 12: 25, 14: 28, 16: 28 };
const GIB = 2 ** 30;
const REGION = 2 ** 21;
/** Entry of a leaf table that nothing fills before a table is judged. */
const UNUSED_PAGE = 300;
const CHECK_PAGE = 400;
const STRW_EL2 = at(2, 30);

interface Space {
  readonly streamID: number;
  readonly regime: Regime;
  readonly vmid: number;
  readonly asid: number;
  readonly granule: number;
  readonly table: number;
  readonly nested: boolean;
}

export class InvalidationWorld {
  readonly machine: Machine;
  readonly vmw: number;
  readonly e2h: boolean;
  readonly cached: Cached[] = [];
  readonly #chance: Chance;
  readonly #changes: (() => void)[] = [];
  #leads = 0;
  #streams = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.e2h = chance.oneIn(2);
    this.vmw = chance.pick(0, 0, 1, 2, 4, 5);
    this.machine = new Machine({ ids: { idr0: IDS.idr0 | (1 << 17) }, cr2: this.e2h ? 3 : 2 });
    this.machine.smmu.write32(OFFSET.CR0, 0b1101 + this.vmw * 64);
    for (const vmid of [0x10, 0x11, 0x13]) for (const asid of [1, 2]) this.#stage1("EL1", vmid, asid);
    if (this.e2h) for (const asid of [1, 2]) this.#stage1("EL2-E2H", 0, asid);
    else this.#stage1("EL2", 0, 0);
    for (const vmid of [0x20, 0x21]) this.#guest(vmid);
  }

  /** Uses every translation until all that can be cached side by side are; the rest is forgotten. */
  fill(): void {
    for (let pass = 0; pass < 4; pass++) {
      const missed = this.cached.filter((each) => each.what === "leaf" && !this.#isHit(each));
      if (pass > 0) for (const each of missed) this.cached.splice(this.cached.indexOf(each), 1);
    }
  }

  /** The tables that the walk caches hold, from one access a walk; none when some displaced others. */
  heldTables(): readonly Cached[] {
    const tables = this.cached.filter((each) => each.what === "table");
    const held = [0, 1].map((pass) =>
      tables.filter((each) => {
        const { smmu } = this.machine;
        const before = smmu.counters.transTableWalkAccess;
        this.machine.read(each.streamID, each.base + (CHECK_PAGE + pass) * 4096);
        return smmu.counters.transTableWalkAccess - before === 1;
      }),
    );
    return held.every((each) => each.length === tables.length) ? tables : [];
  }

  /** Every descriptor leads elsewhere from now on; nothing is invalidated. */
  change(): void {
    for (const each of this.#changes) each();
  }

  isStale({ streamID, probe, old }: Cached): boolean {
    return this.machine.outcome(streamID, probe) === old;
  }

  #isHit({ streamID, probe }: Cached): boolean {
    const { counters } = this.machine.smmu;
    const before = counters.tlbHit;
    this.machine.read(streamID, probe);
    return counters.tlbHit > before;
  }

  #stage1(regime: Regime, vmid: number, asid: number): void {
    const granule = this.#chance.pick(...GRANULES);
    const table = this.machine.allocate(2 ** granule);
    const cd = contextDescriptor(table, { asid, t0sz: T0SZ[granule]!, tg0: TG[granule]! });
    const ste = stage1STE(this.machine.writeCD(cd), { vmid });
    if (regime !== "EL1") ste[1] |= STRW_EL2;
    this.#map({ streamID: this.#add(ste), regime, vmid, asid, granule, table, nested: false });
  }

  /** A stream of stage 2 alone, and nested ones of its VMID. */
  #guest(vmid: number): void {
    const { machine } = this;
    const granule = this.#chance.pick(...GRANULES);
    const table = machine.allocate(2 ** granule);
    const stage2 = stage2STE(table, { vmid, t0sz: T0SZ[granule]!, sl0: 1, tg: TG[granule]! });
    this.#map({ streamID: this.#add(stage2), regime: "IPA", vmid, asid: 0, granule, table, nested: false });
    // tables, CDs and what stage 1 leads to are where they seem to be
    const block = granule === 12 ? GIB : granule === 14 ? 2 ** 25 : 2 ** 29;
    const level = granule === 12 ? 1 : 2;
    for (let ipa = GIB; ipa < 2 * GIB; ipa += block) this.#put(table, ipa, ipa, S2_OPEN, granule, level);
    for (let ipa = 32 * GIB; ipa < 40 * GIB; ipa += block) this.#put(table, ipa, ipa, S2_OPEN, granule, level);
    for (const asid of [1, 2]) {
      const inner = this.#chance.pick(...GRANULES);
      const root = machine.allocate(2 ** inner);
      const cd = machine.writeCD(contextDescriptor(root, { asid, t0sz: T0SZ[inner]!, tg0: TG[inner]! }));
      const streamID = this.#add(nestedSTE(stage1STE(cd), stage2));
      this.#map({ streamID, regime: "EL1", vmid, asid, granule: inner, table: root, nested: true });
    }
  }

  #add(ste: Doublewords): number {
    this.machine.writeSTE(this.#streams, ste);
    return this.#streams++;
  }

  /** Two or three pages of one region, a block, and with 4 KiB pages the table of the region. */
  #map(space: Space): void {
    const { granule } = space;
    const chance = this.#chance;
    const region = (1 + chance.below(3)) * (granule === 12 ? REGION : 8 * GIB); // beside what a guest's tables lie in
    const pages = new Set(Array.from({ length: 3 }, () => chance.below(12)));
    if (granule === 12 && !space.nested) this.#addTable(space, region, pages);
    else for (const page of pages) this.#addLeaf(space, region + page * 2 ** granule, 3);
    const blockBits = granule + granule - 3;
    this.#addLeaf(space, 4 * GIB + 2 ** blockBits * chance.below(4), 2);
  }

  #attributes(space: Space, isGlobal: boolean): bigint {
    if (space.regime === "IPA") return S2_OPEN;
    return LEAF.AF | LEAF.USER | (isGlobal ? 0n : LEAF.NON_GLOBAL);
  }

  /** Where a leaf leads: an address of its own, aligned for any block; stage 2 knows those of nested streams. */
  #lead(space: Space): number {
    this.#leads += 1;
    if (space.nested) return 32 * GIB + (this.#leads % 16) * 2 ** 29;
    return (256 + this.#leads) * GIB;
  }

  #addLeaf(space: Space, base: number, level: number): void {
    const bits = level === 3 ? space.granule : 2 * space.granule - 3;
    const old = this.#lead(space);
    const fresh = this.#lead(space);
    const isGlobal = this.#chance.oneIn(3);
    const attributes = this.#attributes(space, isGlobal);
    this.#put(space.table, base, old, attributes, space.granule, level);
    this.#changes.push(() => this.#put(space.table, base, fresh, attributes, space.granule, level));
    this.#note(space, { what: "leaf", isGlobal, level, base, bytes: 2 ** bits, probe: base, old });
  }

  #addTable(space: Space, region: number, pages: ReadonlySet<number>): void {
    const { machine } = this;
    const startLevel = 1;
    const attributes = this.#attributes(space, false);
    for (const page of pages) this.#addLeaf(space, region + page * 4096, 3);
    for (const page of [CHECK_PAGE, CHECK_PAGE + 1]) machine.map(space.table, region + page * 4096, GIB, attributes);
    const probe = region + UNUSED_PAGE * 4096;
    const [old, fresh] = [this.#lead(space), this.#lead(space)];
    const leaf = machine.mapBlock(space.table, probe, old, attributes, { startLevel, level: 3 });
    const oldTable = leaf - UNUSED_PAGE * 8;
    const newTable = machine.allocate();
    this.#changes.push(() => {
      for (let offset = 0; offset < 4096; offset += 8) machine.poke(newTable + offset, machine.peek(oldTable + offset));
      machine.poke(newTable + UNUSED_PAGE * 8, BigInt(fresh) | attributes | 3n);
      machine.mapBlock(space.table, region, newTable, 2n, { startLevel, level: 2 });
    });
    this.#note(space, { what: "table", isGlobal: false, level: 2, base: region, bytes: REGION, probe, old });
  }

  #note(space: Space, entry: Pick<Cached, "what" | "isGlobal" | "level" | "base" | "bytes" | "probe" | "old">): void {
    const { streamID, regime, vmid, asid, granule } = space;
    this.cached.push({ ...entry, streamID, regime, vmid, asid, granule });
  }

  #put(table: number, va: number, pa: number, attributes: bigint, pageBits: number, level: number): void {
    this.machine.mapBlock(table, va, pa, attributes, { startLevel: pageBits === 12 ? 1 : 2, level, pageBits });
  }
}
