// One stream in front of every structure that its STE may lead to, and probes whose verdicts tell configurations apart.
// The host's stage 1 leads to pages at 0x51.., stage 2 alone to 0x52.., a guest's tables to 0x53.. and 0x54..; a mixture
// (a guest's pointer without stage 2, or the host's with it) leads to no memory at all.
// A verdict is all the model tells: result, address, page, IPA, fault, and the raw records. It has no memory attributes.
// Stage 1 tables are one page: T0SZ 43 starts at level 3 (IHI 0070 §5.4, STT). IPA = PA - 0x3000_0000 for guest pages.

import { MemoryMap } from "../../src/backends/smmuv3/memory.ts";
import type { Access, IdRegisters, Outcome } from "../../src/backends/smmuv3/smmu.ts";
import { CMDS, IDS, Machine, STREAM_TABLE } from "./smmuv3-machine.ts";
import { at, contextDescriptor, LEAF, OPEN, S2_OPEN } from "./smmuv3-tables.ts";

export const STREAM = 5;
export const STE_ADDRESS: number = STREAM_TABLE + STREAM * 64;
const IPA_OFFSET = 0x3000_0000;

export interface Probe {
  readonly ssid?: number;
  readonly iova: number;
  readonly access: Access;
  readonly privileged?: boolean;
}

/** Pages of the input space; the same numbers in every context. */
const PAGE = {
  open: 0x0000,
  readOnly: 0x1000,
  unmapped: 0x2000,
  noAF: 0x3000,
  clean: 0x4000,
  privileged: 0x5000,
  neverExecute: 0x6000,
  outsideStage2: 0x7000,
  stage2NoAF: 0x8000,
  stage2Clean: 0x9000,
} as const;

/** What tells stages, substreams and directions apart; enough to see a mixture. */
export const PROBES: readonly Probe[] = [
  { iova: PAGE.open, access: "read" },
  { iova: PAGE.readOnly, access: "write" },
  { iova: PAGE.unmapped, access: "read" },
  { iova: PAGE.outsideStage2, access: "write" },
  { ssid: 0, iova: PAGE.open, access: "write" },
  { ssid: 1, iova: PAGE.open, access: "read" },
  { ssid: 1, iova: PAGE.unmapped, access: "write" },
];

/** Everything else an STE or a CD can decide. */
export const FINE_PROBES: readonly Probe[] = [
  ...PROBES,
  { iova: PAGE.open, access: "write", privileged: true },
  { iova: PAGE.noAF, access: "read" },
  { iova: PAGE.clean, access: "write" },
  { iova: PAGE.privileged, access: "read" },
  { iova: PAGE.privileged, access: "read", privileged: true },
  { iova: PAGE.neverExecute, access: "read" },
  { iova: PAGE.neverExecute, access: "execute" },
  { iova: PAGE.stage2NoAF, access: "read" },
  { iova: PAGE.stage2Clean, access: "write" },
  { ssid: 2, iova: PAGE.open, access: "read" },
  { ssid: 3, iova: PAGE.open, access: "read" },
  { ssid: 64, iova: PAGE.open, access: "read" },
  { ssid: 70_000, iova: PAGE.open, access: "read" },
  { iova: 2 ** 35, access: "read" },
  { iova: 2 ** 50, access: "read" },
  { iova: 2 ** 64 - 2 ** 21, access: "read" },
];

/** SH = inner shareable; with 52-bit addresses of 4 KiB tables these are address bits [51:50] (§5.2, S2DS; §5.4, DS). */
const OUTPUT_HIGH_WITH_DS = at(3, 8);
/** An output address bit for S2PS. */
const BEYOND_36_BITS = at(1, 40);
/** Memory of the tables of SubstreamID 2 and 3, for STE.S2PTW and S2FWB: MemAttr 0b0000 is Device, 0b1011 with FWB only. */
const DEVICE = S2_OPEN & ~LEAF.S2_NORMAL;
const DEVICE_WITH_FWB = DEVICE | at(0b1011, 2);

interface Leaf {
  readonly address: number;
  readonly value: bigint;
}

/** Memory whose reads of one entry are 8 reads of a doubleword each, with something happening before any of them. */
class TornMemory extends MemoryMap {
  torn = -1;
  beforeRead: (index: number) => void = () => {};

  override readBytes(pa: number, into: Uint8Array): boolean {
    if (pa !== this.torn || into.length !== 64) return super.readBytes(pa, into);
    for (let index = 0; index < 8; index += 1) {
      this.beforeRead(index);
      if (!super.readBytes(pa + 8 * index, into.subarray(8 * index, 8 * index + 8))) return false;
    }
    return true;
  }
}

export class EntryWorld {
  readonly machine: Machine;
  readonly #memory = new TornMemory();
  /** A CD at a physical address. */
  readonly hostContext: number;
  /** IPAs of CD tables of four: two linear ones, and the first level of one whose leaf has 64 KiB. */
  readonly linear: number;
  readonly otherLinear: number;
  readonly twoLevel: number;
  /** Physical address of CD 0 of the first linear table. */
  readonly guestCD: number;
  readonly stage2Root: number;
  readonly #leaves: Leaf[] = [];

  constructor(ids: Partial<IdRegisters> = {}, options: { mergesEvents?: boolean } = {}) {
    this.machine = new Machine({ ids: { ...IDS, ...ids }, memory: this.#memory, ...options });
    const { machine } = this;
    this.stage2Root = machine.allocate();
    this.#mapStage2(0, 0x5200_0000);
    this.hostContext = machine.writeCD(contextDescriptor(this.#stage1(0x5100_0000, false), { t0sz: 43, asid: 1 }));
    const [linear, other, first] = [this.#guestPage(), this.#guestPage(), this.#guestPage()];
    this.guestCD = linear;
    const leaf = this.#guestPage(0x1_0000);
    for (const ssid of [0, 1, 2, 3]) {
      this.#guestContext(linear + ssid * 64, 0x5300_0000 + ssid * 0x10_0000, 0x10 + ssid);
      this.#guestContext(other + ssid * 64, 0x5400_0000 + ssid * 0x10_0000, 0x20 + ssid);
      this.#guestContext(leaf + ssid * 64, 0x5500_0000 + ssid * 0x10_0000, 0x30 + ssid);
      // read as a linear table this one has no CD 0, the rest are CDs
      if (ssid > 0) this.#guestContext(first + ssid * 64, 0x5600_0000 + ssid * 0x10_0000, 0x40 + ssid);
    }
    machine.poke(first, BigInt(leaf - IPA_OFFSET) | 1n);
    this.linear = linear - IPA_OFFSET;
    this.otherLinear = other - IPA_OFFSET;
    this.twoLevel = first - IPA_OFFSET;
    this.arrange();
  }

  /** Puts every leaf back as it was; hardware may have updated it. @param move  XORed to the output of data pages */
  arrange(move = 0n): void {
    for (const { address, value } of this.#leaves) this.machine.poke(address, value ^ move);
  }

  /** The entry at `address`. */
  read(address: number): readonly bigint[] {
    return Array.from({ length: 8 }, (_, index) => this.machine.peek(address + 8 * index));
  }

  /** An STE or a CD, as it is written at leisure. */
  write(address: number, entry: readonly bigint[]): void {
    entry.forEach((value, index) => {
      this.machine.poke(address + 8 * index, value);
    });
  }

  /** A verdict while fetches of the entry at `address` are torn: `beforeRead` comes before each of their 8 reads. */
  tornVerdict(probe: Probe, address: number, beforeRead: (index: number) => void): string {
    this.#memory.torn = address;
    this.#memory.beforeRead = beforeRead;
    const verdict = this.verdict(probe);
    this.#memory.torn = -1;
    return verdict;
  }

  /** The whole STE, and nothing of an older one cached. */
  install(ste: readonly bigint[]): void {
    this.write(STE_ADDRESS, ste);
    this.forgetSTE();
  }

  forgetSTE(): void {
    this.#command(CMDS.cfgiSTE(STREAM), CMDS.sync());
  }

  forgetCD(): void {
    this.#command(CMDS.cfgiCD(STREAM, 0), CMDS.sync());
  }

  forgetTranslations(): void {
    this.#command(CMDS.nsnhAll(), CMDS.el2All(), CMDS.sync());
  }

  /** One verdict for each probe. */
  verdicts(probes: readonly Probe[] = PROBES): readonly string[] {
    return probes.map((probe) => this.verdict(probe));
  }

  verdict({ access, iova, privileged = false, ssid }: Probe): string {
    const { machine } = this;
    const outcome = machine.access(
      STREAM,
      BigInt(iova),
      access,
      ssid === undefined ? { privileged } : { privileged, ssid },
    );
    const events = machine.events();
    // STAG, bits [79:64] of the record, is only a number for the answer
    if (outcome.kind === "stalled") for (const event of events) event[1] = event[1]! & ~0xffffn;
    if (outcome.kind === "stalled") this.#endStalls();
    return [told(outcome), ...events.map((event) => event.map((word) => word.toString(16)).join(":"))].join(" ");
  }

  /** Records of the probe made twice in a row: one where they may be merged. */
  recordsOfTwice(probe: Probe): number {
    const extra = probe.ssid === undefined ? {} : { ssid: probe.ssid };
    const [first] = [1, 2].map(() => this.machine.access(STREAM, BigInt(probe.iova), probe.access, extra));
    if (first!.kind === "stalled") this.#endStalls();
    return this.machine.events().length;
  }

  #endStalls(): void {
    this.#command(CMDS.stallTerm(STREAM), CMDS.sync());
    this.machine.smmu.takeResumed();
  }

  #command(...commands: readonly (readonly [bigint, bigint])[]): void {
    this.machine.command(...commands);
    if (this.machine.commandError !== 0) throw new Error(`CERROR ${this.machine.commandError}`);
  }

  /** Ten pages of the input space in one stage 1 table; each leads to a page of its own from `base` on. */
  #stage1(base: number, isGuests: boolean): number {
    const table = this.machine.allocate();
    const page = (iova: number, attributes: bigint): void => {
      this.machine.poke(table + (iova / 4096) * 8, BigInt(base + iova) | attributes | 3n);
    };
    page(PAGE.open, OPEN);
    page(PAGE.readOnly, OPEN | LEAF.READ_ONLY);
    page(PAGE.noAF, OPEN & ~LEAF.AF);
    page(PAGE.clean, OPEN | LEAF.READ_ONLY | LEAF.DBM);
    page(PAGE.privileged, (OPEN & ~LEAF.USER) | OUTPUT_HIGH_WITH_DS);
    page(PAGE.neverExecute, OPEN | LEAF.UXN | LEAF.PXN | (isGuests ? 0n : BEYOND_36_BITS));
    page(PAGE.outsideStage2, OPEN);
    page(PAGE.stage2NoAF, OPEN);
    page(PAGE.stage2Clean, OPEN);
    for (const iova of Object.values(PAGE)) {
      const address = table + (iova / 4096) * 8;
      this.#leaves.push({ address, value: this.machine.peek(address) });
    }
    return table;
  }

  #mapStage2(ipa: number, pa: number): void {
    const page = (offset: number, attributes: bigint): void => {
      const where = { startLevel: 1, level: 3 };
      const address = this.machine.mapBlock(this.stage2Root, ipa + offset, pa + offset, attributes, where);
      this.#leaves.push({ address, value: this.machine.peek(address) });
    };
    for (const offset of Object.values(PAGE)) {
      if (offset === PAGE.unmapped || offset === PAGE.outsideStage2) continue;
      if (offset === PAGE.neverExecute) page(offset, S2_OPEN | BEYOND_36_BITS);
      else if (offset === PAGE.stage2NoAF) page(offset, S2_OPEN & ~LEAF.AF);
      else if (offset === PAGE.stage2Clean) page(offset, (S2_OPEN & ~LEAF.S2_WRITE) | LEAF.DBM);
      else if (offset === PAGE.privileged) page(offset, S2_OPEN | OUTPUT_HIGH_WITH_DS);
      else if (offset === PAGE.readOnly) page(offset, S2_OPEN & ~LEAF.S2_WRITE);
      else page(offset, S2_OPEN);
    }
  }

  #guestContext(address: number, pages: number, asid: number): void {
    const table = this.#stage1(pages - IPA_OFFSET, true);
    const memory = asid % 16 === 2 ? DEVICE : asid % 16 === 3 ? DEVICE_WITH_FWB : S2_OPEN;
    this.machine.map(this.stage2Root, table - IPA_OFFSET, table, memory);
    this.#mapStage2(pages - IPA_OFFSET, pages);
    this.machine.writeCD(contextDescriptor(table - IPA_OFFSET, { t0sz: 43, asid }), address);
  }

  #guestPage(bytes = 4096): number {
    const pa = this.machine.allocate(bytes);
    for (let offset = 0; offset < bytes; offset += 4096) {
      this.machine.map(this.stage2Root, pa + offset - IPA_OFFSET, pa + offset, S2_OPEN);
    }
    return pa;
  }
}

function told(outcome: Outcome): string {
  if (outcome.kind === "ok") {
    const { bypass, ipa, pa, pageBytes } = outcome;
    return `ok ${pa.toString(16)} ${pageBytes} ${ipa?.toString(16) ?? "-"} ${bypass}`;
  }
  const { fault } = outcome;
  if (fault === undefined) return outcome.kind;
  return [outcome.kind, ...Object.entries(fault).map(([name, value]) => `${name}=${value}`)].join(" ");
}
