// Where along the way the attributes change, and what the trace says of it.
// Source: IHI 0070G.b §13.2 (disabled), §13.3 (bypass), §13.4 (translation).

import type { Transaction } from "../transaction.ts";
import {
  type Attributes,
  consistent,
  incomingAttributes,
  notation,
  type OverrideReader,
  overridden,
  throughStage1,
  throughStage2,
} from "./attributes.ts";
import type { CdReader } from "./context-entry.ts";
import type { Implementation } from "./implementation.ts";
import type { Stage1Result } from "./stage1-walk.ts";
import { isStage2DS } from "./stage2-start.ts";
import type { SteReader } from "./stream-entry.ts";
import type { Trace } from "./trace.ts";

/** What the transaction brings, after the overrides of the STE or of GBPA. */
export function afterInput(
  trace: Trace,
  implementation: Implementation,
  structure: "STE" | "GBPA",
  field: OverrideReader,
  { attributes }: Transaction,
): Attributes {
  const incoming = incomingAttributes(attributes);
  const origin = attributes === undefined ? "supplied for want of any" : "that come with the transaction";
  if (implementation.idr1("ATTR_TYPES_OVR") === 0) {
    say(trace, `attributes ${origin}, without an override: ${notation(incoming)}`, "§13.1.3");
    return incoming;
  }
  const result = overridden(incoming, field);
  say(trace, `attributes ${origin}, ${notation(incoming)}, after ${structure}: ${notation(result)}`, "§13.1.4");
  return result;
}

/** Not made consistent yet when stage 2 is to follow: hints outlive a type without them. */
export function afterStage1(trace: Trace, cd: CdReader, input: Attributes, found: Stage1Result): Attributes {
  const mair = cd("MAIR1") * 2n ** 32n + cd("MAIR0");
  const result = throughStage1(input, found.leaf, { mair, tableSH: found.tableSH });
  say(trace, `attributes after stage 1: ${notation(consistent(result))}`, "§13.4.2, §5.4");
  return result;
}

export function afterStage2(
  trace: Trace,
  implementation: Implementation,
  ste: SteReader,
  input: Attributes,
  leaf: bigint,
): Attributes {
  const fwb = implementation.idr3("FWB") && ste("S2FWB") === 1n;
  const tableSH = isStage2DS(ste, implementation) ? ste("S2SH0") : undefined;
  const encoding = { fwb, mtePerm: implementation.idr3("MTEPERM"), tableSH };
  const result = consistent(throughStage2(input, leaf, encoding));
  const how = fwb ? "as stage 2 overrides them (S2FWB)" : "combined with stage 2's";
  say(trace, `attributes ${how}: ${notation(result)}`, "§13.4.3, DDI 0487 D8.6");
  return result;
}

function say(trace: Trace, why: string, section: string): void {
  trace.add({ structure: "attributes", raw: [], fields: {}, why, section });
}
