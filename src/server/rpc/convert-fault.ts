// Faults as messages: an event record, what was lost, how what waited ended, and why it happened.
// fault-bytes.ts makes the messages of a stream of them, fault-requests.ts reads what is asked.

import type { FaultDiagnosis } from "../../backends/diagnosis.ts";
import type { FaultClass, PageRequestFacts } from "../../backends/faults.ts";
import type {
  FaultEntry,
  FaultGap,
  FaultResolution,
  FaultSubscription,
  ResolutionOutcome,
  SequencedFault,
} from "../core/fault-verbs.ts";
import { iommubroker } from "./codec.ts";
import { longOf, longOfNumber } from "./int64.ts";
import { deviceName } from "./names.ts";

const v1 = iommubroker.v1;

/** Who reads: an event's response token is its owner's alone. */
export type FaultView = FaultSubscription["view"];

export const STAGES = { 1: v1.FaultStage.FAULT_STAGE_1, 2: v1.FaultStage.FAULT_STAGE_2 } as const;
export const CLASSES = {
  CD: v1.FaultClass.FAULT_CLASS_CD,
  TTD: v1.FaultClass.FAULT_CLASS_TTD,
  IN: v1.FaultClass.FAULT_CLASS_IN,
} as const satisfies Record<FaultClass, iommubroker.v1.FaultClass>;
const GAP_REASONS = {
  "ring-overrun": v1.FaultGapReason.FAULT_GAP_REASON_RING_OVERRUN,
  "hardware-overflow": v1.FaultGapReason.FAULT_GAP_REASON_HARDWARE_OVERFLOW,
  released: v1.FaultGapReason.FAULT_GAP_REASON_RELEASED,
  "rate-limit": v1.FaultGapReason.FAULT_GAP_REASON_RATE_LIMIT,
  restart: v1.FaultGapReason.FAULT_GAP_REASON_RESTART,
} as const satisfies Record<FaultGap["reason"], iommubroker.v1.FaultGapReason>;
const OUTCOMES = {
  answered: v1.FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_ANSWERED,
  "timed-out": v1.FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_TIMED_OUT,
  "owner-gone": v1.FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_OWNER_GONE,
  "stage-changed": v1.FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_STAGE_CHANGED,
} as const satisfies Record<ResolutionOutcome, iommubroker.v1.FaultResolutionOutcome>;
const VERDICTS = {
  reproduced: v1.FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_REPRODUCED,
  "no-longer-reproducible": v1.FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_NO_LONGER_REPRODUCIBLE,
  "not-applicable": v1.FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_NOT_APPLICABLE,
} as const satisfies Record<FaultDiagnosis["verdict"], iommubroker.v1.FaultDiagnosisVerdict>;

/** A message with this entry alone: messages one after the other are one message with all of them. */
export function entryMessage(entry: FaultEntry, view: FaultView): iommubroker.v1.IWatchFaultsResponse {
  if (entry.kind === "event") return { events: [faultMessage(entry, view)] };
  if (entry.kind === "gap") return { gaps: [gapMessage(entry)] };
  return { resolutions: [resolutionMessage(entry)] };
}

export function faultMessage(event: SequencedFault, view: FaultView): iommubroker.v1.IFaultEvent {
  const { fault } = event;
  return {
    sequence: longOfNumber(event.sequence),
    device: deviceName(fault.device),
    virtualStreamId: fault.virtualStreamID ?? null,
    substreamId: fault.substreamID ?? null,
    type: fault.type,
    typeNumber: fault.typeNumber,
    stage: fault.stage === undefined ? v1.FaultStage.FAULT_STAGE_UNSPECIFIED : STAGES[fault.stage],
    class: fault.class === undefined ? v1.FaultClass.FAULT_CLASS_UNSPECIFIED : CLASSES[fault.class],
    inputAddress: fault.inputAddress === undefined ? null : longOf(fault.inputAddress),
    ipa: fault.ipa === undefined ? null : longOfNumber(fault.ipa),
    fetchAddress: fault.fetchAddress === undefined ? null : longOfNumber(fault.fetchAddress),
    read: fault.read ?? null,
    instruction: fault.instruction ?? null,
    privileged: fault.privileged ?? null,
    transition: fault.transition,
    record: fault.record,
    time: timestamp(event.wallMs),
    hostOnly: fault.hostOnly,
    pending: pendingMessage(event, view),
    pageRequest: fault.pageRequest === undefined ? null : pageRequestMessage(fault.pageRequest),
  };
}

function pendingMessage({ fault, response }: SequencedFault, view: FaultView): iommubroker.v1.IPendingFault | null {
  if (fault.pending === undefined || response === undefined) return null;
  return {
    responseToken: view === "owner" ? response.token : "",
    deadline: timestamp(response.deadlineWallMs),
    stag: fault.pending.stag ?? null,
  };
}

function pageRequestMessage(request: PageRequestFacts): iommubroker.v1.IPageRequest {
  return { ...request, address: longOf(request.address) };
}

function gapMessage(gap: FaultGap): iommubroker.v1.IFaultGap {
  return {
    device: deviceName(gap.device),
    first: longOfNumber(gap.first),
    last: longOfNumber(gap.last),
    reason: GAP_REASONS[gap.reason],
    count: longOfNumber(gap.count),
    suppressed: gap.suppressed.map(({ count, first, last, page, type }) => ({
      type: type ?? "",
      page: page === undefined ? null : longOf(page),
      count: longOfNumber(count),
      first: longOfNumber(first),
      last: longOfNumber(last),
    })),
  };
}

function resolutionMessage(resolution: FaultResolution): iommubroker.v1.IFaultResolution {
  return {
    device: deviceName(resolution.device),
    sequence: longOfNumber(resolution.sequence),
    outcome: OUTCOMES[resolution.outcome],
    time: timestamp(resolution.wallMs),
  };
}

const OVER_BUDGET: iommubroker.v1.IFaultDiagnosis = {
  verdict: v1.FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_OVER_BUDGET,
  summary: "more faults came than are diagnosed in a second (limits.fault_diagnoses_per_second)",
};

/** @param diagnosis  undefined: over the budget */
export function diagnosisMessage(diagnosis: FaultDiagnosis | undefined): iommubroker.v1.IFaultDiagnosis {
  if (diagnosis === undefined) return OVER_BUDGET;
  const { summary, verdict } = diagnosis;
  if (verdict !== "reproduced") return { verdict: VERDICTS[verdict], summary };
  const { address, fields, level, raw, rule, section, structure } = diagnosis.cause;
  return {
    verdict: VERDICTS[verdict],
    summary,
    rule,
    section,
    structure,
    level: level ?? null,
    address: address === undefined ? null : longOf(address),
    raw: raw.map(longOf),
    fields: fields.map(({ name, value }) => ({ name, value: longOf(value) })),
  };
}

function timestamp(wallMs: number): { seconds: ReturnType<typeof longOfNumber>; nanos: number } {
  return {
    seconds: longOfNumber(Math.floor(wallMs / 1000)),
    nanos: Math.floor((wallMs % 1000) * 1_000_000),
  };
}
