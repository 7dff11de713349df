// Faults on the wire: one event record each, batches of them, and what was lost.

import { invalidField } from "../../backends/errors.ts";
import type { FaultClass } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { FaultBatch, FaultGap, SequencedFault } from "../core/fault-verbs.ts";
import { iommubroker } from "./codec.ts";
import { allOf, eachOf } from "./field.ts";
import { parseHeartbeat } from "./heartbeat.ts";
import { bigintOf, longOf, longOfNumber } from "./int64.ts";
import { deviceName, parseDevice } from "./names.ts";

const v1 = iommubroker.v1;

const STAGES = { 1: v1.FaultStage.FAULT_STAGE_1, 2: v1.FaultStage.FAULT_STAGE_2 } as const;
const CLASSES = {
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

export function parseWatchFaults(
  request: iommubroker.v1.WatchFaultsRequest,
  heartbeatDefaultMs: number,
): { devices: readonly DeviceID[]; resumeAfter: ReadonlyMap<DeviceID, bigint>; heartbeatMs: number } {
  const resumed = Object.entries(request.resumeAfter);
  return allOf({
    devices: () => eachOf(eachOnce(request.devices), "devices", parseDevice),
    resumeAfter: () => new Map(eachResumed(resumed)),
    heartbeatMs: () => parseHeartbeat(request.heartbeatMs, heartbeatDefaultMs),
  });
}

export function faultBatchMessage(batch: FaultBatch): iommubroker.v1.IWatchFaultsResponse {
  const entries = batch.slices.flatMap(({ segment, from, to }) => segment.entries.slice(from, to));
  const events = entries.flatMap((entry) => (entry.kind === "event" ? [faultMessage(entry)] : []));
  return { events, gaps: batch.gaps.map(gapMessage) };
}

export const HEARTBEAT_MESSAGE: iommubroker.v1.IWatchFaultsResponse = {};

function faultMessage({ sequence, wallMs, fault }: SequencedFault): iommubroker.v1.IFaultEvent {
  return {
    sequence: longOfNumber(sequence),
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
    time: {
      seconds: longOfNumber(Math.floor(wallMs / 1000)),
      nanos: Math.floor((wallMs % 1000) * 1_000_000),
    },
  };
}

function gapMessage(gap: FaultGap): iommubroker.v1.IFaultGap {
  return {
    device: deviceName(gap.device),
    first: longOfNumber(gap.first),
    last: longOfNumber(gap.last),
    reason: GAP_REASONS[gap.reason],
  };
}

/** A list that names one device many times would cost every fault of any device a look through all of it. */
function eachOnce(names: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  names.forEach((name, index) => {
    if (seen.has(name)) throw invalidField(`devices[${index}]`, "is named twice");
    seen.add(name);
  });
  return names;
}

function eachResumed(entries: readonly [string, Parameters<typeof bigintOf>[0]][]): [DeviceID, bigint][] {
  const devices = eachOf(
    entries.map(([name]) => name),
    "resume_after",
    (name) => parseDevice(name, `resume_after["${name.slice(0, RESUME_KEY_SHOWN_MAX)}"]`),
  );
  return devices.map((device, index) => [device, bigintOf(entries[index]?.[1] ?? 0)]);
}

const RESUME_KEY_SHOWN_MAX = 80;
