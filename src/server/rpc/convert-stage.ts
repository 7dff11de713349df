// Attach, bind, detach: requests to what core takes, outcomes to answers.

import type { PlainStage } from "../../backends/backend.ts";
import { BrokerError, invalidField } from "../../backends/errors.ts";
import { type DeviceID, type VirtualStreamID, virtualStreamID } from "../../backends/ids.ts";
import type { Disposition } from "../../backends/vste.ts";
import type { AttachRequest, BindOutcome, BindRequest } from "../core/stage-verbs.ts";
import { iommubroker } from "./codec.ts";
import { deviceMessage } from "./convert-device.ts";
import { parsePlainMode } from "./convert-virtual-iommu.ts";
import { parseGuestStage } from "./convert-vste.ts";
import { allOf } from "./field.ts";
import { longOf, optionalBigint } from "./int64.ts";
import { parseDevice, parseVirtualIommu } from "./names.ts";

const Stage1Mode = iommubroker.v1.Stage1Mode;
const MODES = {
  translate: Stage1Mode.STAGE1_MODE_TRANSLATE,
  bypass: Stage1Mode.STAGE1_MODE_BYPASS,
  abort: Stage1Mode.STAGE1_MODE_ABORT,
} as const satisfies Record<Disposition, iommubroker.v1.Stage1Mode>;

/** A device and the generation it must have, as detach, unbind and reset take them. */
export interface DeviceRequest {
  readonly device: DeviceID;
  readonly expectedGeneration: bigint | undefined;
}

export function parseAttach(request: iommubroker.v1.AttachDeviceRequest): AttachRequest {
  return allOf({
    device: () => parseDevice(request.device, "device"),
    virtualIommu: () => parseVirtualIommu(request.virtualIommu, "virtual_iommu"),
    initial: () => parseInitialMode(request.initialMode),
    expectedGeneration: () => optionalBigint(request.expectedGeneration),
    waitMs: () => request.waitMs,
    preempt: () => request.preempt,
  });
}

export function parseDeviceRequest(
  request: Pick<iommubroker.v1.DetachDeviceRequest, "device"> & {
    readonly expectedGeneration?: Parameters<typeof optionalBigint>[0];
  },
): DeviceRequest {
  return {
    device: parseDevice(request.device, "device"),
    expectedGeneration: optionalBigint(request.expectedGeneration),
  };
}

/** `prefix` stands before every field path: "" or "requests[2].". */
export function parseBind(request: iommubroker.v1.BindGuestStageRequest, prefix = ""): BindRequest {
  const { stage, ...rest } = allOf({
    device: () => parseDevice(request.device, `${prefix}device`),
    virtualStreamID: () => parseVirtualStreamID(request.virtualStreamId),
    stage: () => parseGuestStage(request, prefix),
    validateOnly: () => request.validateOnly,
    expectedGeneration: () => optionalBigint(request.expectedGeneration),
  });
  return { ...rest, ...stage };
}

/** What makes a whole batch wrong, whatever its requests say: their number, and request_ids of their own. */
export function refuseMalformedBatch(request: iommubroker.v1.BatchBindGuestStageRequest): void {
  if (request.requests.length === 0) throw invalidField("requests", "must not be empty");
  const fields = request.requests.flatMap((bind, index) =>
    bind.requestId === ""
      ? []
      : [{ path: `requests[${index}].request_id`, description: "must be empty: the batch has one of its own" }],
  );
  const [first] = fields;
  if (first !== undefined) {
    throw new BrokerError("argument_invalid", `${first.path}: ${first.description}`, {}, { fields });
  }
}

export function bindMessage(outcome: BindOutcome, session: string): iommubroker.v1.IBindGuestStageResponse {
  return {
    device: deviceMessage(outcome.device, session),
    mode: MODES[outcome.disposition],
    hostSte: outcome.preview?.hostSTE.map(longOf) ?? [],
    wouldFault: outcome.preview?.wouldFault.map(({ eventType, reason }) => ({ eventType, reason })) ?? [],
  };
}

function parseInitialMode(mode: number): PlainStage {
  return mode === Stage1Mode.STAGE1_MODE_UNSPECIFIED ? "abort" : parsePlainMode(mode, "initial_mode");
}

function parseVirtualStreamID(value: number | null | undefined): VirtualStreamID | undefined {
  return value === null || value === undefined ? undefined : virtualStreamID(value);
}
