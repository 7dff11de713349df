// A small machine for the model's tests: RAM, an SMMU whose registers are programmed, tables, queues.
// Physical map: RAM from 0x4000_0000, 256 MiB; the fixed structures at its start, tables and CDs from an allocator.
// Source of the command layouts: IHI 0070G.b §4.

import { MemoryMap, RamRegion } from "../../src/backends/smmuv3/memory.ts";
import { type Access, type IdRegisters, type Outcome, Smmu, type SmmuOptions } from "../../src/backends/smmuv3/smmu.ts";
import { at, type Doublewords } from "./smmuv3-tables.ts";

export const RAM_BASE = 0x4000_0000;
export const RAM_BYTES = 0x1000_0000;
export const STREAM_TABLE = 0x4000_0000;
export const COMMAND_QUEUE = 0x4001_0000;
export const EVENT_QUEUE = 0x4002_0000;
const ALLOCATOR = 0x4010_0000;

/** Offsets as the manual prints them (§6.1). */
export const OFFSET = {
  CR0: 0x20,
  CR2: 0x2c,
  GBPA: 0x44,
  IRQ_CTRL: 0x50,
  GERROR: 0x60,
  GERRORN: 0x64,
  STRTAB_BASE: 0x80,
  STRTAB_BASE_CFG: 0x88,
  CMDQ_BASE: 0x90,
  CMDQ_PROD: 0x98,
  CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0,
  EVENTQ_PROD: 0x100a8,
  EVENTQ_CONS: 0x100ac,
} as const;

/**
 * An SMMUv3.2 with both stages, AArch64 tables, 16-bit ASIDs and VMIDs, Hyp, two-level tables, mixed endianness, both stall
 * models and RAZ/WI; 20-bit SubstreamIDs; HAD, XNX, STT, RIL, E0PD, EPAN; all granules, 48 bits, 16 stalls.
 */
export const IDS: IdRegisters = {
  idr0: 0x080c_121b, // S2P S1P TTF=2 COHACC Hyp ASID16 VMID16 CD2L TTENDIAN=0 ST_LEVEL=1
  idr1: (10 << 21) | (7 << 16) | (20 << 6) | 16, // CMDQS 10, EVENTQS 7, SSIDSIZE 20, SIDSIZE 16
  idr2: 0,
  idr3: 0x0002_2614, // HAD XNX STT RIL E0PD EPAN
  idr4: 0,
  idr5: 0x0010_0075, // OAS 48, 4K 16K 64K, STALL_MAX 16
  idr6: 0,
  iidr: 0,
  aidr: 2,
};

export interface MachineOptions {
  readonly ids?: Partial<IdRegisters>;
  /** log2 of the Event queue's entries; default 5. */
  readonly eventqBits?: number;
  /** CR2; default RECINVSID. */
  readonly cr2?: number;
  /** The model's option; default off. */
  readonly mergesEvents?: boolean;
  /** An empty map that watches what goes through it. */
  readonly memory?: MemoryMap;
}

export class Machine {
  readonly memory: MemoryMap;
  readonly smmu: Smmu;
  eventInterrupts = 0;
  gerrorInterrupts = 0;
  #free = ALLOCATOR;
  #commandIndex = 0;
  readonly #eventqBits: number;
  readonly #ids: IdRegisters;
  readonly #cr2: number;

  constructor(options: MachineOptions = {}) {
    this.memory = options.memory ?? new MemoryMap();
    this.memory.add(new RamRegion(RAM_BASE, RAM_BYTES));
    this.#ids = { ...IDS, ...options.ids };
    this.#eventqBits = options.eventqBits ?? 5;
    this.#cr2 = options.cr2 ?? 2;
    const lines = {
      eventQueue: () => {
        this.eventInterrupts += 1;
      },
      gerror: () => {
        this.gerrorInterrupts += 1;
      },
    };
    this.smmu = new Smmu(this.#ids, this.memory, lines, { mergesEvents: options.mergesEvents ?? false });
    this.#program(this.smmu, 0b1101); // SMMUEN, EVENTQEN, CMDQEN
  }

  /** Another SMMU on the same memory with nothing cached; it records no events. */
  coldCopy(caches: SmmuOptions = {}): Smmu {
    const smmu = new Smmu(this.#ids, this.memory, { eventQueue: () => {}, gerror: () => {} }, caches);
    this.#program(smmu, 0b0001);
    return smmu;
  }

  #program(smmu: Smmu, cr0: number): void {
    smmu.write64(OFFSET.STRTAB_BASE, BigInt(STREAM_TABLE));
    smmu.write32(OFFSET.STRTAB_BASE_CFG, 8); // linear, 256 STEs
    smmu.write64(OFFSET.CMDQ_BASE, BigInt(COMMAND_QUEUE) | 6n); // 64 commands
    smmu.write64(OFFSET.EVENTQ_BASE, BigInt(EVENT_QUEUE) | BigInt(this.#eventqBits));
    smmu.write32(OFFSET.CR2, this.#cr2);
    smmu.write32(OFFSET.IRQ_CTRL, 0b101);
    smmu.write32(OFFSET.CR0, cr0);
  }

  /** `bytes` of zeroed RAM, aligned to their size and to 4 KiB at least. */
  allocate(bytes = 4096): number {
    const align = Math.max(4096, 2 ** Math.ceil(Math.log2(bytes)));
    const address = Math.ceil(this.#free / align) * align;
    this.#free = address + bytes;
    return address;
  }

  poke(address: number, value: bigint): void {
    const done = this.memory.write64(address, Number(value & 0xffff_ffffn), Number(BigInt.asUintN(64, value) >> 32n));
    if (!done) throw new Error(`0x${address.toString(16)} is not in RAM`);
  }

  peek(address: number): bigint {
    if (!this.memory.read64(address)) throw new Error(`0x${address.toString(16)} is not in RAM`);
    return (BigInt(this.memory.hi) << 32n) | BigInt(this.memory.lo);
  }

  writeSTE(streamID: number, ste: Doublewords): void {
    ste.forEach((value, index) => {
      this.poke(STREAM_TABLE + streamID * 64 + index * 8, value);
    });
  }

  /** Writes a CD at `address`, or at a page of its own; returns where. */
  writeCD(cd: Doublewords, address: number = this.allocate()): number {
    cd.forEach((value, index) => {
      this.poke(address + index * 8, value);
    });
    return address;
  }

  /** Maps one 4 KiB page in a table that starts at `level` (4 KiB granule), making the tables in between. */
  map(table: number, va: number, pa: number, attributes: bigint, startLevel = 1): void {
    this.mapBlock(table, va, pa, attributes, { startLevel, level: 3 });
  }

  /** Maps a leaf at `level`; returns the address of its descriptor. */
  mapBlock(
    table: number,
    va: number,
    pa: number,
    attributes: bigint,
    options: { startLevel?: number; level: number; pageBits?: number; tableBits?: bigint },
  ): number {
    const { startLevel = 1, level, pageBits = 12, tableBits = 0n } = options;
    const stride = pageBits - 3;
    let current = table;
    for (let depth = startLevel; ; depth++) {
      const index = Math.floor(va / 2 ** (pageBits + (3 - depth) * stride));
      const within = depth === startLevel ? index : index % 2 ** stride; // the first level may be concatenated
      const descriptor = current + within * 8;
      if (depth === level) {
        this.poke(descriptor, BigInt(pa) | attributes | (level === 3 ? 3n : 1n));
        return descriptor;
      }
      if ((this.peek(descriptor) & 1n) === 0n) {
        this.poke(descriptor, BigInt(this.allocate(2 ** pageBits)) | tableBits | 3n);
      }
      current = Number(this.peek(descriptor) & 0x0000_ffff_ffff_f000n);
    }
  }

  access(
    streamID: number,
    iova: bigint | number,
    access: Access,
    extra: { ssid?: number; privileged?: boolean } = {},
  ): Outcome {
    return this.smmu.translate({
      streamID,
      ...(extra.ssid === undefined ? {} : { substreamID: extra.ssid }),
      iova: BigInt(iova),
      access,
      privileged: extra.privileged ?? false,
    });
  }

  read(streamID: number, iova: bigint | number, extra: { ssid?: number; privileged?: boolean } = {}): Outcome {
    return this.access(streamID, iova, "read", extra);
  }

  write(streamID: number, iova: bigint | number, extra: { ssid?: number; privileged?: boolean } = {}): Outcome {
    return this.access(streamID, iova, "write", extra);
  }

  /** The physical address of a read, or what became of it: "F_TRANSLATION", "abort". */
  outcome(
    streamID: number,
    iova: bigint | number,
    access: Access = "read",
    extra: { ssid?: number; privileged?: boolean } = {},
  ) {
    const result = this.access(streamID, iova, access, extra);
    if (result.kind === "ok") return result.pa;
    return result.fault?.type ?? result.kind;
  }

  /** Writes commands (two doublewords each) and moves PROD; they have been consumed, or not, when this returns. */
  command(...commands: readonly (readonly [bigint, bigint])[]): void {
    for (const [low, high] of commands) {
      const entry = COMMAND_QUEUE + (this.#commandIndex % 64) * 16;
      this.poke(entry, low);
      this.poke(entry + 8, high);
      this.#commandIndex = (this.#commandIndex + 1) % 128;
    }
    this.smmu.write32(OFFSET.CMDQ_PROD, this.#commandIndex);
  }

  /** CERROR, CMDQ_CONS[30:24]. */
  get commandError(): number {
    return (this.smmu.read32(OFFSET.CMDQ_CONS) >>> 24) & 0x7f;
  }

  /** The records in the Event queue, four doublewords each, consumed. */
  events(): bigint[][] {
    const records: bigint[][] = [];
    const wrap = 2 ** (this.#eventqBits + 1);
    for (;;) {
      const prod = this.smmu.read32(OFFSET.EVENTQ_PROD) % 2 ** 31;
      const whole = this.smmu.read32(OFFSET.EVENTQ_CONS);
      const cons = whole % 2 ** 31;
      if (prod === cons) return records;
      const entry = EVENT_QUEUE + (cons % 2 ** this.#eventqBits) * 32;
      records.push([0, 8, 16, 24].map((offset) => this.peek(entry + offset)));
      this.smmu.write32(OFFSET.EVENTQ_CONS, ((cons + 1) % wrap) + (whole - cons));
    }
  }

  /** Event numbers of the records in the queue, consumed. */
  eventNumbers(): number[] {
    return this.events().map((record) => Number(record[0]! & 0xffn));
  }
}

/** Commands, opcode in [7:0] (§4.1.3). */
export const CMDS = {
  cfgiSTE: (streamID: number): [bigint, bigint] => [0x03n | at(streamID, 32), 1n],
  cfgiRange: (streamID: number, range: number): [bigint, bigint] => [0x04n | at(streamID, 32), BigInt(range)],
  cfgiCD: (streamID: number, ssid: number): [bigint, bigint] => [0x05n | at(ssid, 12) | at(streamID, 32), 1n],
  cfgiCDAll: (streamID: number): [bigint, bigint] => [0x06n | at(streamID, 32), 0n],
  nhAll: (vmid: number): [bigint, bigint] => [0x10n | at(vmid, 32), 0n],
  nhASID: (vmid: number, asid: number): [bigint, bigint] => [0x11n | at(vmid, 32) | at(asid, 48), 0n],
  nhVA: (vmid: number, asid: number, va: bigint): [bigint, bigint] => [0x12n | at(vmid, 32) | at(asid, 48), va],
  nhVAA: (vmid: number, va: bigint): [bigint, bigint] => [0x13n | at(vmid, 32), va],
  el2All: (): [bigint, bigint] => [0x20n, 0n],
  el2ASID: (asid: number): [bigint, bigint] => [0x21n | at(asid, 48), 0n],
  el2VA: (asid: number, va: bigint): [bigint, bigint] => [0x22n | at(asid, 48), va],
  el2VAA: (va: bigint): [bigint, bigint] => [0x23n, va],
  s12All: (vmid: number): [bigint, bigint] => [0x28n | at(vmid, 32), 0n],
  s2IPA: (vmid: number, ipa: bigint): [bigint, bigint] => [0x2an | at(vmid, 32), ipa],
  nsnhAll: (): [bigint, bigint] => [0x30n, 0n],
  resume: (streamID: number, stag: number, action: "retry" | "abort" | "raz-wi"): [bigint, bigint] => [
    0x44n | at(action === "retry" ? 1 : 0, 12) | at(action === "abort" ? 1 : 0, 13) | at(streamID, 32),
    BigInt(stag),
  ],
  stallTerm: (streamID: number): [bigint, bigint] => [0x45n | at(streamID, 32), 0n],
  sync: (): [bigint, bigint] => [0x46n, 0n],
} as const;
