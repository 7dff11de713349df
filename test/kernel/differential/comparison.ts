// Where model and kernel differ about an access, field by field of the record, and whether that is a known deviation.

import { decodeEvent } from "../../../src/spec/event-record.ts";
import { EVENT } from "../../../src/spec/events.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { hex } from "../../../src/spec/u64.ts";
import type { Deviation } from "./deviations.ts";
import type { ModelOutcome, Outcome } from "./outcome.ts";
import type { Trial } from "./trial.ts";

export interface Difference {
  /** "outcome", "address", a field of the record, or "bits" for what no field has. */
  readonly field: string;
  readonly model: string;
  readonly kernel: string;
}

/** Fields as they stand in the record, whatever its type. */
const FIELDS = [
  ...([
    "SSV",
    "SubstreamID",
    "StreamID",
    "STAG",
    "GPCF",
    "Stall",
    "PnU",
    "InD",
    "RnW",
    "S2",
    "CLASS",
    "TTRnW",
  ] as const),
  ...(["InputAddr", "IPA"] as const),
];

/** A word for an outcome: "moved", "silent", "refused", or the event's name. */
export function wordOf(outcome: Outcome): string {
  if (outcome.kind !== "told") return outcome.kind;
  const { number, type } = decodeEvent(wordsOf(outcome.record));
  return type ?? `EVENT_${hex(BigInt(number))}`;
}

export function differencesOf(model: Outcome, kernel: Outcome): readonly Difference[] {
  const [ours, theirs] = [wordOf(model), wordOf(kernel)];
  if (ours !== theirs) return [{ field: "outcome", model: ours, kernel: theirs }];
  if (model.kind === "moved" && kernel.kind === "moved" && model.offset !== kernel.offset) {
    return [{ field: "address", model: hex(BigInt(model.offset)), kernel: hex(BigInt(kernel.offset)) }];
  }
  return model.kind === "told" && kernel.kind === "told" ? recordDifferences(model.record, kernel.record) : [];
}

function recordDifferences(model: readonly bigint[], kernel: readonly bigint[]): readonly Difference[] {
  let [ours, theirs] = [joined(model), joined(kernel)];
  const found: Difference[] = [];
  for (const name of FIELDS) {
    const { lsb, width } = EVENT[name];
    const mask = (1n << BigInt(width)) - 1n;
    const [our, their] = [(ours >> BigInt(lsb)) & mask, (theirs >> BigInt(lsb)) & mask];
    if (our !== their) found.push({ field: name, model: hex(our), kernel: hex(their) });
    ours -= our << BigInt(lsb);
    theirs -= their << BigInt(lsb);
  }
  if (ours !== theirs) found.push({ field: "bits", model: hex(ours), kernel: hex(theirs) });
  return found;
}

/** 256 bits. */
function joined(record: readonly bigint[]): bigint {
  return record.reduceRight((sum, word) => (sum << 64n) | word, 0n);
}

/** The deviation that has it so; undefined: nobody knows why. */
export function explanationOf(
  { model, trial }: { readonly model: ModelOutcome; readonly trial: Trial },
  difference: Difference,
  deviations: readonly Deviation[],
): Deviation | undefined {
  return deviations.find(
    (known) =>
      known.field === difference.field &&
      [known.model ?? difference.model].flat().includes(difference.model) &&
      [known.kernel ?? difference.kernel].flat().includes(difference.kernel) &&
      known.when(model, trial),
  );
}
