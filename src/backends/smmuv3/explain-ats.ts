// A translation request explained as the ordinary accesses that it stands for; explain-translated.ts has what follows it.
// A second reading, apart from ats.ts: what an answer grants is found by trying a read, a write and a fetch, one by one, with
// the slow walk of explain.ts; a write is tried with hardware's dirty state switched off where the device has no such intent.
// Not covered: what explain.ts does not cover, and Source-CXL.
// Source: IHI 0070G.b §3.9.1, §3.13.7, §13.6, §13.7, §7.3.8.

import { get } from "../../spec/layout.ts";
import { CR0, CR2 } from "../../spec/registers.ts";
import { hex } from "../../spec/u64.ts";
import { aligned, pow2 } from "./explain/bits.ts";
import { type CdReader, lookupContext } from "./explain/context-entry.ts";
import { illegalCd } from "./explain/illegal-cd.ts";
import { illegalSte } from "./explain/illegal-ste.ts";
import { type Implementation, implementationOf } from "./explain/implementation.ts";
import { broken, field, nowhere, type Refusal, type RefusedField } from "./explain/refusal.ts";
import { type Stage1Input, walkStage1 } from "./explain/stage1-walk.ts";
import { stage2Of } from "./explain/stage2-walk.ts";
import { lookupStreamEntry, type SteReader, streamWorldOf } from "./explain/stream-entry.ts";
import { fail, type MemoryWrite, type Step, Trace, Verdict } from "./explain/trace.ts";
import { contextIndex, decide, type ExplainRequest, overridden, placeOfContext } from "./explain.ts";
import type { Fault, StageFault } from "./fault.ts";
import type { TranslationRequest } from "./translation-request.ts";

export type ExplainedResponse =
  | {
      readonly kind: "success";
      readonly address: bigint;
      readonly bytes: bigint;
      readonly read: boolean;
      readonly write: boolean;
      readonly execute: boolean;
    }
  | {
      readonly kind: "completer-abort" | "unsupported-request";
      /** Absent: no event whatever the registers say. */
      readonly fault?: Fault;
      readonly refusal?: Refusal;
      readonly recorded: boolean;
    }
  | { readonly kind: "not-covered"; readonly reason: string };

export interface ResponseExplanation {
  readonly steps: readonly Step[];
  readonly response: ExplainedResponse;
  /** What the hardware would have updated; of an answer without rights only what it must not have done is missing. */
  readonly writes: readonly MemoryWrite[];
}

type Setting = Omit<ExplainRequest, "transaction">;

/** What a request comes to before any page is looked at. */
interface Found {
  readonly ste: SteReader;
  readonly cd: CdReader | undefined;
  readonly isSplit: boolean;
  readonly privileged: boolean;
}

export const TRANSLATION_FAULTS: readonly string[] = ["F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"];

/** Explains the answer to a translation request, from cold caches. Never throws for what memory holds. */
export function explainTranslationRequest(setting: Setting, asked: TranslationRequest): ResponseExplanation {
  const trace = new Trace(setting.read64);
  const hasPasid = asked.substreamID !== undefined;
  const request = hasPasid ? asked : { ...asked, privileged: false, execute: false };
  let ste: SteReader | undefined;
  try {
    const response = respond(setting, request, trace, (reader) => {
      ste = reader;
    });
    return { steps: trace.steps, response, writes: trace.writes };
  } catch (error) {
    if (!(error instanceof Verdict) || !("fault" in error.end)) throw error;
    const { fault, refusal } = error.end;
    const failure = failed(setting, request, fault, ste);
    const response = failure.kind === "completer-abort" ? { ...failure, refusal } : failure;
    return { steps: trace.steps, response, writes: trace.writes };
  }
}

function respond(
  setting: Setting,
  request: TranslationRequest,
  trace: Trace,
  found: (ste: SteReader) => void,
): ExplainedResponse {
  const implementation = implementationOf(setting.id);
  if (implementation.idr0("ATS") === 0) {
    decide(trace, "IDR0", "there is no ATS interface: Unsupported Request", "§3.9.1");
    return { kind: "unsupported-request", recorded: false };
  }
  if (flag(setting.registers.cr0, CR0.SMMUEN) === 0) return unsupported(request, trace, "the SMMU is disabled");
  const ste = legalSte(setting, trace, implementation, request.streamID);
  found(ste);
  if (ste("Config") < 4n) {
    decide(trace, "STE", "Config is 0b0xx: Unsupported Request without a record", "§3.9.1.2");
    return { kind: "unsupported-request", recorded: false };
  }
  const eats = countingEats(setting, implementation, ste);
  if (eats === 0n) {
    return unsupported(request, trace, "STE.EATS counts as 0 here", field("STE.EATS", ste("EATS")));
  }
  if (ste("Config") >= 6n && ste("S2AA64") === 0n) return { kind: "not-covered", reason: "VMSAv8-32 stage 2" };
  const cd = legalContext(setting, trace, implementation, ste, request.substreamID);
  if (cd?.("AA64") === 0n) return { kind: "not-covered", reason: "VMSAv8-32 stage 1" };
  const { privileged } = overridden(
    { iova: request.iova, access: "read", privileged: request.privileged },
    ste,
    implementation,
  );
  return rights(setting, request, trace, { ste, cd, isSplit: eats === 2n, privileged });
}

/** EATS as far as it counts. Source: §5.2. */
export function countingEats(setting: Setting, implementation: Implementation, ste: SteReader): bigint {
  const isChecked = flag(setting.registers.cr0, CR0.ATSCHK) === 1;
  if (ste("Config") === 4n) return 0n;
  switch (ste("EATS")) {
    case 1n:
      return 1n;
    case 2n:
      return isChecked ? 2n : 0n;
    case 3n:
      return isChecked && implementation.idr3("DPT") ? 3n : 0n;
    default:
      return 0n;
  }
}

export function legalSte(setting: Setting, trace: Trace, implementation: Implementation, streamID: number): SteReader {
  const ste = lookupStreamEntry(trace, implementation, setting.registers, streamID);
  const illegal = illegalSte(ste, implementation);
  if (illegal === undefined) return ste;
  decide(trace, "STE", `${illegal.why}: C_BAD_STE`, "§5.2.2");
  return fail({ type: "C_BAD_STE" }, { ...illegal, at: nowhere("STE") });
}

/** Undefined: stage 1 takes no part. */
export function legalContext(
  setting: Setting,
  trace: Trace,
  implementation: Implementation,
  ste: SteReader,
  substreamID: number | undefined,
): CdReader | undefined {
  const ssid = contextIndex(substreamID, trace, implementation, ste);
  if (ssid === undefined) return undefined;
  const stage2 = ste("Config") === 7n ? stage2Of(trace, implementation, ste) : undefined;
  const cd = lookupContext(trace, implementation, ste, stage2, ssid);
  const illegal = illegalCd(cd, ste, implementation, streamWorldOf(ste, implementation, setting.registers.cr2));
  if (illegal === undefined) return cd;
  decide(trace, "CD", `${illegal.why}: C_BAD_CD`, "§5.4.1");
  return fail({ type: "C_BAD_CD" }, { ...illegal, at: placeOfContext(trace) });
}

/** One access after the other; each that succeeds leaves its updates for the next. Source: §13.7.1. */
function rights(setting: Setting, request: TranslationRequest, trace: Trace, found: Found): ExplainedResponse {
  const implementation = implementationOf(setting.id);
  const { ste, cd } = found;
  const unit = pow2(Math.min(...[12, 14, 16].filter((bits) => implementation.hasGranule(bits)), 16));
  const denied = { kind: "success", address: 0n, bytes: unit, read: false, write: false, execute: false } as const;
  if (cd === undefined) {
    const limit = ste("Config") >= 6n ? implementation.ias : implementation.oas;
    if (request.iova >= pow2(limit)) {
      decide(trace, "STE", `stage 1 is bypassed and ${hex(request.iova)} has more than ${limit} bits`, "§3.4");
      return denied;
    }
    if (ste("Config") < 6n) {
      decide(trace, "STE", "the only stage is bypassed: the address itself, to read and to write", "§13.6.4");
      return { ...denied, address: aligned(request.iova, unitBits(unit)), read: true, write: true };
    }
  }
  const instcfg = implementation.idr1("ATTR_PERMS_OVR") === 0 ? 0n : ste("INSTCFG");
  const tried = (access: Stage1Input["access"]): Reached | undefined =>
    attempt(setting, request, trace, { ...found, access, implementation });
  const reading = tried(instcfg === 3n ? "execute" : "read");
  const writing = tried("write");
  const fetching = reading !== undefined && request.execute && instcfg < 2n ? tried("execute") : reading;
  const any = reading ?? writing;
  if (any === undefined) return denied;
  return {
    kind: "success",
    address: aligned(any.address, unitBits(unit)),
    bytes: any.bytes,
    read: reading !== undefined,
    write: writing !== undefined,
    execute: request.execute && reading !== undefined && fetching !== undefined,
  };
}

interface Reached {
  readonly address: bigint;
  readonly bytes: bigint;
}

type Attempt = Found & { readonly access: Stage1Input["access"]; readonly implementation: Implementation };

/** Undefined: the page does not permit it. Any other fault ends the request. */
function attempt(setting: Setting, request: TranslationRequest, trace: Trace, of: Attempt): Reached | undefined {
  const trial = new Trace((pa) => trace.read64(pa));
  try {
    const reached = access(setting, request, trial, of);
    for (const { address, value } of trial.writes) trace.update(address, value);
    return reached;
  } catch (error) {
    if (!(error instanceof Verdict) || !("fault" in error.end)) throw error;
    const { fault } = error.end;
    if (fault.type === "F_PERMISSION" && fault.class === "IN") return undefined;
    throw error;
  } finally {
    for (const step of trial.steps) trace.add({ ...step, structure: `${of.access}: ${step.structure}` });
  }
}

function access(setting: Setting, request: TranslationRequest, trial: Trace, of: Attempt): Reached {
  const { implementation, isSplit, privileged } = of;
  const input: Stage1Input = { iova: request.iova, access: of.access, privileged };
  const staysClean = of.access === "write" && request.noWrite;
  let leaf = { address: request.iova, pageBytes: pow2(64) };
  if (of.cd !== undefined) {
    const world = streamWorldOf(of.ste, implementation, setting.registers.cr2);
    const stage2 = of.ste("Config") === 7n ? stage2Of(trial, implementation, of.ste) : undefined;
    const real = of.cd;
    const cd: CdReader = staysClean ? (name) => (name === "HD" ? 0n : real(name)) : real;
    leaf = walkStage1({ trace: trial, implementation, cd, world, stage2, cdPlace: nowhere("CD") }, input);
  }
  if (of.ste("Config") < 6n) return { address: leaf.address, bytes: leaf.pageBytes };
  // the flags of a split stage 2 leaf wait for the translated access (§13.6.3)
  const trace = isSplit ? new Trace((pa) => trial.read64(pa)) : trial;
  const ste: SteReader = staysClean && !isSplit ? (name) => (name === "S2HD" ? 0n : of.ste(name)) : of.ste;
  const last = stage2Of(trace, implementation, ste)(leaf.address, { ...input, class: "IN", what: "page" });
  const bytes = last.pageBytes < leaf.pageBytes ? last.pageBytes : leaf.pageBytes;
  return { address: isSplit ? leaf.address : last.pa, bytes };
}

function unsupported(
  request: TranslationRequest,
  trace: Trace,
  why: string,
  ...fields: readonly RefusedField[]
): ExplainedResponse {
  decide(trace, "STE", `${why}: Unsupported Request, F_BAD_ATS_TREQ`, "§7.3.6");
  const refusal = { ...broken("ATS_DISABLED", why, ...fields), at: nowhere("STE") };
  const asked = { write: !request.noWrite, execute: request.execute, privileged: request.privileged };
  const fault: Fault = { type: "F_BAD_ATS_TREQ", ...whose(request), inputAddr: request.iova, asked };
  return { kind: "unsupported-request", fault, refusal, recorded: true };
}

/** Source: §3.9.1.2. */
function failed(
  setting: Setting,
  request: TranslationRequest,
  cause: StageFault,
  ste: SteReader | undefined,
): ExplainedResponse {
  const implementation = implementationOf(setting.id);
  if (TRANSLATION_FAULTS.includes(cause.type)) {
    const bytes = pow2(Math.min(...[12, 14, 16].filter((bits) => implementation.hasGranule(bits)), 16));
    return { kind: "success", address: 0n, bytes, read: false, write: false, execute: false };
  }
  const access = request.execute ? "execute" : "read";
  const input = { iova: request.iova, access, privileged: request.privileged } as const;
  const told = ste === undefined ? input : overridden(input, ste, implementation);
  const about =
    cause.type === "F_WALK_EABT"
      ? { inputAddr: request.iova, privileged: told.privileged, instruction: told.access === "execute", read: true }
      : {};
  const recorded =
    recordsConfiguration(setting, implementation) &&
    (cause.type !== "C_BAD_STREAMID" || flag(setting.registers.cr2, CR2.RECINVSID) === 1);
  return { kind: "completer-abort", fault: { ...cause, ...whose(request), ...about }, recorded };
}

export function recordsConfiguration({ registers }: Setting, implementation: Implementation): boolean {
  return implementation.idr0("ATSRECERR") === 1 && flag(registers.cr2, CR2.REC_CFG_ATS) === 1;
}

export function whose({
  streamID,
  substreamID,
}: {
  streamID: number;
  substreamID?: number;
}): Pick<Fault, "streamID" | "substreamID"> {
  return { streamID, ...sub(substreamID) };
}

export function sub(substreamID: number | undefined): { readonly substreamID?: number } {
  return substreamID === undefined ? {} : { substreamID };
}

export function flag(register: number, field: (typeof CR0)["SMMUEN"]): number {
  return get(Uint32Array.of(register), 0, field);
}

function unitBits(unit: bigint): number {
  return Math.log2(Number(unit));
}
