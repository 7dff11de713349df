// What sessions hold now, in all and by client, and how busy the daemon is with it.

import type { Metric } from "./metric.ts";

export const HOLDINGS = {
  sessions: {
    type: "gauge",
    name: "iommu_broker_sessions",
    help: "Sessions that have not ended: live, restored after a restart and not yet used, or lost and in their grace.",
    labels: ["state"],
  },
  addressSpaces: { type: "gauge", name: "iommu_broker_address_spaces", help: "Address spaces.", labels: [] },
  virtualIommus: { type: "gauge", name: "iommu_broker_virtual_iommus", help: "Virtual IOMMUs.", labels: [] },
  mappedBytes: {
    type: "gauge",
    name: "iommu_broker_mapped_bytes",
    help: "Guest memory mapped in all address spaces.",
    labels: [],
  },
  pinnedBytes: {
    type: "gauge",
    name: "iommu_broker_pinned_bytes",
    help: "Guest memory in stage-2 tables, which a kernel keeps pinned; what waits for a first bind is not.",
    labels: [],
  },
  leases: {
    type: "gauge",
    name: "iommu_broker_leases",
    help: "Sessions that hang on a lease and not on a process, by state.",
    labels: ["state"],
  },
  clientSessions: {
    type: "gauge",
    name: "iommu_broker_client_sessions",
    help: "Sessions by client: the name of the policy rule that lets it attach devices.",
    labels: ["client"],
  },
  clientDevices: {
    type: "gauge",
    name: "iommu_broker_client_devices",
    help: "Attached devices by client.",
    labels: ["client"],
  },
  clientMappedBytes: {
    type: "gauge",
    name: "iommu_broker_client_mapped_bytes",
    help: "Guest memory mapped by client.",
    labels: ["client"],
  },
  queueDepth: {
    type: "gauge",
    name: "iommu_broker_queue_depth",
    help: "Calls that hold an address space, a virtual IOMMU or an IOMMU group, or wait for one.",
    labels: [],
  },
  eventLoopLag: {
    type: "gauge",
    name: "iommu_broker_event_loop_lag_seconds",
    help: "How late the event loop came in the last half minute to minute: p50, p99, max. Whoever scrapes takes nothing from others.",
    labels: ["statistic"],
  },
} as const satisfies Record<string, Metric>;
