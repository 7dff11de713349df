// The journal, and what the last start made of it.

import type { Metric } from "./metric.ts";

export const DURABILITY = {
  journalEnabled: {
    type: "gauge",
    name: "iommu_broker_journal_enabled",
    help: "1 where a journal keeps what outlives the daemon; 0 with state_directory off.",
    labels: [],
  },
  journalRecords: {
    type: "counter",
    name: "iommu_broker_journal_records_total",
    help: "Records that the disk has.",
    labels: [],
  },
  journalWrites: {
    type: "counter",
    name: "iommu_broker_journal_writes_total",
    help: "Synchronous writes of the journal; each holds all records that came meanwhile.",
    labels: [],
  },
  journalWrittenBytes: {
    type: "counter",
    name: "iommu_broker_journal_written_bytes_total",
    help: "Bytes written to the journal.",
    labels: [],
  },
  journalWriteSeconds: {
    type: "counter",
    name: "iommu_broker_journal_write_seconds_total",
    help: "Time that writes of the journal and snapshots took until the disk had them, in seconds.",
    labels: [],
  },
  journalSnapshots: {
    type: "counter",
    name: "iommu_broker_journal_snapshots_total",
    help: "Times a snapshot took the journal's place.",
    labels: [],
  },
  journalFailures: {
    type: "counter",
    name: "iommu_broker_journal_failures_total",
    help: "Writes of the journal that failed; the daemon ends after the first.",
    labels: [],
  },
  journalBytes: {
    type: "gauge",
    name: "iommu_broker_journal_bytes",
    help: "Length of the journal; limits.journal_bytes_max is when a snapshot takes its place.",
    labels: [],
  },
  journalTornBytes: {
    type: "gauge",
    name: "iommu_broker_journal_torn_bytes",
    help: "Bytes of an unfinished write that the last start found and cut off.",
    labels: [],
  },
  recoverySeconds: {
    type: "gauge",
    name: "iommu_broker_recovery_seconds",
    help: "Time that the last start took to rebuild what the journal told, in seconds.",
    labels: [],
  },
} as const satisfies Record<string, Metric>;
