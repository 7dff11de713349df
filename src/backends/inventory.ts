// What is there: host IOMMUs and the devices behind them. Devices appear and disappear.

import type { FaultAnswer } from "./faults.ts";
import type { HostFinding } from "./host-finding.ts";
import type { DeviceID, GroupID, IommuID, StreamID } from "./ids.ts";
import type { PageTableForm } from "./page-table.ts";
import type { FaultKind } from "./told-faults.ts";

/** SMMU_IDR0…IDR6, IIDR, AIDR as the hardware shows them, 32 bits each. Source: IHI 0070G.b §6.3.1–6.3.8, §6.3.10. */
export interface IdRegisters {
  readonly idr0: number;
  readonly idr1: number;
  readonly idr2: number;
  readonly idr3: number;
  readonly idr4: number;
  readonly idr5: number;
  /** Only where simulated; natively 0. */
  readonly idr6: number;
  readonly iidr: number;
  readonly aidr: number;
}

/** One field of an ID or capability register, with what its value means. */
export interface DecodedField {
  readonly register: string;
  readonly field: string;
  readonly msb: number;
  readonly lsb: number;
  readonly value: number;
  readonly meaning: string;
}

/** What an IOMMU says of itself that is no SMMUv3, or why nobody knows. Only natively. */
export type OtherHardware =
  | {
      readonly kind: "vtd" | "amd";
      /** 64 bits each, raw. */
      readonly raw: readonly { readonly register: string; readonly value: bigint }[];
      readonly fields: readonly DecodedField[];
    }
  /** The kernel tells only through a device that is bound to it: none could be asked yet. With the remedy. */
  | { readonly kind: "unknown"; readonly reason: string };

/** A range of IPAs that cannot be mapped for devices behind an IOMMU. */
export interface ReservedRegion {
  readonly ipa: number;
  readonly bytes: number;
  readonly kind: "msi" | "reserved";
}

/** One IOMMU instance of the host. */
export interface HostIommu {
  readonly id: IommuID;
  /** What the hardware says of itself. */
  /** An SMMUv3's; undefined: `otherHardware` says what it is. */
  readonly registers: IdRegisters | undefined;
  /** Undefined with `registers`. */
  readonly otherHardware?: OtherHardware;
  /** Size of the IPA space stage 2 can translate, in bits, at most 52: that, too, while the hardware is unknown. */
  readonly ipaBits: number;
  /** For every device behind it. */
  readonly reservedRegions: readonly ReservedRegion[];
  /** Page and block sizes of stage 2, in bytes, ascending; none while the hardware is unknown. */
  readonly stage2PageBytes: readonly number[];
  /** Guest stage 1 on host stage 2 is possible; otherwise why not. */
  readonly nesting: { readonly supported: true } | { readonly supported: false; readonly reason: string };
  /** What a guest's bare page table must be like; absent: none can be bound. */
  readonly pageTables?: PageTableForm;
  /** What respondToFault() takes for its devices; absent: nothing of them ever waits. */
  readonly faultAnswers?: readonly FaultAnswer[];
  /** Which faults of its devices onFault() tells; absent: none. */
  readonly toldFaults?: readonly FaultKind[];
}

/** One requester. */
export interface HostDevice {
  readonly id: DeviceID;
  readonly iommu: IommuID;
  readonly group: GroupID;
  /**
   * 1…8 of them where simulated. Natively none: the kernel keeps them to itself, and that a PCI device's is its bus,
   * device and function number is usual and no promise.
   */
  readonly streamIDs: readonly StreamID[];
  /** PASID bits of the device itself, 0…20. */
  readonly pasidBits: number;
  readonly ats: boolean;
  /** Those of its group, beside its IOMMU's. Only natively. */
  readonly reservedRegions?: readonly ReservedRegion[];
  /** It makes page requests. Only where simulated. */
  readonly pri?: boolean;
  /** Its transactions may stall until software answers: no PCI device's may (IHI 0070G.b §3.12.2). */
  readonly stall?: boolean;
}

export type InventoryChange =
  | { readonly kind: "added"; readonly device: HostDevice }
  | { readonly kind: "removed"; readonly device: HostDevice };

/** What is there now, and a listener for changes. Snapshots: the arrays do not change after they are handed out. */
export interface Inventory {
  iommus(): readonly HostIommu[];
  devices(): readonly HostDevice[];
  /** What the last examination of the host found. Only natively. */
  findings?(): readonly HostFinding[];
  /** One listener: the arbiter. Called synchronously when a device appeared or disappeared. */
  onChange(listener: (change: InventoryChange) => void): void;
}
