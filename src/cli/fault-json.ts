// Faults as JSON, one object a line, in the forms of protobuf's JSON mapping: lower camel case, 64-bit values as decimal
// strings, enums by name, times in RFC 3339, bytes in base64. Absent fields are left out.

import {
  FaultClass,
  FaultDiagnosisVerdict,
  type FaultEvent,
  type FaultGap,
  FaultGapReason,
  type FaultResolution,
  FaultResolutionOutcome,
  FaultStage,
} from "../client/client.ts";
import { decimal, withoutControls } from "./explain-json.ts";
import { timeOf } from "./fault-text.ts";

export function eventJson(event: FaultEvent): string {
  const { class: faultClass, diagnosis, pending, record, stage, time } = event;
  return line({
    event: {
      ...event,
      stage: FaultStage[stage],
      class: FaultClass[faultClass],
      record: Buffer.from(record).toString("base64"),
      time: timeOf(time),
      // A token in a terminal's scrollback or a pipe's log would be one for whoever reads it.
      pending: pending && { deadline: timeOf(pending.deadline), stag: pending.stag },
      diagnosis: diagnosis && { ...diagnosis, verdict: FaultDiagnosisVerdict[diagnosis.verdict] },
    },
  });
}

export function gapJson(gap: FaultGap): string {
  return line({ gap: { ...gap, reason: FaultGapReason[gap.reason] } });
}

export function resolutionJson(resolution: FaultResolution): string {
  const outcome = FaultResolutionOutcome[resolution.outcome];
  return line({ resolution: { ...resolution, outcome, time: timeOf(resolution.time) } });
}

function line(value: unknown): string {
  return `${withoutControls(JSON.stringify(value, decimal))}\n`;
}
