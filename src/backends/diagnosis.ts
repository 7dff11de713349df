// Why a fault happened, as every backend tells it: the rule that was broken, where, and by which values.
// Addresses are guest physical; nothing of the host's structures is shown but the values of ID register fields.

/** A field that has to do with a fault. */
export interface DiagnosedField {
  /** "CD.ASID", "IDR0.ASID16", "descriptor.AP[2:1]", "IPA". */
  readonly name: string;
  /** 64 bits. */
  readonly value: bigint;
}

/** What is wrong. */
export interface FaultCause {
  /** A word to compare by: "CD_ASID_SIZE", "DESCRIPTOR_INVALID". docs/faults.md lists them. */
  readonly rule: string;
  /** "§5.4.1". */
  readonly section: string;
  /** "STE", "L1CD", "CD", "stage 1 descriptor", "stage 2", "input address". */
  readonly structure: string;
  readonly level: number | undefined;
  /** Guest physical address of the structure; undefined: the host's own. */
  readonly address: bigint | undefined;
  /** Its doublewords; empty: the host's own. */
  readonly raw: readonly bigint[];
  readonly fields: readonly DiagnosedField[];
}

export type FaultDiagnosis =
  /** A walk came to the same fault. `summary`: one sentence. */
  | { readonly verdict: "reproduced"; readonly summary: string; readonly cause: FaultCause }
  /** It came to another end, or cannot be walked again. `summary` says why. */
  | { readonly verdict: "no-longer-reproducible" | "not-applicable"; readonly summary: string };
