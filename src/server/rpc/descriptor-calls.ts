// GetDeviceDescriptor and VendDevice: tickets for what gRPC cannot carry. They have no request_id: a ticket is a secret, which
// no answer keeps, and asking again gives another one.

import type { HandedOut } from "../core/stage-verbs.ts";
import type { Calls } from "./calls.ts";
import type { iommubroker } from "./codec.ts";
import { deviceMessage } from "./convert-device.ts";
import { parseDeviceRequest } from "./convert-stage.ts";
import type { RpcDeps } from "./deps.ts";
import { BROKER } from "./services.ts";

export function descriptorCalls(calls: Calls, { core: { stages } }: RpcDeps) {
  return {
    getDeviceDescriptor: calls.withSession(BROKER.getDeviceDescriptor, async (request, session, { gate }) =>
      handedOutMessage(await stages.getDescriptor(session, parseDeviceRequest(request), gate), session),
    ),
    vendDevice: calls.withSession(BROKER.vendDevice, async (request, session, { gate }) => {
      const node = request.bound ? "bound" : "unbound";
      const handedOut = await stages.vend(session, { ...parseDeviceRequest(request), node }, gate);
      return { ...handedOutMessage(handedOut, session), iommufdDevice: handedOut.object ?? 0 };
    }),
  };
}

function handedOutMessage({ device, ticket }: HandedOut, session: string): iommubroker.v1.IGetDeviceDescriptorResponse {
  return { ticket, device: deviceMessage(device, session) };
}
