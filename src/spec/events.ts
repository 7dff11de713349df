// Event queue records, 32 bytes: numbers, and the fields that records share.
// No record has all fields; which has which is §7.3.2 on, one section an event.
// Source: IHI 0070G.b §7.3. Positions printed only as figures there are those of Linux arm-smmu-v3.h.

import { layout } from "./layout.ts";

export const EVENT_BYTES = 32;
export const EVENT_WORDS = 8;

/** Event numbers. Source: §7.3. */
export const EVENT_NUMBER = {
  F_UUT: 0x01,
  C_BAD_STREAMID: 0x02,
  F_STE_FETCH: 0x03,
  C_BAD_STE: 0x04,
  F_BAD_ATS_TREQ: 0x05,
  F_STREAM_DISABLED: 0x06,
  F_TRANSL_FORBIDDEN: 0x07,
  C_BAD_SUBSTREAMID: 0x08,
  F_CD_FETCH: 0x09,
  C_BAD_CD: 0x0a,
  F_WALK_EABT: 0x0b,
  F_TRANSLATION: 0x10,
  F_ADDR_SIZE: 0x11,
  F_ACCESS: 0x12,
  F_PERMISSION: 0x13,
  F_TLB_CONFLICT: 0x20,
  F_CFG_CONFLICT: 0x21,
  E_PAGE_REQUEST: 0x24,
  F_VMS_FETCH: 0x25,
} as const;

export type EventName = keyof typeof EVENT_NUMBER;

/** Fields of the fault records. IPA is address[55:12]. Source: §7.3.13 to §7.3.16. */
export const EVENT = layout(256, {
  Type: [7, 0],
  SSV: 11,
  SubstreamID: [31, 12],
  StreamID: [63, 32],
  STAG: [79, 64],
  GPCF: 80,
  Stall: 95,
  PnU: 97,
  InD: 98,
  RnW: 99,
  S2: 103,
  CLASS: [105, 104],
  TTRnW: 108,
  InputAddr: [191, 128],
  IPA: [247, 204],
});

/** Fields of the fetch records, whose last doubleword is FetchAddr, address[55:3]. Source: §7.3.4, §7.3.10, §7.3.12. */
export const EVENT_FETCH = layout(256, {
  Type: [7, 0],
  SSV: 11,
  SubstreamID: [31, 12],
  StreamID: [63, 32],
  Reason: [79, 64],
  PnU: 97,
  InD: 98,
  RnW: 99,
  S2: 103,
  CLASS: [105, 104],
  InputAddr: [191, 128],
  FetchAddr: [247, 195],
});

/**
 * Fields of F_BAD_ATS_TREQ: what was asked for, before overrides; Span in STUs; InputAddr is address[63:12].
 * Source: §7.3.6, which prints the positions as a figure that could not be checked. Span and InputAddr are where §7.3.19
 * (E_PAGE_REQUEST) has them; PRIV, X and R where other records have PnU, InD and RnW, and W beside them.
 */
export const EVENT_ATS_REQUEST = layout(256, {
  Type: [7, 0],
  SSV: 11,
  SubstreamID: [31, 12],
  StreamID: [63, 32],
  PRIV: 97,
  X: 98,
  R: 99,
  W: 100,
  Span: [115, 108],
  InputAddr: [191, 140],
});
