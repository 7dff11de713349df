// Counters that a scrape reads: plain numbers that only grow, named after the architecture's performance events
// (IHI 0070G.b §10.3: transaction, tlb_miss, config_cache_miss, trans_table_walk_access, config_struct_access).

import type { DeviceID, IommuID } from "./ids.ts";

/** One host IOMMU since the backend started. */
export interface IommuCounters {
  readonly iommu: IommuID;
  readonly transactions: number;
  readonly tlbHits: number;
  readonly tlbMisses: number;
  readonly configCacheMisses: number;
  readonly transTableWalkAccesses: number;
  readonly configStructAccesses: number;
  readonly commands: number;
  readonly eventsRecorded: number;
  readonly eventsDropped: number;
  /** Faults whose record was merged with the one before it. */
  readonly eventsMerged: number;
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
  /** Faults by event name. */
  readonly faults: Readonly<Record<string, number>>;
}

/** Everything a scrape reads from a backend. */
export interface BackendCounters {
  /** Natively none. */
  readonly iommus: readonly IommuCounters[];
  /** Attached devices only. */
  readonly devices: readonly DeviceCounters[];
}
