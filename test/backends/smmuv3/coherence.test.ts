// Caches against the truth: after any change and the invalidation the architecture asks for, an SMMU with warm caches must
// answer as one that has cached nothing. Random, seeded; a failing seed is in the test's name.
// Source: §4.3, §4.4 and §3.17 of IHI 0070G.b; what must be invalidated when: §5.2.1, §5.4.1.
import { expect, test } from "vitest";
import { CMDS, Machine, RAM_BASE } from "../../support/smmuv3-machine.ts";
import {
  at,
  contextDescriptor,
  LEAF,
  nestedSTE,
  OPEN,
  S2_OPEN,
  stage1STE,
  stage2STE,
} from "../../support/smmuv3-tables.ts";

const PAGES = 8;
const STEPS = 120;
/** Bit 64 of CMD_TLBI_*: nothing but leaves has changed. */
const LEAF_ONLY = 1n;
const WRONG_IPA = 0x1000_0000 + PAGES * 4096; // stage 2 leads it to WRONG_PA
const WRONG_PA = 0x4f00_0000;
type Random = (below: number) => number;

interface Guest {
  readonly vmid: number;
  readonly stage2: number;
}

interface Stream {
  readonly id: number;
  readonly guest: Guest;
  readonly asid: number;
  /** Its CD leads to one of the two; both are used with its ASID only. */
  readonly tables: readonly number[];
  readonly cd: number;
}

function random(seed: number): Random {
  let state = seed * 0x9e37_79b9;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function pick<T>(next: Random, from: readonly T[]): T {
  return from[next(from.length)]!;
}

/** Two guests of two nested streams each; a stage 1 page leads to one of PAGES guest pages from 0x1000_0000. */
class World {
  readonly machine = new Machine();
  readonly guests: Guest[] = [];
  readonly streams: Stream[] = [];
  readonly next: Random;
  /** Free pages that stage 2 maps as they are. */
  readonly #leafTables: number[] = [];

  constructor(next: Random) {
    this.next = next;
    const { machine } = this;
    for (const vmid of [1, 2]) {
      const guest = { vmid, stage2: machine.allocate() };
      this.guests.push(guest);
      for (const asid of [1, 2]) {
        const tables = [machine.allocate(), machine.allocate()];
        const cd = machine.writeCD(contextDescriptor(tables[0]!, { asid }));
        for (const table of tables) {
          for (let page = 0; page < PAGES; page++) machine.map(table, page * 4096, 0x1000_0000 + page * 4096, OPEN);
          machine.mapBlock(table, 0x20_0000, 0x1000_0000, OPEN, { level: 2 });
        }
        this.streams.push({ id: this.streams.length, guest, asid, tables, cd });
      }
    }
    for (let spare = 0; spare < STEPS; spare++) this.#leafTables.push(machine.allocate());
    const end = machine.allocate();
    for (const guest of this.guests) {
      for (let page = RAM_BASE; page < end; page += 4096) machine.map(guest.stage2, page, page, S2_OPEN);
      for (let page = 0; page < PAGES; page++) this.#mapStage2(guest, page);
      machine.map(guest.stage2, WRONG_IPA, WRONG_PA, S2_OPEN);
    }
    for (const stream of this.streams) this.#writeSTE(stream, 7);
  }

  /** One change to tables or configuration, and what the architecture asks for after it. */
  change(): void {
    const { next } = this;
    const stream = pick(next, this.streams);
    pick(next, [
      () => this.#changePage(stream),
      () => this.#changeBlock(stream),
      () => this.#changeStage2(stream.guest),
      () => this.#moveTable(stream),
      () => this.#moveStage2Table(stream.guest),
      () => this.#changeCD(stream),
      () => this.#changeSTE(stream),
    ])();
  }

  #changePage(stream: Stream): void {
    const { machine, next } = this;
    const { vmid } = stream.guest;
    const table = pick(next, stream.tables);
    const page = next(PAGES);
    const attributes = pick(next, [OPEN, OPEN | LEAF.READ_ONLY, LEAF.AF | LEAF.USER, LEAF.AF | LEAF.UXN]);
    if (next(4) === 0) machine.mapBlock(table, page * 4096, 0, 0n, { level: 3 });
    else machine.map(table, page * 4096, 0x1000_0000 + next(PAGES) * 4096, attributes);
    const va = BigInt(page * 4096);
    machine.command(
      pick(next, [
        CMDS.nhVA(vmid, stream.asid, va),
        CMDS.nhVA(vmid, stream.asid, va | LEAF_ONLY),
        CMDS.nhVAA(vmid, va),
        CMDS.nhVAA(vmid, va | LEAF_ONLY),
        CMDS.nhAll(vmid),
        CMDS.nsnhAll(),
        [0x12n | at(next(3), 12) | at(1, 20) | at(vmid, 32) | at(stream.asid, 48), va | at(1, 10)] as const, // a range
      ]),
    );
  }

  #changeBlock(stream: Stream): void {
    const { machine, next } = this;
    const attributes = pick(next, [0n, OPEN, OPEN | LEAF.READ_ONLY]);
    const descriptor = machine.mapBlock(pick(next, stream.tables), 0x20_0000, 0x1000_0000, attributes, { level: 2 });
    if (attributes === 0n) machine.poke(descriptor, 0n);
    machine.command(CMDS.nhVA(stream.guest.vmid, stream.asid, BigInt(0x20_0000 + next(512) * 4096)));
  }

  #changeStage2(guest: Guest): void {
    const { machine, next } = this;
    const page = next(PAGES);
    this.#mapStage2(guest, page);
    const ipa = BigInt(0x1000_0000 + page * 4096);
    if (next(2) === 0) machine.command(CMDS.s12All(guest.vmid));
    else
      machine.command(CMDS.s2IPA(guest.vmid, ipa | pick(next, [0n, LEAF_ONLY])), CMDS.sync(), CMDS.nhAll(guest.vmid));
  }

  /** A new leaf table with one page changed; what it replaces leads astray from then on. */
  #moveTable(stream: Stream): void {
    const { machine, next } = this;
    const { vmid } = stream.guest;
    const table = pick(next, stream.tables);
    const page = next(PAGES);
    const ipa = this.#leafTables.pop() ?? 0;
    if (ipa === 0) return;
    const old = this.#replaceTable(table, 0, ipa);
    machine.map(table, page * 4096, 0x1000_0000 + next(PAGES) * 4096, OPEN);
    const va = BigInt(page * 4096);
    machine.command(
      pick(next, [
        CMDS.nhVA(vmid, stream.asid, va),
        CMDS.nhVAA(vmid, va),
        CMDS.nhASID(vmid, stream.asid),
        CMDS.nhAll(vmid),
        CMDS.s12All(vmid),
        CMDS.nsnhAll(),
        [0x12n | at(next(3), 12) | at(1, 20) | at(vmid, 32) | at(stream.asid, 48), va | at(1, 10)] as const, // a range
      ]),
    );
    // CMD_TLBI_NH_ASID leaves a global entry of this page; the table must have gone without this
    machine.command(CMDS.nhVAA(vmid, va | LEAF_ONLY));
    this.#lead(old, WRONG_IPA);
  }

  #moveStage2Table(guest: Guest): void {
    const { machine, next } = this;
    const page = next(PAGES);
    const old = this.#replaceTable(guest.stage2, 0x1000_0000, machine.allocate());
    this.#mapStage2(guest, page);
    const ipa = BigInt(0x1000_0000 + page * 4096);
    if (next(2) === 0) machine.command(CMDS.s12All(guest.vmid));
    else machine.command(CMDS.s2IPA(guest.vmid, ipa), CMDS.sync(), CMDS.nhAll(guest.vmid));
    this.#lead(old, WRONG_PA);
  }

  /** Copies the leaf table that leads to `address` into `table`, and puts that in its place. */
  #replaceTable(root: number, address: number, table: number): number {
    const { machine } = this;
    const last = machine.mapBlock(root, address + 511 * 4096, 0, 0n, { level: 3 });
    machine.poke(last, 0n);
    const old = last - 511 * 8;
    for (let index = 0; index < PAGES; index++) machine.poke(table + index * 8, machine.peek(old + index * 8));
    machine.mapBlock(root, address, table, 2n, { level: 2 }); // type 0b11: a table
    return old;
  }

  /** Every page of the table to one place. */
  #lead(table: number, address: number): void {
    for (let index = 0; index < PAGES; index++) this.machine.poke(table + index * 8, BigInt(address) | S2_OPEN | 3n);
  }

  #mapStage2(guest: Guest, page: number): void {
    const attributes = pick(this.next, [S2_OPEN, S2_OPEN, S2_OPEN, S2_OPEN, S2_OPEN & ~LEAF.S2_WRITE, 0n]);
    const pa = 0x4800_0000 + this.next(64) * 4096;
    this.machine.map(guest.stage2, 0x1000_0000 + page * 4096, pa, attributes);
  }

  #changeCD(stream: Stream): void {
    const { machine, next } = this;
    const extra0 = pick(next, [0n, at(1, 36), at(1, 40)]); // WXN, PAN
    machine.writeCD(contextDescriptor(pick(next, stream.tables), { asid: stream.asid, extra0 }), stream.cd);
    machine.command(pick(next, [CMDS.cfgiCD(stream.id, 0), CMDS.cfgiCDAll(stream.id), CMDS.cfgiSTE(stream.id)]));
    machine.command(CMDS.nhAll(stream.guest.vmid));
  }

  #changeSTE(stream: Stream): void {
    this.#writeSTE(stream, pick(this.next, [0, 4, 6, 7, 7, 7]));
    this.machine.command(
      pick(this.next, [CMDS.cfgiSTE(stream.id), CMDS.cfgiRange(stream.id, 0), CMDS.cfgiRange(0, 31)]),
    );
  }

  #writeSTE(stream: Stream, config: number): void {
    const both = nestedSTE(stage1STE(stream.cd), stage2STE(stream.guest.stage2, { vmid: stream.guest.vmid }));
    both[0] = (both[0] & ~0xen) | at(config, 1);
    this.machine.writeSTE(stream.id, both);
  }
}

test.each([11, 12, 13, 14, 15, 16])("warm caches answer as cold ones do (seed %i)", (seed) => {
  const next = random(seed);
  const world = new World(next);
  for (let step = 0; step < STEPS; step++) {
    world.change();
    const cold = world.machine.coldCopy();
    for (let probe = 0; probe < 80; probe++) {
      const streamID = next(4);
      const page = next(3) === 0 ? 0x200 + next(PAGES) : next(PAGES);
      const base = next(4) === 0 ? 0x1000_0000 : 0; // as an IPA, when stage 1 is off
      const tx = {
        streamID,
        iova: BigInt(base + page * 4096 + next(4096)),
        access: pick(next, ["read", "write", "execute"] as const),
        privileged: next(2) === 0,
      };
      const [warm, truth] = [world.machine.smmu.translate(tx), cold.translate(tx)];
      expect({ step, tx, outcome: { ...warm, recorded: false } }).toEqual({
        step,
        tx,
        outcome: { ...truth, recorded: false },
      });
    }
    world.machine.events();
  }
  expect(world.machine.commandError).toBe(0);
  expect(world.machine.smmu.counters.tlbHit).toBeGreaterThan(500);
});
