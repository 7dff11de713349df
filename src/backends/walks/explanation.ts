// The model's walk in the terms of who asks: all of it for the host, and for a guest only what is the guest's.
// The guest's view is built from what may be shown, never by taking away: its own structures by IPA, of the host's STE
// the fields that a guest sets, and a walk of stage 2 as one step, without the addresses it led to.
// Source: IHI 0070G.b §5.2 (STE), §7.3 (faults).

import { EVENT_NUMBER } from "../../spec/events.ts";
import type { ExplainedEnd, ExplainedFault, ExplainedStep, ExplainedWrite, Explanation } from "../explanation.ts";
import type { Step } from "../smmuv3/explain.ts";
import type { Fault, Explanation as Walk } from "../smmuv3/smmu.ts";

type Stage2 = NonNullable<Step["stage2"]>;

/** With the host's structures, descriptors and addresses. */
export function hostView({ outcome, steps, writes }: Walk): Explanation {
  return {
    steps: steps.map(({ fields, ipa, pa, raw, section, stage2, structure, why }) => ({
      ...{ structure, raw, fields, section },
      ipa: ipa ?? stage2?.ipa,
      pa,
      decision: why,
    })),
    end: endOf(outcome, { pa: (pa) => pa, fetchAddress: (pa) => pa }),
    writes: writes.map(({ address, value }) => ({ ipa: ipaOfStructure(steps, address), pa: address, value })),
  };
}

/** Nothing of the host's addresses, StreamIDs, VMIDs and descriptors. */
export function guestView({ outcome, steps, writes }: Walk): Explanation {
  return {
    steps: steps.flatMap((step, index) => guestStep(step, index === steps.length - 1, outcome)),
    end: endOf(outcome, { pa: () => undefined, fetchAddress: (pa) => ipaBehind(steps, pa) }),
    writes: writes.flatMap(({ address, value }): ExplainedWrite[] => {
      const ipa = ipaOfStructure(steps, address);
      return ipa === undefined ? [] : [{ ipa, pa: undefined, value }];
    }),
  };
}

/** @param isLast  a walk of stage 2 that ends without an answer ends everything */
function guestStep(step: Step, isLast: boolean, outcome: Walk["outcome"]): ExplainedStep[] {
  const { fields, ipa, pa, raw, section, stage2, structure, why } = step;
  if (stage2 !== undefined) {
    return stage2.answer !== undefined || isLast ? [guestStage2(stage2, outcome, section)] : [];
  }
  if (structure === "STE" && pa !== undefined) return [guestSTE(step)];
  if (structure === "attributes") return []; // overrides of the host's STE and stage 2's types are not the guest's
  const isHosts = ipa === undefined && (pa !== undefined || raw.length > 0);
  return isHosts ? [] : [{ structure, ipa, pa: undefined, raw, fields, decision: why, section }];
}

/** Of the host's STE, what checkVSTE lets a guest set, as it is in force. */
const STE_FIELDS: readonly string[] = [
  ...["V", "Config", "S1Fmt", "S1ContextPtr", "S1CDMax"],
  ...["S1DSS", "S1CIR", "S1COR", "S1CSH", "S1STALLD", "EATS"],
];
const CONFIG_MEANINGS: Readonly<Record<string, string>> = {
  "0": "every access is terminated",
  "6": "stage 1 is bypassed, stage 2 is the host's",
  "7": "stage 1 is the guest's, stage 2 the host's",
};

function guestSTE({ fields, section, structure }: Step): ExplainedStep {
  const config = fields.Config ?? 0n;
  const meaning = CONFIG_MEANINGS[String(config)] ?? "not a configuration of a guest";
  return {
    structure,
    ipa: undefined,
    pa: undefined,
    raw: [],
    fields: Object.fromEntries(Object.entries(fields).filter(([name]) => STE_FIELDS.includes(name))),
    decision: `Config is 0b${config.toString(2).padStart(3, "0")}: ${meaning}`,
    section,
  };
}

function guestStage2({ access, answer, class: purpose, ipa }: Stage2, outcome: Walk["outcome"], section: string) {
  const fault = outcome.kind === "ok" || outcome.kind === "not-covered" ? undefined : outcome.fault;
  return {
    structure: `stage 2, for ${purpose}`,
    ipa,
    pa: undefined,
    raw: [],
    fields: {},
    decision: answer === undefined ? refusalOf(fault?.type, access, purpose) : mappingOf(answer),
    section,
  };
}

function mappingOf({ pageBytes, readable, writable }: NonNullable<Stage2["answer"]>): string {
  const rights = [...(readable ? ["readable"] : []), ...(writable ? ["writable"] : [])].join(" and ");
  return `mapped by ${sizeOf(pageBytes)}, ${rights === "" ? "neither readable nor writable" : rights}`;
}

function refusalOf(type: string | undefined, access: string, purpose: Stage2["class"]): string {
  if (type === "F_TRANSLATION") return "not mapped: F_TRANSLATION";
  if (type !== "F_PERMISSION") return `stage 2 ends here: ${type ?? "no answer"}`;
  const whose = purpose === "IN" ? `this ${access}` : `the ${access} of a table or context descriptor`;
  return `mapped, but not for ${whose}: F_PERMISSION`;
}

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** A power of two from 4 KiB up, as it is spoken of. */
function sizeOf(bytes: bigint): string {
  let count = bytes / 1024n;
  let unit = 0;
  for (; count >= 1024n && unit < UNITS.length - 1; unit += 1) count /= 1024n;
  return `${count} ${UNITS[unit]}`;
}

interface Shown {
  readonly pa: (pa: bigint) => bigint | undefined;
  readonly fetchAddress: (pa: bigint) => bigint | undefined;
}

function endOf(outcome: Walk["outcome"], shown: Shown): ExplainedEnd {
  switch (outcome.kind) {
    case "ok": {
      const { bypass, ipa, pa, pageBytes } = outcome;
      return { kind: "ok", bypass, ipa, pa: shown.pa(pa), pageBytes };
    }
    case "not-covered":
      return { kind: "not-covered", reason: outcome.reason };
    default: {
      const { fault, kind, recorded } = outcome;
      return { kind, fault: fault && faultOf(fault, shown), recorded };
    }
  }
}

function faultOf(fault: Fault, shown: Shown): ExplainedFault {
  const { fetchAddress, inputAddr, instruction, ipa, privileged, read, stage, type } = fault;
  return {
    ...{ type, stage, class: fault.class, read, instruction, privileged },
    typeNumber: EVENT_NUMBER[type],
    inputAddress: inputAddr,
    ipa: ipa === undefined ? undefined : BigInt(ipa),
    fetchAddress: fetchAddress === undefined ? undefined : shown.fetchAddress(BigInt(fetchAddress)),
  };
}

/** The IPA of a guest's structure at a physical address; undefined: the host's own. */
function ipaOfStructure(steps: readonly Step[], pa: bigint): bigint | undefined {
  return steps.findLast((step) => step.pa === pa && step.ipa !== undefined)?.ipa;
}

/** The IPA that stage 2 led to this physical address for; undefined: none did, so it is the host's own. */
function ipaBehind(steps: readonly Step[], pa: bigint): bigint | undefined {
  return steps.findLast(({ stage2 }) => stage2?.answer?.pa === pa)?.stage2?.ipa;
}
