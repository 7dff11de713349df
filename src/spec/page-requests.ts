// PRI queue entries, 16 bytes: one page request, or a Stop PASID marker.
// IHI 0070 prints the positions as a figure; these are those of Linux arm-smmu-v3.h (PRIQ_0_*, PRIQ_1_*).

import { layout } from "./layout.ts";

export const PAGE_REQUEST_BYTES = 16;
export const PAGE_REQUEST_WORDS = 4;

/** A page request message. PageAddress is address[63:12]. Source: §8. */
export const PAGE_REQUEST = layout(128, {
  StreamID: [31, 0],
  SubstreamID: [51, 32],
  Priv: 58,
  X: 59,
  R: 60,
  W: 61,
  Last: 62,
  SSV: 63,
  PRGIndex: [72, 64],
  PageAddress: [127, 76],
});
