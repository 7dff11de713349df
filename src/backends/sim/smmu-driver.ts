// Plays the host kernel's driver of one simulated SMMU: its two-level stream table and its queues in host memory (those
// drivers go on from here), all through the SMMU's own registers. Nothing reaches into the model but by these.
// Source: IHI 0070G.b §3.3.1 (stream table), §3.5 (queues), §6.3.

import { assert } from "../../spec/assert.ts";
import { CD, CD_BYTES, CD_WORDS } from "../../spec/cd.ts";
import { COMMAND } from "../../spec/commands.ts";
import { STE_CONFIG, STRTAB_FMT } from "../../spec/encodings.ts";
import { L1STD, L1STD_BYTES } from "../../spec/l1std.ts";
import { doublewordsOf, get, set, setAddress, wordsOf } from "../../spec/layout.ts";
import { PAGE_REQUEST_BYTES } from "../../spec/page-requests.ts";
import { CR0, IRQ_CTRL, QUEUE_BASE, REGISTER, STRTAB_BASE, STRTAB_BASE_CFG } from "../../spec/registers.ts";
import { STE, STE_BYTES } from "../../spec/ste.ts";
import { hex, hiOf, loOf } from "../../spec/u64.ts";
import { PAGE_BYTES } from "../guest-memory.ts";
import { type Features, featuresOf } from "../smmuv3/id-registers.ts";
import type { MemoryMap } from "../smmuv3/memory.ts";
import { Smmu } from "../smmuv3/smmu.ts";
import { COMMAND_QUEUE_BYTES, COMMANDS_LOG2, CommandQueueDriver } from "./cmdq-driver.ts";
import type { Endpoints } from "./endpoints.ts";
import type { Frames } from "./frames.ts";
import type { SimulatedIommu } from "./inventory.ts";
import { addressSizeCode, type SteWords } from "./make-ste.ts";
import { atcInvAll, cfgiAll, cfgiCd, cfgiSte, command, type RawCommand } from "./raw-commands.ts";
import type { EntryWords } from "./used-bits.ts";
import { EMPTY_ENTRY, type EntryStep, planCdUpdate, planSteUpdate } from "./write-entry.ts";

const SPLIT = 8;
const EVENTS_LOG2 = 10;
export const EVENTS_MAX = 2 ** EVENTS_LOG2;
/** log2 of the PRI queue's entries, where IDR1.PRIQS allows as many. */
const PAGE_REQUESTS_LOG2 = 8;
const HOST_ASID = 1;

export class SmmuDriver {
  readonly host: SimulatedIommu;
  readonly smmu: Smmu;
  readonly features: Features;
  readonly eventQueueBase: number;
  readonly pageRequestQueueBase: number;
  readonly pageRequestsLog2: number;
  readonly #endpoints: Endpoints | undefined;
  readonly #memory: MemoryMap;
  readonly #frames: Frames;
  readonly #streamTable: number;
  readonly #commands: CommandQueueDriver;
  /** What a stream's context descriptor says in the default domain: an empty table, so DMA there faults. */
  readonly #hostCD: EntryWords;
  /** Where each stream's own context descriptor is, whether or not it is valid now. */
  readonly #contexts = new Map<number, number>();
  #contextFrame = 0;
  /** Streams whose STE lets them make translation requests. */
  readonly #withATS = new Set<number>();

  constructor(
    host: SimulatedIommu,
    memory: MemoryMap,
    frames: Frames,
    wiring: {
      readonly onEvents: () => void;
      readonly onPageRequests?: () => void;
      readonly mergesEvents?: boolean;
      /** The devices' ATCs; absent: none has one. */
      readonly endpoints?: Endpoints;
    },
  ) {
    this.host = host;
    this.features = featuresOf(host.registers);
    this.#memory = memory;
    this.#frames = frames;
    const gerror = (): void => {}; // commands are checked right after they run
    const priQueue = wiring.onPageRequests ?? ((): void => {});
    const { endpoints, mergesEvents = false } = wiring;
    this.#endpoints = endpoints;
    const options = endpoints === undefined ? { mergesEvents } : { mergesEvents, atc: endpoints };
    this.smmu = new Smmu(host.registers, memory, { eventQueue: wiring.onEvents, gerror, priQueue }, options);
    const l1Entries = 2 ** Math.max(0, this.features.sidBits - SPLIT);
    this.#streamTable = frames.takeContiguous(Math.max(64, l1Entries * L1STD_BYTES));
    const base = frames.takeContiguous(COMMAND_QUEUE_BYTES);
    this.#commands = new CommandQueueDriver({ iommu: host.id, smmu: this.smmu, memory, base });
    this.eventQueueBase = frames.takeContiguous(EVENTS_MAX * 32);
    this.pageRequestsLog2 = Math.min(PAGE_REQUESTS_LOG2, this.features.priqBitsMax);
    this.pageRequestQueueBase = frames.takeContiguous(Math.max(64, 2 ** this.pageRequestsLog2 * PAGE_REQUEST_BYTES));
    this.#hostCD = this.#makeHostCD(frames.take());
    this.#enable();
  }

  /** The STE as it stands in memory. */
  readSTE(streamID: number): SteWords {
    return this.#readEntry(this.#steAddress(streamID));
  }

  /** Physical address of the stream's own context descriptor, one for the host's stage 1. */
  contextOf(streamID: number): number {
    const known = this.#contexts.get(streamID);
    if (known !== undefined) return known;
    const within = (this.#contexts.size * CD_BYTES) % PAGE_BYTES;
    if (within === 0) this.#contextFrame = this.#frames.take();
    this.#contexts.set(streamID, this.#contextFrame + within);
    return this.#contextFrame + within;
  }

  /**
   * Installs an STE store by store, as planned, each step followed by CFGI_STE and CMD_SYNC. Around it ATS is switched at the
   * device in the order of §3.9.2, and what its ATC holds of the old translation goes, as arm_smmu_attach_commit has it.
   */
  installSTE(streamID: number, target: SteWords): void {
    const current = this.readSTE(streamID);
    const atc = this.features.ats ? this.#endpoints?.find(streamID) : undefined;
    const [had, has] = [hasATS(current), hasATS(target)];
    if (atc && had && !has) {
      atc.isEnabled = false;
      this.issue([atcInvAll(streamID)]);
    }
    this.#storeSTE(streamID, target);
    if (has) this.#withATS.add(streamID);
    else this.#withATS.delete(streamID);
    if (atc && had && has) this.issue([atcInvAll(streamID)]);
    if (atc && has) atc.isEnabled = true;
  }

  /**
   * Empties the ATCs of the devices under a VMID. Stage 2 is below whatever the guest maps, so that no address can be named;
   * the TLB commands before must have been synchronised (§4.5.1).
   */
  flushATCs(vmid: number): void {
    if (!this.features.ats) return;
    const streams = [...this.#withATS].filter((id) => get(wordsOf(this.readSTE(id)), 0, STE.S2VMID) === vmid);
    if (streams.length > 0) this.issue(streams.map(atcInvAll));
  }

  /** The stream's own context descriptor is filled before an STE that leads to it and cleared after one that does not. */
  #storeSTE(streamID: number, target: SteWords): void {
    const isHosts = get(wordsOf(target), 0, STE.Config) === STE_CONFIG.S1;
    if (isHosts) this.#writeContext(streamID, this.#hostCD);
    const at = this.#steAddress(streamID);
    this.#carryOut(at, planSteUpdate(this.#readEntry(at), target), cfgiSte(streamID));
    if (!isHosts && this.#contexts.has(streamID)) this.#writeContext(streamID, EMPTY_ENTRY);
  }

  #writeContext(streamID: number, target: EntryWords): void {
    const at = this.contextOf(streamID);
    this.#carryOut(at, planCdUpdate(this.#readEntry(at), target), cfgiCd(streamID));
  }

  #carryOut(at: number, steps: readonly EntryStep[], invalidation: RawCommand): void {
    for (const step of steps) {
      for (const { index, value } of step.stores) {
        assert(this.#memory.write64(at + 8 * index, loOf(value), hiOf(value)), "host memory aborted");
      }
      this.issue([invalidation]);
    }
  }

  #readEntry(at: number): EntryWords {
    const bytes = new Uint8Array(STE_BYTES); // a CD has as many
    assert(this.#memory.readBytes(at, bytes), "host memory aborted");
    return doublewordsOf(new Uint32Array(bytes.buffer));
  }

  /**
   * Runs commands and a CMD_SYNC to completion.
   * @throws BrokerError backend_failed when the SMMU refuses one; those before it have run, the rest have not
   */
  issue(commands: readonly RawCommand[]): void {
    this.#commands.issue(commands);
  }

  /** Counts the stream from now on. */
  track(streamID: number): ReturnType<Smmu["trackStream"]> {
    return this.smmu.trackStream(streamID);
  }

  /** Address of the STE; makes the second level of the table when it is not there yet. */
  #steAddress(streamID: number): number {
    assert(streamID < 2 ** this.features.sidBits, `StreamID ${streamID} is beyond SIDSIZE`);
    const entry = this.#streamTable + Math.floor(streamID / 2 ** SPLIT) * L1STD_BYTES;
    assert(this.#memory.read64(entry), "the stream table aborted");
    const words = Uint32Array.of(this.#memory.lo, this.#memory.hi);
    if (get(words, 0, L1STD.Span) === 0) {
      const leaf = this.#frames.takeContiguous(2 ** SPLIT * STE_BYTES);
      setAddress(words, 0, L1STD.L2Ptr, 6, leaf);
      set(words, 0, L1STD.Span, SPLIT + 1);
      assert(this.#memory.write64(entry, words[0]!, words[1]!), "the stream table aborted");
      this.issue([cfgiSte(streamID)]);
    }
    return get(words, 0, L1STD.L2Ptr) * 64 + (streamID % 2 ** SPLIT) * STE_BYTES;
  }

  #makeHostCD(table: number): EntryWords {
    const words = new Uint32Array(CD_WORDS);
    set(words, 0, CD.V, 1);
    set(words, 0, CD.T0SZ, 16);
    set(words, 0, CD.EPD1, 1);
    set(words, 0, CD.IPS, addressSizeCode(Math.min(this.features.oasBits, 48)));
    set(words, 0, CD.AA64, 1);
    set(words, 0, CD.R, 1);
    set(words, 0, CD.A, 1);
    set(words, 0, CD.ASET, 1);
    set(words, 0, CD.ASID, HOST_ASID);
    setAddress(words, 0, CD.TTB0, 4, table);
    return doublewordsOf(words);
  }

  #enable(): void {
    const table = new Uint32Array(2);
    setAddress(table, 0, STRTAB_BASE.ADDR, 6, this.#streamTable);
    const config = new Uint32Array(1);
    set(config, 0, STRTAB_BASE_CFG.LOG2SIZE, this.features.sidBits);
    set(config, 0, STRTAB_BASE_CFG.SPLIT, SPLIT);
    set(config, 0, STRTAB_BASE_CFG.FMT, STRTAB_FMT.TWO_LEVEL);
    this.smmu.write32(REGISTER.STRTAB_BASE, table[0]!);
    this.smmu.write32(REGISTER.STRTAB_BASE + 4, table[1]!);
    this.smmu.write32(REGISTER.STRTAB_BASE_CFG, config[0]!);
    this.#queueBase(REGISTER.CMDQ_BASE, this.#commands.base, COMMANDS_LOG2);
    this.#queueBase(REGISTER.EVENTQ_BASE, this.eventQueueBase, EVENTS_LOG2);
    const { ats, pri } = this.features;
    if (pri) this.#queueBase(REGISTER.PRIQ_BASE, this.pageRequestQueueBase, this.pageRequestsLog2);
    const interrupts = new Uint32Array(1);
    set(interrupts, 0, IRQ_CTRL.EVENTQ_IRQEN, 1);
    if (pri) set(interrupts, 0, IRQ_CTRL.PRIQ_IRQEN, 1);
    this.smmu.write32(REGISTER.IRQ_CTRL, interrupts[0]!);
    const control = new Uint32Array(1);
    set(control, 0, CR0.CMDQEN, 1);
    set(control, 0, CR0.EVENTQEN, 1);
    if (pri) set(control, 0, CR0.PRIQEN, 1);
    if (ats) set(control, 0, CR0.ATSCHK, 1); // translated traffic is checked, as in Linux unless told otherwise
    this.smmu.write32(REGISTER.CR0, control[0]!);
    this.issue([cfgiAll(), command(COMMAND.CMD_TLBI_NSNH_ALL)]);
    set(control, 0, CR0.SMMUEN, 1);
    this.smmu.write32(REGISTER.CR0, control[0]!);
    assert(
      this.smmu.read32(REGISTER.CR0ACK) === control[0],
      `${this.host.id} did not acknowledge CR0 ${hex(control[0]!)}`,
    );
  }

  #queueBase(offset: number, base: number, log2: number): void {
    const words = new Uint32Array(2);
    set(words, 0, QUEUE_BASE.LOG2SIZE, log2);
    setAddress(words, 0, QUEUE_BASE.ADDR, 5, base);
    this.smmu.write32(offset, words[0]!);
    this.smmu.write32(offset + 4, words[1]!);
  }
}

/** STE.EATS of an STE that translates. */
function hasATS(ste: SteWords): boolean {
  const words = wordsOf(ste);
  return get(words, 0, STE.V) === 1 && get(words, 0, STE.Config) > STE_CONFIG.BYPASS && get(words, 0, STE.EATS) !== 0;
}
