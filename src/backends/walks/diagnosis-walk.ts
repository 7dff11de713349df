// One access walked again for a diagnosis, and its refusal as a cause.
// A refusal is written for whoever owns stage 1; what stands in a structure without an IPA is the host's, and is left out.

import type { FaultCause, FaultDiagnosis } from "../diagnosis.ts";
import { RULES } from "../smmuv3/explain/rules.ts";
import type { Fault, Refusal, Smmu, Transaction } from "../smmuv3/smmu.ts";

/** What a diagnosis asks: questions, which change and record nothing. */
export interface Walker extends Pick<Smmu, "explain" | "explainTranslationRequest"> {
  /** Where the guest's memory of an IPA is; undefined: it has none there. */
  physical(ipa: number): number | undefined;
}

/** How a walk ended. */
export type Walked =
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly fault: Fault }
  | { readonly kind: "translates" | "silent" }
  | { readonly kind: "not-covered"; readonly reason: string };

/** One access, as it would end now. */
export function walk(walker: Walker, access: Transaction): Walked {
  const { outcome, refusal } = walker.explain(access);
  if (outcome.kind === "not-covered") return { kind: "not-covered", reason: outcome.reason };
  if (outcome.kind === "ok") return { kind: "translates" };
  const { fault } = outcome;
  return fault === undefined || refusal === undefined ? { kind: "silent" } : { kind: "refused", refusal, fault };
}

export function reproduced(refusal: Refusal): FaultDiagnosis {
  return { verdict: "reproduced", summary: refusal.why, cause: causeOf(refusal) };
}

export function notApplicable(summary: string): FaultDiagnosis {
  return { verdict: "not-applicable", summary };
}

/** Another end than the record's. */
export function gone(walked: Walked): FaultDiagnosis {
  switch (walked.kind) {
    case "not-covered":
      return notApplicable(`its tables are now of a kind that is not covered: ${walked.reason}`);
    case "translates":
      return noLonger("it now translates");
    case "silent":
      return noLonger("it is now terminated without a record");
    case "refused":
      return noLonger(`it now faults with ${faultOf(walked.fault, walked.refusal)}`);
  }
}

export function noLonger(summary: string): FaultDiagnosis {
  return { verdict: "no-longer-reproducible", summary };
}

/** "F_ACCESS at stage 1 level 3: descriptor.AF is 0 …". */
function faultOf({ stage, type }: Fault, { at, why }: Refusal): string {
  const level = at.level === undefined ? "" : ` level ${at.level}`;
  return `${type}${stage === undefined ? "" : ` at stage ${stage}${level}`}: ${why}`;
}

function causeOf({ at, fields, rule }: Refusal): FaultCause {
  return {
    rule,
    section: RULES[rule].section,
    structure: at.structure,
    level: at.level,
    address: at.ipa,
    raw: at.ipa === undefined ? [] : at.raw,
    fields,
  };
}
