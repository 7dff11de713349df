// A model programmed as a golden case says: its registers through the register file, its memory, an Event queue to drain.
// WatchedMemory remembers which descriptors an access changed, so that a case can start each access from the same pages.

import { MemoryMap, type MemoryRegion, type PhysicalMemory, RamRegion } from "../../src/backends/smmuv3/memory.ts";
import { type Access, type IdRegisters, type Outcome, Smmu, type Transaction } from "../../src/backends/smmuv3/smmu.ts";
import { REGISTER } from "../../src/spec/registers.ts";
import { type GoldenCase, type GoldenTranslation, PAGE_BYTES } from "./case.ts";

export const EVENT_BYTES = 32;
const ACCESS: Readonly<Record<GoldenTranslation["access"], Access>> = { r: "read", w: "write", x: "execute" };

interface Write {
  readonly address: number;
  readonly lo: number;
  readonly hi: number;
}

/** A model on the case's memory, ready to translate. */
export class CaseMachine {
  readonly smmu: Smmu;
  readonly #memory: PhysicalMemory;
  readonly #queueBase: number;
  readonly #queueBits: number;

  constructor(golden: GoldenCase, memory: PhysicalMemory) {
    this.#memory = memory;
    this.smmu = new Smmu(idRegisters(golden), memory, { eventQueue: () => {}, gerror: () => {} });
    program(this.smmu, golden);
    const base = register(golden, "eventq_base");
    this.#queueBits = Number(base & 0x1fn);
    this.#queueBase = Number(base & 0x00ff_ffff_ffff_ffe0n);
  }

  run(golden: GoldenCase, row: GoldenTranslation): Outcome {
    return this.smmu.translate(transactionOf(golden, row));
  }

  /** The records written since the last call, in queue order, as hexadecimal text. */
  drain(): string[] {
    const records: string[] = [];
    const bytes = new Uint8Array(EVENT_BYTES);
    for (;;) {
      const prod = this.smmu.read32(REGISTER.EVENTQ_PROD) % 2 ** 31;
      const cons = this.smmu.read32(REGISTER.EVENTQ_CONS) % 2 ** 31;
      if (prod === cons) return records;
      const index = cons % 2 ** this.#queueBits;
      if (!this.#memory.readBytes(this.#queueBase + index * EVENT_BYTES, bytes)) throw new Error("event queue abort");
      records.push(Buffer.from(bytes).toString("hex"));
      this.smmu.write32(REGISTER.EVENTQ_CONS, (cons + 1) % 2 ** (this.#queueBits + 1));
    }
  }
}

/** The access that a row of a case makes. */
export function transactionOf(golden: GoldenCase, row: GoldenTranslation): Transaction {
  const streamID = row.stream_id ?? golden.stream_id;
  if (streamID === null || streamID === undefined) throw new Error("a translation without a stream");
  return {
    streamID,
    ...(row.ssid === null ? {} : { substreamID: row.ssid }),
    iova: BigInt(row.iova),
    access: ACCESS[row.access],
    privileged: row.privileged ?? golden.privileged ?? false,
  };
}

/** Builds the case's memory: RAM with the delivered pages; everything else aborts. */
export function memoryOf(golden: GoldenCase): WatchedMemory {
  const map = new MemoryMap();
  const regions: MemoryRegion[] = golden.ram.map(({ base, size }) => new RamRegion(base, size));
  for (const region of regions) map.add(region);
  for (const page of golden.pages) {
    const bytes = golden.pageBytes.subarray(page.offset, page.offset + PAGE_BYTES);
    if (!map.writeBytes(page.address, bytes)) throw new Error(`page 0x${page.address.toString(16)} is outside RAM`);
  }
  return new WatchedMemory(map);
}

/** Memory that remembers which descriptors were changed, and can take the changes back. */
export class WatchedMemory implements PhysicalMemory {
  readonly #inner: MemoryMap;
  #before: Write[] = [];

  constructor(inner: MemoryMap) {
    this.#inner = inner;
  }

  get lo(): number {
    return this.#inner.lo;
  }

  get hi(): number {
    return this.#inner.hi;
  }

  read64(pa: number): boolean {
    return this.#inner.read64(pa);
  }

  write64(pa: number, lo: number, hi: number): boolean {
    return this.#inner.write64(pa, lo, hi);
  }

  compareAndSwap64(pa: number, expectLo: number, expectHi: number, newLo: number, newHi: number) {
    const result = this.#inner.compareAndSwap64(pa, expectLo, expectHi, newLo, newHi);
    const isNew = !this.#before.some((write) => write.address === pa);
    if (result === "ok" && isNew) this.#before.push({ address: pa, lo: expectLo, hi: expectHi });
    return result;
  }

  readBytes(pa: number, into: Uint8Array): boolean {
    return this.#inner.readBytes(pa, into);
  }

  writeBytes(pa: number, from: Uint8Array): boolean {
    return this.#inner.writeBytes(pa, from);
  }

  /** Descriptors changed since the last rollback with what they hold now, by address. */
  changes(): string[] {
    return this.#before
      .map(({ address }) => {
        this.#inner.read64(address);
        const value = (BigInt(this.#inner.hi) << 32n) | BigInt(this.#inner.lo);
        return writeText(address, value);
      })
      .sort();
  }

  rollBack(): void {
    for (const { address, lo, hi } of this.#before) this.#inner.write64(address, lo, hi);
    this.#before = [];
  }
}

/** A changed descriptor as text that compares. */
export function writeText(address: number, value: bigint): string {
  return `0x${address.toString(16)}=0x${value.toString(16).padStart(16, "0")}`;
}

function register(golden: GoldenCase, name: string): bigint {
  return BigInt(golden.registers[name] ?? "0x0");
}

function idRegisters(golden: GoldenCase): IdRegisters {
  const number = (name: string): number => Number(register(golden, name));
  return {
    idr0: number("idr0"),
    idr1: number("idr1"),
    idr2: number("idr2"),
    idr3: number("idr3"),
    idr4: number("idr4"),
    idr5: number("idr5"),
    idr6: number("idr6"),
    iidr: number("iidr"),
    aidr: number("aidr"),
  };
}

/** Writes the registers in the order a driver does: everything else first, CR0 last. */
function program(smmu: Smmu, golden: GoldenCase): void {
  const write32 = (offset: number, name: string): void => smmu.write32(offset, Number(register(golden, name)));
  smmu.write64(REGISTER.STRTAB_BASE, register(golden, "strtab_base"));
  write32(REGISTER.STRTAB_BASE_CFG, "strtab_base_cfg");
  smmu.write64(REGISTER.CMDQ_BASE, register(golden, "cmdq_base"));
  write32(REGISTER.CMDQ_PROD, "cmdq_prod");
  write32(REGISTER.CMDQ_CONS, "cmdq_cons");
  smmu.write64(REGISTER.EVENTQ_BASE, register(golden, "eventq_base"));
  write32(REGISTER.EVENTQ_PROD, "eventq_prod");
  write32(REGISTER.EVENTQ_CONS, "eventq_cons");
  write32(REGISTER.CR1, "cr1");
  write32(REGISTER.CR2, "cr2");
  write32(REGISTER.IRQ_CTRL, "irq_ctrl");
  write32(REGISTER.CR0, "cr0");
}
