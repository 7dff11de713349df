// GetCapabilities, ListDevices, GetDevice: what can be asked without a session.

import type { Calls } from "./calls.ts";
import { iommubroker } from "./codec.ts";
import {
  deviceCapabilitiesMessage,
  findingMessage,
  iommuCapabilitiesMessage,
  limitsMessage,
} from "./convert-capability.ts";
import { deviceMessage, pageSize, pageToken, parsePageToken } from "./convert-device.ts";
import { parseRegisters } from "./convert-virtual-iommu.ts";
import type { RpcDeps } from "./deps.ts";
import { DeviceAnswers } from "./device-answers.ts";
import { allOf } from "./field.ts";
import { parseDevice, parseIommu } from "./names.ts";
import { BROKER } from "./services.ts";
import { SIMULATOR_LIMITS } from "./simulator-service.ts";

const BACKEND_KINDS = {
  simulated: iommubroker.v1.BackendKind.BACKEND_KIND_SIMULATED,
  iommufd: iommubroker.v1.BackendKind.BACKEND_KIND_IOMMUFD,
} as const satisfies Record<RpcDeps["backend"], iommubroker.v1.BackendKind>;

export function capabilityCalls(calls: Calls, deps: RpcDeps) {
  const answers = new DeviceAnswers();
  return {
    getCapabilities: calls.open(BROKER.getCapabilities, (request) => getCapabilities(request, deps)),
    listDevices: calls.withAnySession(BROKER.listDevices, (request, session) => listDevices(request, session, deps)),
    getDevice: calls.bytesWithAnySession(BROKER.getDevice, (request, session) =>
      answers.bytes(deps.core.devices.get(parseDevice(request.device, "device")), session),
    ),
  };
}

function getCapabilities(
  request: iommubroker.v1.GetCapabilitiesRequest,
  { core, backend, limits }: RpcDeps,
): iommubroker.v1.IGetCapabilitiesResponse {
  const asked = allOf({
    iommu: () => (request.iommu === "" ? undefined : parseIommu(request.iommu, "iommu")),
    device: () => (request.device === "" ? undefined : parseDevice(request.device, "device")),
  });
  const device = asked.device === undefined ? undefined : core.capabilities.device(asked.device);
  const iommus = core.capabilities.iommus(asked.iommu ?? device?.iommu, parseRegisters(request.wish));
  return {
    backend: BACKEND_KINDS[backend],
    iommus: iommus.map(iommuCapabilitiesMessage),
    device: device === undefined ? null : deviceCapabilitiesMessage(device),
    limits: limitsMessage(limits, core.simulator === undefined ? undefined : SIMULATOR_LIMITS),
    findings: core.capabilities.findings().map(findingMessage),
  };
}

function listDevices(
  request: iommubroker.v1.ListDevicesRequest,
  session: string | undefined,
  { core }: RpcDeps,
): iommubroker.v1.IListDevicesResponse {
  const after = parsePageToken(request.pageToken, "page_token");
  const rest = core.devices
    .list()
    .filter((device) => after === undefined || device.id > after)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const page = rest.slice(0, pageSize(request.pageSize));
  const last = page.at(-1);
  const isLastPage = last === undefined || page.length === rest.length;
  return {
    devices: page.map((device) => deviceMessage(device, session)),
    nextPageToken: isLastPage ? "" : pageToken(last.id),
  };
}
