// The MMIO register file: offsets and fields.
// Offsets of page 1 registers are absolute, 0x10000 and up.
// Source: IHI 0070G.b §6.1 (register map) and §6.3 (one section a register).

import { layout } from "./layout.ts";

/** Byte offsets of the Non-secure registers. Source: §6.1. */
export const REGISTER = {
  IDR0: 0x000,
  IDR1: 0x004,
  IDR2: 0x008,
  IDR3: 0x00c,
  IDR4: 0x010,
  IDR5: 0x014,
  IIDR: 0x018,
  AIDR: 0x01c,
  CR0: 0x020,
  CR0ACK: 0x024,
  CR1: 0x028,
  CR2: 0x02c,
  STATUSR: 0x040,
  GBPA: 0x044,
  AGBPA: 0x048,
  IRQ_CTRL: 0x050,
  IRQ_CTRLACK: 0x054,
  GERROR: 0x060,
  GERRORN: 0x064,
  GERROR_IRQ_CFG0: 0x068,
  GERROR_IRQ_CFG1: 0x070,
  GERROR_IRQ_CFG2: 0x074,
  STRTAB_BASE: 0x080,
  STRTAB_BASE_CFG: 0x088,
  CMDQ_BASE: 0x090,
  CMDQ_PROD: 0x098,
  CMDQ_CONS: 0x09c,
  EVENTQ_BASE: 0x0a0,
  EVENTQ_IRQ_CFG0: 0x0b0,
  EVENTQ_IRQ_CFG1: 0x0b8,
  EVENTQ_IRQ_CFG2: 0x0bc,
  PRIQ_BASE: 0x0c0,
  PRIQ_IRQ_CFG0: 0x0d0,
  PRIQ_IRQ_CFG1: 0x0d8,
  PRIQ_IRQ_CFG2: 0x0dc,
  IDR6: 0x190,
  EVENTQ_PROD: 0x100a8,
  EVENTQ_CONS: 0x100ac,
  PRIQ_PROD: 0x100c8,
  PRIQ_CONS: 0x100cc,
} as const;

/** Identification register 0. Source: §6.3.1. */
export const IDR0 = layout(32, {
  S2P: 0,
  S1P: 1,
  TTF: [3, 2],
  COHACC: 4,
  BTM: 5,
  HTTU: [7, 6],
  DORMHINT: 8,
  Hyp: 9,
  ATS: 10,
  NS1ATS: 11,
  ASID16: 12,
  MSI: 13,
  SEV: 14,
  ATOS: 15,
  PRI: 16,
  VMW: 17,
  VMID16: 18,
  CD2L: 19,
  VATOS: 20,
  TTENDIAN: [22, 21],
  ATSRECERR: 23,
  STALL_MODEL: [25, 24],
  TERM_MODEL: 26,
  ST_LEVEL: [28, 27],
  RME_IMPL: 30,
});

/** Identification register 1. Source: §6.3.2. */
export const IDR1 = layout(32, {
  SIDSIZE: [5, 0],
  SSIDSIZE: [10, 6],
  PRIQS: [15, 11],
  EVENTQS: [20, 16],
  CMDQS: [25, 21],
  ATTR_PERMS_OVR: 26,
  ATTR_TYPES_OVR: 27,
  REL: 28,
  QUEUES_PRESET: 29,
  TABLES_PRESET: 30,
  ECMDQ: 31,
});

/** Identification register 2. Source: §6.3.3. */
export const IDR2 = layout(32, { BA_VATOS: [9, 0] });

/** Identification register 3. Source: §6.3.4. */
export const IDR3 = layout(32, {
  HAD: 2,
  PBHA: 3,
  XNX: 4,
  PPS: 5,
  MPAM: 7,
  FWB: 8,
  STT: 9,
  RIL: 10,
  BBML: [12, 11],
  E0PD: 13,
  PTWNNC: 14,
  DPT: 15,
  PASIDTT: 16,
  EPAN: 17,
  S1PI: 18,
  S2PI: 19,
  S2PO: 20,
  THE: 21,
  MTEPERM: 22,
  AIE: 23,
});

/** Identification register 5. Source: §6.3.6. */
export const IDR5 = layout(32, {
  OAS: [2, 0],
  GRAN4K: 4,
  GRAN16K: 5,
  GRAN64K: 6,
  DS: 7,
  D128: 8,
  VAX: [11, 10],
  STALL_MAX: [31, 16],
});

/** Implementation identification register. Source: §6.3.7. */
export const IIDR = layout(32, { Implementer: [11, 0], Revision: [15, 12], Variant: [19, 16], ProductID: [31, 20] });

/** Identification register 6: enhanced command queues. Source: §6.3.7. */
export const IDR6 = layout(32, { CMDQ_CONTROL_PAGE_LOG2NUMQ: [19, 16], CMDQ_CONTROL_PAGE_LOG2NUMP: [27, 24] });

/** Architecture identification register. Source: §6.3.8. */
export const AIDR = layout(32, { ArchMinorRev: [3, 0], ArchMajorRev: [7, 4] });

/** Control register 0 and its acknowledgement. Source: §6.3.9. */
export const CR0 = layout(32, {
  SMMUEN: 0,
  PRIQEN: 1,
  EVENTQEN: 2,
  CMDQEN: 3,
  ATSCHK: 4,
  VMW: [8, 6],
  DPT_WALK_EN: 10,
});

/** Control register 2. Source: §6.3.12. */
export const CR2 = layout(32, { E2H: 0, RECINVSID: 1, PTM: 2, REC_CFG_ATS: 3 });

/** Global bypass attribute register. Source: §6.3.14. */
export const GBPA = layout(32, {
  MemAttr: [3, 0],
  MTCFG: 4,
  ALLOCCFG: [11, 8],
  SHCFG: [13, 12],
  PRIVCFG: [17, 16],
  INSTCFG: [19, 18],
  ABORT: 20,
  Update: 31,
});

/** Interrupt control register and its acknowledgement. Source: §6.3.16. */
export const IRQ_CTRL = layout(32, { GERROR_IRQEN: 0, PRIQ_IRQEN: 1, EVENTQ_IRQEN: 2 });

/** Global errors: a bit is active while GERROR and GERRORN differ. Source: §6.3.18. */
export const GERROR = layout(32, {
  CMDQ_ERR: 0,
  EVENTQ_ABT_ERR: 2,
  PRIQ_ABT_ERR: 3,
  MSI_CMDQ_ABT_ERR: 4,
  MSI_EVENTQ_ABT_ERR: 5,
  MSI_PRIQ_ABT_ERR: 6,
  MSI_GERROR_ABT_ERR: 7,
  SFM_ERR: 8,
});

/** Stream table base. ADDR is address[55:6]. Source: §6.3.24. */
export const STRTAB_BASE = layout(64, { ADDR: [55, 6], RA: 62 });

/** Stream table configuration. Source: §6.3.25. */
export const STRTAB_BASE_CFG = layout(32, { LOG2SIZE: [5, 0], SPLIT: [10, 6], FMT: [17, 16] });

/** Command and event queue base: ADDR is address[55:5]. Source: §6.3.26, §6.3.29. */
export const QUEUE_BASE = layout(64, { LOG2SIZE: [4, 0], ADDR: [55, 5], WA: 62 });

/** Command queue consumer index. Source: §6.3.28. */
export const CMDQ_CONS = layout(32, { RD: [19, 0], ERR: [30, 24] });

/** Event queue producer index. Source: §6.3.30. */
export const EVENTQ_PROD = layout(32, { WR: [19, 0], OVFLG: 31 });

/** Event queue consumer index. Source: §6.3.31. */
export const EVENTQ_CONS = layout(32, { RD: [19, 0], OVACKFLG: 31 });

/** PRI queue indexes, both in page 1, of the same form as the Event queue's. Source: §6.1, §8.1. */
export const PRIQ_PROD = layout(32, { WR: [19, 0], OVFLG: 31 });
export const PRIQ_CONS = layout(32, { RD: [19, 0], OVACKFLG: 31 });

/** PRI queue interrupt configuration; LO: only for messages with Last set. Source: §6.3.36. */
export const PRIQ_IRQ_CFG2 = layout(32, { MemAttr: [3, 0], SH: [5, 4], LO: 31 });
