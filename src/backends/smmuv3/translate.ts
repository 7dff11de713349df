// One transaction from input to output or fault, in the order of the architecture's flowchart.
// Records and counts what happened; knows nothing of registers and queues beyond the switches it is given.
// Source: IHI 0070G.b §3.3.3, §3.4, §5.5, §7.3.22.

import type { EventName } from "../../spec/events.ts";
import { fitsIn, hiOf, joinBigint, joinNumber, loOf, pow2 } from "../../spec/u64.ts";
import type { ConfigCache, StreamConfig } from "./config-cache.ts";
import { type ContextConfig, contextConfig } from "./context.ts";
import type { ContextTableReader } from "./context-table.ts";
import type { SmmuCounters } from "./counters.ts";
import { type EffectiveAccess, effectiveAccess } from "./effective-access.ts";
import { type AnswerFields, accessIndex, FastPath, TLB_USE } from "./fast-path.ts";
import type { Fault, StageFault } from "./fault.ts";
import type { Features } from "./id-registers.ts";
import { combineHints, combineStages, describeAttributes, inputAttributes } from "./memory-type.ts";
import { Route } from "./route.ts";
import type { Stage1 } from "./stage1.ts";
import type { Stage2 } from "./stage2.ts";
import { streamConfig } from "./stream-config.ts";
import type { StreamTableReader } from "./stream-table.ts";
import { chooseSubstream } from "./substream.ts";
import type { Switches } from "./switches.ts";
import type { TranslationCaches } from "./tlb-invalidate.ts";
import { assertRequester, type MemoryAttributes, type Outcome, type Transaction } from "./transaction.ts";
import type { Answer, Refusal, Request, Verdict } from "./verdict.ts";

/** The parts a translation works with. */
export interface TranslatorParts {
  readonly features: Features;
  readonly counters: SmmuCounters;
  readonly switches: Switches;
  readonly cache: ConfigCache;
  readonly streams: StreamTableReader;
  readonly contexts: ContextTableReader;
  readonly stage1: Stage1;
  readonly stage2: Stage2;
  readonly caches: TranslationCaches;
}

const SILENT_ABORT: Refusal = Object.freeze({ kind: "silent-abort" });
/** Events that are raised when there is no STE to ask. Source: §7.3.1. */
const WITHOUT_STE: ReadonlySet<EventName> = new Set(["F_UUT", "C_BAD_STREAMID", "F_STE_FETCH", "C_BAD_STE"]);
const BYPASS_SIZE_FAULT: StageFault = Object.freeze({ type: "F_ADDR_SIZE", stage: 1, class: "IN" });

export class Translator implements Answer, AnswerFields {
  /** What the last translation did with the TLB. */
  tlbUse: number = TLB_USE.NONE;
  readonly #parts: TranslatorParts;
  paHi = 0;
  paLo = 0;
  ipaHi = -1;
  ipaLo = 0;
  pageBits = 0;
  found = 0;
  /** The address under way, as it came. */
  #hi = 0;
  #lo = 0;
  readonly #route = new Route();
  readonly #fast: FastPath;
  readonly #split = new BigUint64Array(1);
  readonly #halves = new Int32Array(this.#split.buffer);

  constructor(parts: TranslatorParts) {
    this.#parts = parts;
    const { main, tables, stage2, stage2Tables } = parts.caches;
    const walks = { walk: parts.stage1.walk, stage2Walk: parts.stage2.walk };
    const { cache, counters } = parts;
    this.#fast = new FastPath({ cache, counters, tlb: main, tables, stage2Tlb: stage2, stage2Tables, ...walks }, this);
  }

  translate(tx: Transaction): Verdict {
    this.#split[0] = tx.iova;
    return this.run(tx, this.#halves[1]!, this.#halves[0]!) ?? { kind: "ok", outcome: this.outcome(tx) };
  }

  /** What the last run(), which was for `tx`, came to when it succeeded. */
  outcome(tx: Request): Outcome {
    const bypass = this.pageBits === 0;
    const attributes = this.attributesOf(tx);
    const pageBytes = bypass ? 0 : pow2(this.pageBits);
    const found = { pa: joinNumber(this.paHi, this.paLo), pageBytes, bypass, attributes };
    if (this.ipaHi < 0) return { kind: "ok", ...found };
    return { kind: "ok", ...found, ipa: joinNumber(this.ipaHi, this.ipaLo) };
  }

  get attributes(): number {
    return this.found < 0 ? this.#fast.attributes() : this.found;
  }

  /**
   * Hints of the transaction are combined here and not where translations are cached, for each may have its own. To do so
   * twice changes nothing, so that it does not matter which way the transaction went.
   * Source: §13.4.2.
   */
  attributesOf(tx: Request): MemoryAttributes {
    const { switches, cache } = this.#parts;
    const override = switches.smmuEnabled ? cache.stream(tx.streamID)?.override : switches.bypassOverride;
    return describeAttributes(combineHints(this.attributes, inputAttributes(tx.attributes, override)));
  }

  /**
   * Translates the address hi:lo (signed halves). What succeeds allocates nothing.
   *
   * @returns undefined on success, with the answer in the fields
   */
  run(tx: Request, hi: number, lo: number): Refusal | undefined {
    return this.#fast.translate(tx, hi, lo) ? undefined : this.#decide(tx, hi, lo);
  }

  #decide(tx: Request, hi: number, lo: number): Refusal | undefined {
    this.#hi = hi;
    this.#lo = lo;
    const { switches, cache } = this.#parts;
    const route = this.#route;
    const isKnown =
      route.version === cache.version && route.streamID === tx.streamID && route.substreamID === tx.substreamID;
    if (isKnown && switches.smmuEnabled && route.context !== undefined && route.stream !== undefined) {
      return this.#withStage1(tx, route.stream, route.context);
    }
    return this.#find(tx);
  }

  /** Configuration first; a route to a CD is kept for the next transaction. */
  #find(tx: Request): Refusal | undefined {
    assertRequester(tx); // those that come another way have been here before
    this.tlbUse = TLB_USE.NONE;
    const { switches, features, cache } = this.#parts;
    if (!switches.smmuEnabled) {
      if (switches.bypassAborts || !fitsIn(this.#hi, this.#lo, features.oasBits)) return SILENT_ABORT;
      return this.#bypass(inputAttributes(tx.attributes, switches.bypassOverride));
    }
    const stream = this.#stream(tx.streamID);
    if (!("ste" in stream)) {
      return this.#terminate(tx, stream, undefined, stream.type !== "C_BAD_STREAMID" || switches.recordsBadStreamID);
    }
    if (!stream.passes) return SILENT_ABORT;
    const choice = chooseSubstream(tx.substreamID, stream);
    if (choice.kind === "fault") return this.#terminate(tx, choice.fault, undefined, true);
    if (choice.kind === "bypass") return this.#withoutStage1(tx, stream);
    const context = this.#context(stream, choice.substreamID);
    if ("type" in context) return this.#faulted(tx, context, stream, undefined);
    this.#route.set(tx, stream, context, cache.version);
    this.#fast.follow(tx, stream, context);
    return this.#withStage1(tx, stream, context);
  }

  /** Whether the record of a fault just found may be merged: its stream's MEV, which is cached since. Source: §7.3.1. */
  mayMerge(fault: Fault): boolean {
    return WITHOUT_STE.has(fault.type) || this.#parts.cache.stream(fault.streamID)?.ste.MEV === 1;
  }

  #withStage1(tx: Request, stream: StreamConfig, context: ContextConfig): Refusal | undefined {
    const { stage1 } = this.#parts;
    const need = stream.needs[accessIndex(tx.access, tx.privileged)]!;
    const fault = stage1.translate(context, stream.stage2, this.#hi, this.#lo, need);
    this.#countTlb(stage1.isHit);
    if (fault !== undefined) return this.#faulted(tx, fault, stream, context);
    this.paHi = stage1.paHi;
    this.paLo = stage1.paLo;
    this.ipaHi = stage1.ipaHi;
    this.ipaLo = stage1.ipaLo;
    this.pageBits = stage1.pageBits;
    this.found = stage1.attributes;
    return undefined;
  }

  /** Config=0b1x0, or S1DSS took the transaction past stage 1. Source: §3.4. */
  #withoutStage1(tx: Request, stream: StreamConfig): Refusal | undefined {
    const { features, stage2 } = this.#parts;
    const bits = stream.stage2 === undefined ? features.oasBits : features.iasBits;
    const [hi, lo] = [this.#hi, this.#lo];
    if (!fitsIn(hi, lo, bits)) {
      return this.#terminate(tx, BYPASS_SIZE_FAULT, effectiveAccess(tx, stream.ste, features), true);
    }
    const input = inputAttributes(tx.attributes, stream.override);
    if (stream.stage2 === undefined) return this.#bypass(input);
    const fault = stage2.translate(stream.stage2, hi, lo, stream.needs[accessIndex(tx.access, tx.privileged)]!, "IN");
    this.#countTlb(fault === undefined && stage2.isHit);
    if (fault !== undefined) return this.#faulted(tx, fault, stream, undefined);
    this.paHi = stage2.paHi;
    this.paLo = stage2.paLo;
    this.ipaHi = hi;
    this.ipaLo = lo;
    this.pageBits = stage2.pageBits;
    this.found = combineStages(input, stage2.attributes, stream.stage2.fwb);
    return undefined;
  }

  #bypass(input: number): undefined {
    this.paHi = this.#hi;
    this.paLo = this.#lo;
    this.ipaHi = -1;
    this.pageBits = 0;
    this.found = input;
    return undefined;
  }

  #stream(streamID: number): StreamConfig | StageFault {
    const { cache, counters, features, streams, switches } = this.#parts;
    const cached = cache.stream(streamID);
    if (cached !== undefined) return cached;
    counters.configCacheMiss += 1;
    const found = streams.lookup(switches.streamTable, streamID);
    if (found.kind === "fault") return found.fault;
    const config = streamConfig(found.ste, features, switches.e2h);
    cache.addStream(streamID, config);
    return config;
  }

  #context(stream: StreamConfig, substreamID: number): ContextConfig | StageFault {
    const { cache, counters, contexts, features } = this.#parts;
    const cached = stream.contexts.get(substreamID);
    if (cached !== undefined) return cached;
    counters.configCacheMiss += 1;
    const { ste, world, stage2, vmid } = stream;
    const found = contexts.lookup({ ste, world, stage2, substreamID });
    if (found.kind === "fault") return found.fault;
    const context = contextConfig(found.cd, { world, vmid, isNested: stage2 !== undefined }, features);
    cache.addContext(stream, substreamID, context);
    return context;
  }

  #countTlb(isHit: boolean): void {
    this.tlbUse = isHit ? TLB_USE.HIT : TLB_USE.MISS;
    if (isHit) this.#parts.counters.tlbHit += 1;
    else this.#parts.counters.tlbMiss += 1;
  }

  /** A, R and S bend only the four translation-related faults; all else aborts and is recorded. Source: §5.5. */
  #faulted(tx: Request, found: StageFault, stream: StreamConfig, context: ContextConfig | undefined): Refusal {
    const access = effectiveAccess(tx, stream.ste, this.#parts.features);
    const isTranslationRelated =
      found.type === "F_TRANSLATION" ||
      found.type === "F_ADDR_SIZE" ||
      found.type === "F_ACCESS" ||
      found.type === "F_PERMISSION";
    if (!isTranslationRelated) return this.#terminate(tx, found, access, true);
    if (found.stage === 2) {
      if (stream.stage2?.stall === true) return this.#stall(tx, found, access);
      return this.#terminate(tx, found, access, stream.stage2?.record === true);
    }
    if (context === undefined) return this.#terminate(tx, found, access, true);
    const { S, R, A } = context.cd;
    if (S === 1) return this.#stall(tx, found, access);
    const fault = this.#describe(tx, found, access);
    return { kind: "fault", fault, response: A === 1 ? "abort" : "raz-wi", record: R === 1 };
  }

  #terminate(tx: Request, found: StageFault, access: EffectiveAccess | undefined, record: boolean): Refusal {
    return { kind: "fault", fault: this.#describe(tx, found, access), response: "abort", record };
  }

  #stall(tx: Request, found: StageFault, access: EffectiveAccess): Refusal {
    return { kind: "fault", fault: this.#describe(tx, found, access), response: "stall", record: true };
  }

  /** Configuration faults name the stream only; faults of a walk also say what the device asked for. */
  #describe(tx: Request, found: StageFault, access: EffectiveAccess | undefined): Fault {
    const whose =
      tx.substreamID === undefined ? { streamID: tx.streamID } : { streamID: tx.streamID, substreamID: tx.substreamID };
    if (access === undefined || found.stage === undefined) return { ...found, ...whose };
    const { privileged, instruction, read } = access;
    return { ...found, ...whose, inputAddr: joinBigint(this.#hi, this.#lo), privileged, instruction, read };
  }

  /** For ats.ts: the stream's configuration as a transaction finds it. */
  findStream(streamID: number): StreamConfig | StageFault {
    return this.#stream(streamID);
  }

  /**
   * For ats.ts: the context as a transaction finds it; "bypass": stage 1 takes no part.
   *
   * @param checksOnly  the CD is not wanted, only whether the SubstreamID, or its absence, is legal
   */
  findContext(
    stream: StreamConfig,
    substreamID: number | undefined,
    checksOnly = false,
  ): ContextConfig | StageFault | "bypass" {
    const choice = chooseSubstream(substreamID, stream);
    if (choice.kind === "fault") return choice.fault;
    if (choice.kind === "bypass" || checksOnly) return "bypass";
    return this.#context(stream, choice.substreamID);
  }

  /** For ats.ts: the PERMISSION bit that an access needs after the stream's overrides. */
  needOf(tx: Request, stream: StreamConfig): number {
    return stream.needs[accessIndex(tx.access, tx.privileged)]!;
  }

  /** For ats.ts: a fault that ends in an abort, told as an ordinary transaction's is. */
  refuse(tx: Transaction, found: StageFault, stream: StreamConfig, record: boolean): Refusal {
    this.#hi = hiOf(tx.iova);
    this.#lo = loOf(tx.iova);
    return this.#terminate(tx, found, effectiveAccess(tx, stream.ste, this.#parts.features), record);
  }
}
