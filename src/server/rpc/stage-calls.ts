// AttachDevice, DetachDevice, BindGuestStage, BatchBindGuestStage, UnbindGuestStage, ResetDevice.

import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { CallGate } from "../core/call-gate.ts";
import type { Calls } from "./calls.ts";
import type { iommubroker } from "./codec.ts";
import { deviceMessage } from "./convert-device.ts";
import { bindMessage, parseAttach, parseBind, parseDeviceRequest, refuseMalformedBatch } from "./convert-stage.ts";
import type { RpcDeps } from "./deps.ts";
import { failureMessage } from "./failure.ts";
import { BROKER } from "./services.ts";

export function stageCalls(calls: Calls, deps: RpcDeps) {
  const { stages } = deps.core;
  return {
    attachDevice: calls.mutating(BROKER.attachDevice, async (request, session, { gate }) => ({
      device: deviceMessage(await stages.attach(session, parseAttach(request), gate), session),
    })),
    detachDevice: calls.mutating(BROKER.detachDevice, async (request, session, { gate }) => ({
      device: deviceMessage(await stages.detach(session, parseDeviceRequest(request), gate), session),
    })),
    bindGuestStage: calls.mutating(BROKER.bindGuestStage, async (request, session, { gate }) =>
      bindMessage(await stages.bind(session, parseBind(request), gate), session),
    ),
    batchBindGuestStage: calls.mutating(BROKER.batchBindGuestStage, async (request, session, { gate }) =>
      batchBind(request, session, gate, deps),
    ),
    unbindGuestStage: calls.mutating(BROKER.unbindGuestStage, async (request, session, { gate }) => ({
      device: deviceMessage(await stages.unbind(session, parseDeviceRequest(request), gate), session),
    })),
    resetDevice: calls.mutating(BROKER.resetDevice, async (request, session, { gate }) => ({
      device: deviceMessage(await stages.reset(session, parseDeviceRequest(request), gate), session),
    })),
  };
}

/**
 * One after the other, as a guest's command queue would have them; a refused one stops none of the others. Once one has
 * passed the gate the batch has begun, and completes.
 */
async function batchBind(
  request: iommubroker.v1.BatchBindGuestStageRequest,
  session: string,
  gate: CallGate,
  { core, limits, hooks }: RpcDeps,
): Promise<iommubroker.v1.IBatchBindGuestStageResponse> {
  if (request.requests.length > limits.bindsPerCallMax) {
    throw limitReached("binds_per_call_max", limits.bindsPerCallMax, "use several calls");
  }
  refuseMalformedBatch(request);
  const results: iommubroker.v1.IBatchBindResult[] = [];
  const once = passedOnce(gate);
  for (const [index, bind] of request.requests.entries()) {
    const prefix = `requests[${index}].`;
    try {
      const parsed = parseBind(bind, prefix);
      const outcome = await underPrefix(prefix, () => core.stages.bind(session, parsed, once));
      results.push({ response: bindMessage(outcome, session) });
    } catch (error) {
      if (error instanceof BrokerError && error.code === "call_over") throw error;
      results.push({ error: failureMessage(error, hooks) });
    }
  }
  return { results };
}

/** Open for good once it was open when asked. */
function passedOnce(gate: CallGate): CallGate {
  let hasPassed = false;
  return {
    requireOpen() {
      if (!hasPassed) gate.requireOpen();
      hasPassed = true;
    },
  };
}

/** Core names the fields of one BindGuestStageRequest; in a batch they lie below the request's own path. */
async function underPrefix<T>(prefix: string, bind: () => Promise<T>): Promise<T> {
  try {
    return await bind();
  } catch (error) {
    if (!(error instanceof BrokerError) || error.fields.length === 0) throw error;
    const fields = error.fields.map(({ path, description }) => ({ path: prefix + path, description }));
    throw new BrokerError(error.code, error.message, error.facts, { cause: error, fields });
  }
}
