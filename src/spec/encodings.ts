// Encodings of fields that are more than a flag, beside the layouts that place them.
// Source: IHI 0070G.b, the section named at each table; table geometry from Arm ARM DDI 0487 D8.2.

/** STE.Config values that are not "abort" (0b0xx). Source: §5.2. */
export const STE_CONFIG = { ABORT: 0b000, BYPASS: 0b100, S1: 0b101, S2: 0b110, NESTED: 0b111 } as const;

/** STE.S1DSS: what a transaction without SubstreamID does when substreams are on. Source: §5.2. */
export const S1DSS = { TERMINATE: 0b00, BYPASS: 0b01, SSID0: 0b10 } as const;

/** STE.S1Fmt: shape of the CD table. Source: §5.2. */
export const S1FMT = { LINEAR: 0b00, L2_4K: 0b01, L2_64K: 0b10 } as const;

/** STE.STRW for a Non-secure STE. Source: §5.2. */
export const STRW = { EL1: 0b00, EL2: 0b10 } as const;

/** STE.EATS. Source: §5.2. */
export const EATS = { NONE: 0b00, FULL: 0b01, SPLIT: 0b10, DPT: 0b11 } as const;

/** STE.PRIVCFG and STE.INSTCFG; 0b00 and 0b01 use the incoming attribute. Source: §5.2. */
export const PRIVCFG = { UNPRIVILEGED: 0b10, PRIVILEGED: 0b11 } as const;
export const INSTCFG = { DATA: 0b10, INSTRUCTION: 0b11 } as const;

/** STE.SHCFG. Source: §5.2. */
export const SHCFG = { NON_SHAREABLE: 0b00, INCOMING: 0b01, OUTER: 0b10, INNER: 0b11 } as const;

/** SH[1:0] of descriptors, CD.SHx and STE.S2SH0; 0b01 is reserved. Source: §5.4; DDI 0487 D8.6.2. */
export const SH = { NON_SHAREABLE: 0b00, OUTER: 0b10, INNER: 0b11 } as const;

/** Device types: MAIR.Attr[3:2] with Attr[7:4]=0, stage 2 MemAttr[1:0]. Source: §5.4 (MAIR0); DDI 0487 D8.6.5. */
export const DEVICE_TYPES = ["Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE"] as const;

/** MAIR.Attr of a level that is Non-cacheable, and its bits where it is cacheable. Source: §5.4 (MAIR0). */
export const MAIR_LEVEL = {
  NON_CACHEABLE: 0b0100,
  NON_TRANSIENT: 0b1000,
  WRITE_BACK: 0b0100,
  READ_ALLOCATE: 0b0010,
  WRITE_ALLOCATE: 0b0001,
} as const;

/** Stage 2 MemAttr[3:2] and [1:0] of Normal memory without FWB, and STE.MemAttr. Source: DDI 0487 D8.6.5. */
export const S2_CACHEABILITY = { NON_CACHEABLE: 0b01, WRITE_THROUGH: 0b10, WRITE_BACK: 0b11 } as const;

/** Stage 2 MemAttr[2:0] of what is not Device, with FWB. Source: DDI 0487 D8.6.6. */
export const S2_FWB = { NON_CACHEABLE: 0b101, WRITE_BACK: 0b110, STAGE1: 0b111 } as const;

/** STE.ALLOCCFG and GBPA.ALLOCCFG. Source: §5.2, §6.3.14. */
export const ALLOCCFG = { OVERRIDE: 0b1000, READ_ALLOCATE: 0b0100, WRITE_ALLOCATE: 0b0010, TRANSIENT: 0b0001 } as const;

/** Address size in bits for IDR5.OAS, CD.IPS and STE.S2PS. 0b111 is 56 bits, which needs D128. Source: §6.3.6. */
export const ADDRESS_SIZE_BITS = [32, 36, 40, 42, 44, 48, 52, 56] as const;

/** log2 of the page for CD.TG0 and STE.S2TG; -1 is reserved. Source: §5.4, §5.2. */
export const TG0_PAGE_BITS = [12, 16, 14, -1] as const;

/** log2 of the page for CD.TG1, which is encoded differently from TG0. Source: §5.4. */
export const TG1_PAGE_BITS = [-1, 14, 12, 16] as const;

/** log2 of the page for the TG field of TLB invalidation commands; 0 is "no range". Source: §4.4.1. */
export const TLBI_TG_PAGE_BITS = [-1, 12, 14, 16] as const;

/** IDR0.STALL_MODEL. Source: §6.3.1. */
export const STALL_MODEL = { BOTH: 0b00, TERMINATE: 0b01, FORCED: 0b10 } as const;

/** IDR0.TTENDIAN. Source: §6.3.1. */
export const TTENDIAN = { MIXED: 0b00, LITTLE: 0b10, BIG: 0b11 } as const;

/** Level of table at which a stage 2 walk starts, by [S2TG page bits][S2SL0]; undefined is reserved. Source: §5.2. */
export const S2_START_LEVEL: Readonly<Record<number, readonly (number | undefined)[]>> = {
  12: [2, 1, 0, 3],
  14: [3, 2, 1, 0],
  16: [3, 2, 1, undefined],
};

/** CMDQ_CONS.ERR. Source: §7.5.1. */
export const CERROR = { NONE: 0, ILL: 1, ABT: 2, ATC_INV_SYNC: 3 } as const;

/** CMD_PRI_RESP.Resp; 0b11 is reserved and ILLEGAL. Source: §4.5.2. */
export const PRI_RESP = { FAILURE: 0b00, INVALID: 0b01, SUCCESS: 0b10 } as const;

/** CMD_SYNC.CS. Source: §4.7.3. */
export const SYNC_CS = { NONE: 0b00, IRQ: 0b01, SEV: 0b10 } as const;

/** STRTAB_BASE_CFG.FMT. Source: §6.3.25. */
export const STRTAB_FMT = { LINEAR: 0b00, TWO_LEVEL: 0b01 } as const;

/** CLASS of a fault record. Source: §7.3. */
export const EVENT_CLASS = { CD: 0b00, TTD: 0b01, IN: 0b10 } as const;
