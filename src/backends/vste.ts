// A guest's STE, its first two doublewords: is it one that may be installed, and what does it ask for?
// The bits a guest may set are those Linux lets it set (arm_smmu_validate_vste); everything else is refused by name.
// What Linux accepts although the architecture calls it illegal stays legal here: it is installed, and faults as
// hardware does. Source: IHI 0070G.b §5.2; Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c.

import { type Field, get, wordsOf } from "../spec/layout.ts";
import { STE } from "../spec/ste.ts";
import { BrokerError } from "./errors.ts";

/** What a guest's STE asks stage 1 to do. */
export type Disposition = "abort" | "bypass" | "translate";

/** A checked guest STE: doublewords 0 and 1 as they will be installed, and what they ask for. */
export interface VSTE {
  readonly dword0: bigint;
  readonly dword1: bigint;
  readonly disposition: Disposition;
}

/** A guest's stage 1 by fields, each in the encoding of the STE; bounds are checked by encodeVSTE. */
export interface Stage1Fields {
  /** Guest physical address, a multiple of 64, below 2^52. */
  readonly S1ContextPtr: bigint;
  readonly S1Fmt: number;
  readonly S1CDMax: number;
  readonly S1DSS: number;
  readonly S1CIR: number;
  readonly S1COR: number;
  readonly S1CSH: number;
  readonly S1STALLD: boolean;
  readonly EATS: number;
}

const VALID = 1n;
const CONFIG_SHIFT = 1n;
const CONFIG_MASK = 0b111n << CONFIG_SHIFT;
const CONFIG_BYPASS = 0b100n;
const CONFIG_TRANSLATE = 0b101n;

/** The abort STE: V=1, Config 0b000. */
export const ABORT_VSTE: VSTE = Object.freeze({ dword0: VALID, dword1: 0n, disposition: "abort" });
/** The bypass STE: V=1, Config 0b100. */
export const BYPASS_VSTE: VSTE = Object.freeze({
  dword0: VALID | (CONFIG_BYPASS << CONFIG_SHIFT),
  dword1: 0n,
  disposition: "bypass",
});

/** Fields of doublewords 0 and 1 that a guest may set. */
const GUEST_FIELDS = [
  "V",
  "Config",
  "S1Fmt",
  "S1ContextPtr",
  "S1CDMax",
  "S1DSS",
  "S1CIR",
  "S1COR",
  "S1CSH",
  "S1STALLD",
  "EATS",
] as const;
/** S1ContextPtr above address bit 51 is not for a guest: Linux's mask ends there. */
const CONTEXT_PTR_HIGH = 0xfn << 52n;

const [ALLOWED0, ALLOWED1] = allowedMasks();

/**
 * Checks a guest's STE and tells what it asks for.
 *
 * @param dword0  bits 63:0 of the STE, 0 … 2^64 - 1
 * @param dword1  bits 127:64
 * @returns the STE as it will be installed: reserved Config encodings 0b0xx become 0b000, as the architecture has them
 *          behave; with V=0 both doublewords become 0, because nothing else of them counts
 * @throws BrokerError vste_invalid naming the fields with bits a guest may not set, Config 0b11x, or EATS 2 and 3
 */
export function checkVSTE(dword0: bigint, dword1: bigint): VSTE {
  if ((dword0 & VALID) === 0n) return Object.freeze({ dword0: 0n, dword1: 0n, disposition: "abort" });
  const forbidden = forbiddenFields(dword0, dword1);
  if (forbidden.length > 0) {
    throw invalid(`bits a guest may not set: ${forbidden.join(", ")}; mask them off`, forbidden, dword0, dword1);
  }
  const words = wordsOf([dword0, dword1]);
  const eats = get(words, 0, STE.EATS);
  if (eats > 1) throw invalid(`EATS ${eats} is not for a guest: 0 or 1`, ["EATS"], dword0, dword1);
  const config = (dword0 & CONFIG_MASK) >> CONFIG_SHIFT;
  if (config < CONFIG_BYPASS) return Object.freeze({ dword0: dword0 & ~CONFIG_MASK, dword1, disposition: "abort" });
  if (config === CONFIG_BYPASS) return Object.freeze({ dword0, dword1, disposition: "bypass" });
  if (config === CONFIG_TRANSLATE) return Object.freeze({ dword0, dword1, disposition: "translate" });
  throw invalid(
    `Config 0b${config.toString(2)} asks for stage 2, which is the host's: use 0b101, 0b100 or 0b000`,
    ["Config"],
    dword0,
    dword1,
  );
}

interface Misfit {
  readonly field: string;
  readonly value: bigint;
  readonly expected: string;
}

/** Builds a translating guest STE from fields. Throws vste_invalid naming every field that does not fit. */
export function encodeVSTE(fields: Stage1Fields): VSTE {
  const pointer = fields.S1ContextPtr;
  const misfits: Misfit[] = [];
  if (pointer < 0n || pointer >> 52n !== 0n || pointer % 64n !== 0n) {
    misfits.push({ field: "S1ContextPtr", value: pointer, expected: "a multiple of 64 below 2^52" });
  }
  let dword0 = VALID | (CONFIG_TRANSLATE << CONFIG_SHIFT) | pointer;
  let dword1 = 0n;
  for (const name of ["S1Fmt", "S1CDMax", "S1DSS", "S1CIR", "S1COR", "S1CSH", "EATS"] as const) {
    const field = STE[name];
    const value = fields[name];
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** field.width) {
      misfits.push({ field: name, value: BigInt(Math.trunc(value)), expected: `0 to ${2 ** field.width - 1}` });
      continue;
    }
    if (field.lsb < 64) dword0 |= BigInt(value) << BigInt(field.lsb);
    else dword1 |= BigInt(value) << BigInt(field.lsb - 64);
  }
  if (misfits.length > 0) throw fieldsInvalid(misfits);
  if (fields.S1STALLD) dword1 |= 1n << BigInt(STE.S1STALLD.lsb - 64);
  return checkVSTE(dword0, dword1);
}

function forbiddenFields(dword0: bigint, dword1: bigint): string[] {
  const wrong = (dword0 & ~ALLOWED0) | ((dword1 & ~ALLOWED1) << 64n);
  if (wrong === 0n) return [];
  const named: string[] = [];
  let unnamed = wrong;
  for (const field of Object.values(STE)) {
    if (field.lsb >= 128) continue;
    const mask = maskOf(field);
    if ((wrong & mask) === 0n) continue;
    named.push(field === STE.S1ContextPtr ? "S1ContextPtr[55:52]" : field.name);
    unnamed &= ~mask;
  }
  for (let bit = 0; bit < 128; bit++) if ((unnamed >> BigInt(bit)) & 1n) named.push(`bit ${bit}`);
  return named;
}

function allowedMasks(): [bigint, bigint] {
  let mask = 0n;
  for (const name of GUEST_FIELDS) mask |= maskOf(STE[name]);
  return [mask & 0xffff_ffff_ffff_ffffn & ~CONTEXT_PTR_HIGH, mask >> 64n];
}

function maskOf(field: Field): bigint {
  return ((1n << BigInt(field.width)) - 1n) << BigInt(field.lsb);
}

function invalid(why: string, named: readonly string[], dword0: bigint, dword1: bigint): BrokerError {
  return new BrokerError(
    "vste_invalid",
    why,
    { field: named[0] ?? "", doubleword0: `0x${dword0.toString(16)}`, doubleword1: `0x${dword1.toString(16)}` },
    { fields: named.map((path) => ({ path, description: why })) },
  );
}

/** One error for every field that does not fit. */
function fieldsInvalid(misfits: readonly Misfit[]): BrokerError {
  const fields = misfits.map(({ expected, field, value }) => ({
    path: field,
    description: `${field} 0x${value.toString(16)} must be ${expected}`,
  }));
  const { field, value } = misfits[0]!;
  const why = fields.map(({ description }) => description).join("; ");
  return new BrokerError("vste_invalid", why, { field, value }, { fields });
}
