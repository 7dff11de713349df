// One transaction, translated slowly and in the open: each structure read, what it says, what was decided and why.
// A second reading of the architecture that shares nothing with the fast engine but src/spec; nothing is cached or written.
// Not covered: VMSAv8-32, 128-bit descriptors, permission indirection and overlays, AIE, Secure and Realm.
// ATS is explain-ats.ts's.
// Source: IHI 0070G.b §3.3 (translation), §7.3.22 (order of faults), §5.5 (what a fault does).

import { get } from "../../spec/layout.ts";
import { CR0, CR2, GBPA } from "../../spec/registers.ts";
import { hex } from "../../spec/u64.ts";
import { afterInput, afterStage1, afterStage2 } from "./explain/attribute-steps.ts";
import { type Attributes, consistent, described } from "./explain/attributes.ts";
import { pow2 } from "./explain/bits.ts";
import { type CdReader, lookupContext } from "./explain/context-entry.ts";
import { illegalCd } from "./explain/illegal-cd.ts";
import { illegalSte } from "./explain/illegal-ste.ts";
import { type IdentificationRegisters, type Implementation, implementationOf } from "./explain/implementation.ts";
import { type Broken, broken, field, nowhere, type Place, placeOf, type Refusal } from "./explain/refusal.ts";
import { type Stage1Input, walkStage1 } from "./explain/stage1-walk.ts";
import { type MappedLookup, mappedStage2 } from "./explain/stage2-mapped.ts";
import { type Stage2, stage2Of } from "./explain/stage2-walk.ts";
import {
  lookupStreamEntry,
  type SteReader,
  type StreamRegisters,
  streamWorldOf,
  substreamBits,
} from "./explain/stream-entry.ts";
import {
  type ExplainedOutcome,
  fail,
  type MemoryWrite,
  type Read64,
  type Step,
  Trace,
  Verdict,
} from "./explain/trace.ts";
import type { Fault, StageFault } from "./fault.ts";
import type { Transaction } from "./transaction.ts";

export type { Refusal } from "./explain/refusal.ts";
export type { MappedLookup, MappedPage } from "./explain/stage2-mapped.ts";
export type { ExplainedOutcome, MemoryWrite, Read64, Step } from "./explain/trace.ts";

export interface ExplainRequest {
  readonly registers: StreamRegisters & { readonly cr0: number; readonly gbpa: number };
  readonly id: IdentificationRegisters;
  readonly read64: Read64;
  readonly transaction: Transaction;
  /** In place of the tables and fields of stage 2, where they cannot be seen: they are not looked at then. */
  readonly mapped?: MappedLookup;
}

export interface Explanation {
  readonly steps: readonly Step[];
  readonly outcome: ExplainedOutcome;
  /** Why there is a fault, when there is one. */
  readonly refusal?: Refusal;
  /** What the hardware would have updated (§3.13), also when the transaction then faulted. */
  readonly writes: readonly MemoryWrite[];
}

/** What is known so far, for the answer to a fault. */
interface Configuration {
  input: Stage1Input;
  ste?: SteReader;
  cd?: CdReader;
}

/** Explains what the SMMU would do with a transaction, from cold caches. Never throws for what memory holds. */
export function explain(request: ExplainRequest): Explanation {
  const trace = new Trace(request.read64);
  const { iova, access, privileged } = request.transaction;
  const found: Configuration = { input: { iova, access, privileged } };
  try {
    return end(trace, translate(request, trace, found));
  } catch (error) {
    if (!(error instanceof Verdict)) throw error;
    if ("outcome" in error.end) return end(trace, error.end.outcome);
    const { fault, refusal } = error.end;
    return { ...end(trace, answer(request, fault, found)), refusal };
  }
}

function end(trace: Trace, outcome: ExplainedOutcome): Explanation {
  return { steps: trace.steps, outcome, writes: trace.writes };
}

function translate(request: ExplainRequest, trace: Trace, found: Configuration): ExplainedOutcome {
  const implementation = implementationOf(request.id);
  const { registers, transaction } = request;
  if (get(Uint32Array.of(registers.cr0), 0, CR0.SMMUEN) === 0) return whileDisabled(request, trace, implementation);
  const ste = lookupStreamEntry(trace, implementation, registers, transaction.streamID);
  found.ste = ste;
  const illegal = illegalSte(ste, implementation, request.mapped === undefined ? "walked" : "mapped");
  if (illegal !== undefined) {
    decide(trace, "STE", `${illegal.why}: C_BAD_STE`, "§5.2.2");
    fail({ type: "C_BAD_STE" }, { ...illegal, at: nowhere("STE") });
  }
  if (ste("Config") < 0b100n) {
    decide(trace, "STE", "Config is 0b0xx: terminated without a record", "§5.2");
    return { kind: "abort", recorded: false };
  }
  found.input = overridden(found.input, ste, implementation);
  const hasStage2 = ste("Config") >= 0b110n;
  const isWalked = hasStage2 && request.mapped === undefined;
  if (isWalked && ste("S2AA64") === 0n) return { kind: "not-covered", reason: "VMSAv8-32 stage 2" };
  const walked = isWalked ? stage2Of(trace, implementation, ste) : undefined;
  const stage2 = hasStage2 && request.mapped !== undefined ? mappedStage2(trace, request.mapped) : walked;
  const ssid = contextIndex(transaction.substreamID, trace, implementation, ste);
  const incoming = afterInput(trace, implementation, "STE", ste, transaction);
  const parts = { trace, implementation, registers, ste, stage2, incoming };
  return ssid === undefined ? withoutStage1(parts, found.input) : withStage1({ ...parts, ssid }, found);
}

/** SMMUEN=0: GBPA decides, and nothing is recorded. Source: §6.3.14, §3.4. */
function whileDisabled(
  { registers, transaction }: ExplainRequest,
  trace: Trace,
  implementation: Implementation,
): ExplainedOutcome {
  const aborts = get(Uint32Array.of(registers.gbpa), 0, GBPA.ABORT) === 1;
  const isTooFar = transaction.iova >= pow2(implementation.oas);
  const why = aborts ? "GBPA.ABORT is set" : isTooFar ? "the address is beyond OAS" : "GBPA lets it pass";
  decide(trace, "CR0 and GBPA", `the SMMU is disabled: ${why}`, "§6.3.14");
  if (aborts || isTooFar) return { kind: "abort", recorded: false };
  const gbpa = Uint32Array.of(registers.gbpa);
  const outgoing = afterInput(trace, implementation, "GBPA", (name) => BigInt(get(gbpa, 0, GBPA[name])), transaction);
  return { kind: "ok", pa: transaction.iova, pageBytes: 0n, bypass: true, attributes: described(outgoing) };
}

/** PRIVCFG and INSTCFG; a write is data whatever INSTCFG says. Source: §5.2. */
export function overridden(input: Stage1Input, ste: SteReader, implementation: Implementation): Stage1Input {
  if (implementation.idr1("ATTR_PERMS_OVR") === 0) return input;
  const privcfg = ste("PRIVCFG");
  const instcfg = ste("INSTCFG");
  const privileged = privcfg < 2n ? input.privileged : privcfg === 3n;
  if (input.access === "write" || instcfg < 2n) return { ...input, privileged };
  return { ...input, privileged, access: instcfg === 3n ? "execute" : "read" };
}

/** Which CD the transaction uses; undefined: stage 1 is bypassed. Source: §5.2 S1DSS, §7.3.7, §7.3.9. */
export function contextIndex(
  substreamID: number | undefined,
  trace: Trace,
  implementation: Implementation,
  ste: SteReader,
): bigint | undefined {
  const hasStage1 = ste("Config") % 2n === 1n;
  const cdBits = hasStage1 ? substreamBits(ste, implementation) : 0;
  if (substreamID !== undefined && (cdBits === 0 || BigInt(substreamID) >= pow2(cdBits))) {
    decide(trace, "STE", `SubstreamID ${substreamID} has no CD here: C_BAD_SUBSTREAMID`, "§7.3.9");
    const illegal = withoutContext(substreamID, implementation, ste);
    fail({ type: "C_BAD_SUBSTREAMID" }, { ...illegal, at: nowhere("STE") });
  }
  if (!hasStage1) return undefined;
  if (cdBits === 0) return 0n;
  const s1dss = ste("S1DSS");
  const isDisabled = substreamID === undefined ? s1dss === 0n || s1dss === 3n : substreamID === 0 && s1dss === 2n;
  if (isDisabled) {
    decide(trace, "STE", `S1DSS=${s1dss} has no place for this transaction: F_STREAM_DISABLED`, "§7.3.7");
    const [rule, what] =
      substreamID === undefined
        ? (["SUBSTREAM_REQUIRED", "an access without SubstreamID is terminated"] as const)
        : (["SUBSTREAM_ZERO", "SubstreamID 0 is no access's own"] as const);
    const illegal = broken(rule, `STE.S1DSS is ${s1dss}: ${what}`, field("STE.S1DSS", s1dss));
    fail({ type: "F_STREAM_DISABLED" }, { ...illegal, at: nowhere("STE") });
  }
  if (substreamID !== undefined) return BigInt(substreamID);
  return s1dss === 1n ? undefined : 0n;
}

/** Why a SubstreamID has no context descriptor. Source: §7.3.9. */
function withoutContext(substreamID: number, implementation: Implementation, ste: SteReader): Broken {
  const asked = field("SubstreamID", substreamID);
  if (ste("Config") % 2n === 0n) {
    return broken("SUBSTREAM_WITHOUT_STAGE1", `SubstreamID ${substreamID} where stage 1 does not translate`, asked);
  }
  if (implementation.idr1("SSIDSIZE") === 0) {
    const why = `SubstreamID ${substreamID}, and IDR1.SSIDSIZE is 0`;
    return broken("SUBSTREAM_NOT_SUPPORTED", why, asked, field("IDR1.SSIDSIZE", 0));
  }
  const cdMax = field("STE.S1CDMax", ste("S1CDMax"));
  if (cdMax.value === 0n) {
    const why = `SubstreamID ${substreamID}, and STE.S1CDMax is 0: there is one context descriptor`;
    return broken("SUBSTREAM_ONE_CD", why, asked, cdMax);
  }
  const why = `SubstreamID ${substreamID} is beyond the 2^${cdMax.value} context descriptors of STE.S1CDMax`;
  return broken("SUBSTREAM_OUT_OF_TABLE", why, asked, cdMax);
}

/** What a translation works with once its STE is known. */
interface Parts {
  readonly trace: Trace;
  readonly implementation: Implementation;
  readonly registers: StreamRegisters;
  readonly ste: SteReader;
  readonly stage2: Stage2 | undefined;
  readonly incoming: Attributes;
}

function withoutStage1({ trace, implementation, ste, stage2, incoming }: Parts, input: Stage1Input): ExplainedOutcome {
  const limit = stage2 === undefined ? implementation.oas : implementation.ias;
  if (input.iova >= pow2(limit)) {
    decide(trace, "STE", `stage 1 is bypassed and ${hex(input.iova)} has more than ${limit} bits: F_ADDR_SIZE`, "§3.4");
    failInputSize(input.iova, limit);
  }
  decide(trace, "STE", "stage 1 is bypassed", "§5.2");
  if (stage2 === undefined) {
    return { kind: "ok", pa: input.iova, pageBytes: 0n, bypass: true, attributes: described(incoming) };
  }
  const { pa, pageBytes, leaf } = stage2(input.iova, { ...input, class: "IN", what: "page" });
  const attributes = described(afterStage2(trace, implementation, ste, incoming, leaf));
  return { kind: "ok", pa, pageBytes, ipa: input.iova, bypass: false, attributes };
}

function withStage1(parts: Parts & { readonly ssid: bigint }, found: Configuration): ExplainedOutcome {
  const { trace, implementation, ste, stage2 } = parts;
  const cd = lookupContext(trace, implementation, ste, stage2, parts.ssid);
  found.cd = cd;
  const cdPlace = placeOfContext(trace);
  const world = streamWorldOf(ste, implementation, parts.registers.cr2);
  const illegal = illegalCd(cd, ste, implementation, world);
  if (illegal !== undefined) {
    decide(trace, "CD", `${illegal.why}: C_BAD_CD`, "§5.4.1");
    fail({ type: "C_BAD_CD" }, { ...illegal, at: cdPlace });
  }
  if (cd("AA64") === 0n) return { kind: "not-covered", reason: "VMSAv8-32 stage 1" };
  const leaf = walkStage1({ trace, implementation, cd, world, stage2, cdPlace }, found.input);
  const between = afterStage1(trace, cd, parts.incoming, leaf);
  if (stage2 === undefined) {
    const attributes = described(consistent(between));
    return { kind: "ok", pa: leaf.address, pageBytes: leaf.pageBytes, bypass: false, attributes };
  }
  const last = stage2(leaf.address, { ...found.input, class: "IN", what: "page" });
  const pageBytes = last.pageBytes < leaf.pageBytes ? last.pageBytes : leaf.pageBytes;
  const attributes = described(afterStage2(trace, implementation, ste, between, last.leaf));
  return { kind: "ok", pa: last.pa, pageBytes, ipa: leaf.address, bypass: false, attributes };
}

/** The context descriptor that was read last. */
export function placeOfContext({ steps }: Trace): Place {
  const step = steps.findLast(({ structure }) => structure === "CD");
  return placeOf("CD", step?.ipa, step?.raw ?? []);
}

/** An address without stage 1 that no stage behind it has bits for. Source: §3.4. */
export function failInputSize(iova: bigint, limit: number): never {
  const why = `${hex(iova)} has more than ${limit} bits, and stage 1 does not translate`;
  const fields = [field("InputAddr", iova), field("address bits", limit)];
  return fail(
    { type: "F_ADDR_SIZE", stage: 1, class: "IN" },
    { ...broken("INPUT_ADDRESS_SIZE", why, ...fields), at: nowhere("input address") },
  );
}

/** Faults that CD.A/R/S and STE.S2R/S2S have a say in; all others abort and are recorded. Source: §5.5. */
const TRANSLATION_FAULTS: readonly string[] = ["F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"];

/** Faults whose record describes the transaction and its address. Source: §7.3. */
const WITH_ADDRESS: readonly string[] = [...TRANSLATION_FAULTS, "F_WALK_EABT"];

function answer({ registers, transaction }: ExplainRequest, cause: StageFault, found: Configuration): ExplainedOutcome {
  const { input, ste, cd } = found;
  const fault: Fault = {
    ...cause,
    streamID: transaction.streamID,
    ...(transaction.substreamID === undefined ? {} : { substreamID: transaction.substreamID }),
    ...(WITH_ADDRESS.includes(cause.type)
      ? {
          inputAddr: transaction.iova,
          privileged: input.privileged,
          instruction: input.access === "execute",
          read: input.access !== "write",
        }
      : {}),
  };
  if (cause.type === "C_BAD_STREAMID") {
    return { kind: "abort", fault, recorded: get(Uint32Array.of(registers.cr2), 0, CR2.RECINVSID) === 1 };
  }
  if (!TRANSLATION_FAULTS.includes(cause.type)) return { kind: "abort", fault, recorded: true };
  if (cause.stage === 2) {
    if (ste?.("S2S") === 1n) return { kind: "stalled", fault, recorded: true };
    return { kind: "abort", fault, recorded: ste?.("S2R") === 1n };
  }
  if (cd === undefined) return { kind: "abort", fault, recorded: true };
  if (cd("S") === 1n) return { kind: "stalled", fault, recorded: true };
  return { kind: cd("A") === 1n ? "abort" : "raz-wi", fault, recorded: cd("R") === 1n };
}

export function decide(trace: Trace, structure: string, why: string, section: string): void {
  trace.add({ structure, raw: [], fields: {}, why, section });
}
