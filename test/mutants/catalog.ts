// Every mutant there is, by section.

import { CONTEXT_BITS, CONTEXT_RULES } from "./context-descriptor.ts";
import { DESCRIPTORS } from "./descriptors.ts";
import { FAST_WAYS } from "./fast-ways.ts";
import { ADDRESS_SIZES, FAULT_RESPONSES } from "./faults.ts";
import type { Mutant } from "./mutant.ts";
import { STAGE_STATES } from "./stage-states.ts";
import { STAGE2_START } from "./stage2-start.ts";
import { S1DSS_TABLE, STREAM_ENTRY, SUBSTREAMS } from "./stream-entry.ts";

export const CATALOG: readonly Mutant[] = [
  ...STREAM_ENTRY,
  ...SUBSTREAMS,
  ...S1DSS_TABLE,
  ...CONTEXT_BITS,
  ...CONTEXT_RULES,
  ...FAULT_RESPONSES,
  ...ADDRESS_SIZES,
  ...STAGE2_START,
  ...STAGE_STATES,
  ...DESCRIPTORS,
  ...FAST_WAYS,
];
