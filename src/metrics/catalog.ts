// Every metric of the broker: name, type, help, labels. Nothing else makes one; a test compares a scrape with this table.
// iommu_ is the hardware, named after the architecture's performance events (IHI 0070G.b §10.3); iommu_broker_ is this
// process; grpc_server_ is what every gRPC dashboard expects. Labels never hold an address, a pid or a token.

export const METRICS = {
  translations: {
    type: "counter",
    name: "iommu_translations_total",
    help: "Transactions of an attached device since it was attached, by how they ended.",
    labels: ["device", "outcome"],
  },
  faults: {
    type: "counter",
    name: "iommu_faults_total",
    help: "Architected faults of an attached device since it was attached, by event name.",
    labels: ["device", "event_type"],
  },
  msis: {
    type: "counter",
    name: "iommu_msis_total",
    help: "DMA writes of an attached device that arrived at the host's MSI doorbell since it was attached.",
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
  eventsMerged: {
    type: "counter",
    name: "iommu_events_merged_total",
    help: "Faults without a record of their own: it was equal to the one before it.",
    labels: ["iommu"],
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
  sessions: { type: "gauge", name: "iommu_broker_sessions", help: "Open sessions.", labels: [] },
  addressSpaces: { type: "gauge", name: "iommu_broker_address_spaces", help: "Address spaces.", labels: [] },
  virtualIommus: { type: "gauge", name: "iommu_broker_virtual_iommus", help: "Virtual IOMMUs.", labels: [] },
  mappedBytes: {
    type: "gauge",
    name: "iommu_broker_mapped_bytes",
    help: "Guest memory mapped in all address spaces.",
    labels: [],
  },
  openMemoryFiles: {
    type: "gauge",
    name: "iommu_broker_open_memory_files",
    help: "Distinct files open as guest memory.",
    labels: [],
  },
  connections: { type: "gauge", name: "iommu_broker_connections", help: "Open client connections.", labels: [] },
  connectionsRefused: {
    type: "counter",
    name: "iommu_broker_connections_refused_total",
    help: "Client connections closed because of a limit, by its name.",
    labels: ["limit"],
  },
  tlsHandshakesRefused: {
    type: "counter",
    name: "iommu_broker_tls_handshakes_refused_total",
    help: "TLS handshakes that came to nothing, by reason.",
    labels: ["reason"],
  },
  tlsReloads: {
    type: "counter",
    name: "iommu_broker_tls_reloads_total",
    help: "Times the files of listen.tls were read, by outcome: loaded, or failed when what was read before stays.",
    labels: ["outcome"],
  },
  tlsCertificateEnd: {
    type: "gauge",
    name: "iommu_broker_tls_certificate_end_timestamp_seconds",
    help: "When the broker's own certificate ends, in Unix time; 0 without TLS.",
    labels: [],
  },
  faultSubscribers: {
    type: "gauge",
    name: "iommu_broker_fault_subscribers",
    help: "Open WatchFaults streams.",
    labels: [],
  },
  faultsUnrouted: {
    type: "counter",
    name: "iommu_broker_fault_events_unrouted_total",
    help: "Events of devices without an owner to tell.",
    labels: [],
  },
  faultsOverrun: {
    type: "counter",
    name: "iommu_broker_fault_events_overrun_total",
    help: "Events pushed out of a ring before a subscriber took them.",
    labels: [],
  },
  stageChanges: {
    type: "counter",
    name: "iommu_broker_stage_changes_total",
    help: "Changes of stage state of IOMMU groups.",
    labels: ["from", "to", "trigger"],
  },
  sessionsOpened: {
    type: "counter",
    name: "iommu_broker_sessions_opened_total",
    help: "Sessions opened.",
    labels: [],
  },
  sessionsRecovered: {
    type: "counter",
    name: "iommu_broker_sessions_recovered_total",
    help: "Sessions of before the start of the daemon, by what became of them: restored or given_up.",
    labels: ["outcome"],
  },
  sessionsEnded: {
    type: "counter",
    name: "iommu_broker_sessions_ended_total",
    help: "Sessions ended, by reason.",
    labels: ["reason"],
  },
  devicesReaped: {
    type: "counter",
    name: "iommu_broker_devices_reaped_total",
    help: "Devices taken back from sessions that ended.",
    labels: [],
  },
  reapFailures: {
    type: "counter",
    name: "iommu_broker_reap_failures_total",
    help: "Things of an ended session that could not be taken back and are tried again.",
    labels: [],
  },
  leaseConflicts: {
    type: "counter",
    name: "iommu_broker_lease_conflicts_total",
    help: "Calls refused because another session owns the device.",
    labels: [],
  },
  deviceChanges: {
    type: "counter",
    name: "iommu_broker_device_changes_total",
    help: "Devices that appeared or disappeared.",
    labels: ["change"],
  },
  stalls: {
    type: "counter",
    name: "iommu_broker_stalls_total",
    help: "Times the daemon stood still so long that every lease was given its full length again.",
    labels: [],
  },
  limitsReached: {
    type: "counter",
    name: "iommu_broker_limit_reached_total",
    help: "Calls refused with RESOURCE_EXHAUSTED, by the limit's name.",
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
  rpcStarted: {
    type: "counter",
    name: "grpc_server_started_total",
    help: "RPCs started on the server.",
    labels: ["grpc_type", "grpc_service", "grpc_method"],
  },
  rpcHandled: {
    type: "counter",
    name: "grpc_server_handled_total",
    help: "RPCs completed on the server, whatever came of them.",
    labels: ["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
  },
  rpcReceived: {
    type: "counter",
    name: "grpc_server_msg_received_total",
    help: "Messages received by RPCs on the server.",
    labels: ["grpc_type", "grpc_service", "grpc_method"],
  },
  rpcSent: {
    type: "counter",
    name: "grpc_server_msg_sent_total",
    help: "Messages sent by RPCs on the server.",
    labels: ["grpc_type", "grpc_service", "grpc_method"],
  },
  rpcSeconds: {
    type: "histogram",
    name: "grpc_server_handling_seconds",
    help: "Time from the first byte of an RPC to its end, in seconds.",
    labels: ["grpc_type", "grpc_service", "grpc_method"],
  },
} as const satisfies Record<string, Metric>;

/** One row of the table. */
export interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}
