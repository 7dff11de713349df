// The daemon itself: what it refused and why, reloads, bugs, its version.

import type { Metric } from "./metric.ts";

export const PROCESS = {
  stalls: {
    type: "counter",
    name: "iommu_broker_stalls_total",
    help: "Times the daemon stood still so long that every lease was given its full length again.",
    labels: [],
  },
  limitsReached: {
    type: "counter",
    name: "iommu_broker_limit_reached_total",
    help: "Calls refused with RESOURCE_EXHAUSTED and descriptors refused, by the limit's name.",
    labels: ["limit"],
  },
  policyDenials: {
    type: "counter",
    name: "iommu_broker_policy_denials_total",
    help: "Calls refused by the policy, by the rule that decided (or default deny) and the RPC.",
    labels: ["rule", "verb"],
  },
  quotasReached: {
    type: "counter",
    name: "iommu_broker_quota_reached_total",
    help: "Calls refused because an identity has all that the policy grants it of something.",
    labels: ["quota"],
  },
  devicesForced: {
    type: "counter",
    name: "iommu_broker_devices_forced_total",
    help: "Devices that an administrator took from their owner.",
    labels: [],
  },
  reloads: {
    type: "counter",
    name: "iommu_broker_reloads_total",
    help: "Reloads of the configuration by SIGHUP: done, or failed and what was in force stays in force.",
    labels: ["outcome"],
  },
  bugs: {
    type: "counter",
    name: "iommu_broker_bugs_total",
    help: "Calls answered INTERNAL because of a bug; each is in the log.",
    labels: [],
  },
  devicesOmitted: {
    type: "gauge",
    name: "iommu_broker_metrics_devices_omitted",
    help: 'Devices beyond metrics.devices_max, counted together as device="_overflow".',
    labels: [],
  },
  buildInfo: {
    type: "gauge",
    name: "iommu_broker_build_info",
    help: "Always 1; the labels tell what runs.",
    labels: ["version", "node_version", "backend"],
  },
} as const satisfies Record<string, Metric>;
