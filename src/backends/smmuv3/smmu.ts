// The SMMU: registers in front, translation and queues behind. Start here.
// It asks for memory, interrupt lines and a port to ATCs, nothing else: no clock, no log, no promise; it never throws for
// what a guest wrote. Commands run to completion inside the register write that made them visible.
// Source: IHI 0070G.b §6 (registers), §3.3.3 (translation), §3.5 (queues), §3.12 (faults).

import { assert } from "../../spec/assert.ts";
import type { Field } from "../../spec/layout.ts";
import { IRQ_CTRL, REGISTER } from "../../spec/registers.ts";
import { hiOf, joinBigint, loOf } from "../../spec/u64.ts";
import { type AtcPort, NO_ATC } from "./atc-port.ts";
import { Ats } from "./ats.ts";
import { AtsCommands } from "./ats-commands.ts";
import { CommandQueue } from "./command-queue.ts";
import { ConfigCache } from "./config-cache.ts";
import { ContextTableReader } from "./context-table.ts";
import { countFault, newSmmuCounters, newStreamCounters, type SmmuCounters, type StreamCounters } from "./counters.ts";
import { EventQueue } from "./event-queue.ts";
import { encodeEvent } from "./event-record.ts";
import { type ExplainRequest, type Explanation, explain } from "./explain.ts";
import { explainTranslationRequest, type ResponseExplanation } from "./explain-ats.ts";
import { explainTranslated } from "./explain-translated.ts";
import { TLB_USE } from "./fast-path.ts";
import type { Fault } from "./fault.ts";
import { errorsOf, GlobalErrors } from "./gerror.ts";
import { featuresOf, type IdRegisters } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import { MSI_SOURCE, MsiWriter } from "./msi.ts";
import { PageRequestQueue } from "./page-request-queue.ts";
import { type PageRequestOutcome, PageRequests } from "./page-requests.ts";
import { isPrgIndex, type PageRequest } from "./pri-record.ts";
import { RegisterFile } from "./register-file.ts";
import { RegisterInterface } from "./register-interface.ts";
import { Responder } from "./respond.ts";
import { Stage1 } from "./stage1.ts";
import { Stage2 } from "./stage2.ts";
import type { ResumedTransaction } from "./stall.ts";
import { decodeStreamTable, StreamTableReader } from "./stream-table.ts";
import type { Switches } from "./switches.ts";
import { Tlb, WALK_CACHE_UNIT_BITS } from "./tlb.ts";
import { TlbInvalidator } from "./tlb-invalidate.ts";
import { assertRequester, busAddress, type Outcome, type Transaction } from "./transaction.ts";
import { Translator } from "./translate.ts";
import type { TranslationRequest, TranslationResponse } from "./translation-request.ts";
import type { Answer, Refusal, Request } from "./verdict.ts";

export type { AtcInvalidation, AtcPort, PageResponse, PageResponseCode } from "./atc-port.ts";
export type { SmmuCounters, StreamCounters } from "./counters.ts";
export type { Explanation, Refusal } from "./explain.ts";
export type { ResponseExplanation } from "./explain-ats.ts";
export type { Fault, FaultClass } from "./fault.ts";
export type { IdRegisters } from "./id-registers.ts";
export type { PageRequestOutcome } from "./page-requests.ts";
export type { PageRequest } from "./pri-record.ts";
export type { ResumedTransaction } from "./stall.ts";
export type { Access, MemoryAttributes, Outcome, Transaction } from "./transaction.ts";
export type { TranslationRequest, TranslationResponse } from "./translation-request.ts";

/** The interrupts the model raises, edges; IRQ_CTRL gates them. */
export interface InterruptLines {
  /** The Event queue went from empty to non-empty. */
  eventQueue(): void;
  /** A global error became active. */
  gerror(): void;
  /** The PRI queue went from empty to non-empty, or took a last request (PRIQ_IRQ_CFG2.LO). Absent: not connected. */
  priQueue?(): void;
}

/** What an implementation may choose. */
export interface SmmuOptions {
  /** Equal event records are merged where the architecture allows it (§7.3.1). Off: every fault has its record. */
  readonly mergesEvents?: boolean;
  /** Translations of both stages, and of stage 2, each; a power of two, 0 leaves the cache out. */
  readonly tlbEntries?: number;
  /** Leaf tables, of each stage; a power of two, 0 leaves the cache out. */
  readonly walkCacheEntries?: number;
  /** Where CMD_ATC_INV and page responses go; absent: no device has an ATC. */
  readonly atc?: AtcPort;
}

const TLB_ENTRIES = 8192;
const WALK_CACHE_ENTRIES = 1024;

export class Smmu {
  readonly counters: SmmuCounters = newSmmuCounters();
  readonly #id: IdRegisters;
  readonly #memory: PhysicalMemory;
  readonly #registers: RegisterFile;
  readonly #switches: Switches;
  readonly #events: EventQueue;
  readonly #responder: Responder;
  readonly #translator: Translator;
  readonly #ats: Ats;
  readonly #pageRequests: PageRequests;
  readonly #interface: RegisterInterface;
  readonly #tracked = new Map<number, StreamCounters>();
  #isTracking = false;
  /** The stream counted last, and its counters if it is tracked. */
  #countedID = -1;
  #counted: StreamCounters | undefined;
  readonly #split = new BigUint64Array(1);
  readonly #halves = new Int32Array(this.#split.buffer);

  constructor(id: IdRegisters, memory: PhysicalMemory, irq: InterruptLines, options: SmmuOptions = {}) {
    const features = featuresOf(id);
    const counters = this.counters;
    const cache = new ConfigCache();
    this.#id = id;
    this.#memory = memory;
    this.#registers = new RegisterFile(id, features);
    this.#switches = {
      smmuEnabled: false,
      bypassAborts: false,
      bypassOverride: undefined,
      recordsBadStreamID: false,
      e2h: false,
      streamTable: decodeStreamTable(new Uint32Array(2), 0, features),
    };
    const isEnabled = (interrupt: Field): boolean => this.#registers.isSet(REGISTER.IRQ_CTRL, interrupt);
    const readRegister = (offset: number): number => this.#registers.read(offset);
    const errors = new GlobalErrors(errorsOf(features), () => {
      if (!isEnabled(IRQ_CTRL.GERROR_IRQEN)) return;
      irq.gerror();
      msi.signal(MSI_SOURCE.gerror, readRegister);
    });
    const parts = { memory, features, errors, counters };
    const msi = new MsiWriter(parts);
    const raise = (): void => {
      if (!isEnabled(IRQ_CTRL.EVENTQ_IRQEN)) return;
      irq.eventQueue();
      msi.signal(MSI_SOURCE.eventQueue, readRegister);
    };
    this.#events = new EventQueue(parts, raise, options.mergesEvents ?? false);
    const { tlbEntries = TLB_ENTRIES, walkCacheEntries = WALK_CACHE_ENTRIES } = options;
    const caches = {
      main: new Tlb(tlbEntries),
      tables: new Tlb(walkCacheEntries, WALK_CACHE_UNIT_BITS),
      stage2: new Tlb(tlbEntries),
      stage2Tables: new Tlb(walkCacheEntries, WALK_CACHE_UNIT_BITS),
    };
    const stage2 = new Stage2(memory, counters, caches.stage2, caches.stage2Tables);
    const invalidator = new TlbInvalidator(caches);
    const port = options.atc ?? NO_ATC;
    const isSmmuEnabled = (): boolean => this.#switches.smmuEnabled;
    const commands = new CommandQueue(parts, {
      cache,
      tlb: invalidator,
      msi,
      ats: new AtsCommands(features, port, isSmmuEnabled),
      resume: (streamID, stag, action) => this.#responder.resume(streamID, stag, action),
      terminateStalls: (streamID) => this.#responder.terminateStalls(streamID),
    });
    this.#translator = new Translator({
      features,
      counters,
      switches: this.#switches,
      cache,
      streams: new StreamTableReader(memory, features, counters),
      contexts: new ContextTableReader(memory, features, counters, stage2),
      stage1: new Stage1({ memory, counters, tlb: caches.main, tables: caches.tables, stage2 }),
      stage2,
      caches,
    });
    this.#responder = new Responder(this.#translator, this.#events, features.stallMax);
    const translator = this.#translator;
    const record = (fault: Fault): boolean => this.#events.record(encodeEvent(fault), translator.mayMerge(fault));
    this.#ats = new Ats({ features, memory, counters, switches: this.#switches, stage2, translator, record });
    const pageQueue = new PageRequestQueue(parts, () => {
      if (!isEnabled(IRQ_CTRL.PRIQ_IRQEN)) return;
      irq.priQueue?.();
      msi.signal(MSI_SOURCE.priQueue, readRegister);
    });
    const ppar = (request: PageRequest): boolean | undefined => this.#ats.ppar(request);
    this.#pageRequests = new PageRequests({ features, queue: pageQueue, port, isSmmuEnabled, ppar });
    this.#interface = new RegisterInterface({
      features,
      registers: this.#registers,
      switches: this.#switches,
      cache,
      errors,
      commands,
      events: this.#events,
      pageQueue,
      responder: this.#responder,
      invalidator,
      ats: this.#ats,
    });
  }

  /** Translates one transaction; its event, if any, is in the queue when this returns. */
  translate(tx: Transaction): Outcome {
    if (tx.translated === true) return this.#settleTranslated({ ...tx, iova: busAddress(tx.iova) });
    this.#split[0] = tx.iova;
    return this.translateHalves(tx, this.#halves[1]!, this.#halves[0]!) ?? this.#translator.outcome(tx);
  }

  /**
   * translate() for callers that make millions: the IOVA as signed halves, and nothing allocated for what succeeds.
   *
   * @returns undefined on success, with the answer in `answer` until the next call; otherwise what translate() returns
   */
  translateHalves(request: Request, hi: number, lo: number): Outcome | undefined {
    this.counters.transaction += 1;
    const refusal = this.#translator.run(request, hi, lo);
    const failed = refusal === undefined ? undefined : this.#settle(request, hi, lo, refusal);
    if (this.#isTracking) this.#count(request.streamID, failed);
    return failed;
  }

  get answer(): Answer {
    return this.#translator;
  }

  /** Why `translate` would do what it would do, step by step and from cold caches; changes and records nothing. */
  explain(asked: Transaction): Explanation {
    assertRequester(asked);
    const transaction = { ...asked, iova: busAddress(asked.iova) };
    const request = { ...this.#setting(), transaction };
    return transaction.translated === true ? explainTranslated(request) : explain(request);
  }

  /** Why `translationRequest` would answer what it would answer. */
  explainTranslationRequest(request: TranslationRequest): ResponseExplanation {
    assertRequester(request);
    return explainTranslationRequest(this.#setting(), { ...request, iova: busAddress(request.iova) });
  }

  #setting(): Omit<ExplainRequest, "transaction"> {
    const registers = this.#registers;
    const memory = this.#memory;
    return {
      registers: {
        strtabBase: this.read64(REGISTER.STRTAB_BASE),
        strtabBaseCfg: registers.read(REGISTER.STRTAB_BASE_CFG),
        cr0: registers.read(REGISTER.CR0),
        cr2: registers.read(REGISTER.CR2),
        gbpa: registers.read(REGISTER.GBPA),
      },
      id: this.#id,
      read64: (pa) => (memory.read64(Number(pa)) ? joinBigint(memory.hi, memory.lo) : undefined),
    };
  }

  /** An ATS Translation Request; its event, if any, is in the queue when this returns. */
  translationRequest(request: TranslationRequest): TranslationResponse {
    assertRequester(request);
    return this.#ats.request({ ...request, iova: busAddress(request.iova) });
  }

  /** A page request message (PRI); an automatic answer has gone out by the port when this returns. */
  pageRequest(request: PageRequest): PageRequestOutcome {
    assertRequester(request);
    assert(isPrgIndex(request.prgIndex), `PRG index ${request.prgIndex} is not an integer from 0 to 511`);
    return this.#pageRequests.receive({ ...request, address: busAddress(request.address) });
  }

  /** Stalled transactions that CMD_RESUME or CMD_STALL_TERM answered since the last call. */
  takeResumed(): readonly ResumedTransaction[] {
    return this.#responder.takeResumed();
  }

  /** Keeps counters of one stream from now on; the same object until untrackStream. */
  trackStream(streamID: number): StreamCounters {
    const known = this.#tracked.get(streamID);
    if (known !== undefined) return known;
    const counters = newStreamCounters();
    this.#tracked.set(streamID, counters);
    this.#isTracking = true;
    this.#countedID = -1;
    return counters;
  }

  untrackStream(streamID: number): void {
    this.#tracked.delete(streamID);
    this.#isTracking = this.#tracked.size > 0;
    this.#countedID = -1;
  }

  read32(offset: number): number {
    return this.#interface.read32(offset);
  }

  write32(offset: number, value: number): void {
    this.#interface.write32(offset, value);
  }

  read64(offset: number): bigint {
    return joinBigint(this.read32(offset + 4), this.read32(offset));
  }

  write64(offset: number, value: bigint): void {
    this.write32(offset, loOf(value));
    this.write32(offset + 4, hiOf(value));
  }

  #settle(request: Request, hi: number, lo: number, refusal: Refusal): Outcome {
    return this.#responder.settle({ ...request, iova: joinBigint(hi, lo) }, refusal);
  }

  #settleTranslated(tx: Transaction): Outcome {
    assertRequester(tx);
    this.counters.transaction += 1;
    this.#translator.tlbUse = TLB_USE.NONE;
    const outcome = this.#responder.settle(tx, this.#ats.translated(tx));
    if (this.#isTracking) this.#count(tx.streamID, outcome);
    return outcome;
  }

  /** @param outcome  undefined: success */
  #count(streamID: number, outcome: Outcome | undefined): void {
    if (streamID !== this.#countedID) {
      this.#countedID = streamID;
      this.#counted = this.#tracked.get(streamID);
    }
    const counters = this.#counted;
    if (counters === undefined) return;
    if (this.#translator.tlbUse === TLB_USE.HIT) counters.tlbHit += 1;
    else if (this.#translator.tlbUse === TLB_USE.MISS) counters.tlbMiss += 1;
    if (outcome === undefined || outcome.kind === "ok") counters.translationsOk += 1;
    else if (outcome.fault === undefined) counters.translationsAborted += 1;
    else {
      counters.translationsFaulted += 1;
      countFault(counters, outcome.fault);
    }
  }
}
