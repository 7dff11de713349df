// The capability registers of x86 IOMMUs, as far as they say what stage 2 and nesting can do: VT-d's and AMD's.
// Field names as the manuals print them. Linux passes them on as they are (iommu_hw_info_vtd, iommu_hw_info_amd).
// Source: Intel VT-d architecture specification, revision 4.1; AMD I/O Virtualization Technology (48882).

import { type Field, get, layout, wordsOf } from "../../spec/layout.ts";
import type { DecodedField } from "../inventory.ts";

/** VT-d's Capability Register. Source: VT-d §11.4.2. */
export const VTD_CAP = layout(64, {
  ND: [2, 0],
  RWBF: 4,
  CM: 7,
  SAGAW: [12, 8],
  MGAW: [21, 16],
  SSLPS: [37, 34],
  PSI: 39,
  MAMV: [53, 48],
  FS1GP: 56,
  PI: 59,
  FS5LP: 60,
});

/** VT-d's Extended Capability Register. Source: VT-d §11.4.3. */
export const VTD_ECAP = layout(64, {
  C: 0,
  QI: 1,
  DT: 2,
  IR: 3,
  EIM: 4,
  PT: 6,
  SC: 7,
  NEST: 26,
  PRS: 29,
  ERS: 30,
  SRS: 31,
  NWFS: 33,
  EAFS: 34,
  PSS: [39, 35],
  PASID: 40,
  SMTS: 43,
  SSADS: 45,
  SSTS: 46,
  FSTS: 47,
});

/** AMD's Extended Feature Register, MMIO offset 0030h. Source: 48882 §3.4. */
export const AMD_EFR = layout(64, {
  PreFSup: 0,
  PPRSup: 1,
  XTSup: 2,
  NXSup: 3,
  GTSup: 4,
  IASup: 6,
  GASup: 7,
  HESup: 8,
  PCSup: 9,
  HATS: [11, 10],
  GATS: [13, 12],
  GLXSup: [15, 14],
  PASmax: [36, 32],
  GIoSup: 48,
  HASup: 49,
  EPHSup: 50,
  HDSup: 52,
  SNPSup: 63,
});

/** AMD's Extended Feature 2 Register, MMIO offset 01A0h. Source: 48882 §3.4. */
export const AMD_EFR2 = layout(64, { GCR3TRPMode: 3 });

/** Bits of a guest's page-table walk by SAGAW's bits: 39 with three levels, 48 with four, 57 with five. */
const SAGAW_BITS: readonly (readonly [bit: number, addressBits: number])[] = [
  [1, 39],
  [2, 48],
  [3, 57],
];
/** Levels of a host page table by HATS. */
const HATS_LEVELS: readonly number[] = [4, 5, 6];

export interface VtdFeatures {
  /** Both stages in one walk, for which scalable mode and first and second stage are needed. */
  readonly nests: boolean;
  readonly isScalable: boolean;
  readonly firstStage: boolean;
  readonly secondStage: boolean;
  /** Of guest physical addresses: what both the walk and the IOMMU's width (MGAW) allow. */
  readonly ipaBits: number;
  readonly stage2PageBytes: readonly number[];
  /** Widest PASID. */
  readonly pasidBits: number;
  /** Of the first stage: five levels (FS5LP), requests for supervisor privilege (SRS), extended accessed flags (EAFS). */
  readonly fiveLevels: boolean;
  readonly supervisor: boolean;
  readonly extendedAccess: boolean;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;

export function vtdFeatures(cap: bigint, ecap: bigint): VtdFeatures {
  const [capWords, ecapWords] = [wordsOf([cap]), wordsOf([ecap])];
  const has = (field: Field): boolean => get(ecapWords, 0, field) === 1;
  const sagaw = get(capWords, 0, VTD_CAP.SAGAW);
  const walks = SAGAW_BITS.filter(([bit]) => Math.floor(sagaw / 2 ** bit) % 2 === 1).map(([, bits]) => bits);
  const superpages = get(capWords, 0, VTD_CAP.SSLPS);
  const isScalable = has(VTD_ECAP.SMTS);
  return {
    nests: isScalable && has(VTD_ECAP.NEST) && has(VTD_ECAP.FSTS) && has(VTD_ECAP.SSTS),
    isScalable,
    firstStage: isScalable && has(VTD_ECAP.FSTS),
    secondStage: !isScalable || has(VTD_ECAP.SSTS),
    ipaBits: Math.min(get(capWords, 0, VTD_CAP.MGAW) + 1, Math.max(0, ...walks)),
    stage2PageBytes: [4096, ...(superpages % 2 === 1 ? [2 * MIB] : []), ...(superpages % 4 >= 2 ? [GIB] : [])],
    pasidBits: has(VTD_ECAP.PASID) ? get(ecapWords, 0, VTD_ECAP.PSS) + 1 : 0,
    fiveLevels: get(capWords, 0, VTD_CAP.FS5LP) === 1,
    supervisor: has(VTD_ECAP.SRS),
    extendedAccess: has(VTD_ECAP.EAFS),
  };
}

export interface AmdFeatures {
  /** A guest's page tables can be nested: guest translation, and its table by guest physical address. */
  readonly nests: boolean;
  readonly ipaBits: number;
  readonly pasidBits: number;
}

export function amdFeatures(efr: bigint, efr2: bigint): AmdFeatures {
  const words = wordsOf([efr]);
  const levels = HATS_LEVELS[get(words, 0, AMD_EFR.HATS)] ?? 4;
  const guests = get(words, 0, AMD_EFR.GTSup) === 1;
  return {
    nests: guests && get(words, 0, AMD_EFR.GIoSup) === 1 && get(wordsOf([efr2]), 0, AMD_EFR2.GCR3TRPMode) === 1,
    ipaBits: Math.min(64, 12 + 9 * levels),
    pasidBits: guests ? get(words, 0, AMD_EFR.PASmax) + 1 : 0,
  };
}

const MEANINGS: Readonly<Record<string, (value: number) => string>> = {
  ND: (value) => `${2 ** (4 + 2 * value)} domains`,
  SAGAW: (value) =>
    SAGAW_BITS.filter(([bit]) => Math.floor(value / 2 ** bit) % 2 === 1)
      .map(([, bits]) => `${bits} bits`)
      .join(", "),
  MGAW: (value) => `${value + 1} bits`,
  SSLPS: (value) => ["4 KiB only", "2 MiB", "1 GiB", "2 MiB and 1 GiB"][value % 4] ?? "",
  MAMV: (value) => `2^${value} pages at once`,
  PSS: (value) => `${value + 1} bits`,
  PASmax: (value) => `${value + 1} bits`,
  HATS: (value) => (HATS_LEVELS[value] === undefined ? `reserved (${value})` : `${HATS_LEVELS[value]} levels`),
  GATS: (value) => (HATS_LEVELS[value] === undefined ? `reserved (${value})` : `${HATS_LEVELS[value]} levels`),
  GLXSup: (value) => `${value + 1} levels of the guest's table of tables`,
};

/** Every field of one register, with what its value means. */
export function decodeFields(
  register: string,
  table: Readonly<Record<string, Field>>,
  value: bigint,
): readonly DecodedField[] {
  const words = wordsOf([value]);
  return Object.values(table).map((field) => {
    const { name, msb, lsb } = field;
    const found = get(words, 0, field);
    return {
      register,
      field: name,
      msb,
      lsb,
      value: found,
      meaning: MEANINGS[name]?.(found) ?? (found ? "yes" : "no"),
    };
  });
}
