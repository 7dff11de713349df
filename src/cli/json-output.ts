// Answers as JSON, in the forms of protobuf's JSON mapping: lower camel case, 64-bit values as decimal strings, enums by
// name, times in RFC 3339. Absent fields are left out. Only what the contract tells is in it, so its shape is the proto's.

import {
  type AddressSpace,
  type AdminSession,
  AdminSessionState,
  BackendKind,
  type Capabilities,
  type Device,
  type DeviceCapabilities,
  FaultAction,
  FaultClass,
  FaultStage,
  FindingVerdict,
  IommuArchitecture,
  type IommuCapabilities,
  Liveness,
  PinningPolicy,
  ReservedRegionKind,
  type Session,
  SessionState,
  StageState,
  TableShape,
} from "../client/client.ts";
import { decimal, withoutControls } from "./explain-json.ts";
import { timeOf } from "./fault-text.ts";

/** One document, indented, with a line break at its end. */
export function jsonDocument(value: unknown): string {
  return `${withoutControls(JSON.stringify(value, decimal, 2))}\n`;
}

/** One document on one line: of what goes on. */
export function jsonLine(value: unknown): string {
  return `${withoutControls(JSON.stringify(value, decimal))}\n`;
}

export function deviceJson(device: Device): object {
  return { ...device, state: StageState[device.state] };
}

export function addressSpaceJson(addressSpace: AddressSpace): object {
  return { ...addressSpace, pinning: PinningPolicy[addressSpace.pinning] };
}

export function sessionJson(session: Session): object {
  const { lastSeenTime, liveness, openTime, state } = session;
  return {
    ...session,
    liveness: Liveness[liveness],
    state: SessionState[state],
    openTime: openTime && timeOf(openTime),
    lastSeenTime: lastSeenTime && timeOf(lastSeenTime),
  };
}

export function adminSessionJson(session: AdminSession): object {
  return {
    ...session,
    session: session.session && sessionJson(session.session),
    state: AdminSessionState[session.state],
  };
}

export function capabilitiesJson({ backend, device, findings, iommus, limits }: Capabilities): object {
  return {
    backend: BackendKind[backend],
    iommus: iommus.map(iommuJson),
    device: device && deviceCapabilitiesJson(device),
    limits,
    findings: findings.map((finding) => ({ ...finding, verdict: FindingVerdict[finding.verdict] })),
  };
}

function iommuJson(iommu: IommuCapabilities): object {
  return {
    ...iommu,
    architecture: IommuArchitecture[iommu.architecture],
    faultActions: iommu.faultActions.map((action) => FaultAction[action]),
    toldFaults: iommu.toldFaults.map(({ type, stage, class: accessed }) => ({
      ...{ type, stage: FaultStage[stage], class: FaultClass[accessed] },
    })),
    tableShapes: iommu.tableShapes.map((support) => ({ ...support, shape: TableShape[support.shape] })),
  };
}

function deviceCapabilitiesJson(device: DeviceCapabilities): object {
  const named = (region: NonNullable<DeviceCapabilities["msiWindow"]>) => ({
    ...region,
    kind: ReservedRegionKind[region.kind],
  });
  return {
    ...device,
    reservedRegions: device.reservedRegions.map(named),
    msiWindow: device.msiWindow && named(device.msiWindow),
  };
}
