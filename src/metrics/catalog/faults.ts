// Faults on their way to whom they concern: streams, rings, answers, diagnoses.

import type { Metric } from "./metric.ts";

export const FAULTS = {
  faultSubscribers: {
    type: "gauge",
    name: "iommu_broker_fault_subscribers",
    help: "Open WatchFaults streams, by view: owner, observer.",
    labels: ["view"],
  },
  faultsRecorded: {
    type: "counter",
    name: "iommu_broker_fault_events_recorded_total",
    help: "Events of owned devices, those that the rate limit held back included.",
    labels: [],
  },
  faultsDelivered: {
    type: "counter",
    name: "iommu_broker_fault_events_delivered_total",
    help: "Events given to WatchFaults streams, once for each stream.",
    labels: [],
  },
  faultsSuppressed: {
    type: "counter",
    name: "iommu_broker_fault_events_suppressed_total",
    help: "Events that limits.fault_events_per_second held back, told in sums.",
    labels: [],
  },
  faultsHostOnly: {
    type: "counter",
    name: "iommu_broker_fault_events_host_only_total",
    help: "Events that are the host's business: stage 2, or its structures.",
    labels: [],
  },
  faultsDropped: {
    type: "counter",
    name: "iommu_broker_fault_events_dropped_total",
    help: "Events not given to whom they would go, by reason: unrouted (no owner), overrun (the reader was slower than the ring is long), released (the device left before the reader took them), hardware_overflow (a queue of the IOMMU, or natively of the kernel, lost some: counted are the times, for nobody knows how many).",
    labels: ["reason"],
  },
  faultsHeld: {
    type: "gauge",
    name: "iommu_broker_fault_history_entries",
    help: "Events, gaps and resolutions in the rings of all devices.",
    labels: [],
  },
  faultsPending: {
    type: "gauge",
    name: "iommu_broker_faults_pending",
    help: "Stalled transactions and groups of page requests that wait for an answer.",
    labels: [],
  },
  faultResolutions: {
    type: "counter",
    name: "iommu_broker_fault_resolutions_total",
    help: "Ends of what waited, by outcome: answered, timed-out, owner-gone, stage-changed.",
    labels: ["outcome"],
  },
  faultDiagnoses: {
    type: "counter",
    name: "iommu_broker_fault_diagnoses_total",
    help: "Diagnoses asked for: made, cached (one of the same page was there), over_budget (limits.fault_diagnoses_per_second).",
    labels: ["result"],
  },
} as const satisfies Record<string, Metric>;
