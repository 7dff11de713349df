// Level 1 Stream Table Descriptor, the first level of a two-level Stream table.
// Source: IHI 0070G.b §5.1.

import { layout } from "./layout.ts";

export const L1STD_BYTES = 8;

/** Level 1 Stream Table Descriptor. L2Ptr is address[55:6]; Span n means 2^(n-1) STEs, 0 is invalid. Source: §5.1. */
export const L1STD = layout(64, { Span: [4, 0], L2Ptr: [55, 6] });

/** Spans above this are reserved and behave as 0. Source: §5.1. */
export const L1STD_SPAN_MAX = 11;
