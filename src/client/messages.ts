// The messages of the contract under the names that users of the client write, and its enums.
// Field comments: proto/iommubroker/v1/.

import { iommubroker } from "../server/rpc/codec.ts";
import type { BrokerCallError } from "./error.ts";
import type { Plain, Sendable } from "./plain.ts";

type v1 = typeof iommubroker.v1;
type Decoded<K extends keyof v1> = v1[K] extends new (...args: never[]) => infer M ? Plain<M> : never;

export const {
  AccessKind,
  AdminSessionState,
  BackendKind,
  DeviceChangeKind,
  DeviceWatchMark,
  FaultAction,
  FaultClass,
  FaultDiagnosisVerdict,
  FaultGapReason,
  FaultResolutionOutcome,
  FaultStage,
  FindingVerdict,
  IommuArchitecture,
  Liveness,
  PinningPolicy,
  ReservedRegionKind,
  SessionState,
  Stage1Mode,
  StageState,
  TableShape,
  TransactionOutcome,
} = iommubroker.v1;

/** A session as an administrator sees it. */
export type AdminSession = Decoded<"AdminSession">;
export type Capabilities = Decoded<"GetCapabilitiesResponse">;
export type HostFinding = Decoded<"HostFinding">;
export type IommuCapabilities = Decoded<"IommuCapabilities">;
export type DeviceCapabilities = Decoded<"DeviceCapabilities">;
export type Device = Decoded<"Device">;
export type DeviceChange = Decoded<"DeviceChange">;
export type Session = Decoded<"Session">;
/** What a session has, told when it is resumed or claimed. */
export type SessionHoldings = Decoded<"SessionHoldings">;
export type AddressSpace = Decoded<"AddressSpace">;
export type VirtualIommu = Decoded<"VirtualIommu">;
export type IdRegisters = Decoded<"IdRegisters">;
export type FaultEvent = Decoded<"FaultEvent">;
export type Explanation = Decoded<"ExplainTranslationResponse">;
export type FaultGap = Decoded<"FaultGap">;
/** How a stall, or a group of page requests, ended. */
export type FaultResolution = Decoded<"FaultResolution">;
/** Of what was answered. */
export type FaultResponse = Decoded<"RespondToFaultResponse">;
export type BindOutcome = Decoded<"BindGuestStageResponse">;
export type DmaResult = Decoded<"DmaResult">;
export type Translation = Decoded<"Translation">;
export type Structures = Decoded<"ReadStructuresResponse">;
export type Msis = Decoded<"ListMsisResponse">;

/** What became of one request of a batch. */
export type BatchResult = { readonly response: BindOutcome } | { readonly error: BrokerCallError };
/** What became of one device of a virtual IOMMU. */
export interface DeviceModeResult {
  readonly device: string;
  readonly generation: bigint;
  /** Undefined: done. */
  readonly error: BrokerCallError | undefined;
}

export type CapabilitiesQuery = Sendable<iommubroker.v1.IGetCapabilitiesRequest>;
export type ExplainTranslation = Sendable<iommubroker.v1.IExplainTranslationRequest>;
export type CreateAddressSpace = Sendable<iommubroker.v1.ICreateAddressSpaceRequest>;
export type MapMemory = Sendable<iommubroker.v1.IMapMemoryRequest>;
export type PresentMemory = Sendable<iommubroker.v1.IPresentMemoryRequest>;
export type UnmapMemory = Sendable<iommubroker.v1.IUnmapMemoryRequest>;
export type CreateVirtualIommu = Sendable<iommubroker.v1.ICreateVirtualIommuRequest>;
export type AttachDevice = Sendable<iommubroker.v1.IAttachDeviceRequest>;
export type DetachDevice = Sendable<iommubroker.v1.IDetachDeviceRequest>;
export type GetDeviceDescriptor = Sendable<iommubroker.v1.IGetDeviceDescriptorRequest>;
export type VendDevice = Sendable<iommubroker.v1.IVendDeviceRequest>;
export type ResetDevice = Sendable<iommubroker.v1.IResetDeviceRequest>;
export type BindGuestStage = Sendable<iommubroker.v1.IBindGuestStageRequest>;
export type UnbindGuestStage = Sendable<iommubroker.v1.IUnbindGuestStageRequest>;
export type InvalidationCommand = Sendable<iommubroker.v1.IInvalidationCommand>;
export type AddDevice = Sendable<iommubroker.v1.IAddDeviceRequest>;
export type DmaAccess = Sendable<iommubroker.v1.IDmaAccess>;
export type TranslateAccess = Sendable<iommubroker.v1.ITranslateAccess>;
