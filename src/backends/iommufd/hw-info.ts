// What IOMMU_GET_HW_INFO answers, decoded, and what follows for guests: an SMMUv3's registers, VT-d's or AMD's.
// Registers tell what the hardware has; whether the kernel lets a guest nest, only a vIOMMU or a nested HWPT tells.
// On x86 stage 2 alone is offered, and on VT-d, for who asks for what nobody has verified, a guest's first-stage table.
// Source: include/uapi/linux/iommufd.h of Linux 7.2 (iommu_hw_info_*); IHI 0070G.b §6.3.

import { get } from "../../spec/layout.ts";
import { IDR0, IDR3, IDR5 } from "../../spec/registers.ts";
import type { HostIommu, IdRegisters } from "../inventory.ts";
import type { PageTableForm } from "../page-table.ts";
import type { HwInfo } from "./hwpt-ioctl.ts";
import { type IommuFacts, unknownFacts } from "./inventory.ts";
import * as uapi from "./structs.ts";
import {
  AMD_EFR,
  AMD_EFR2,
  amdFeatures,
  decodeFields,
  VTD_CAP,
  VTD_ECAP,
  type VtdFeatures,
  vtdFeatures,
} from "./x86-registers.ts";

export type Hardware =
  | { readonly kind: "smmuv3"; readonly registers: IdRegisters }
  | {
      readonly kind: "vtd";
      readonly cap: bigint;
      readonly ecap: bigint;
      /** Erratum 772415: read-only memory of the parent cannot be nested on. */
      readonly hasErratum: boolean;
    }
  | { readonly kind: "amd"; readonly efr: bigint; readonly efr2: bigint }
  /** Its driver tells nothing (DEFAULT), something later than this program, or less than its type promises. */
  | { readonly kind: "untold"; readonly type: number };

/** Decodes what the kernel wrote. A later kernel may write more than is known here: that is passed over. */
export function decodeHwInfo({ type, data }: Pick<HwInfo, "type" | "data">): Hardware {
  switch (type) {
    case uapi.HW_INFO_TYPE.ARM_SMMUV3:
      if (data.length >= uapi.IOMMU_HW_INFO_ARM_SMMUV3.bytes) return { kind: "smmuv3", registers: armRegisters(data) };
      break;
    case uapi.HW_INFO_TYPE.INTEL_VTD:
      if (data.length >= uapi.IOMMU_HW_INFO_VTD.bytes) {
        const { flags, cap_reg: cap, ecap_reg: ecap } = uapi.IOMMU_HW_INFO_VTD.read(data);
        return { kind: "vtd", cap, ecap, hasErratum: flags % 2 === 1 };
      }
      break;
    case uapi.HW_INFO_TYPE.AMD:
      if (data.length >= uapi.IOMMU_HW_INFO_AMD.bytes) return { kind: "amd", ...uapi.IOMMU_HW_INFO_AMD.read(data) };
      break;
  }
  return { kind: "untold", type };
}

function armRegisters(data: Uint8Array): IdRegisters {
  const { idr, iidr, aidr } = uapi.IOMMU_HW_INFO_ARM_SMMUV3.read(data);
  const view = new DataView(idr.buffer, idr.byteOffset, idr.byteLength);
  const at = (index: number): number => view.getUint32(4 * index, true);
  const [idr0, idr1, idr2, idr3, idr4, idr5] = [at(0), at(1), at(2), at(3), at(4), at(5)];
  return Object.freeze({ idr0, idr1, idr2, idr3, idr4, idr5, idr6: 0, iidr, aidr });
}

/** What the configuration switches on. */
export interface Experiments {
  /** native.experimental_vtd_nesting */
  readonly vtdNesting: boolean;
}
const NO_EXPERIMENTS: Experiments = { vtdNesting: false };

/**
 * What GetCapabilities tells, and the bounds that core keeps.
 *
 * @param refusal  what came of asking the kernel for a vIOMMU, where it was asked and refused
 * @param experiments  what is served though nobody has verified it
 */
export function iommuFacts(
  hardware: Hardware,
  refusal?: string,
  experiments: Experiments = NO_EXPERIMENTS,
): IommuFacts {
  switch (hardware.kind) {
    case "smmuv3":
      return armFacts(hardware.registers, refusal);
    case "vtd":
      return vtdFacts(hardware, experiments);
    case "amd":
      return amdFacts(hardware);
    case "untold": {
      const reason = `the kernel tells nothing of this IOMMU that is known here (IOMMU_GET_HW_INFO type ${hardware.type}): run a newer kernel, or a newer broker`;
      return unknownFacts(reason);
    }
  }
}

/** Output address bits by IDR5.OAS, no more than 48: 52-bit tables need 64 KiB pages, which the kernel may not have. */
const OAS_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 48];
const KIB = 1024;
const MIB = KIB * KIB;

function armFacts(registers: IdRegisters, refusal: string | undefined): IommuFacts {
  const idr5 = Uint32Array.of(registers.idr5);
  return {
    registers,
    ipaBits: OAS_BITS[get(idr5, 0, IDR5.OAS)] ?? 48,
    stage2PageBytes: armPageBytes(idr5),
    nesting: armNesting(registers, refusal),
  };
}

/** The kernel takes its own page size where it can; 4 KiB is what nearly all have. */
function armPageBytes(idr5: Uint32Array): readonly number[] {
  if (get(idr5, 0, IDR5.GRAN4K) === 1) return [4 * KIB, 2 * MIB, KIB * MIB];
  if (get(idr5, 0, IDR5.GRAN16K) === 1) return [16 * KIB, 32 * MIB];
  return get(idr5, 0, IDR5.GRAN64K) === 1 ? [64 * KIB, 512 * MIB] : [];
}

/** @param refusal  what came of asking for a vIOMMU, which alone knows CANWBS, errata and the kernel's configuration */
function armNesting(registers: IdRegisters, refusal: string | undefined): HostIommu["nesting"] {
  const idr0 = Uint32Array.of(registers.idr0);
  const missing = [
    ...(get(idr0, 0, IDR0.S1P) === 1 ? [] : ["stage 1 (IDR0.S1P)"]),
    ...(get(idr0, 0, IDR0.S2P) === 1 ? [] : ["stage 2 (IDR0.S2P)"]),
  ];
  if (missing.length > 0) {
    return { supported: false, reason: `the SMMU has no ${missing.join(" and no ")}: nesting needs both` };
  }
  return refusal === undefined ? { supported: true } : { supported: false, reason: refusal };
}

/** The SMMU forces write-back itself (S2FWB), so that CANWBS of the firmware is not needed. */
export function forcesWriteBack({ idr3 }: IdRegisters): boolean {
  return get(Uint32Array.of(idr3), 0, IDR3.FWB) === 1;
}

/** Why GetCapabilities calls VT-d's nesting unverified. */
export const VTD_UNVERIFIED =
  "no emulated VT-d nests, so that a guest's first-stage table was bound on a kernel that is played, and on no hardware";

/** Why a VT-d that nests does not. */
export const VTD_OFF =
  "a guest's first-stage table is bound only with native.experimental_vtd_nesting: true, which nobody has verified on hardware; stage 2 alone works";

function vtdFacts(
  { cap, ecap }: { readonly cap: bigint; readonly ecap: bigint },
  { vtdNesting }: Experiments,
): IommuFacts {
  const features = vtdFeatures(cap, ecap);
  const reason = features.nests
    ? VTD_OFF
    : "this VT-d has no nested translation (ECAP.SMTS, NEST, FSTS and SSTS): stage 2 alone works";
  const isServed = features.nests && vtdNesting;
  return {
    registers: undefined,
    otherHardware: {
      kind: "vtd",
      raw: [
        { register: "CAP", value: cap },
        { register: "ECAP", value: ecap },
      ],
      fields: [...decodeFields("CAP", VTD_CAP, cap), ...decodeFields("ECAP", VTD_ECAP, ecap)],
    },
    ipaBits: Math.min(features.ipaBits, 52),
    stage2PageBytes: features.stage2PageBytes,
    nesting: isServed ? { supported: true } : { supported: false, reason },
    ...(isServed && { pageTables: vtdTables(features) }),
  };
}

/** Four levels are always there; the root is a guest physical address, which stage 2 has to reach. */
function vtdTables({ extendedAccess, fiveLevels, ipaBits, supervisor }: VtdFeatures): PageTableForm {
  const addressBits = fiveLevels ? [48, 57] : [48];
  return { addressBits, rootBits: ipaBits, sre: supervisor, eafe: extendedAccess, unverified: VTD_UNVERIFIED };
}

function amdFacts({ efr, efr2 }: { readonly efr: bigint; readonly efr2: bigint }): IommuFacts {
  const { ipaBits, nests } = amdFeatures(efr, efr2);
  const reason = nests
    ? "this broker does not nest on AMD IOMMUs: stage 2 alone works"
    : "this AMD IOMMU cannot nest a guest's tables (EFR.GTSup, EFR.GIoSup and EFR2.GCR3TRPMode): stage 2 alone works";
  return {
    registers: undefined,
    otherHardware: {
      kind: "amd",
      raw: [
        { register: "EFR", value: efr },
        { register: "EFR2", value: efr2 },
      ],
      fields: [...decodeFields("EFR", AMD_EFR, efr), ...decodeFields("EFR2", AMD_EFR2, efr2)],
    },
    ipaBits: Math.min(ipaBits, 52),
    stage2PageBytes: [4 * KIB, 2 * MIB, KIB * MIB],
    nesting: { supported: false, reason },
  };
}
