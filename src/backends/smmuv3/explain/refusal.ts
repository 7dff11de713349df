// Why an access is refused, in values: the rule, where it was broken, the fields that broke it.
// Written for whoever owns the stage 1 tables: of stage 2 and of what else is the host's, a refusal names the IPA and nothing
// more, so that it may be shown as it is.

import type { RuleName } from "./rules.ts";

export interface RefusedField {
  /** "CD.ASID", "IDR0.ASID16", "descriptor.AP[2:1]", "IPA"; a field that holds an address has the whole of it as value. */
  readonly name: string;
  readonly value: bigint;
}

/** A structure that was read. */
export interface Place {
  /** "STE", "L1CD", "CD", "stage 1 descriptor", "stage 2", "input address", "Stream table". */
  readonly structure: string;
  readonly level?: number;
  /** Where the tables say it lies, when stage 2 stands between; absent otherwise. */
  readonly ipa?: bigint;
  readonly raw: readonly bigint[];
}

/** A rule that does not hold, in one sentence without its event. */
export interface Broken {
  readonly rule: RuleName;
  readonly why: string;
  readonly fields: readonly RefusedField[];
}

export interface Refusal extends Broken {
  readonly at: Place;
}

export function broken(rule: RuleName, why: string, ...fields: readonly RefusedField[]): Broken {
  return { rule, why, fields };
}

export function field(name: string, value: bigint | number | boolean): RefusedField {
  return { name, value: BigInt(value) };
}

/** What has no structure of its own in memory, or one that is the host's. */
export function nowhere(structure: string): Place {
  return { structure, raw: [] };
}

/** Where a structure lies; `ipa` undefined: it is reached without stage 2. */
export function placeOf(structure: string, ipa: bigint | undefined, raw: readonly bigint[], level?: number): Place {
  return {
    structure,
    raw,
    ...(ipa === undefined ? {} : { ipa }),
    ...(level === undefined ? {} : { level }),
  };
}

/** Bits as a manual writes them: 0b10. */
export function binary(value: bigint, width: number): string {
  return `0b${value.toString(2).padStart(width, "0")}`;
}
