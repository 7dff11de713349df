// What IOMMUs and devices can do, and the limits of this server, as GetCapabilities answers.

import type { FaultAnswer } from "../../backends/faults.ts";
import type { HostFinding } from "../../backends/host-finding.ts";
import type { ReservedRegion } from "../../backends/inventory.ts";
import type { FaultKind } from "../../backends/told-faults.ts";
import type { DeviceCapabilityView, IommuCapabilityView } from "../core/capability-views.ts";
import type { CoreLimits } from "../core/limits.ts";
import { iommubroker } from "./codec.ts";
import { CLASSES, STAGES } from "./convert-fault.ts";
import { registersMessage } from "./convert-virtual-iommu.ts";
import { longOf, longOfNumber } from "./int64.ts";
import { deviceName, iommuName } from "./names.ts";

const v1 = iommubroker.v1;

const SHAPES = {
  "smmuv3-ste": v1.TableShape.TABLE_SHAPE_SMMUV3_STE,
  "single-page-table": v1.TableShape.TABLE_SHAPE_SINGLE_PAGE_TABLE,
} as const satisfies Record<IommuCapabilityView["shapes"][number]["shape"], iommubroker.v1.TableShape>;
const ARCHITECTURES = {
  smmuv3: v1.IommuArchitecture.IOMMU_ARCHITECTURE_ARM_SMMUV3,
  vtd: v1.IommuArchitecture.IOMMU_ARCHITECTURE_INTEL_VTD,
  amd: v1.IommuArchitecture.IOMMU_ARCHITECTURE_AMD,
  unknown: v1.IommuArchitecture.IOMMU_ARCHITECTURE_UNKNOWN,
} as const satisfies Record<IommuCapabilityView["hardware"]["architecture"], iommubroker.v1.IommuArchitecture>;
const REGION_KINDS = {
  msi: v1.ReservedRegionKind.RESERVED_REGION_KIND_MSI,
  reserved: v1.ReservedRegionKind.RESERVED_REGION_KIND_RESERVED,
} as const satisfies Record<ReservedRegion["kind"], iommubroker.v1.ReservedRegionKind>;
const FAULT_ACTIONS = {
  retry: v1.FaultAction.FAULT_ACTION_RETRY,
  abort: v1.FaultAction.FAULT_ACTION_ABORT,
  terminate: v1.FaultAction.FAULT_ACTION_TERMINATE,
  success: v1.FaultAction.FAULT_ACTION_SUCCESS,
  invalid: v1.FaultAction.FAULT_ACTION_INVALID,
  failure: v1.FaultAction.FAULT_ACTION_FAILURE,
} as const satisfies Record<FaultAnswer, iommubroker.v1.FaultAction>;

const VERDICTS = {
  ok: v1.FindingVerdict.FINDING_VERDICT_OK,
  warning: v1.FindingVerdict.FINDING_VERDICT_WARNING,
  problem: v1.FindingVerdict.FINDING_VERDICT_PROBLEM,
} as const satisfies Record<HostFinding["verdict"], iommubroker.v1.FindingVerdict>;

export function findingMessage(finding: HostFinding): iommubroker.v1.IHostFinding {
  return { ...finding, verdict: VERDICTS[finding.verdict] };
}

export function iommuCapabilitiesMessage(view: IommuCapabilityView): iommubroker.v1.IIommuCapabilities {
  return {
    name: iommuName(view.id),
    architecture: ARCHITECTURES[view.hardware.architecture],
    unknownReason: view.hardware.reason,
    rawRegisters: view.raw.map(({ register, value }) => ({ register, value: longOf(value) })),
    registers: view.registers === undefined ? null : registersMessage(view.registers),
    fields: view.fields.map((field) => ({ ...field })),
    virtualRegisters: view.virtualRegisters === undefined ? null : registersMessage(view.virtualRegisters),
    reduced: view.reduced.map((field) => ({ ...field })),
    asidBits: view.asidBits,
    substreamIdBits: view.substreamIDBits,
    streamIdBits: view.streamIDBits,
    iovaBits: view.iovaBits,
    ipaBits: view.ipaBits,
    outputBits: view.outputBits,
    granuleBytes: [...view.granuleBytes],
    stage2PageBytes: view.stage2PageBytes.map(longOfNumber),
    nesting: view.nesting,
    nestingReason: view.nestingReason,
    tableShapes: view.shapes.map(({ shape, ...support }) => ({ unverified: "", ...support, shape: SHAPES[shape] })),
    faultActions: view.faultAnswers.map((answer) => FAULT_ACTIONS[answer]),
    toldFaults: view.toldFaults.map(faultKindMessage),
    wish: view.wish.map((verdict) => ({ ...verdict })),
    wishFits: view.wish.length > 0 && view.wish.every((verdict) => verdict.ok),
  };
}

function faultKindMessage({ class: accessed, stage, type }: FaultKind): iommubroker.v1.IFaultKind {
  return {
    type,
    stage: stage === undefined ? v1.FaultStage.FAULT_STAGE_UNSPECIFIED : STAGES[stage],
    class: accessed === undefined ? v1.FaultClass.FAULT_CLASS_UNSPECIFIED : CLASSES[accessed],
  };
}

export function deviceCapabilitiesMessage(view: DeviceCapabilityView): iommubroker.v1.IDeviceCapabilities {
  return {
    name: deviceName(view.id),
    iommu: iommuName(view.iommu),
    streamIds: [...view.streamIDs],
    pasidBits: view.pasidBits,
    ats: view.ats,
    apertureFirst: longOfNumber(view.apertureFirst),
    apertureLast: longOfNumber(view.apertureLast),
    reservedRegions: view.reservedRegions.map(regionMessage),
    msiWindow: view.msiWindow === undefined ? null : regionMessage(view.msiWindow),
    translate: view.translate,
    translateReason: view.translateReason,
    stall: view.stall,
    pageRequests: view.pageRequests,
  };
}

/** @param simulator  undefined: there is no Simulator service */
export function limitsMessage(
  limits: CoreLimits & { readonly messageBytesMax: number },
  simulator: { readonly accessesPerCallMax: number; readonly dataBytesPerCallMax: number } | undefined,
): iommubroker.v1.ILimits {
  return {
    sessions: limits.sessionsMax,
    addressSpacesPerSession: limits.addressSpacesPerSessionMax,
    virtualIommusPerSession: limits.virtualIommusPerSessionMax,
    devicesPerSession: limits.devicesPerSessionMax,
    mappingsPerAddressSpace: limits.mappingsPerAddressSpaceMax,
    mappingsPerCall: limits.mappingsPerCallMax,
    commandsPerCall: limits.commandsPerCallMax,
    bindsPerCall: limits.bindsPerCallMax,
    faultStreamsPerSession: limits.faultStreamsPerSessionMax,
    faultRingEvents: limits.faultRingEventsMax,
    messageBytes: limits.messageBytesMax,
    sourcesPerCall: limits.sourcesPerCallMax,
    leaseTtlMinMs: limits.leaseTtlMinMs,
    leaseTtlMaxMs: limits.leaseTtlMaxMs,
    sessionGraceMaxMs: limits.sessionGraceMaxMs,
    leaseTtlDefaultMs: limits.leaseTtlDefaultMs,
    simulatorAccessesPerCall: simulator?.accessesPerCallMax ?? 0,
    simulatorBytesPerCall: simulator?.dataBytesPerCallMax ?? 0,
    faultEventsPerSecond: limits.faultEventsPerSecond,
    faultResponseMs: limits.faultResponseMs,
    faultDiagnosesPerSecond: limits.faultDiagnosesPerSecond,
    faultBatchEvents: limits.faultBatchEventsMax,
    invalidationBatchesOutstanding: limits.invalidationBatchesOutstandingMax,
    invalidationStreamsPerSession: limits.invalidationStreamsPerSessionMax,
  };
}

function regionMessage(region: ReservedRegion): iommubroker.v1.IReservedRegion {
  return { ipa: longOfNumber(region.ipa), bytes: longOfNumber(region.bytes), kind: REGION_KINDS[region.kind] };
}
