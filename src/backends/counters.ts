// Counters that a scrape reads: plain numbers that only grow, named after the architecture's performance events
// (IHI 0070G.b §10.3: transaction, tlb_miss, config_cache_miss, trans_table_walk_access, config_struct_access).

import type { FaultClass } from "./faults.ts";
import type { DeviceID } from "./ids.ts";
import type { FaultKind } from "./told-faults.ts";

/** One host IOMMU since the backend started. Undefined: nobody counts it. */
export interface IommuCounters {
  /** An IommuID; natively the name of a group of counters, of which nobody tells whose they are. */
  readonly iommu: string;
  readonly transactions: number | undefined;
  readonly tlbHits: number | undefined;
  readonly tlbMisses: number | undefined;
  readonly configCacheMisses: number | undefined;
  readonly transTableWalkAccesses: number | undefined;
  readonly configStructAccesses: number | undefined;
  readonly commands: number | undefined;
  /** Commands that invalidate something, by name; every one that this IOMMU may be given is there. */
  readonly invalidations: Readonly<Record<string, number>>;
  readonly eventsRecorded: number | undefined;
  readonly eventsDropped: number | undefined;
  /** Times its event queue began to overflow. */
  readonly eventQueueOverflows: number | undefined;
  /** Faults whose record was merged with the one before it. */
  readonly eventsMerged: number | undefined;
  /** Transactions that wait in it now: a gauge. */
  readonly stallsOutstanding: number | undefined;
}

/** Faults of a device that have these in common. */
export interface FaultCount {
  /** Event name. */
  readonly type: string;
  readonly stage: 1 | 2 | undefined;
  readonly class: FaultClass | undefined;
  readonly count: number;
}

/** One attached device since it was attached. Undefined: nobody counts it. Natively the kernel counts for nobody. */
export interface DeviceCounters {
  readonly device: DeviceID;
  /** Transactions that got an output address. */
  readonly translationsOk: number | undefined;
  /** Transactions ended by an architected fault. */
  readonly translationsFaulted: number | undefined;
  /** Transactions terminated silently (abort STE). */
  readonly translationsAborted: number | undefined;
  /** DMA writes that arrived at the host's MSI doorbell. */
  readonly msis: number | undefined;
  /** Which faults can be told of it: those of its IOMMU. Of others nobody knows whether they occurred. */
  readonly tells: readonly FaultKind[];
  /** One entry for each type, stage and class that occurred. */
  readonly faults: readonly FaultCount[];
}

/** Everything a scrape reads from a backend. */
export interface BackendCounters {
  /** False: the hardware counts neither translations nor TLB lookups: they are undefined. */
  readonly hasTranslationCounters: boolean;
  /** Natively those that have counters of their own (PMCG), which count few of these. */
  readonly iommus: readonly IommuCounters[];
  /** Attached devices only. */
  readonly devices: readonly DeviceCounters[];
}
