// What the dashboards show, as one table: a dashboard is rows of panels, a panel is a few expressions.
// $instance and $device are the dashboards' variables; dashboard-json.ts makes what Grafana reads.

export type Unit = "ops" | "reqps" | "percentunit" | "s" | "bytes" | "short" | "none" | "Bps";

export interface Query {
  readonly expression: string;
  /** "{{device}}": of the series' labels. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly kind: "timeseries" | "stat" | "table";
  readonly unit: Unit;
  readonly queries: readonly Query[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly hasDevice: boolean;
  readonly rows: readonly (readonly Panel[])[];
}

const ON = '{instance=~"$instance"}';
const OF = '{instance=~"$instance",device=~"$device"}';

function panel(
  kind: Panel["kind"],
  title: string,
  unit: Unit,
  { description, queries }: { readonly description: string; readonly queries: readonly (readonly [string, string])[] },
): Panel {
  return { kind, title, unit, description, queries: queries.map(([expression, legend]) => ({ expression, legend })) };
}

const OVERVIEW: Dashboard = {
  uid: "iommu-broker-overview",
  title: "IOMMU / Overview",
  description: "How much is translated, how much of it faults, and who owns what.",
  hasDevice: false,
  rows: [
    [
      panel("stat", "Translations", "ops", {
        description: "Of all attached devices, over five minutes.",
        queries: [[`sum(instance:iommu_translations:rate5m${ON})`, ""]],
      }),
      panel("stat", "Faults", "ops", {
        description: "Architected faults of all attached devices.",
        queries: [[`sum(instance:iommu_faults:rate5m${ON})`, ""]],
      }),
      panel("stat", "Attached devices", "short", {
        description: "Devices that a session owns and has attached.",
        queries: [[`sum(iommu_broker_client_devices${ON})`, ""]],
      }),
      panel("stat", "Devices withheld", "short", {
        description: "In quarantine: nobody gets them until an administrator says so.",
        queries: [[`sum(iommu_broker_quarantined_devices${ON})`, ""]],
      }),
    ],
    [
      panel("timeseries", "Translation rate by device", "ops", {
        description: "Transactions that reached the device's IOMMU, whatever came of them.",
        queries: [[`topk(20, device:iommu_translations:rate5m${ON})`, "{{device}}"]],
      }),
      panel("timeseries", "Fault rate by device and event", "ops", {
        description: "The event's name says which structure was wrong.",
        queries: [[`topk(20, device_event_type:iommu_faults:rate5m${ON} > 0)`, "{{device}} {{event_type}}"]],
      }),
    ],
    [
      panel("timeseries", "TLB hit ratio", "percentunit", {
        description: "Of the lookups; no line while there are none.",
        queries: [[`iommu:iommu_tlb_hits:ratio_rate5m${ON}`, "{{iommu}}"]],
      }),
      panel("timeseries", "Translations that failed", "percentunit", {
        description: "Share of a device's transactions that faulted or were aborted.",
        queries: [[`topk(20, device:iommu_translation_errors:ratio_rate5m${ON})`, "{{device}}"]],
      }),
    ],
    [
      panel("table", "Owners", "short", {
        description: "By the policy rule that lets a session attach devices.",
        queries: [[`iommu_broker_client_devices${ON}`, "{{client}}"]],
      }),
      panel("timeseries", "Guest memory by owner", "bytes", {
        description: "Mapped; a page that is mapped twice counts twice.",
        queries: [[`iommu_broker_client_mapped_bytes${ON}`, "{{client}}"]],
      }),
      panel("timeseries", "Devices by stage state", "short", {
        description: "abort, quarantined and releasing pass no DMA.",
        queries: [[`sum by (state) (iommu_stage_state${ON})`, "{{state}}"]],
      }),
    ],
  ],
};

const DEVICE: Dashboard = {
  uid: "iommu-broker-device",
  title: "IOMMU / Device",
  description: "One device: its stage, its translations, its faults, and the IOMMU that it sits behind.",
  hasDevice: true,
  rows: [
    [
      panel("stat", "Stage state", "none", {
        description: "What the IOMMU does with its DMA now.",
        queries: [[`iommu_stage_state${OF} == 1`, "{{state}}"]],
      }),
      panel("stat", "Generation", "none", {
        description: "Changes of its group's stage: a client that missed one is fenced.",
        queries: [[`iommu_stage_generation${OF}`, "{{device}}"]],
      }),
      panel("stat", "Faults since it was attached", "none", {
        description: "All events.",
        queries: [[`sum(iommu_faults_total${OF})`, ""]],
      }),
      panel("stat", "Interrupt messages", "none", {
        description: "MSIs that arrived at the host's doorbell.",
        queries: [[`sum(iommu_msis_total${OF})`, ""]],
      }),
    ],
    [
      panel("timeseries", "Translations by outcome", "ops", {
        description: "abort: terminated without a record, by an STE that says so.",
        queries: [[`sum by (outcome) (rate(iommu_translations_total${OF}[$__rate_interval]))`, "{{outcome}}"]],
      }),
      panel("timeseries", "Faults by event, stage and class", "ops", {
        description:
          "Stage 1 is the guest's tables; stage 2 with class TTD or CD is a table of the guest outside of its memory.",
        queries: [
          [
            `sum by (event_type, stage, class) (rate(iommu_faults_total${OF}[$__rate_interval])) > 0`,
            "{{event_type}} stage {{stage}} {{class}}",
          ],
        ],
      }),
    ],
    [
      panel("timeseries", "TLB of the host's IOMMUs", "ops", {
        description: "Counted by the IOMMU, over all its devices.",
        queries: [
          [`rate(iommu_tlb_hits_total${ON}[$__rate_interval])`, "{{iommu}} hits"],
          [`rate(iommu_tlb_misses_total${ON}[$__rate_interval])`, "{{iommu}} misses"],
          [`rate(iommu_config_cache_misses_total${ON}[$__rate_interval])`, "{{iommu}} configuration misses"],
        ],
      }),
      panel("timeseries", "Invalidations by command", "ops", {
        description: "The host's and the guests'.",
        queries: [[`sum by (command) (rate(iommu_invalidations_total${ON}[$__rate_interval])) > 0`, "{{command}}"]],
      }),
      panel("timeseries", "Reads of tables", "ops", {
        description: "Descriptors of translation tables, and STEs and CDs.",
        queries: [
          [`rate(iommu_translation_table_walk_accesses_total${ON}[$__rate_interval])`, "{{iommu}} descriptors"],
          [`rate(iommu_config_struct_accesses_total${ON}[$__rate_interval])`, "{{iommu}} STEs and CDs"],
        ],
      }),
    ],
    [
      panel("timeseries", "Stalls and what waits for an answer", "short", {
        description: "Transactions that wait in the IOMMU; stalls and page requests that wait for their owner.",
        queries: [
          [`iommu_stalls_outstanding${ON}`, "{{iommu}} stalled"],
          [`iommu_broker_faults_pending${ON}`, "pending"],
        ],
      }),
      panel("timeseries", "Event queue", "ops", {
        description: "Records written, merged with the one before, and lost.",
        queries: [
          [`rate(iommu_events_recorded_total${ON}[$__rate_interval])`, "{{iommu}} recorded"],
          [`rate(iommu_events_merged_total${ON}[$__rate_interval])`, "{{iommu}} merged"],
          [`rate(iommu_events_dropped_total${ON}[$__rate_interval])`, "{{iommu}} lost"],
        ],
      }),
    ],
  ],
};

const BROKER: Dashboard = {
  uid: "iommu-broker-health",
  title: "IOMMU / Broker health",
  description: "The daemon: calls, sessions, faults on their way to readers, journal, the process.",
  hasDevice: false,
  rows: [
    [
      panel("stat", "Up since", "s", {
        description: "Age of the process.",
        queries: [[`time() - process_start_time_seconds${ON}`, "{{instance}}"]],
      }),
      panel("stat", "Version", "none", {
        description: "What runs.",
        queries: [[`iommu_broker_build_info${ON}`, "{{version}} {{backend}}"]],
      }),
      panel("stat", "Calls that failed", "percentunit", {
        description: "By the broker's fault; a refusal is an answer.",
        queries: [[`instance:grpc_server_errors:ratio_rate5m${ON}`, "{{instance}}"]],
      }),
      panel("stat", "Journal", "none", {
        description: "1: what outlives the daemon is kept. 0: state_directory is off.",
        queries: [[`iommu_broker_journal_enabled${ON}`, "{{instance}}"]],
      }),
    ],
    [
      panel("timeseries", "Calls by method", "reqps", {
        description: "Completed, whatever came of them.",
        queries: [
          [
            `topk(15, sum by (grpc_method) (rate(grpc_server_handled_total${ON}[$__rate_interval])))`,
            "{{grpc_method}}",
          ],
        ],
      }),
      panel("timeseries", "Calls by code", "reqps", {
        description: "OK is not shown.",
        queries: [
          [
            'sum by (grpc_code) (rate(grpc_server_handled_total{instance=~"$instance",grpc_code!="OK"}[$__rate_interval]))',
            "{{grpc_code}}",
          ],
        ],
      }),
      panel("timeseries", "Time of unary calls", "s", {
        description: "99 of 100 are answered within.",
        queries: [[`instance:grpc_server_handling_seconds:p99_rate5m${ON}`, "p99"]],
      }),
    ],
    [
      panel("timeseries", "Sessions and leases", "short", {
        description: "restored: of before a restart. lost: in their grace.",
        queries: [
          [`iommu_broker_sessions${ON}`, "{{state}}"],
          [`iommu_broker_leases${ON}`, "leases {{state}}"],
        ],
      }),
      panel("timeseries", "Sessions lost, conflicts and limits", "ops", {
        description: "Why somebody did not get what he asked for, or no longer has it.",
        queries: [
          [`sum by (reason) (rate(iommu_broker_sessions_lost_total${ON}[$__rate_interval]))`, "lost: {{reason}}"],
          [`sum by (reason) (rate(iommu_broker_lease_conflicts_total${ON}[$__rate_interval]))`, "conflict: {{reason}}"],
          [`sum(rate(iommu_broker_limit_reached_total${ON}[$__rate_interval]))`, "limits"],
        ],
      }),
      panel("timeseries", "Memory handed over", "bytes", {
        description: "Mapped in address spaces, and of that in stage 2.",
        queries: [
          [`iommu_broker_mapped_bytes${ON}`, "mapped"],
          [`iommu_broker_pinned_bytes${ON}`, "pinned"],
        ],
      }),
    ],
    [
      panel("timeseries", "Fault events on their way", "ops", {
        description: "Recorded for an owner, handed to readers, held back by the rate limit, lost.",
        queries: [
          [`rate(iommu_broker_fault_events_recorded_total${ON}[$__rate_interval])`, "recorded"],
          [`rate(iommu_broker_fault_events_delivered_total${ON}[$__rate_interval])`, "delivered"],
          [`rate(iommu_broker_fault_events_suppressed_total${ON}[$__rate_interval])`, "suppressed"],
          [
            `sum by (reason) (rate(iommu_broker_fault_events_dropped_total${ON}[$__rate_interval]))`,
            "lost: {{reason}}",
          ],
        ],
      }),
      panel("timeseries", "Queues", "short", {
        description: "Calls that hold or wait for an object, and that stand in line for a device.",
        queries: [
          [`iommu_broker_queue_depth${ON}`, "objects"],
          [`iommu_broker_attach_waiters${ON}`, "devices"],
        ],
      }),
      panel("timeseries", "Descriptor tickets", "short", {
        description: "Guest memory that was passed and is not mapped yet.",
        queries: [[`iommu_broker_tickets${ON}`, "{{state}}"]],
      }),
    ],
    [
      panel("timeseries", "Journal writes", "Bps", {
        description: "What the disk has acknowledged.",
        queries: [[`rate(iommu_broker_journal_written_bytes_total${ON}[$__rate_interval])`, "written"]],
      }),
      panel("timeseries", "Time of a journal write", "s", {
        description: "Every call that changes something waits for one.",
        queries: [
          [
            `rate(iommu_broker_journal_write_seconds_total${ON}[$__rate_interval]) / (rate(iommu_broker_journal_writes_total${ON}[$__rate_interval]) > 0)`,
            "mean",
          ],
        ],
      }),
      panel("timeseries", "Event-loop lag", "s", {
        description: "How late the daemon comes to what is due.",
        queries: [[`iommu_broker_event_loop_lag_seconds${ON}`, "{{statistic}}"]],
      }),
      panel("timeseries", "The process", "bytes", {
        description: "Resident memory.",
        queries: [[`process_resident_memory_bytes${ON}`, "resident"]],
      }),
    ],
  ],
};

export const DASHBOARDS: readonly Dashboard[] = [OVERVIEW, DEVICE, BROKER];
