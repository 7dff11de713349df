// What the edge may ask about the hardware: an IOMMU's ID registers, what of them a guest may be shown, and a device's
// reach. capability.ts answers.

import type { FaultAnswer } from "../../backends/faults.ts";
import type { HostFinding } from "../../backends/host-finding.ts";
import type { DeviceID, IommuID, StreamID } from "../../backends/ids.ts";
import type { DecodedField, IdRegisters, ReservedRegion } from "../../backends/inventory.ts";
import type { FaultKind } from "../../backends/told-faults.ts";

export type RegisterFieldView = DecodedField;

export interface ReducedFieldView {
  readonly register: string;
  readonly field: string;
  readonly hostValue: number;
  readonly virtualValue: number;
  readonly reason: string;
}

export interface FieldVerdictView {
  readonly register: string;
  readonly field: string;
  readonly hostValue: number;
  readonly wishedValue: number;
  readonly ok: boolean;
  /** Empty when ok. */
  readonly reason: string;
}

export interface IommuCapabilityView {
  readonly id: IommuID;
  /** Only unknown has a reason: why, and the remedy. */
  readonly hardware: { readonly architecture: "smmuv3" | "vtd" | "amd" | "unknown"; readonly reason: string };
  /** Capability registers of what is no SMMUv3. */
  readonly raw: readonly { readonly register: string; readonly value: bigint }[];
  /** Undefined: it is no SMMUv3, or unknown. */
  readonly registers: IdRegisters | undefined;
  readonly fields: readonly RegisterFieldView[];
  /** Undefined with `registers`. */
  readonly virtualRegisters: IdRegisters | undefined;
  readonly reduced: readonly ReducedFieldView[];
  readonly asidBits: number;
  readonly substreamIDBits: number;
  readonly streamIDBits: number;
  readonly iovaBits: number;
  readonly ipaBits: number;
  readonly outputBits: number;
  readonly granuleBytes: readonly number[];
  readonly stage2PageBytes: readonly number[];
  readonly nesting: boolean;
  /** Empty when nesting. */
  readonly nestingReason: string;
  readonly shapes: readonly {
    readonly shape: "smmuv3-ste" | "single-page-table";
    readonly supported: boolean;
    readonly reason: string;
    /** Supported, and nobody can vouch for it: why. */
    readonly unverified?: string;
  }[];
  /** What RespondToFault takes; empty: nothing ever waits. */
  readonly faultAnswers: readonly FaultAnswer[];
  /** Which faults are told; empty: none. */
  readonly toldFaults: readonly FaultKind[];
  /** Empty without a wish. */
  readonly wish: readonly FieldVerdictView[];
}

export interface DeviceCapabilityView {
  readonly id: DeviceID;
  readonly iommu: IommuID;
  readonly streamIDs: readonly StreamID[];
  readonly pasidBits: number;
  readonly ats: boolean;
  readonly apertureFirst: number;
  readonly apertureLast: number;
  readonly reservedRegions: readonly ReservedRegion[];
  readonly msiWindow: ReservedRegion | undefined;
  readonly translate: boolean;
  /** Empty when translate. */
  readonly translateReason: string;
  readonly stall: boolean;
  readonly pageRequests: boolean;
}

export interface CapabilityQueries {
  /** One IOMMU, or all in order of id. */
  iommus(id: IommuID | undefined, wish: IdRegisters | undefined): readonly IommuCapabilityView[];
  device(id: DeviceID): DeviceCapabilityView;
  /** What stands in the way of giving devices to guests here; none where the host is simulated. */
  findings(): readonly HostFinding[];
}
