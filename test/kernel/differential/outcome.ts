// What became of an access, in the terms in which model and kernel can be compared: where the data went, or the record that
// the guest was told, or nothing.

import { hex } from "../../../src/spec/u64.ts";

export type Outcome =
  /** The data went to, or came from, this offset in RAM. */
  | { readonly kind: "moved"; readonly offset: number }
  /** An event record, four doublewords. */
  | { readonly kind: "told"; readonly record: readonly bigint[] }
  /** Neither: aborted without a record for the guest. */
  | { readonly kind: "silent" }
  /** The guest's STE was not installed, for this reason of the API's. */
  | { readonly kind: "refused"; readonly reason: string };

/** Why the model has it so: an event's name and the broken rule, or a word for what left no event. */
export interface Why {
  /** "F_TRANSLATION", "stage 2: F_TRANSLATION", "abort", "unrecorded: C_BAD_CD", "moved". */
  readonly what: string;
  /** Of the diagnosis: "DESCRIPTOR_INVALID". */
  readonly rule: string | undefined;
  readonly level: number | undefined;
}

export interface ModelOutcome {
  readonly outcome: Outcome;
  readonly why: Why;
}

export function printedOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "moved":
      return `data at RAM offset ${hex(BigInt(outcome.offset))}`;
    case "told":
      return `record ${outcome.record.map((word) => hex(word)).join(" ")}`;
    case "silent":
      return "neither data nor a record";
    case "refused":
      return `refused: ${outcome.reason}`;
  }
}
