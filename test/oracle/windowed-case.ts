// One random SMMU in front of windowed-tables.ts, with its STEs and CDs.
// Streams 0 and 1 are nested (VMIDs differ), 2 is stage 1 only, 3 stage 2 only; substreams 0 and 1 have an ASID each.
// Source: IHI 0070G.b §5.2, §5.4, §6.3.

import { type IdRegisters, Smmu, type SmmuOptions } from "../../src/backends/smmuv3/smmu.ts";
import { CD } from "../../src/spec/cd.ts";
import { doublewordsOf, setU64 } from "../../src/spec/layout.ts";
import { REGISTER } from "../../src/spec/registers.ts";
import { STE } from "../../src/spec/ste.ts";
import type { Chance } from "./chance.ts";
import { CONTROL, WindowedMemory } from "./windowed-memory.ts";
import { CONTEXTS, type Sizes, WindowedTables } from "./windowed-tables.ts";

export const VMIDS = [3, 4] as const;
export const ASIDS = [7, 9] as const;
export const COMMAND_QUEUE = CONTROL + 0x4000;
export const EVENT_QUEUE = CONTROL + 0x5000;
type PutSTE = (name: keyof typeof STE, value: bigint) => void;

const OAS_BITS = [32, 36, 40, 42, 44, 48, 52];
const NO_CACHES: SmmuOptions = { tlbEntries: 0, walkCacheEntries: 0 };
const FEW: SmmuOptions = { tlbEntries: 8, walkCacheEntries: 8 };

export class WindowedCase {
  readonly memory = new WindowedMemory();
  readonly smmu: Smmu;
  readonly tables: WindowedTables;
  readonly sizes: Sizes;
  readonly #chance: Chance;
  readonly #oas: number;
  readonly #httu: number;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#oas = chance.pick(5, 5, 5, 4, 3, 6);
    this.#httu = chance.below(4);
    const options = chance.pick<SmmuOptions>(
      {},
      FEW,
      { tlbEntries: 1, walkCacheEntries: 1 },
      { tlbEntries: 4, walkCacheEntries: 2 },
      NO_CACHES,
      { tlbEntries: 0 },
      { tlbEntries: 0, walkCacheEntries: 2 },
      { tlbEntries: 0, walkCacheEntries: 4 },
      { tlbEntries: 0, walkCacheEntries: 8 },
      { tlbEntries: 8, walkCacheEntries: 0 },
    );
    this.smmu = new Smmu(this.#idRegisters(), this.memory, { eventQueue: () => {}, gerror: () => {} }, options);
    this.sizes = this.#drawSizes();
    this.tables = new WindowedTables(chance, this.memory, this.sizes);
    this.writeStreams(0);
    this.writeStreams(1);
    this.writeContexts();
    const { smmu } = this;
    smmu.write64(REGISTER.STRTAB_BASE, BigInt(CONTROL));
    smmu.write32(REGISTER.STRTAB_BASE_CFG, 4);
    smmu.write64(REGISTER.CMDQ_BASE, BigInt(COMMAND_QUEUE) + 5n);
    smmu.write64(REGISTER.EVENTQ_BASE, BigInt(EVENT_QUEUE) + 5n);
    smmu.write32(REGISTER.CR0, 0xd);
  }

  /** Draws the STEs that share a set of stage 2 tables. */
  writeStreams(set: 0 | 1): void {
    const shared = this.#stage2Fields(set);
    if (set === 1) this.memory.put(CONTROL + 64, this.#ste(7, shared));
    else
      for (const [stream, config] of [
        [0, 7],
        [2, 5],
        [3, 6],
      ] as const)
        this.memory.put(CONTROL + 64 * stream, this.#ste(config, shared));
  }

  writeContexts(): void {
    for (const at of [0, 1] as const) {
      this.memory.put(CONTEXTS + 64 * at, this.#cd(ASIDS[at], this.tables.roots[at]!));
      // stage 1 alone has the same ASIDs for the other tables: only the key tells
      this.memory.put(CONTEXTS + 128 + 64 * at, this.#cd(ASIDS[at], this.tables.roots[1 - at]!));
    }
  }

  #drawSizes(): Sizes {
    const chance = this.#chance;
    const widest = Math.min(OAS_BITS[this.#oas]!, 48);
    const inputBits = chance.oneIn(8) ? 25 + chance.below(7) : 32 + chance.below(17);
    const startLevel2 = widest >= 44 && chance.oneIn(2) ? 0 : 1;
    // above 39 bits level 1 has concatenated tables
    const inputBits2 =
      startLevel2 === 0
        ? 40 + chance.below(widest - 39)
        : 34 + chance.below(chance.oneIn(4) ? Math.min(widest, 43) - 33 : 6);
    return { inputBits, inputBits2, startLevel2 };
  }

  /** Fields that STEs of one VMID have alike. */
  #stage2Fields(set: 0 | 1): (put: PutSTE) => void {
    const chance = this.#chance;
    const ha = this.#httu > 0 ? chance.flag() : 0n;
    const fields: [keyof typeof STE, bigint][] = [
      ["S2VMID", BigInt(VMIDS[set])],
      ["S2TTB", BigInt(this.tables.roots2[set]!) >> 4n],
      ["S2T0SZ", BigInt(64 - this.sizes.inputBits2)],
      ["S2SL0", BigInt(2 - this.sizes.startLevel2)],
      ["S2PS", BigInt(this.#outputSize())],
      ["S2AA64", 1n],
      ["S2R", chance.flag(1)],
      ["S2PTW", chance.flag(4)],
      ["S2FWB", chance.flag(4)],
      ["S2AFFD", chance.flag(4)],
      ["S2HA", ha],
      ["S2HD", this.#httu > 1 ? chance.flag() : 0n],
      ["S2HAFT", this.#httu > 2 ? chance.flag(3) & ha : 0n],
    ];
    return (put) => {
      for (const [name, value] of fields) put(name, value);
    };
  }

  /** IPS and S2PS: 48 bits, as a rule. */
  #outputSize(): bigint {
    return this.#chance.oneIn(3) ? BigInt(this.#chance.below(5)) : 5n;
  }

  #ste(config: number, shared: (put: PutSTE) => void): bigint[] {
    const chance = this.#chance;
    const words = new Uint32Array(16);
    const put = (name: keyof typeof STE, value: bigint): void => setU64(words, 0, STE[name], value);
    put("V", 1n);
    put("Config", BigInt(config));
    put("S1ContextPtr", BigInt(CONTEXTS + (config === 5 ? 128 : 0)) >> 6n);
    put("S1CDMax", config === 6 ? 0n : 1n);
    put("S1DSS", 2n);
    put("SHCFG", 1n);
    if (chance.oneIn(4)) put("PRIVCFG", chance.bits(2));
    if (chance.oneIn(4)) put("INSTCFG", chance.bits(2));
    if (chance.oneIn(4)) {
      put("MTCFG", 1n);
      put("MemAttr", chance.bits(4));
      put("ALLOCCFG", chance.bits(4));
    }
    shared(put);
    return doublewordsOf(words);
  }

  #cd(asid: number, root: number): bigint[] {
    const chance = this.#chance;
    const words = new Uint32Array(16);
    const put = (name: keyof typeof CD, value: bigint): void => setU64(words, 0, CD[name], value);
    put("V", 1n);
    put("T0SZ", BigInt(64 - this.sizes.inputBits));
    put("EPD1", 1n);
    put("IPS", BigInt(this.#outputSize()));
    put("AA64", 1n);
    put("R", 1n);
    put("A", 1n);
    put("ASID", BigInt(asid));
    put("TTB0", BigInt(root) >> 4n);
    for (const name of ["AFFD", "WXN", "PAN", "EPAN", "HAD0", "E0PD0", "TBI0"] as const) put(name, chance.flag(8));
    const ha = this.#httu > 0 ? chance.flag() : 0n;
    put("HA", ha);
    if (this.#httu > 1) put("HD", chance.flag());
    if (this.#httu > 2) put("HAFT", chance.flag(3) & ha);
    put("MAIR0", chance.bits(32));
    put("MAIR1", chance.bits(32));
    return doublewordsOf(words);
  }

  /** Both stages, all granules, HYP, ASID16, VMID16, S2FWB, HAD, XNX, STT, RIL, E0PD, EPAN. */
  #idRegisters(): IdRegisters {
    return {
      idr0: 0x080c_021b + this.#httu * 64 + 0x1000,
      idr1: 16 + 8 * 64 + 6 * 2 ** 16 + 6 * 2 ** 21 + 3 * 2 ** 26,
      idr2: 0,
      idr3: 0x0002_2614 + this.#chance.pick(0x100, 0x100, 0x100, 0),
      idr4: 0,
      idr5: 0x0010_0070 + this.#oas,
      idr6: 0,
      iidr: 0,
      aidr: 2,
    };
  }
}
