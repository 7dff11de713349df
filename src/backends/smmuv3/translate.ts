// One transaction from input to output or fault, in the order of the architecture's flowchart.
// Records and counts what happened; knows nothing of registers and queues beyond the switches it is given.
// Source: IHI 0070G.b §3.3.3, §3.4, §5.5, §7.3.22.

import { INSTCFG, PRIVCFG, S1DSS, STRW } from "../../spec/encodings.ts";
import type { EventName } from "../../spec/events.ts";
import { fitsIn, hiOf, joinBigint, joinNumber, loOf, pow2 } from "../../spec/u64.ts";
import type { StreamWorld } from "./cd.ts";
import type { ConfigCache, StreamConfig } from "./config-cache.ts";
import { type ContextConfig, contextConfig } from "./context.ts";
import type { ContextTableReader } from "./context-table.ts";
import type { SmmuCounters } from "./counters.ts";
import { type AnswerFields, accessIndex, FastPath, TLB_USE } from "./fast-path.ts";
import type { Fault, StageFault } from "./fault.ts";
import type { Features } from "./id-registers.ts";
import { combineHints, combineStages, describeAttributes, type InputOverride, inputAttributes } from "./memory-type.ts";
import { PERMISSION } from "./permissions.ts";
import type { Stage1 } from "./stage1.ts";
import { type Stage2, stage2Config } from "./stage2.ts";
import { type DecodedSTE, effectiveS1CDMax, passes, translatesStage1, translatesStage2, usesSTRW } from "./ste.ts";
import type { StreamTable, StreamTableReader } from "./stream-table.ts";
import type { TranslationCaches } from "./tlb-invalidate.ts";
import { type Access, assertRequester, type MemoryAttributes, type Outcome, type Transaction } from "./transaction.ts";

/** The registers a translation looks at, decoded when they are written. */
export interface Switches {
  smmuEnabled: boolean;
  bypassAborts: boolean;
  /** What GBPA makes of the attributes of a transaction; undefined: nothing. */
  bypassOverride: InputOverride | undefined;
  recordsBadStreamID: boolean;
  e2h: boolean;
  streamTable: StreamTable;
}

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

/** An untranslated transaction without its address. */
export type Request = Omit<Transaction, "iova" | "translated">;

/** Where a transaction that succeeded leads, as halves; ipaHi is -1 when stage 2 took no part, pageBits 0 when bypassed. */
export interface Answer {
  readonly paHi: number;
  readonly paLo: number;
  readonly ipaHi: number;
  readonly ipaLo: number;
  readonly pageBits: number;
  /** Ten bits of memory attributes; what a transaction with hints of its own goes out with, attributesOf() says. */
  readonly attributes: number;
  /** Memory attributes that this transaction, the last one, went out with. */
  attributesOf(tx: Request): MemoryAttributes;
}

/** What became of a transaction before anything was recorded or answered. */
export type Verdict = { readonly kind: "ok"; readonly outcome: Outcome } | Refusal;

export type Refusal =
  | { readonly kind: "silent-abort" }
  | {
      readonly kind: "fault";
      readonly fault: Fault;
      readonly response: "abort" | "raz-wi" | "stall";
      readonly record: boolean;
    };

/** The access after STE.PRIVCFG and INSTCFG. */
interface EffectiveAccess {
  readonly privileged: boolean;
  readonly instruction: boolean;
  readonly read: boolean;
  readonly need: number;
}

const ACCESSES: readonly Access[] = ["read", "write", "execute"];

type SubstreamChoice =
  | { readonly kind: "cd"; readonly substreamID: number }
  | { readonly kind: "bypass" }
  | { readonly kind: "fault"; readonly fault: StageFault };

const BYPASS_STAGE1: SubstreamChoice = Object.freeze({ kind: "bypass" });
const STREAM_DISABLED: SubstreamChoice = refuse("F_STREAM_DISABLED");
const BAD_SUBSTREAMID: SubstreamChoice = refuse("C_BAD_SUBSTREAMID");
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
    const { cache, counters, streams, switches } = this.#parts;
    const cached = cache.stream(streamID);
    if (cached !== undefined) return cached;
    counters.configCacheMiss += 1;
    const found = streams.lookup(switches.streamTable, streamID);
    if (found.kind === "fault") return found.fault;
    const config = this.#streamConfig(found.ste);
    cache.addStream(streamID, config);
    return config;
  }

  #streamConfig(ste: DecodedSTE): StreamConfig {
    const { features, switches } = this.#parts;
    const world = streamWorld(ste, features, switches.e2h);
    const vmid = features.stage2 && world === "EL1" ? ste.S2VMID : 0;
    return Object.freeze({
      ste,
      passes: passes(ste),
      hasStage1: translatesStage1(ste),
      stage2: translatesStage2(ste) ? stage2Config(ste, vmid, features) : undefined,
      world,
      vmid,
      cdBits: effectiveS1CDMax(ste, features),
      needs: needsOf(ste, features),
      override: features.attrTypesOverride ? ste : undefined,
      contexts: new Map(),
    });
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

/** Where the last transaction went, for the next one of the same stream and substream. */
class Route {
  version = -1;
  streamID = -1;
  substreamID: number | undefined;
  stream: StreamConfig | undefined;
  context: ContextConfig | undefined;

  set(tx: Request, stream: StreamConfig, context: ContextConfig, version: number): void {
    this.version = version;
    this.streamID = tx.streamID;
    this.substreamID = tx.substreamID;
    this.stream = stream;
    this.context = context;
  }
}

/** Which CD, if any. Source: §5.2 (S1DSS, S1CDMax), §7.3.7, §7.3.9. */
function chooseSubstream(substreamID: number | undefined, stream: StreamConfig): SubstreamChoice {
  if (!stream.hasStage1) return substreamID === undefined ? BYPASS_STAGE1 : BAD_SUBSTREAMID;
  if (substreamID === undefined) {
    if (stream.cdBits === 0 || stream.ste.S1DSS === S1DSS.SSID0) return { kind: "cd", substreamID: 0 };
    return stream.ste.S1DSS === S1DSS.BYPASS ? BYPASS_STAGE1 : STREAM_DISABLED;
  }
  if (stream.cdBits === 0 || substreamID >= pow2(stream.cdBits)) return BAD_SUBSTREAMID;
  if (substreamID === 0 && stream.ste.S1DSS === S1DSS.SSID0) return STREAM_DISABLED;
  return { kind: "cd", substreamID };
}

/** STRW and E2H choose the regime of a stage-1-only stream. Source: §5.2, STRW. */
function streamWorld(ste: DecodedSTE, features: Features, e2h: boolean): StreamWorld {
  if (!usesSTRW(ste, features) || ste.STRW !== STRW.EL2) return "EL1";
  return e2h ? "EL2-E2H" : "EL2";
}

/** Source: §5.2 (PRIVCFG, INSTCFG): a write is data whatever is configured. */
function effectiveAccess(
  tx: Pick<Request, "access" | "privileged">,
  ste: DecodedSTE,
  features: Features,
): EffectiveAccess {
  const priv = features.attrPermsOverride ? ste.PRIVCFG : 0;
  const inst = features.attrPermsOverride ? ste.INSTCFG : 0;
  const privileged = priv === PRIVCFG.PRIVILEGED || (tx.privileged && priv !== PRIVCFG.UNPRIVILEGED);
  const read = tx.access !== "write";
  const asked = tx.access === "execute";
  const instruction = read && (inst === INSTCFG.INSTRUCTION || (asked && inst !== INSTCFG.DATA));
  const below = instruction
    ? PERMISSION.UNPRIVILEGED_EXECUTE
    : read
      ? PERMISSION.UNPRIVILEGED_READ
      : PERMISSION.UNPRIVILEGED_WRITE;
  return { privileged, instruction, read, need: privileged ? below * 8 : below };
}

function needsOf(ste: DecodedSTE, features: Features): readonly number[] {
  const asks = [false, true].flatMap((privileged) => ACCESSES.map((access) => ({ access, privileged })));
  return asks.map((asked) => effectiveAccess(asked, ste, features).need);
}

function refuse(type: "F_STREAM_DISABLED" | "C_BAD_SUBSTREAMID"): SubstreamChoice {
  return Object.freeze({ kind: "fault", fault: Object.freeze({ type }) });
}
