// Level 1 Context Descriptor, the first level of a two-level CD table.
// Source: IHI 0070G.b §5.3.

import { layout } from "./layout.ts";

export const L1CD_BYTES = 8;

/** Level 1 Context Descriptor. L2Ptr is address[55:12]. Source: §5.3. */
export const L1CD = layout(64, { V: 0, L2Ptr: [55, 12] });
