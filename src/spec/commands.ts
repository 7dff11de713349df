// Command queue entries, 16 bytes: opcodes and one layout per shape of command.
// Source: IHI 0070G.b §4.1 (format, opcodes) to §4.7.

import { layout } from "./layout.ts";

export const COMMAND_BYTES = 16;
export const COMMAND_WORDS = 4;

/** Opcodes of the Non-secure command queue. Source: §4.1.3. */
export const COMMAND = {
  CMD_PREFETCH_CONFIG: 0x01,
  CMD_PREFETCH_ADDR: 0x02,
  CMD_CFGI_STE: 0x03,
  CMD_CFGI_STE_RANGE: 0x04,
  CMD_CFGI_CD: 0x05,
  CMD_CFGI_CD_ALL: 0x06,
  CMD_CFGI_VMS_PIDM: 0x07,
  CMD_TLBI_NH_ALL: 0x10,
  CMD_TLBI_NH_ASID: 0x11,
  CMD_TLBI_NH_VA: 0x12,
  CMD_TLBI_NH_VAA: 0x13,
  CMD_TLBI_EL3_ALL: 0x18,
  CMD_TLBI_EL3_VA: 0x1a,
  CMD_TLBI_EL2_ALL: 0x20,
  CMD_TLBI_EL2_ASID: 0x21,
  CMD_TLBI_EL2_VA: 0x22,
  CMD_TLBI_EL2_VAA: 0x23,
  CMD_TLBI_S12_VMALL: 0x28,
  CMD_TLBI_S2_IPA: 0x2a,
  CMD_TLBI_NSNH_ALL: 0x30,
  CMD_ATC_INV: 0x40,
  CMD_PRI_RESP: 0x41,
  CMD_RESUME: 0x44,
  CMD_STALL_TERM: 0x45,
  CMD_SYNC: 0x46,
} as const;

/** What every command has. Source: §4.1.1. */
export const CMD = layout(128, { Opcode: [7, 0], SSec: 10 });

/** CMD_PREFETCH_*. Source: §4.2. */
export const CMD_PREFETCH = layout(128, {
  Opcode: [7, 0],
  SSec: 10,
  SSV: 11,
  SubstreamID: [31, 12],
  StreamID: [63, 32],
  Size: [68, 64],
  Stride: [73, 69],
  Address: [127, 76],
});

/** CMD_CFGI_STE, CMD_CFGI_STE_RANGE, CMD_CFGI_CD, CMD_CFGI_CD_ALL: Leaf and Range share bit 64. Source: §4.3. */
export const CMD_CFGI = layout(128, { Opcode: [7, 0], SSec: 10, SubstreamID: [31, 12], StreamID: [63, 32], Leaf: 64 });
export const CMD_CFGI_RANGE = layout(128, { Opcode: [7, 0], SSec: 10, StreamID: [63, 32], Range: [68, 64] });

/** CMD_TLBI_*: Address is address[63:12]. Source: §4.4. */
export const CMD_TLBI = layout(128, {
  Opcode: [7, 0],
  NUM: [16, 12],
  SCALE: [24, 20],
  VMID: [47, 32],
  ASID: [63, 48],
  Leaf: 64,
  TTL128: 71,
  TTL: [73, 72],
  TG: [75, 74],
  Address: [127, 76],
});

/** CMD_ATC_INV: 2^Size pages from Address, which is address[63:12]; Size 52 is everything. Source: §4.5.1. */
export const CMD_ATC_INV = layout(128, {
  Opcode: [7, 0],
  G: 9,
  SSec: 10,
  SSV: 11,
  SubstreamID: [31, 12],
  StreamID: [63, 32],
  Size: [69, 64],
  Address: [127, 76],
});

/** CMD_PRI_RESP. Source: §4.5.2. */
export const CMD_PRI_RESP = layout(128, {
  Opcode: [7, 0],
  SSec: 10,
  SSV: 11,
  SubstreamID: [31, 12],
  StreamID: [63, 32],
  PRGIndex: [72, 64],
  Resp: [77, 76],
});

/** CMD_RESUME. Source: §4.6.1. */
export const CMD_RESUME = layout(128, {
  Opcode: [7, 0],
  SSec: 10,
  Ac: 12,
  Ab: 13,
  StreamID: [63, 32],
  STAG: [79, 64],
});

/** CMD_STALL_TERM. Source: §4.6.2. */
export const CMD_STALL_TERM = layout(128, { Opcode: [7, 0], SSec: 10, StreamID: [63, 32] });

/** CMD_SYNC: MSIAddress is address[55:2]. Source: §4.7.3. */
export const CMD_SYNC = layout(128, {
  Opcode: [7, 0],
  SSec: 10,
  CS: [13, 12],
  MSH: [23, 22],
  MSIAttr: [27, 24],
  MSIData: [63, 32],
  MSIAddress: [119, 66],
});
