// A translated transaction explained step by step, apart from ats.ts.
// Source: IHI 0070G.b §3.9.1.1, §3.9.1.3, §7.3.8.

import { CR0 } from "../../spec/registers.ts";
import { hex } from "../../spec/u64.ts";
import { afterStage2 } from "./explain/attribute-steps.ts";
import { type Attributes, described, incomingAttributes } from "./explain/attributes.ts";
import { pow2 } from "./explain/bits.ts";
import { type Implementation, implementationOf } from "./explain/implementation.ts";
import { broken, field, nowhere, type RefusedField } from "./explain/refusal.ts";
import type { Stage1Input } from "./explain/stage1-walk.ts";
import { stage2Of } from "./explain/stage2-walk.ts";
import type { SteReader } from "./explain/stream-entry.ts";
import { type ExplainedOutcome, fail, Trace, Verdict } from "./explain/trace.ts";
import { contextIndex, decide, type ExplainRequest, type Explanation, failInputSize, overridden } from "./explain.ts";
import {
  countingEats,
  flag,
  legalContext,
  legalSte,
  recordsConfiguration,
  sub,
  TRANSLATION_FAULTS,
  whose,
} from "./explain-ats.ts";
import type { Fault } from "./fault.ts";

/** Explains a translated transaction. Source: §3.9.1.3. */
export function explainTranslated(request: ExplainRequest): Explanation {
  const trace = new Trace(request.read64);
  const { transaction } = request;
  const implementation = implementationOf(request.id);
  const config: { ste?: SteReader } = {};
  const pasid = implementation.idr3("PASIDTT") ? transaction.substreamID : undefined;
  const plain = { iova: transaction.iova, access: transaction.access, privileged: transaction.privileged };
  const data = plain.access === "write" ? plain.access : "read";
  const input = pasid === undefined ? ({ ...plain, access: data, privileged: false } as const) : plain;
  try {
    const outcome = passTranslated(request, trace, implementation, { config, input, pasid });
    return { steps: trace.steps, outcome, writes: trace.writes };
  } catch (error) {
    if (!(error instanceof Verdict) || !("fault" in error.end)) throw error;
    const { fault: cause, refusal } = error.end;
    const told = config.ste === undefined ? input : overridden(input, config.ste, implementation);
    const isWalk = cause.stage !== undefined;
    const about = isWalk
      ? {
          inputAddr: transaction.iova,
          privileged: told.privileged,
          instruction: told.access === "execute",
          read: told.access !== "write",
        }
      : {};
    const isForbidden = cause.type === "F_TRANSL_FORBIDDEN";
    const fault: Fault = isForbidden
      ? { ...cause, streamID: transaction.streamID, inputAddr: transaction.iova, read: transaction.access !== "write" }
      : {
          ...cause,
          ...whose({
            streamID: transaction.streamID,
            ...sub(isWalk || implementation.idr3("PASIDTT") ? pasid : transaction.substreamID),
          }),
          ...about,
        };
    const isBypassed = cause.type === "F_ADDR_SIZE" && cause.stage === 1;
    const byS2R = TRANSLATION_FAULTS.includes(cause.type) && !isBypassed;
    const recorded =
      isForbidden || (isWalk ? !byS2R || config.ste?.("S2R") === 1n : recordsConfiguration(request, implementation));
    return { steps: trace.steps, outcome: { kind: "abort", fault, recorded }, refusal, writes: trace.writes };
  }
}

function passTranslated(
  request: ExplainRequest,
  trace: Trace,
  implementation: Implementation,
  of: { readonly config: { ste?: SteReader }; readonly input: Stage1Input; readonly pasid: number | undefined },
): ExplainedOutcome {
  const { registers, transaction } = request;
  if (implementation.idr0("ATS") === 0) return { kind: "abort", recorded: false };
  const forbid = (why: string, ...fields: readonly RefusedField[]): never => {
    decide(trace, "STE", `${why}: F_TRANSL_FORBIDDEN`, "§7.3.8");
    return fail(
      { type: "F_TRANSL_FORBIDDEN" },
      { ...broken("TRANSLATED_FORBIDDEN", why, ...fields), at: nowhere("STE") },
    );
  };
  if (flag(registers.cr0, CR0.SMMUEN) === 0) forbid("the SMMU is disabled");
  const incoming = incomingAttributes(transaction.attributes);
  if (flag(registers.cr0, CR0.ATSCHK) === 0) return straight(transaction.iova, trace, implementation, incoming);
  const ste = legalSte(request, trace, implementation, transaction.streamID);
  of.config.ste = ste;
  if (ste("Config") < 4n) return { kind: "abort", recorded: false };
  const eats = countingEats(request, implementation, ste);
  if (eats === 0n) forbid("STE.EATS counts as 0 here", field("STE.EATS", ste("EATS")));
  if (ste("Config") >= 6n && ste("S2AA64") === 0n) return { kind: "not-covered", reason: "VMSAv8-32 stage 2" };
  if (implementation.idr3("PASIDTT")) {
    if (of.pasid === undefined) contextIndex(undefined, trace, implementation, ste);
    else legalContext(request, trace, implementation, ste, of.pasid);
  }
  if (eats === 3n) forbid("CR0.DPT_WALK_EN is 0");
  if (eats === 1n) return straight(transaction.iova, trace, implementation, incoming);
  if (transaction.iova >= pow2(implementation.ias)) {
    decide(trace, "STE", `${hex(transaction.iova)} has more than ${implementation.ias} bits: F_ADDR_SIZE`, "§3.9.1.3");
    failInputSize(transaction.iova, implementation.ias);
  }
  const input = overridden(of.input, ste, implementation);
  const { pa, pageBytes, leaf } = stage2Of(
    trace,
    implementation,
    ste,
  )(transaction.iova, { ...input, class: "IN", what: "page" });
  const attributes = described(afterStage2(trace, implementation, ste, incoming, leaf));
  return { kind: "ok", pa, pageBytes, ipa: transaction.iova, bypass: false, attributes };
}

/** Past all translation, attributes as they came (§13.6.3); an address beyond the OAS aborts, a choice of §3.9.1.1. */
function straight(iova: bigint, trace: Trace, implementation: Implementation, incoming: Attributes): ExplainedOutcome {
  const isTooFar = iova >= pow2(implementation.oas);
  decide(
    trace,
    "address",
    isTooFar ? "it is beyond the OAS: aborted without a record" : "it is the output",
    "§3.9.1.1",
  );
  if (isTooFar) return { kind: "abort", recorded: false };
  return { kind: "ok", pa: iova, pageBytes: 0n, bypass: true, attributes: described(incoming) };
}
