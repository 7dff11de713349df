// VMSAv8-64 translation table descriptors, 8 bytes, both stages.
// The walker tests these bits by hand, on the two halves of a doubleword; this table is what a reviewer compares them with.
// Source: Arm ARM DDI 0487 D8.3; IHI 0070G.b §3.13 for the Access flag and dirty state.

import { layout } from "./layout.ts";

/** Stage 1 Block or Page descriptor; the output address lies in bits [47:12] (up to [49:12] with DS). Source: DDI 0487 §D8.3.1.2. */
export const S1_LEAF = layout(64, {
  Valid: 0,
  Page: 1,
  AttrIndx: [4, 2],
  NS: 5,
  AP: [7, 6],
  SH: [9, 8],
  AF: 10,
  nG: 11,
  OA: [49, 12],
  GP: 50,
  DBM: 51,
  Contiguous: 52,
  PXN: 53,
  UXN: 54,
  PBHA: [62, 59],
});

/** Stage 1 Table descriptor; the next table lies in bits [47:12] (up to [49:12] with DS). Source: DDI 0487 §D8.3.1.1. */
export const S1_TABLE = layout(64, {
  Valid: 0,
  Table: 1,
  AF: 10,
  NextLevel: [49, 12],
  PXNTable: 59,
  UXNTable: 60,
  APTable: [62, 61],
  NSTable: 63,
});

/** Stage 2 Block or Page descriptor. Source: DDI 0487 §D8.3.1.2. */
export const S2_LEAF = layout(64, {
  Valid: 0,
  Page: 1,
  MemAttr: [5, 2],
  S2AP: [7, 6],
  SH: [9, 8],
  AF: 10,
  FnXS: 11,
  OA: [49, 12],
  DBM: 51,
  Contiguous: 52,
  XN: [54, 53],
  PBHA: [62, 59],
});
