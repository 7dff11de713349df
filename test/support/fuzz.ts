// Fuzzes the model: random ID registers, memory, registers, commands and transactions from one seed.
// A round is one SMMU with its memory; a failure names seed and round, and the round alone shows it again.
// The bounds on work are the architecture's, added up below; breaking one counts as a hang.

import {
  type AtcPort,
  type IdRegisters,
  Smmu,
  type SmmuOptions,
  type Transaction,
} from "../../src/backends/smmuv3/smmu.ts";
import { QUEUE_LOG2_MAX, REGISTER_WRITE_MAX, REQUEST_MAX, STALL_MAX, TRANSACTION_MAX } from "./fuzz-bounds.ts";
import { CDS, Chance, TABLES } from "./fuzz-chance.ts";
import { type FuzzFigures, newFuzzFigures } from "./fuzz-figures.ts";
import { CountedMemory, RAM_BASES, RAM_BYTES } from "./fuzz-memory.ts";

const STEPS = 2000;
const OPCODES = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x18, 0x1a, 0x20, 0x21, 0x22, 0x23, 0x28, 0x2a,
  0x30, 0x40, 0x41, 0x44, 0x45, 0x46,
];
const REGISTERS = [
  0x20, 0x28, 0x2c, 0x44, 0x50, 0x60, 0x64, 0x80, 0x84, 0x88, 0x90, 0x94, 0x98, 0x9c, 0xa0, 0xa4, 0x1_00a8, 0x1_00ac,
  0xc0, 0x1_00c8, 0x1_00cc, 0x68, 0x6c, 0x70, 0x74, 0xb0, 0xb4, 0xb8, 0xbc, 0xd0, 0xd4, 0xd8, 0xdc,
];

/** Caches as they are built, few entries, none of one kind, none. */
const CACHES: readonly SmmuOptions[] = [
  {},
  { tlbEntries: 8, walkCacheEntries: 8 },
  { tlbEntries: 1, walkCacheEntries: 2 },
  { tlbEntries: 0 },
  { walkCacheEntries: 0 },
  { tlbEntries: 0, walkCacheEntries: 0 },
];

/** Rounds from `first` on until the time is over. Throws with seed and round at the first breach. */
export function fuzz(seed: number, seconds: number, first = 0): FuzzFigures {
  const figures = newFuzzFigures();
  const end = performance.now() + seconds * 1000;
  for (let round = first; performance.now() < end; round += 1) fuzzRound(seed, round, figures);
  return figures;
}

export function fuzzRound(seed: number, round: number, figures: FuzzFigures): void {
  const machine = new FuzzMachine(new Chance(seed + round * 0x1_0001), figures);
  for (let step = 0; step < STEPS; step += 1) {
    const begin = performance.now();
    try {
      machine.step();
    } catch (error) {
      throw new Error(`seed ${seed}, round ${round}, step ${step}`, { cause: error });
    }
    figures.slowestStepMs = Math.max(figures.slowestStepMs, performance.now() - begin);
  }
  machine.finish();
}

class FuzzMachine {
  readonly #chance: Chance;
  readonly #figures: FuzzFigures;
  readonly #memory = new CountedMemory();
  readonly #smmu: Smmu;
  readonly #stags: bigint[] = [0n];
  /** What a step may be, each with its share. */
  readonly #ops: readonly { readonly share: number; readonly run: () => void }[] = [
    { share: 60, run: () => this.#transact() },
    { share: 15, run: () => this.#command() },
    { share: 5, run: () => this.#write(this.#chance.of(REGISTERS), this.#chance.bits()) },
    { share: 2, run: () => this.#write(4 * this.#chance.below(0x8000), this.#chance.bits()) },
    { share: 2, run: () => this.#read() },
    { share: 9, run: () => this.#mutate() },
    { share: 3, run: () => this.#write(0x1_00ac, this.#smmu.read32(0x1_00a8)) },
    { share: 3, run: () => this.#write(0x64, this.#smmu.read32(0x60)) },
    { share: 1, run: () => this.#aimInterrupts() },
    { share: 1, run: () => this.#configure() },
  ];
  readonly #shares = this.#ops.reduce((sum, op) => sum + op.share, 0);

  constructor(chance: Chance, figures: FuzzFigures) {
    this.#chance = chance;
    this.#figures = figures;
    this.#smmu = new Smmu(
      idRegisters(chance),
      this.#memory,
      { eventQueue: () => {}, gerror: () => {}, priQueue: () => {} },
      { ...chance.of(CACHES), mergesEvents: chance.once(2), atc: this.#atc() },
    );
    for (let at = RAM_BASES[0]; at < RAM_BASES[0] + 0x1000; at += 64) this.#fill(at);
    for (let page = 0; page < CDS[1] + TABLES[1]; page += 1) {
      for (let at = 0; at < 4096; at += 64) this.#fill(CDS[0] + 4096 * page + at);
    }
    this.#configure();
  }

  step(): void {
    let left = this.#chance.below(this.#shares);
    for (const op of this.#ops) {
      if (left < op.share) {
        op.run();
        break;
      }
      left -= op.share;
    }
    this.#figures.steps += 1;
    this.#figures.resumed += this.#smmu.takeResumed().length;
  }

  finish(): void {
    this.#figures.rounds += 1;
    this.#figures.commands += this.#smmu.counters.commands;
    this.#figures.events += this.#smmu.counters.eventsRecorded;
    this.#figures.windowReads += this.#memory.windowReads;
  }

  /** Devices that do not answer every invalidation. */
  #atc(): AtcPort {
    return {
      invalidate: () => {
        if (!this.#chance.once(6)) return "done";
        this.#figures.timeouts += 1;
        return "timeout";
      },
      pageResponse: () => {},
    };
  }

  #transact(): void {
    const chance = this.#chance;
    const iova = chance.of([chance.word(), BigInt(chance.bits()), -BigInt(chance.bits()), chance.address()]);
    const tx = {
      streamID: chance.once(20) ? chance.bits() : chance.below(16),
      iova: BigInt.asUintN(64, iova),
      access: chance.of(["read", "write", "execute"] as const),
      privileged: chance.once(2),
    };
    const ssid = chance.once(20) ? chance.below(2 ** 20) : chance.below(16);
    const pasid = chance.once(3) ? { substreamID: ssid } : {};
    const what = chance.below(20);
    if (what < 4) this.#requestTranslation({ ...tx, ...pasid });
    else if (what === 4) this.#requestPage({ ...tx, ...pasid });
    else this.#translate({ ...tx, ...pasid, translated: chance.once(8) });
  }

  #translate(tx: Transaction): void {
    this.#memory.accesses = 0;
    const outcome = this.#smmu.translate(tx);
    this.#figures.transactionMax = bounded(this.#memory.accesses, this.#figures.transactionMax, TRANSACTION_MAX);
    this.#figures.outcomes[outcome.kind] += 1;
    if (outcome.kind === "stalled") this.#stags.push(BigInt(outcome.stag));
  }

  #requestTranslation({ streamID, substreamID, iova, privileged }: Transaction): void {
    const chance = this.#chance;
    const pasid = substreamID === undefined ? {} : { substreamID };
    const wishes = { noWrite: chance.once(2), execute: chance.once(3), privileged };
    this.#memory.accesses = 0;
    const answer = this.#smmu.translationRequest({ streamID, ...pasid, iova, ...wishes });
    bounded(this.#memory.accesses, 0, REQUEST_MAX);
    this.#figures.answers[answer.kind] += 1;
  }

  #requestPage({ streamID, substreamID, iova, access, privileged }: Transaction): void {
    const chance = this.#chance;
    const pasid = substreamID === undefined ? {} : { substreamID };
    const rights = { read: access === "read", write: access === "write", execute: access === "execute", privileged };
    const group = { last: chance.once(2), prgIndex: chance.below(512) };
    this.#figures.pages[this.#smmu.pageRequest({ streamID, ...pasid, address: iova, ...rights, ...group })] += 1;
  }

  /** One command into the ring where the registers say it is; half the RESUMEs name a STAG that was given out. */
  #command(): void {
    const chance = this.#chance;
    const opcode = chance.once(20) ? chance.below(256) : chance.of(OPCODES);
    const fields = chance.once(2) ? chance.word() : BigInt(chance.below(16)) << 32n;
    const lo = BigInt.asUintN(64, (fields & ~0xffn) | BigInt(opcode));
    const hi = chance.of([chance.word(), 0n, chance.of(this.#stags), chance.address()]);
    const base = this.#smmu.read64(0x90);
    const entries = 2 ** Math.min(Number(base % 32n), QUEUE_LOG2_MAX);
    const prod = this.#smmu.read32(0x98);
    const at = Number(base & 0x000f_ffff_ffff_ffe0n) + 16 * (prod % entries);
    this.#store(at, lo);
    this.#store(at + 8, hi);
    this.#write(0x98, (prod + 1) % (2 * entries));
  }

  #write(offset: number, value: number): void {
    this.#memory.accesses = 0;
    this.#smmu.write32(offset, value);
    this.#figures.registerWriteMax = bounded(this.#memory.accesses, this.#figures.registerWriteMax, REGISTER_WRITE_MAX);
  }

  #read(): void {
    const offset = 4 * this.#chance.below(0x8000);
    const value = this.#smmu.read32(offset);
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32) throw new Error(`register ${offset} read ${value}`);
    this.#smmu.read64(offset - (offset % 8));
  }

  #mutate(): void {
    const chance = this.#chance;
    if (chance.once(10)) this.#store(chance.of(RAM_BASES) + 8 * chance.below(RAM_BYTES / 8), chance.word());
    else this.#fill(RAM_BASES[0] + 64 * chance.below(chance.once(3) ? 32 : 0xe000 / 64));
  }

  /** 64 bytes of what belongs there: an STE, a CD or eight descriptors. */
  #fill(at: number): void {
    const chance = this.#chance;
    let words = Array.from({ length: 8 }, () => chance.descriptor());
    if (at < CDS[0]) words = chance.ste();
    else if (at < TABLES[0] && !chance.once(6)) words = chance.cd();
    for (const [index, word] of words.entries()) this.#store(at + 8 * index, word);
  }

  #store(pa: number, word: bigint): void {
    if (pa % 8 !== 0) return;
    this.#memory.write64(pa, Number(word & 0xffff_ffffn), Number(word >> 32n));
  }

  /** MSI addresses and data of global errors, the Event queue and the PRI queue, into RAM or nowhere; CMD_SYNC brings its own. */
  #aimInterrupts(): void {
    this.#write(0x50, 0);
    for (const offset of [0x68, 0xb0, 0xd0]) {
      this.#smmu.write64(offset, this.#chance.once(4) ? this.#chance.word() : BigInt(RAM_BASES[1] + 0x2000));
      this.#write(offset + 8, this.#chance.bits());
    }
    this.#write(0x50, 0x7);
  }

  /** Puts the SMMU back to work: a random driver would leave it disabled for most of the round. */
  #configure(): void {
    const chance = this.#chance;
    this.#write(0x20, 0);
    const split = chance.of([6, 8, 10]);
    this.#write(0x88, chance.once(4) ? 0x1_0000 + (split << 6) + 8 + chance.below(4) : 4 + chance.below(3));
    this.#smmu.write64(0x80, chance.once(10) ? chance.word() : BigInt(RAM_BASES[0]));
    const log2 = BigInt(chance.below(QUEUE_LOG2_MAX + 1));
    this.#smmu.write64(0x90, (chance.once(20) ? chance.word() & ~31n : BigInt(RAM_BASES[1])) | log2);
    this.#smmu.write64(0xa0, (chance.once(20) ? chance.word() & ~31n : BigInt(RAM_BASES[1] + 0x1000)) | log2);
    this.#smmu.write64(0xc0, (chance.once(20) ? chance.word() & ~31n : BigInt(RAM_BASES[1] + 0x2000)) | log2);
    for (const offset of [0x98, 0x9c, 0x1_00a8, 0x1_00ac, 0x1_00c8, 0x1_00cc]) this.#write(offset, 0);
    this.#write(0x2c, chance.bits());
    this.#write(0x64, this.#smmu.read32(0x60));
    this.#write(0x20, chance.of([0xd, 0xf, 0x1f]));
  }
}

function bounded(count: number, most: number, bound: number): number {
  if (count > bound) throw new Error(`${count} doublewords asked for, where the architecture needs at most ${bound}`);
  return Math.max(count, most);
}

/** Any features this model may be built with (§6.3). */
function idRegisters(chance: Chance): IdRegisters {
  const stages = chance.of([1, 2, 3, 3, 3]);
  const features0 = chance.bits() & 0x048f_7e20;
  const table = (chance.below(2) << 27) | (chance.of([0, 0, 0, 1, 2]) << 24) | (chance.of([0, 2, 2, 3]) << 21);
  const sizes = (chance.once(2) ? 16 : 6 + chance.below(27)) | (chance.below(21) << 6);
  const queues = (QUEUE_LOG2_MAX << 11) | (QUEUE_LOG2_MAX << 16) | (QUEUE_LOG2_MAX << 21);
  const granules = (chance.once(3) ? 1 + chance.below(7) : 7) << 4;
  const addresses =
    (chance.once(6) ? chance.below(7) : 4 + chance.below(3)) | (chance.below(2) << 7) | (chance.below(2) << 10);
  return {
    idr0: (stages | 0x8 | 0x10 | (chance.below(3) << 6) | features0 | table) >>> 0,
    idr1: (sizes | queues | (chance.bits() & 0x0c00_0000)) >>> 0,
    idr2: 0,
    idr3: chance.bits() & 0x0003_7fb4,
    idr4: 0,
    idr5: (addresses | granules | (STALL_MAX << 16)) >>> 0,
    idr6: 0,
    iidr: 0x043b,
    aidr: 0x2,
  };
}
