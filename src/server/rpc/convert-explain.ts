// Explanations on the wire: a request to what core takes, steps and their end to messages.

import type {
  ExplainedEnd,
  ExplainedFault,
  ExplainedStep,
  ExplainedWrite,
  ExplainRequest,
  Explanation,
} from "../../backends/explanation.ts";
import type { FaultClass } from "../../backends/faults.ts";
import type { DeviceID, VirtualStreamID } from "../../backends/ids.ts";
import { iommubroker } from "./codec.ts";
import { allOf, enumeration, integer } from "./field.ts";
import { bigintOf, longOf } from "./int64.ts";
import { deviceName, parseDevice } from "./names.ts";

const v1 = iommubroker.v1;

const ACCESS_KINDS = new Map<number, ExplainRequest["access"]>([
  [v1.AccessKind.ACCESS_KIND_UNSPECIFIED, "read"],
  [v1.AccessKind.ACCESS_KIND_READ, "read"],
  [v1.AccessKind.ACCESS_KIND_WRITE, "write"],
  [v1.AccessKind.ACCESS_KIND_EXECUTE, "execute"],
]);
const OUTCOMES = {
  ok: v1.TransactionOutcome.TRANSACTION_OUTCOME_OK,
  abort: v1.TransactionOutcome.TRANSACTION_OUTCOME_ABORT,
  "raz-wi": v1.TransactionOutcome.TRANSACTION_OUTCOME_RAZ_WI,
  stalled: v1.TransactionOutcome.TRANSACTION_OUTCOME_STALLED,
  "not-covered": v1.TransactionOutcome.TRANSACTION_OUTCOME_UNSPECIFIED,
} as const satisfies Record<ExplainedEnd["kind"], iommubroker.v1.TransactionOutcome>;
const STAGES = { 1: v1.FaultStage.FAULT_STAGE_1, 2: v1.FaultStage.FAULT_STAGE_2 } as const;
const CLASSES = {
  CD: v1.FaultClass.FAULT_CLASS_CD,
  TTD: v1.FaultClass.FAULT_CLASS_TTD,
  IN: v1.FaultClass.FAULT_CLASS_IN,
} as const satisfies Record<FaultClass, iommubroker.v1.FaultClass>;

const SUBSTREAM_ID = { min: 0, max: 2 ** 20 - 1 };
const STREAM_INDEX = { min: 0, max: 7 };

export function parseExplain(request: iommubroker.v1.ExplainTranslationRequest): ExplainRequest {
  const { substreamId } = request;
  return allOf({
    device: () => parseDevice(request.device, "device"),
    streamIndex: () => integer(request.streamIndex, "stream_index", STREAM_INDEX),
    iova: () => bigintOf(request.iova),
    substreamID: () =>
      substreamId === null || substreamId === undefined
        ? undefined
        : integer(substreamId, "substream_id", SUBSTREAM_ID),
    access: () => enumeration(request.access, "access", ACCESS_KINDS, "READ, WRITE or EXECUTE"),
    privileged: () => request.privileged,
    showsHost: () => request.includeHostAddresses,
  });
}

export function explanationMessage(
  device: DeviceID,
  virtualStreamID: VirtualStreamID | undefined,
  { end, steps, writes }: Explanation,
): iommubroker.v1.IExplainTranslationResponse {
  return {
    device: deviceName(device),
    virtualStreamId: virtualStreamID ?? null,
    steps: steps.map(stepMessage),
    end: endMessage(end),
    writes: writes.map(writeMessage),
  };
}

function stepMessage(step: ExplainedStep): iommubroker.v1.IExplainedStep {
  const { decision, fields, ipa, pa, raw, section, structure } = step;
  return {
    ...{ structure, decision, section },
    ipa: optionalLong(ipa),
    pa: optionalLong(pa),
    raw: raw.map(longOf),
    fields: Object.entries(fields).map(([name, value]) => ({ name, value: longOf(value) })),
  };
}

function endMessage(end: ExplainedEnd): iommubroker.v1.IExplainedEnd {
  const outcome = OUTCOMES[end.kind];
  switch (end.kind) {
    case "ok": {
      const { bypass, ipa, pa, pageBytes } = end;
      return { outcome, bypass, ipa: optionalLong(ipa), pa: optionalLong(pa), pageBytes: longOf(pageBytes) };
    }
    case "not-covered":
      return { outcome, notCovered: end.reason };
    default:
      return { outcome, recorded: end.recorded, fault: end.fault === undefined ? null : faultMessage(end.fault) };
  }
}

function faultMessage(fault: ExplainedFault): iommubroker.v1.IExplainedFault {
  return {
    type: fault.type,
    typeNumber: fault.typeNumber,
    stage: fault.stage === undefined ? v1.FaultStage.FAULT_STAGE_UNSPECIFIED : STAGES[fault.stage],
    class: fault.class === undefined ? v1.FaultClass.FAULT_CLASS_UNSPECIFIED : CLASSES[fault.class],
    inputAddress: optionalLong(fault.inputAddress),
    ipa: optionalLong(fault.ipa),
    fetchAddress: optionalLong(fault.fetchAddress),
    read: fault.read ?? null,
    instruction: fault.instruction ?? null,
    privileged: fault.privileged ?? null,
  };
}

function writeMessage({ ipa, pa, value }: ExplainedWrite): iommubroker.v1.IExplainedWrite {
  return { ipa: optionalLong(ipa), pa: optionalLong(pa), value: longOf(value) };
}

function optionalLong(value: bigint | undefined) {
  return value === undefined ? null : longOf(value);
}
