// The hardware's metrics: what IOMMUs and attached devices did, and what their stages are. Absent where nothing counts them.

import type { Metric } from "./metric.ts";

export const HARDWARE = {
  translations: {
    type: "counter",
    name: "iommu_translations_total",
    help: "Transactions of an attached device since it was attached, by how they ended.",
    labels: ["device", "outcome"],
  },
  faults: {
    type: "counter",
    name: "iommu_faults_total",
    help: "Architected faults of an attached device since it was attached, by event name, stage (1, 2, none) and class (IN, TTD, CD, none).",
    labels: ["device", "event_type", "stage", "class"],
  },
  msis: {
    type: "counter",
    name: "iommu_msis_total",
    help: "DMA writes of an attached device that arrived at the host's MSI doorbell since it was attached or reset.",
    labels: ["device"],
  },
  transactions: {
    type: "counter",
    name: "iommu_transactions_total",
    help: "Transactions that reached an IOMMU.",
    labels: ["iommu"],
  },
  tlbHits: {
    type: "counter",
    name: "iommu_tlb_hits_total",
    help: "Transactions answered by the TLB.",
    labels: ["iommu"],
  },
  tlbMisses: {
    type: "counter",
    name: "iommu_tlb_misses_total",
    help: "Transactions that needed a table walk.",
    labels: ["iommu"],
  },
  configCacheMisses: {
    type: "counter",
    name: "iommu_config_cache_misses_total",
    help: "Transactions whose STE or CD was not cached.",
    labels: ["iommu"],
  },
  walkAccesses: {
    type: "counter",
    name: "iommu_translation_table_walk_accesses_total",
    help: "Descriptors read by table walks.",
    labels: ["iommu"],
  },
  configAccesses: {
    type: "counter",
    name: "iommu_config_struct_accesses_total",
    help: "Reads of stream tables and CD tables.",
    labels: ["iommu"],
  },
  commands: {
    type: "counter",
    name: "iommu_commands_total",
    help: "Commands an IOMMU took from its command queue.",
    labels: ["iommu"],
  },
  invalidations: {
    type: "counter",
    name: "iommu_invalidations_total",
    help: "Commands that invalidate cached configuration, TLB entries or ATC entries, the host's and the guests', by name.",
    labels: ["iommu", "command"],
  },
  eventsRecorded: {
    type: "counter",
    name: "iommu_events_recorded_total",
    help: "Records an IOMMU wrote to its event queue.",
    labels: ["iommu"],
  },
  eventsDropped: {
    type: "counter",
    name: "iommu_events_dropped_total",
    help: "Records lost because an event queue was full.",
    labels: ["iommu"],
  },
  eventQueueOverflows: {
    type: "counter",
    name: "iommu_event_queue_overflows_total",
    help: "Times an event queue was found full; counts again once software has seen the overflow.",
    labels: ["iommu"],
  },
  eventsMerged: {
    type: "counter",
    name: "iommu_events_merged_total",
    help: "Faults without a record of their own: it was equal to the one before it.",
    labels: ["iommu"],
  },
  stallsOutstanding: {
    type: "gauge",
    name: "iommu_stalls_outstanding",
    help: "Stalled transactions that wait in an IOMMU.",
    labels: ["iommu"],
  },
  translationCounters: {
    type: "gauge",
    name: "iommu_translation_counters_available",
    help: "1 where the hardware counts translations and TLB lookups; 0 where it does not, and then their series are absent.",
    labels: [],
  },
  stageState: {
    type: "gauge",
    name: "iommu_stage_state",
    help: "1 for the stage state that a device is in, 0 for the others.",
    labels: ["device", "state"],
  },
  generation: {
    type: "gauge",
    name: "iommu_stage_generation",
    help: "Changes of stage state of a device's IOMMU group.",
    labels: ["device"],
  },
} as const satisfies Record<string, Metric>;
