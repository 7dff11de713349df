// One transaction from input to output or fault, in the order of the architecture's flowchart.
// Records and counts what happened; knows nothing of registers and queues beyond the switches it is given.
// Source: IHI 0070G.b §3.3.3, §3.4, §5.5, §7.3.22.

import { INSTCFG, PRIVCFG, S1DSS, STRW } from "../../spec/encodings.ts";
import type { EventName } from "../../spec/events.ts";
import { pow2 } from "../../spec/u64.ts";
import type { StreamWorld } from "./cd.ts";
import type { ConfigCache, StreamConfig } from "./config-cache.ts";
import { type ContextConfig, contextConfig } from "./context.ts";
import type { ContextTableReader } from "./context-table.ts";
import type { SmmuCounters } from "./counters.ts";
import type { Fault, StageFault } from "./fault.ts";
import type { Features } from "./id-registers.ts";
import { PERMISSION } from "./permissions.ts";
import type { Stage1 } from "./stage1.ts";
import { type Stage2, stage2Config } from "./stage2.ts";
import { type DecodedSTE, effectiveS1CDMax, passes, translatesStage1, translatesStage2, usesSTRW } from "./ste.ts";
import type { StreamTable, StreamTableReader } from "./stream-table.ts";
import type { Outcome, Transaction } from "./transaction.ts";

/** The registers a translation looks at, decoded when they are written. */
export interface Switches {
  smmuEnabled: boolean;
  bypassAborts: boolean;
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
}

/** What became of a transaction before anything was recorded or answered. */
export type Verdict =
  | { readonly kind: "ok"; readonly outcome: Outcome }
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

type SubstreamChoice =
  | { readonly kind: "cd"; readonly substreamID: number }
  | { readonly kind: "bypass" }
  | { readonly kind: "fault"; readonly fault: StageFault };

const BYPASS_STAGE1: SubstreamChoice = Object.freeze({ kind: "bypass" });
const STREAM_DISABLED: SubstreamChoice = refuse("F_STREAM_DISABLED");
const BAD_SUBSTREAMID: SubstreamChoice = refuse("C_BAD_SUBSTREAMID");
/** Events that are raised when there is no STE to ask. Source: §7.3.1. */
const WITHOUT_STE: ReadonlySet<EventName> = new Set(["F_UUT", "C_BAD_STREAMID", "F_STE_FETCH", "C_BAD_STE"]);
const BYPASS_SIZE_FAULT: StageFault = Object.freeze({ type: "F_ADDR_SIZE", stage: 1, class: "IN" });

export class Translator {
  /** What the last translation did with the TLB. */
  tlbUse: "none" | "hit" | "miss" = "none";
  readonly #parts: TranslatorParts;
  readonly #split = new BigUint64Array(1);
  readonly #halves = new Int32Array(this.#split.buffer);

  constructor(parts: TranslatorParts) {
    this.#parts = parts;
  }

  translate(tx: Transaction): Verdict {
    this.tlbUse = "none";
    const { switches, features } = this.#parts;
    this.#split[0] = tx.iova;
    if (!switches.smmuEnabled) {
      if (switches.bypassAborts || !fits(tx.iova, features.oasBits)) return { kind: "silent-abort" };
      return bypass(tx.iova);
    }
    const stream = this.#stream(tx.streamID);
    if (!("ste" in stream)) {
      return terminate(tx, stream, undefined, stream.type !== "C_BAD_STREAMID" || switches.recordsBadStreamID);
    }
    if (!stream.passes) return { kind: "silent-abort" };
    const access = effectiveAccess(tx, stream.ste, features);
    const choice = chooseSubstream(tx.substreamID, stream);
    if (choice.kind === "fault") return terminate(tx, choice.fault, undefined, true);
    if (choice.kind === "bypass") return this.#withoutStage1(tx, stream, access);
    const context = this.#context(stream, choice.substreamID);
    if ("type" in context) return this.#faulted(tx, context, stream, undefined, access);
    return this.#withStage1(tx, stream, context, access);
  }

  /** Whether the record of a fault just found may be merged: its stream's MEV, which is cached since. Source: §7.3.1. */
  mayMerge(fault: Fault): boolean {
    return WITHOUT_STE.has(fault.type) || this.#parts.cache.stream(fault.streamID)?.ste.MEV === 1;
  }

  #withStage1(tx: Transaction, stream: StreamConfig, context: ContextConfig, access: EffectiveAccess): Verdict {
    const { stage1 } = this.#parts;
    const fault = stage1.translate(context, stream.stage2, this.#halves[1]!, this.#halves[0]!, access.need);
    this.#countTlb(stage1.isHit);
    if (fault !== undefined) return this.#faulted(tx, fault, stream, context, access);
    const pageBytes = pow2(stage1.pageBits);
    if (stage1.ipa < 0) return { kind: "ok", outcome: { kind: "ok", pa: stage1.pa, pageBytes, bypass: false } };
    return { kind: "ok", outcome: { kind: "ok", pa: stage1.pa, pageBytes, ipa: stage1.ipa, bypass: false } };
  }

  /** Config=0b1x0, or S1DSS took the transaction past stage 1. Source: §3.4. */
  #withoutStage1(tx: Transaction, stream: StreamConfig, access: EffectiveAccess): Verdict {
    const { features, stage2 } = this.#parts;
    const bits = stream.stage2 === undefined ? features.oasBits : features.iasBits;
    if (!fits(tx.iova, bits)) return terminate(tx, BYPASS_SIZE_FAULT, access, true);
    if (stream.stage2 === undefined) return bypass(tx.iova);
    const ipa = Number(tx.iova);
    const fault = stage2.translate(stream.stage2, ipa, access.need, "IN");
    this.#countTlb(fault === undefined && stage2.isHit);
    if (fault !== undefined) return this.#faulted(tx, fault, stream, undefined, access);
    const pageBytes = pow2(stage2.pageBits);
    return { kind: "ok", outcome: { kind: "ok", pa: stage2.pa, pageBytes, ipa, bypass: false } };
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
    this.tlbUse = isHit ? "hit" : "miss";
    if (isHit) this.#parts.counters.tlbHit += 1;
    else this.#parts.counters.tlbMiss += 1;
  }

  /** A, R and S bend only the four translation-related faults; all else aborts and is recorded. Source: §5.5. */
  #faulted(
    tx: Transaction,
    found: StageFault,
    stream: StreamConfig,
    context: ContextConfig | undefined,
    access: EffectiveAccess,
  ): Verdict {
    const isTranslationRelated =
      found.type === "F_TRANSLATION" ||
      found.type === "F_ADDR_SIZE" ||
      found.type === "F_ACCESS" ||
      found.type === "F_PERMISSION";
    if (!isTranslationRelated) return terminate(tx, found, access, true);
    if (found.stage === 2) {
      if (stream.stage2?.stall === true) return stall(tx, found, access);
      return terminate(tx, found, access, stream.stage2?.record === true);
    }
    if (context === undefined) return terminate(tx, found, access, true);
    const { S, R, A } = context.cd;
    if (S === 1) return stall(tx, found, access);
    const fault = describe(tx, found, access);
    return { kind: "fault", fault, response: A === 1 ? "abort" : "raz-wi", record: R === 1 };
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
function effectiveAccess(tx: Transaction, ste: DecodedSTE, features: Features): EffectiveAccess {
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

function fits(iova: bigint, bits: number): boolean {
  return iova < 1n << BigInt(bits);
}

function bypass(iova: bigint): Verdict {
  return { kind: "ok", outcome: { kind: "ok", pa: Number(iova), pageBytes: 0, bypass: true } };
}

function refuse(type: "F_STREAM_DISABLED" | "C_BAD_SUBSTREAMID"): SubstreamChoice {
  return Object.freeze({ kind: "fault", fault: Object.freeze({ type }) });
}

function terminate(tx: Transaction, found: StageFault, access: EffectiveAccess | undefined, record: boolean): Verdict {
  return { kind: "fault", fault: describe(tx, found, access), response: "abort", record };
}

function stall(tx: Transaction, found: StageFault, access: EffectiveAccess): Verdict {
  return { kind: "fault", fault: describe(tx, found, access), response: "stall", record: true };
}

/** Configuration faults name the stream only; faults of a walk also say what the device asked for. */
function describe(tx: Transaction, found: StageFault, access: EffectiveAccess | undefined): Fault {
  const whose =
    tx.substreamID === undefined ? { streamID: tx.streamID } : { streamID: tx.streamID, substreamID: tx.substreamID };
  if (access === undefined || found.stage === undefined) return { ...found, ...whose };
  const { privileged, instruction, read } = access;
  return { ...found, ...whose, inputAddr: BigInt.asUintN(64, tx.iova), privileged, instruction, read };
}
