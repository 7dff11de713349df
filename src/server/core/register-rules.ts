// One table: for every ID register field, what a guest behind host stage 2 may be shown, and why when it is not what
// the host has; what the value means; and how a wished value is checked against the host.
// Sources: IHI 0070G.b §6.3.1–6.3.8; Linux include/uapi/linux/iommufd.h, comment on iommu_hw_info_arm_smmuv3, for the
// fields that reach a nested guest.

import type { IdRegisters } from "../../backends/inventory.ts";
import type { Field } from "../../spec/layout.ts";
import { AIDR, IDR0, IDR1, IDR2, IDR3, IDR5, IIDR } from "../../spec/registers.ts";

export type RegisterName = "IDR0" | "IDR1" | "IDR2" | "IDR3" | "IDR5" | "IIDR" | "AIDR";

/** How a wished value may differ from what the host allows. */
export type Relation =
  /** At most the host's: the guest uses less than there is. */
  | "at-most"
  /** At least the host's: a larger value promises the guest less. */
  | "at-least"
  /** A set of bits, each of which the host must have. */
  | "subset"
  /** Exactly the host's, unless the host's 0 means "either". */
  | "endianness"
  /** What is shown, or more of what the host has, up to all, for a VMM that asks for it. */
  | "on-request"
  /** The VMM emulates this part: any value. */
  | "any";

export interface RegisterRule {
  readonly register: RegisterName;
  readonly field: Field;
  readonly relation: Relation;
  /** Undefined: the guest is shown the host's value. */
  readonly reduced: { readonly value: (host: number) => number; readonly reason: string } | undefined;
  readonly meaning: (value: number) => string;
}

const STAGE_2 = "stage 2 belongs to the host and is not offered to a guest";
const NOT_OFFERED = "the host does not offer it to nested guests";
/**
 * Linux lets a stream stall only where its device is known to bear it (S1STALLD=1 otherwise), and the kernel refuses nothing
 * in a virtual IDR: whether a guest sees the host's 0b00 is for its VMM, which must then answer, by RespondToFault, what the
 * guest answers by CMD_RESUME. One that does not ask would leave its guest's devices waiting for nobody, so it is shown
 * "terminate only", and keepStallPromise makes that true.
 */
const STALLS_ON_REQUEST = "stalled transactions wait for RespondToFault: shown to a guest whose VMM asks for it";
const EMULATED = "the VMM emulates this part of the SMMU";

const zero = (reason: string): RegisterRule["reduced"] => ({ value: () => 0, reason });
const yes = (value: number): string => (value === 1 ? "yes" : "no");
const bits = (value: number): string => `${value} bits`;
const log2Entries = (value: number): string => `2^${value} entries`;
const oneOf =
  (...names: string[]) =>
  (value: number): string =>
    names[value] ?? `reserved (${value})`;

/** Output address bits by IDR5.OAS. Source: §6.3.6. */
export const OAS_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52, 56];
/** Virtual address bits by IDR5.VAX. Source: §6.3.6. */
export const VAX_BITS: readonly number[] = [48, 52, 56];

type Row = readonly [Field, Relation, RegisterRule["reduced"], RegisterRule["meaning"]];

const ROWS: Readonly<Record<RegisterName, readonly Row[]>> = {
  IDR0: [
    [IDR0.S2P, "at-most", zero(STAGE_2), yes],
    [IDR0.S1P, "at-most", undefined, yes],
    [IDR0.TTF, "subset", undefined, oneOf("reserved (0)", "AArch32 LPAE", "AArch64", "AArch32 LPAE and AArch64")],
    [IDR0.COHACC, "at-most", undefined, yes],
    [IDR0.BTM, "at-most", zero("a guest's broadcast TLB maintenance does not carry the host's VMID"), yes],
    [
      IDR0.HTTU,
      "at-most",
      zero(NOT_OFFERED),
      oneOf("none", "Access flag", "Access flag and dirty state", "Access flag, dirty state, table Access flag"),
    ],
    [IDR0.DORMHINT, "at-most", zero(EMULATED), yes],
    [IDR0.Hyp, "at-most", zero("EL2 StreamWorlds are not offered to a guest"), yes],
    [IDR0.ATS, "at-most", undefined, yes],
    [IDR0.NS1ATS, "any", zero("split-stage ATS needs stage 2"), yes],
    [IDR0.ASID16, "at-most", undefined, (value) => (value ? "16-bit ASIDs" : "8-bit ASIDs")],
    [IDR0.MSI, "at-most", zero("the guest's SMMU interrupts are raised by the VMM"), yes],
    [IDR0.SEV, "at-most", zero(EMULATED), yes],
    [IDR0.ATOS, "at-most", zero("address translation operations see the host's stage 2"), yes],
    [IDR0.PRI, "at-most", zero(NOT_OFFERED), yes],
    [IDR0.VMW, "at-most", zero(STAGE_2), yes],
    [IDR0.VMID16, "at-most", zero(STAGE_2), (value) => (value ? "16-bit VMIDs" : "8-bit VMIDs")],
    [IDR0.CD2L, "at-most", undefined, yes],
    [IDR0.VATOS, "at-most", zero("address translation operations see the host's stage 2"), yes],
    [IDR0.TTENDIAN, "endianness", undefined, oneOf("mixed", "reserved (1)", "little-endian", "big-endian")],
    [IDR0.ATSRECERR, "at-most", zero(NOT_OFFERED), yes],
    [
      IDR0.STALL_MODEL,
      "on-request",
      { value: (host) => (host === 0 ? 1 : host), reason: STALLS_ON_REQUEST },
      oneOf("stall and terminate", "terminate only", "stall only", "reserved (3)"),
    ],
    [IDR0.TERM_MODEL, "at-least", undefined, oneOf("abort or RAZ/WI", "abort only")],
    [IDR0.ST_LEVEL, "any", undefined, oneOf("linear", "linear and two-level", "reserved (2)", "reserved (3)")],
    [IDR0.RME_IMPL, "at-most", zero(NOT_OFFERED), yes],
  ],
  IDR1: [
    [IDR1.SIDSIZE, "at-most", undefined, bits],
    [IDR1.SSIDSIZE, "at-most", undefined, bits],
    [IDR1.PRIQS, "any", zero(NOT_OFFERED), log2Entries],
    [IDR1.EVENTQS, "any", undefined, log2Entries],
    [IDR1.CMDQS, "any", undefined, log2Entries],
    [IDR1.ATTR_PERMS_OVR, "at-most", zero("a guest may not set STE.PRIVCFG and STE.INSTCFG"), yes],
    [IDR1.ATTR_TYPES_OVR, "at-most", zero("a guest may not set STE.MTCFG and STE.SHCFG"), yes],
    [IDR1.REL, "at-most", zero(EMULATED), yes],
    [IDR1.QUEUES_PRESET, "at-most", zero(EMULATED), yes],
    [IDR1.TABLES_PRESET, "at-most", zero(EMULATED), yes],
    [IDR1.ECMDQ, "at-most", zero(NOT_OFFERED), yes],
  ],
  IDR2: [[IDR2.BA_VATOS, "any", zero("there is no VATOS page"), (value) => `page ${value}`]],
  IDR3: [
    [IDR3.HAD, "at-most", undefined, yes],
    [IDR3.PBHA, "at-most", zero(NOT_OFFERED), yes],
    [IDR3.XNX, "at-most", zero(STAGE_2), yes],
    [IDR3.PPS, "at-most", zero(NOT_OFFERED), yes],
    [IDR3.MPAM, "at-most", zero(NOT_OFFERED), yes],
    [IDR3.FWB, "at-most", zero(STAGE_2), yes],
    [IDR3.STT, "at-most", undefined, yes],
    [IDR3.RIL, "at-most", undefined, yes],
    [IDR3.BBML, "at-most", undefined, (value) => `level ${value}`],
    [IDR3.E0PD, "at-most", undefined, yes],
    [IDR3.PTWNNC, "at-most", zero(STAGE_2), yes],
    [IDR3.DPT, "at-most", zero(NOT_OFFERED), yes],
    [IDR3.PASIDTT, "at-most", zero(NOT_OFFERED), yes],
    [IDR3.EPAN, "at-most", undefined, yes],
    [IDR3.S1PI, "at-most", zero(NOT_OFFERED), yes],
    [IDR3.S2PI, "at-most", zero(STAGE_2), yes],
    [IDR3.S2PO, "at-most", zero(STAGE_2), yes],
    [IDR3.THE, "at-most", zero(NOT_OFFERED), yes],
    [IDR3.MTEPERM, "at-most", zero(NOT_OFFERED), yes],
    [IDR3.AIE, "at-most", zero(NOT_OFFERED), yes],
  ],
  IDR5: [
    [IDR5.OAS, "at-most", undefined, (value) => bits(OAS_BITS[value] ?? 0)],
    [IDR5.GRAN4K, "at-most", undefined, yes],
    [IDR5.GRAN16K, "at-most", undefined, yes],
    [IDR5.GRAN64K, "at-most", undefined, yes],
    [IDR5.DS, "at-most", undefined, yes],
    [IDR5.D128, "at-most", zero(NOT_OFFERED), yes],
    [
      IDR5.VAX,
      "at-most",
      undefined,
      (value) => (VAX_BITS[value] === undefined ? `reserved (${value})` : bits(VAX_BITS[value]!)),
    ],
    [IDR5.STALL_MAX, "on-request", zero(STALLS_ON_REQUEST), String],
  ],
  IIDR: [
    [IIDR.Implementer, "any", undefined, (value) => `JEP106 0x${value.toString(16)}`],
    [IIDR.Revision, "any", undefined, String],
    [IIDR.Variant, "any", undefined, String],
    [IIDR.ProductID, "any", undefined, (value) => `0x${value.toString(16)}`],
  ],
  AIDR: [
    [AIDR.ArchMinorRev, "any", undefined, (value) => `SMMUv3.${value}`],
    [AIDR.ArchMajorRev, "any", undefined, (value) => (value === 0 ? "SMMUv3" : `reserved (${value})`)],
  ],
};

/** Every rule, in the order of the registers. */
export const REGISTER_RULES: readonly RegisterRule[] = Object.freeze(
  (["IDR0", "IDR1", "IDR2", "IDR3", "IDR5", "IIDR", "AIDR"] as const).flatMap((register) =>
    ROWS[register].map(([field, relation, reduced, meaning]) => ({ register, field, relation, reduced, meaning })),
  ),
);

const KEY = {
  IDR0: "idr0",
  IDR1: "idr1",
  IDR2: "idr2",
  IDR3: "idr3",
  IDR5: "idr5",
  IIDR: "iidr",
  AIDR: "aidr",
} as const satisfies Record<RegisterName, keyof IdRegisters>;

export function registerKey(register: RegisterName): keyof IdRegisters {
  return KEY[register];
}
