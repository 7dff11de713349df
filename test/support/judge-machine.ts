// The third judge's machine: memory, one SMMU, and words put in place by hand.
// Nothing here knows the project's layout tables: bits are shifted as the reference prints them, so that a
// misplaced field of the model cannot agree with a test by sharing its table. Sections are those of IHI 0070G.b.

import { MemoryMap, RamRegion } from "../../src/backends/smmuv3/memory.ts";
import {
  type Access,
  type AtcPort,
  type IdRegisters,
  type Outcome,
  Smmu,
  type TranslationRequest,
} from "../../src/backends/smmuv3/smmu.ts";

export const RAM = 0x8000_0000;
export const STREAM_TABLE = 0x8000_0000;
export const COMMAND_QUEUE = 0x8001_0000;
export const EVENT_QUEUE = 0x8002_0000;
export const PRI_QUEUE = 0x8002_8000;
export const CD_TABLE = 0x8003_0000;
export const STAGE1 = 0x8010_0000;
export const STAGE2 = 0x8020_0000;

export const CR0 = 0x20;
export const CR2 = 0x2c;
export const GERROR = 0x60;
export const GERRORN = 0x64;
export const CMDQ_PROD = 0x98;
export const CMDQ_CONS = 0x9c;
export const EVENTQ_PROD = 0x1_00a8;
export const EVENTQ_CONS = 0x1_00ac;
export const PRIQ_PROD = 0x1_00c8;
export const PRIQ_CONS = 0x1_00cc;

/** S1P S2P, TTF AArch64, COHACC, Hyp, ASID16, VMID16, CD2L, little endian, STALL_MODEL 0, two-level stream tables (§6.3.1). */
export const IDR0 = 0x084c_121b;
/** The same with ATS, PRI, ATSRECERR and NS1ATS=0; split-stage ATS is possible. */
export const IDR0_ATS = 0x08cd_161b;
/** SIDSIZE 16, SSIDSIZE 8, EVENTQS 8, CMDQS 8 (§6.3.2). */
export const IDR1 = 0x0108_0210;
/** HAD, XNX, RIL (§6.3.4). */
export const IDR3 = 0x0000_0414;
/** OAS 44 bits, all three granules, STALL_MAX 4 (§6.3.6). */
export const IDR5 = 0x0004_0074;

/** V, Config 0b101 (§5.2). */
export const STE_S1 = 0xbn;
/** V, Config 0b110. */
export const STE_S2 = 0xdn;
/** V, Config 0b111. */
export const STE_NESTED = 0xfn;
/** V, Config 0b100. */
export const STE_BYPASS = 0x9n;
/** T0SZ 25, 4K, EPD1, V, IPS 44 bits, AA64, R, A; ASID 0 (§5.4). */
export const CD_RA = 0x0000_6204_c000_0019n;
/** The same with S. */
export const CD_S = 0x0000_7204_c000_0019n;
/** S2T0SZ 25, S2SL0 1, 4K, S2PS 44 bits, S2AA64, S2R; VMID 0 (§5.2). */
export const S2_R = 0x040c_0059_0000_0000n;
/** The same with S2S. */
export const S2_S = 0x060c_0059_0000_0000n;
/** Stage 1 page: valid, AP RW for all, inner shareable, AF, nG. */
export const PAGE = 0xf43n;
export const PAGE_GLOBAL = 0x743n;
/** Stage 2 page: valid, Normal WB, S2AP RW, inner shareable, AF. */
export const PAGE_S2 = 0x7ffn;

/** Four doublewords as one line of hex, so that a failure can be read beside the manual. */
export function words(...values: readonly bigint[]): string {
  return values.map((value) => `0x${value.toString(16).padStart(16, "0")}`).join(" ");
}

export interface JudgeOptions {
  readonly idr0?: number;
  readonly idr1?: number;
  readonly idr3?: number;
  readonly idr5?: number;
  readonly eventQueueLog2?: number;
  readonly commandQueueLog2?: number;
  readonly atc?: AtcPort;
}

export class JudgeMachine {
  readonly memory = new MemoryMap();
  readonly smmu: Smmu;
  readonly #eventQueueLog2: number;
  readonly #commandQueueLog2: number;
  eventInterrupts = 0;
  gerrorInterrupts = 0;
  priInterrupts = 0;

  /** A machine that is enabled, with a linear stream table of 256 entries, interrupts on. */
  constructor(options: JudgeOptions = {}) {
    this.#eventQueueLog2 = options.eventQueueLog2 ?? 4;
    this.#commandQueueLog2 = options.commandQueueLog2 ?? 4;
    this.memory.add(new RamRegion(RAM, 0x0100_0000));
    const id: IdRegisters = {
      idr0: options.idr0 ?? IDR0,
      idr1: options.idr1 ?? IDR1,
      idr2: 0,
      idr3: options.idr3 ?? IDR3,
      idr4: 0,
      idr5: options.idr5 ?? IDR5,
      idr6: 0,
      iidr: 0x0000_043b,
      aidr: 0x2,
    };
    const lines = {
      eventQueue: () => {
        this.eventInterrupts += 1;
      },
      gerror: () => {
        this.gerrorInterrupts += 1;
      },
      priQueue: () => {
        this.priInterrupts += 1;
      },
    };
    this.smmu = new Smmu(id, this.memory, lines, options.atc === undefined ? {} : { atc: options.atc });
    this.smmu.write64(0x80, BigInt(STREAM_TABLE));
    this.smmu.write32(0x88, 8);
    this.smmu.write64(0x90, BigInt(COMMAND_QUEUE) | BigInt(this.#commandQueueLog2));
    this.smmu.write64(0xa0, BigInt(EVENT_QUEUE) | BigInt(this.#eventQueueLog2));
    this.smmu.write32(0x50, 0x5);
    this.smmu.write32(CR0, 0xd);
  }

  put(pa: number, ...values: readonly bigint[]): void {
    values.forEach((value, index) => {
      this.memory.write64(pa + 8 * index, Number(value & 0xffff_ffffn), Number(value >> 32n));
    });
  }

  get(pa: number): bigint {
    if (!this.memory.read64(pa)) throw new Error(`nothing at 0x${pa.toString(16)}`);
    return (BigInt(this.memory.hi) << 32n) | BigInt(this.memory.lo);
  }

  ste(streamID: number, ...values: readonly bigint[]): void {
    this.put(STREAM_TABLE + 64 * streamID, ...values);
  }

  /** A stage 1 STE, its CD, and tables for the first 2 MiB whose page `i` is `pages[i]`. */
  stage1(streamID: number, cd: bigint, pages: readonly bigint[] = []): void {
    const at = CD_TABLE + 64 * streamID;
    this.ste(streamID, STE_S1 | BigInt(at), 0n, 0n);
    this.cd(at, cd, STAGE1 + 0x4000 * streamID, pages);
  }

  cd(at: number, cd: bigint, tables: number, pages: readonly bigint[]): void {
    this.put(at, cd, BigInt(tables), 0n, 0xffn);
    this.tables(tables, pages);
  }

  /** Levels 1, 2 and 3 of a 39-bit space, 4 KiB granule; level 1 is at `base`. */
  tables(base: number, pages: readonly bigint[]): void {
    this.put(base, BigInt(base + 0x1000) | 3n);
    this.put(base + 0x1000, BigInt(base + 0x2000) | 3n);
    this.put(base + 0x2000, ...pages);
  }

  /** A stage 2 STE; its tables also hold an identity block of 1 GiB at 0x8000_0000 for nested structures. */
  stage2(streamID: number, w2: bigint, pages: readonly bigint[], w0 = STE_S2): void {
    this.ste(streamID, w0, 0n, w2, BigInt(STAGE2));
    this.tables(STAGE2, pages);
    this.put(STAGE2 + 16, 0x8000_07fdn);
  }

  /** Puts one command into the queue and moves PROD (§3.5). */
  command(lo: bigint, hi = 0n): void {
    const prod = this.smmu.read32(CMDQ_PROD);
    const entries = 2 ** this.#commandQueueLog2;
    this.put(COMMAND_QUEUE + 16 * (prod % entries), lo, hi);
    this.smmu.write32(CMDQ_PROD, (prod + 1) % (2 * entries));
  }

  /** CERROR, CMDQ_CONS[30:24]. */
  commandError(): number {
    return Math.floor(this.smmu.read32(CMDQ_CONS) / 2 ** 24) % 128;
  }

  /** RD index with its wrap bit. */
  consumed(): number {
    return this.smmu.read32(CMDQ_CONS) % 2 ** 24;
  }

  acknowledgeErrors(): void {
    this.smmu.write32(GERRORN, this.smmu.read32(GERROR));
  }

  access(streamID: number, iova: bigint, access: Access = "read", substreamID?: number): Outcome {
    const tx = { streamID, iova, access, privileged: false };
    return this.smmu.translate(substreamID === undefined ? tx : { ...tx, substreamID });
  }

  /** The output address, or the kind of refusal. */
  reach(streamID: number, iova: bigint, access: Access = "read", substreamID?: number): string {
    const outcome = this.access(streamID, iova, access, substreamID);
    return outcome.kind === "ok" ? `0x${outcome.pa.toString(16)}` : outcome.kind;
  }

  /** The answer to an ATS translation request: "0x90001000 2^12 RW-", or the completion status. */
  ask(streamID: number, iova: bigint, request: Partial<TranslationRequest> = {}): string {
    const asked = { streamID, iova, noWrite: true, execute: false, privileged: false, ...request };
    const answer = this.smmu.translationRequest(asked);
    if (answer.kind !== "success") return answer.kind;
    const { read, write, execute, privileged, address, sizeLog2 } = answer;
    const rights = `${read ? "R" : "-"}${write ? "W" : "-"}${execute ? "X" : "-"}${privileged ? "P" : ""}`;
    return `0x${address.toString(16)} 2^${sizeLog2} ${rights}`;
  }

  /** What becomes of a translated transaction. */
  pass(streamID: number, iova: bigint, access: Access = "read", substreamID?: number): string {
    const tx = { streamID, iova, access, privileged: false, translated: true };
    const outcome = this.smmu.translate(substreamID === undefined ? tx : { ...tx, substreamID });
    return outcome.kind === "ok" ? `0x${outcome.pa.toString(16)}` : outcome.kind;
  }

  /** The STAG of an access that must stall. */
  stall(streamID: number, iova: bigint, access: Access = "read"): bigint {
    const outcome = this.access(streamID, iova, access);
    if (outcome.kind !== "stalled") throw new Error(`not stalled but ${outcome.kind}`);
    return BigInt(outcome.stag);
  }

  /** What the stalled transactions answered since the last call came to. */
  resumed(): string[] {
    return this.smmu.takeResumed().map(({ outcome }) => {
      return outcome.kind === "ok" ? `0x${outcome.pa.toString(16)}` : outcome.kind;
    });
  }

  /** Takes all records off the queue, as lines of hex; OVACKFLG stays as it is. */
  records(): string[] {
    const entries = 2 ** this.#eventQueueLog2;
    const found: string[] = [];
    let cons = this.smmu.read32(EVENTQ_CONS);
    const flag = cons >= 2 ** 31 ? 2 ** 31 : 0;
    cons %= 2 ** 31;
    const prod = this.smmu.read32(EVENTQ_PROD) % 2 ** 31;
    while (cons !== prod) {
      const at = EVENT_QUEUE + 32 * (cons % entries);
      found.push(words(this.get(at), this.get(at + 8), this.get(at + 16), this.get(at + 24)));
      cons = (cons + 1) % (2 * entries);
    }
    this.smmu.write32(EVENTQ_CONS, flag + cons);
    return found;
  }
}
