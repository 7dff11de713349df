// Every RPC in one table a service: path, kind of stream, codecs. The server registers from it, the client calls by it,
// and a test holds it against the descriptors of proto/.

import type * as grpc from "@grpc/grpc-js";
import { type Codec, codec, iommubroker } from "./codec.ts";
import { FAULT_BYTES } from "./fault-bytes.ts";
import { TRANSLATIONS } from "./translation-codec.ts";

const v1 = iommubroker.v1;

/** As the metrics of every gRPC library spell it (grpc_type). */
export type RpcKind = "unary" | "server_stream" | "bidi_stream";

/** One RPC. */
export interface Method<Req, ReqInput, Res, ResInput, Kind extends RpcKind = RpcKind> {
  /** "iommubroker.v1.IommuBroker" */
  readonly service: string;
  /** "GetDevice" */
  readonly name: string;
  readonly path: string;
  readonly kind: Kind;
  readonly request: Codec<Req, ReqInput>;
  readonly response: Codec<Res, ResInput>;
}

export type UnaryMethod<Req, ReqInput, Res, ResInput> = Method<Req, ReqInput, Res, ResInput, "unary">;

type Generated<M, I> = Parameters<typeof codec<M, I>>[0];

function service(serviceName: string) {
  return <Req, ReqInput, Res, ResInput, Kind extends RpcKind>(
    name: string,
    kind: Kind,
    request: Generated<Req, ReqInput>,
    response: Generated<Res, ResInput>,
  ): Method<Req, ReqInput, Res, ResInput, Kind> => ({
    service: serviceName,
    name,
    path: `/${serviceName}/${name}`,
    kind,
    request: codec(request),
    response: codec(response),
  });
}

const broker = service("iommubroker.v1.IommuBroker");
const simulator = service("iommubroker.v1.Simulator");
const admin = service("iommubroker.v1.IommuBrokerAdmin");

/** service IommuBroker. */
export const BROKER = {
  getCapabilities: broker("GetCapabilities", "unary", v1.GetCapabilitiesRequest, v1.GetCapabilitiesResponse),
  listDevices: broker("ListDevices", "unary", v1.ListDevicesRequest, v1.ListDevicesResponse),
  getDevice: broker("GetDevice", "unary", v1.GetDeviceRequest, v1.GetDeviceResponse),
  watchDevices: broker("WatchDevices", "server_stream", v1.WatchDevicesRequest, v1.WatchDevicesResponse),
  openSession: broker("OpenSession", "unary", v1.OpenSessionRequest, v1.OpenSessionResponse),
  resumeSession: broker("ResumeSession", "unary", v1.ResumeSessionRequest, v1.ResumeSessionResponse),
  claimSession: broker("ClaimSession", "unary", v1.ClaimSessionRequest, v1.ClaimSessionResponse),
  keepSessionAlive: broker("KeepSessionAlive", "bidi_stream", v1.KeepSessionAliveRequest, v1.KeepSessionAliveResponse),
  closeSession: broker("CloseSession", "unary", v1.CloseSessionRequest, v1.CloseSessionResponse),
  createAddressSpace: broker(
    "CreateAddressSpace",
    "unary",
    v1.CreateAddressSpaceRequest,
    v1.CreateAddressSpaceResponse,
  ),
  deleteAddressSpace: broker(
    "DeleteAddressSpace",
    "unary",
    v1.DeleteAddressSpaceRequest,
    v1.DeleteAddressSpaceResponse,
  ),
  mapMemory: broker("MapMemory", "unary", v1.MapMemoryRequest, v1.MapMemoryResponse),
  unmapMemory: broker("UnmapMemory", "unary", v1.UnmapMemoryRequest, v1.UnmapMemoryResponse),
  presentMemory: broker("PresentMemory", "unary", v1.PresentMemoryRequest, v1.PresentMemoryResponse),
  createVirtualIommu: broker(
    "CreateVirtualIommu",
    "unary",
    v1.CreateVirtualIommuRequest,
    v1.CreateVirtualIommuResponse,
  ),
  deleteVirtualIommu: broker(
    "DeleteVirtualIommu",
    "unary",
    v1.DeleteVirtualIommuRequest,
    v1.DeleteVirtualIommuResponse,
  ),
  setVirtualIommuMode: broker(
    "SetVirtualIommuMode",
    "unary",
    v1.SetVirtualIommuModeRequest,
    v1.SetVirtualIommuModeResponse,
  ),
  attachDevice: broker("AttachDevice", "unary", v1.AttachDeviceRequest, v1.AttachDeviceResponse),
  detachDevice: broker("DetachDevice", "unary", v1.DetachDeviceRequest, v1.DetachDeviceResponse),
  bindGuestStage: broker("BindGuestStage", "unary", v1.BindGuestStageRequest, v1.BindGuestStageResponse),
  batchBindGuestStage: broker(
    "BatchBindGuestStage",
    "unary",
    v1.BatchBindGuestStageRequest,
    v1.BatchBindGuestStageResponse,
  ),
  unbindGuestStage: broker("UnbindGuestStage", "unary", v1.UnbindGuestStageRequest, v1.UnbindGuestStageResponse),
  resetDevice: broker("ResetDevice", "unary", v1.ResetDeviceRequest, v1.ResetDeviceResponse),
  getDeviceDescriptor: broker(
    "GetDeviceDescriptor",
    "unary",
    v1.GetDeviceDescriptorRequest,
    v1.GetDeviceDescriptorResponse,
  ),
  vendDevice: broker("VendDevice", "unary", v1.VendDeviceRequest, v1.VendDeviceResponse),
  invalidateCache: broker("InvalidateCache", "unary", v1.InvalidateCacheRequest, v1.InvalidateCacheResponse),
  streamInvalidations: broker(
    "StreamInvalidations",
    "bidi_stream",
    v1.StreamInvalidationsRequest,
    v1.StreamInvalidationsResponse,
  ),
  watchFaults: {
    ...broker("WatchFaults", "server_stream", v1.WatchFaultsRequest, v1.WatchFaultsResponse),
    response: FAULT_BYTES,
  },
  listFaults: broker("ListFaults", "unary", v1.ListFaultsRequest, v1.ListFaultsResponse),
  respondToFault: broker("RespondToFault", "unary", v1.RespondToFaultRequest, v1.RespondToFaultResponse),
  explainTranslation: broker(
    "ExplainTranslation",
    "unary",
    v1.ExplainTranslationRequest,
    v1.ExplainTranslationResponse,
  ),
} as const;

/** service Simulator. */
export const SIMULATOR = {
  addDevice: simulator("AddDevice", "unary", v1.AddDeviceRequest, v1.AddDeviceResponse),
  removeDevice: simulator("RemoveDevice", "unary", v1.RemoveDeviceRequest, v1.RemoveDeviceResponse),
  dma: simulator("Dma", "unary", v1.DmaRequest, v1.DmaResponse),
  translate: { ...simulator("Translate", "unary", v1.TranslateRequest, v1.TranslateResponse), response: TRANSLATIONS },
  readMemory: simulator("ReadMemory", "unary", v1.ReadMemoryRequest, v1.ReadMemoryResponse),
  writeMemory: simulator("WriteMemory", "unary", v1.WriteMemoryRequest, v1.WriteMemoryResponse),
  readStructures: simulator("ReadStructures", "unary", v1.ReadStructuresRequest, v1.ReadStructuresResponse),
  listMsis: simulator("ListMsis", "unary", v1.ListMsisRequest, v1.ListMsisResponse),
} as const;

/** service IommuBrokerAdmin, on the admin socket only. */
export const ADMIN = {
  listSessions: admin("ListSessions", "unary", v1.ListSessionsRequest, v1.ListSessionsResponse),
  revokeSession: admin("RevokeSession", "unary", v1.RevokeSessionRequest, v1.RevokeSessionResponse),
  forceReleaseDevice: admin("ForceReleaseDevice", "unary", v1.ForceReleaseDeviceRequest, v1.ForceReleaseDeviceResponse),
  unquarantineDevice: admin("UnquarantineDevice", "unary", v1.UnquarantineDeviceRequest, v1.UnquarantineDeviceResponse),
  getEffectivePolicy: admin("GetEffectivePolicy", "unary", v1.GetEffectivePolicyRequest, v1.GetEffectivePolicyResponse),
  getLogLevel: admin("GetLogLevel", "unary", v1.GetLogLevelRequest, v1.GetLogLevelResponse),
  setLogLevel: admin("SetLogLevel", "unary", v1.SetLogLevelRequest, v1.SetLogLevelResponse),
  drain: admin("Drain", "unary", v1.DrainRequest, v1.DrainResponse),
} as const;

/** What the admin socket serves of IommuBroker: to look, not to hold. The faults are every device's, without a session. */
export const ADMIN_BROKER = {
  getCapabilities: BROKER.getCapabilities,
  listDevices: BROKER.listDevices,
  getDevice: BROKER.getDevice,
  watchFaults: BROKER.watchFaults,
  listFaults: BROKER.listFaults,
} as const;

/**
 * The definition that the server registers: bytes in, bytes out. calls.ts decodes, so that a malformed request is
 * answered with a proper error instead of grpc-js's INTERNAL, and so that a replayed answer is the same bytes.
 */
export function byteDefinition(
  methods: Readonly<Record<string, Pick<Method<never, never, never, never>, "name" | "path" | "kind">>>,
): grpc.ServiceDefinition {
  const definition: Record<string, grpc.MethodDefinition<Buffer, Buffer>> = {};
  for (const [key, { path, kind }] of Object.entries(methods)) {
    definition[key] = {
      path,
      requestStream: kind === "bidi_stream",
      responseStream: kind !== "unary",
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    };
  }
  return definition;
}

function same(bytes: Buffer): Buffer {
  return bytes;
}
