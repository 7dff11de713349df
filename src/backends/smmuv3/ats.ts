// ATS: answers to translation requests, and what becomes of translated transactions.
// DPT walks are not modelled: CR0.DPT_WALK_EN stays 0, so that a DPT check can only fail.
// Source: IHI 0070G.b §3.9.1, §13.6, §13.7, §7.3.6, §7.3.8.

import { EATS, INSTCFG, PRIVCFG } from "../../spec/encodings.ts";
import { fitsIn, hiOf, joinBigint, loOf, low32 } from "../../spec/u64.ts";
import { type AtsAsk, AtsWalk } from "./ats-walk.ts";
import type { StreamConfig } from "./config-cache.ts";
import type { SmmuCounters } from "./counters.ts";
import type { Fault, StageFault } from "./fault.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import { combineHints, combineStages, describeAttributes, inputAttributes } from "./memory-type.ts";
import type { Stage2 } from "./stage2.ts";
import { type DecodedSTE, effectiveEATS } from "./ste.ts";
import type { Switches } from "./switches.ts";
import type { Transaction } from "./transaction.ts";
import type { Translator } from "./translate.ts";
import {
  grantsAny,
  rightsOf,
  type TranslationRequest,
  type TranslationResponse,
  withPasidAttributes,
} from "./translation-request.ts";
import type { Refusal, Verdict } from "./verdict.ts";

export interface AtsParts {
  readonly features: Features;
  readonly memory: PhysicalMemory;
  readonly counters: SmmuCounters;
  readonly switches: Switches;
  readonly stage2: Stage2;
  readonly translator: Translator;
  /** @returns true when the record is in the Event queue */
  readonly record: (fault: Fault) => boolean;
}

/** CR0.ATSCHK and CR2.REC_CFG_ATS, decoded when they are written. */
export interface AtsSwitches {
  atsCheck: boolean;
  recordsConfigurationErrors: boolean;
}

const FIXED = { global: false, untranslatedOnly: false, nonSnooped: false } as const;
const BYPASS_SIZE_FAULT: StageFault = Object.freeze({ type: "F_ADDR_SIZE", stage: 1, class: "IN" });
const SILENT_ABORT: Refusal = Object.freeze({ kind: "silent-abort" });

export class Ats {
  readonly switches: AtsSwitches = { atsCheck: false, recordsConfigurationErrors: false };
  readonly #parts: AtsParts;
  readonly #walk: AtsWalk;
  /** log2 of the smallest translation unit: the smallest granule. */
  readonly #unitBits: number;

  constructor(parts: AtsParts) {
    this.#parts = parts;
    this.#walk = new AtsWalk(parts.memory, parts.counters, parts.stage2);
    this.#unitBits = Math.min(16, ...parts.features.granules);
  }

  request(asked: TranslationRequest): TranslationResponse {
    const { counters, features, switches, translator } = this.#parts;
    counters.pcieAtsTransRq += 1;
    const request = withPasidAttributes(asked);
    if (!features.ats) return { kind: "unsupported-request", fault: undefined, recorded: false }; // no interface (§3.9.1)
    if (!switches.smmuEnabled) return this.#refuse(request);
    const stream = translator.findStream(request.streamID);
    if ("type" in stream) return this.#abort(request, undefined, stream);
    if (!stream.passes) return { kind: "unsupported-request", fault: undefined, recorded: false };
    const eats = effectiveEATS(stream.ste, features, this.switches.atsCheck);
    if (eats === EATS.NONE) return this.#refuse(request);
    const context = translator.findContext(stream, request.substreamID);
    if (context !== "bypass" && "type" in context) return this.#failed(request, stream, context);
    const found = context === "bypass" ? undefined : context;
    const [hi, lo] = [low32(hiOf(request.iova)), low32(loOf(request.iova))];
    if (found === undefined) {
      const bits = stream.stage2 === undefined ? features.oasBits : features.iasBits;
      if (!fitsIn(hi >>> 0, lo >>> 0, bits)) return this.#failed(request, stream, BYPASS_SIZE_FAULT);
      if (stream.stage2 === undefined) return this.#identity(request);
    }
    const instcfg = features.attrPermsOverride ? stream.ste.INSTCFG : 0;
    const ask: AtsAsk = {
      level: this.#isPrivileged(request, stream.ste) ? PRIVILEGED : UNPRIVILEGED,
      write: !request.noWrite,
      split: eats === EATS.SPLIT,
      grants: (permissions) => grantsAny(rightsOf(request, instcfg, permissions)),
    };
    const fault = this.#walk.run(found, stream.stage2, { hi, lo }, ask);
    if (fault !== undefined) return this.#failed(request, stream, fault);
    const rights = rightsOf(request, instcfg, this.#walk.permissions);
    if (!grantsAny(rights)) return this.#denied(request);
    const sizeLog2 = this.#walk.sizeBits;
    const address = this.#walk.address - (this.#walk.address % 2 ** this.#unitBits);
    return { kind: "success", address, sizeLog2, ...rights, privileged: request.privileged, ...FIXED };
  }

  /** A transaction that is marked Translated. Source: §3.9.1.3. */
  translated(tx: Transaction): Verdict {
    const verdict = this.#translated(tx);
    if (verdict.kind === "ok") this.#parts.counters.pcieAtsTransPassed += 1;
    return verdict;
  }

  #translated(tx: Transaction): Verdict {
    const { features, switches, translator } = this.#parts;
    if (!features.ats) return SILENT_ABORT; // nothing translated passes where there is no ATS (§5.2, EATS)
    if (!switches.smmuEnabled) return forbidden(tx);
    if (!this.switches.atsCheck) return this.#pass(tx);
    const stream = translator.findStream(tx.streamID);
    if ("type" in stream) return this.#badConfiguration(tx, stream);
    if (!stream.passes) return SILENT_ABORT;
    const eats = effectiveEATS(stream.ste, features, true);
    if (eats === EATS.NONE) return forbidden(tx);
    const asked = this.#withoutPasid(tx);
    if (features.pasidtt) {
      const context = translator.findContext(stream, asked.substreamID, asked.substreamID === undefined);
      if (context !== "bypass" && "type" in context) return this.#badContext(asked, stream, context);
    }
    if (eats === EATS.DPT) return forbidden(tx); // DPT_DISABLED
    return eats === EATS.SPLIT ? this.#throughStage2(asked, stream) : this.#pass(tx);
  }

  /**
   * STE.PPAR, for an automatic answer to a page request with a PASID.
   *
   * @returns undefined where no valid STE is found; that is recorded as §8.1 has it
   */
  ppar(of: { readonly streamID: number; readonly substreamID?: number }): boolean | undefined {
    const { record, switches, translator } = this.#parts;
    const stream = translator.findStream(of.streamID);
    if (!("type" in stream)) return stream.ste.PPAR === 1;
    const isLogged = stream.type !== "C_BAD_STREAMID" || switches.recordsBadStreamID;
    if (isLogged && this.switches.recordsConfigurationErrors) record({ ...stream, ...streamOf(of) });
    return undefined;
  }

  /** Beyond the OAS the architecture lets the address be truncated or the transaction abort; this model aborts (§3.9.1.1). */
  #pass(tx: Transaction): Verdict {
    const { oasBits } = this.#parts.features;
    if (tx.iova >= 2n ** BigInt(oasBits)) return SILENT_ABORT;
    const attributes = describeAttributes(inputAttributes(tx.attributes, undefined)); // they pass as they came (§13.6.3)
    return { kind: "ok", outcome: { kind: "ok", pa: Number(tx.iova), pageBytes: 0, bypass: true, attributes } };
  }

  #throughStage2(tx: Transaction, stream: StreamConfig): Verdict {
    const { features, stage2, translator } = this.#parts;
    const [hi, lo] = [low32(hiOf(tx.iova)), low32(loOf(tx.iova))];
    if (!fitsIn(hi >>> 0, lo >>> 0, features.iasBits)) {
      return translator.refuse(tx, BYPASS_SIZE_FAULT, stream, true);
    }
    const need = translator.needOf(tx, stream);
    const fault = stream.stage2 && stage2.translate(stream.stage2, hi, lo, need, "IN");
    if (fault !== undefined) {
      return translator.refuse(tx, fault, stream, stream.ste.S2R === 1 || !isTranslationRelated(fault));
    }
    const input = inputAttributes(tx.attributes, undefined);
    const combined = combineStages(input, stage2.attributes, stream.stage2?.fwb === true);
    const attributes = describeAttributes(combineHints(combined, input));
    const pa = Number(joinBigint(stage2.paHi, stage2.paLo));
    const pageBytes = 2 ** stage2.pageBits;
    return { kind: "ok", outcome: { kind: "ok", pa, pageBytes, ipa: Number(tx.iova), bypass: false, attributes } };
  }

  /** Without IDR3.PASIDTT, or without a PASID, a translated transaction is unprivileged, and data. Source: §3.9.1.3. */
  #withoutPasid(tx: Transaction): Transaction {
    if (this.#parts.features.pasidtt && tx.substreamID !== undefined) return tx;
    const { substreamID: _, ...plain } = tx;
    return { ...plain, privileged: false, access: tx.access === "write" ? "write" : "read" };
  }

  /** Recorded with REC_CFG_ATS only; RECINVSID has no say here (§3.9.1.3). */
  #badConfiguration(tx: Transaction, found: StageFault): Refusal {
    const fault = { ...found, ...streamOf(tx) };
    return { kind: "fault", fault, response: "abort", record: this.switches.recordsConfigurationErrors };
  }

  /** Stage 2 faults of a CD's address are recorded as an ordinary transaction's are. Source: §3.9.1.3, PASIDTT. */
  #badContext(tx: Transaction, stream: StreamConfig, found: StageFault): Refusal {
    if (found.stage === undefined) return this.#badConfiguration(tx, found);
    const { translator } = this.#parts;
    return translator.refuse(tx, found, stream, stream.ste.S2R === 1 || !isTranslationRelated(found));
  }

  /** ATS is off for the stream. Source: §7.3.6. */
  #refuse(request: TranslationRequest): TranslationResponse {
    const { execute, noWrite, privileged } = request;
    const asked = { write: !noWrite, execute, privileged };
    const fault: Fault = { type: "F_BAD_ATS_TREQ", ...streamOf(request), inputAddr: request.iova, asked };
    return { kind: "unsupported-request", fault, recorded: this.#parts.record(fault) };
  }

  /** Faults of the translation are an answer, everything else is the configuration's. Source: §3.9.1.2. */
  #failed(request: TranslationRequest, stream: StreamConfig, found: StageFault): TranslationResponse {
    return isTranslationRelated(found) ? this.#denied(request) : this.#abort(request, stream, found);
  }

  /**
   * C_BAD_CD is in none of §3.9.1.2's rows; it is taken for what the text above them names, ILLEGAL structure contents.
   * RnW of a record is UNKNOWN: a request always asks to read.
   */
  #abort(request: TranslationRequest, stream: StreamConfig | undefined, found: StageFault): TranslationResponse {
    const { record, switches } = this.#parts;
    const isLogged =
      this.switches.recordsConfigurationErrors && (found.type !== "C_BAD_STREAMID" || switches.recordsBadStreamID);
    const whose = { ...found, ...streamOf(request) };
    const fault: Fault =
      found.stage === undefined || stream === undefined
        ? whose
        : {
            ...whose,
            inputAddr: request.iova,
            privileged: this.#isPrivileged(request, stream.ste),
            instruction: this.#isInstruction(request, stream.ste),
            read: true,
          };
    return { kind: "completer-abort", fault, recorded: isLogged && record(fault) };
  }

  #denied(request: TranslationRequest): TranslationResponse {
    const nothing = { read: false, write: false, execute: false, privileged: request.privileged };
    return { kind: "success", address: 0, sizeLog2: this.#unitBits, ...nothing, ...FIXED };
  }

  /** S1DSS takes the request past the only stage: what it asks for is what it gets. Source: §13.6.4. */
  #identity(request: TranslationRequest): TranslationResponse {
    const address = Number(request.iova - (request.iova % 2n ** BigInt(this.#unitBits)));
    const rights = { read: true, write: true, execute: false, privileged: false };
    return { kind: "success", address, sizeLog2: this.#unitBits, ...rights, ...FIXED };
  }

  #isPrivileged(request: TranslationRequest, ste: DecodedSTE): boolean {
    const cfg = this.#parts.features.attrPermsOverride ? ste.PRIVCFG : 0;
    return cfg === PRIVCFG.PRIVILEGED || (request.privileged && cfg !== PRIVCFG.UNPRIVILEGED);
  }

  #isInstruction(request: TranslationRequest, ste: DecodedSTE): boolean {
    const cfg = this.#parts.features.attrPermsOverride ? ste.INSTCFG : 0;
    return cfg === INSTCFG.INSTRUCTION || (request.execute && cfg !== INSTCFG.DATA);
  }
}

const UNPRIVILEGED = 0b000_111;
const PRIVILEGED = 0b111_000;

function streamOf({ streamID, substreamID }: { streamID: number; substreamID?: number }): {
  readonly streamID: number;
  readonly substreamID?: number;
} {
  return substreamID === undefined ? { streamID } : { streamID, substreamID };
}

/** The record has no SubstreamID. Source: §7.3.8. */
function forbidden(tx: Transaction): Refusal {
  const fault: Fault = {
    type: "F_TRANSL_FORBIDDEN",
    streamID: tx.streamID,
    inputAddr: tx.iova,
    read: tx.access !== "write",
  };
  return { kind: "fault", fault, response: "abort", record: true };
}

function isTranslationRelated({ type }: StageFault): boolean {
  return type === "F_TRANSLATION" || type === "F_ADDR_SIZE" || type === "F_ACCESS" || type === "F_PERMISSION";
}
