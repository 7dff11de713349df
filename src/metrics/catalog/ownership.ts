// Who gets what and loses it: stages, sessions, tickets, devices, and who waits for them.

import type { Metric } from "./metric.ts";

export const OWNERSHIP = {
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
  tickets: {
    type: "gauge",
    name: "iommu_broker_tickets",
    help: "Tickets of descriptors: memory that was put and is not mapped yet (waiting, or taken by a call), and devices' that nobody has fetched yet (device).",
    labels: ["state"],
  },
  ticketsEnded: {
    type: "counter",
    name: "iommu_broker_tickets_ended_total",
    help: "Tickets of descriptors by how they ended: used or expired.",
    labels: ["outcome"],
  },
  handOuts: {
    type: "counter",
    name: "iommu_broker_descriptors_handed_out_total",
    help: "Tickets for descriptors of devices that were given to their owners: brokered, or vended with the iommufd.",
    labels: ["how"],
  },
  putsRefused: {
    type: "counter",
    name: "iommu_broker_descriptors_refused_total",
    help: "Connections to the descriptor socket that ended without a ticket or descriptors.",
    labels: [],
  },
  sessionsRecovered: {
    type: "counter",
    name: "iommu_broker_sessions_recovered_total",
    help: "Sessions of before the start of the daemon, by what became of them: restored or given_up.",
    labels: ["outcome"],
  },
  sessionsLost: {
    type: "counter",
    name: "iommu_broker_sessions_lost_total",
    help: "Sessions whose process died, whose lease lapsed, or that were not resumed after a restart.",
    labels: ["reason"],
  },
  sessionsResumed: {
    type: "counter",
    name: "iommu_broker_sessions_resumed_total",
    help: "Sessions taken up again by ResumeSession, by the state they were in.",
    labels: ["was"],
  },
  sessionsClaimed: {
    type: "counter",
    name: "iommu_broker_sessions_claimed_total",
    help: "Sessions taken over by ClaimSession.",
    labels: [],
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
  waiters: {
    type: "gauge",
    name: "iommu_broker_attach_waiters",
    help: "Calls that stand in line for a device.",
    labels: [],
  },
  preemptions: {
    type: "counter",
    name: "iommu_broker_preemptions_total",
    help: "Devices asked of their owner for a session of higher priority, by outcome: taken, handed_over, called_off, failed.",
    labels: ["outcome"],
  },
  resets: {
    type: "counter",
    name: "iommu_broker_device_resets_total",
    help: "Function-level resets asked for, by result: done, absent (the device knows none), failed.",
    labels: ["result"],
  },
  quarantines: {
    type: "counter",
    name: "iommu_broker_quarantines_total",
    help: "IOMMU groups withheld because a device could not be reset after its owner.",
    labels: [],
  },
  quarantinedDevices: {
    type: "gauge",
    name: "iommu_broker_quarantined_devices",
    help: "Devices that nobody gets until an administrator says so.",
    labels: [],
  },
  deviceWatches: {
    type: "gauge",
    name: "iommu_broker_device_watches",
    help: "Open WatchDevices streams.",
    labels: [],
  },
  deviceWatchResyncs: {
    type: "counter",
    name: "iommu_broker_device_watch_resyncs_total",
    help: "Times a WatchDevices stream was given the whole list again.",
    labels: [],
  },
  leaseConflicts: {
    type: "counter",
    name: "iommu_broker_lease_conflicts_total",
    help: "Calls refused because another session owns the device, by reason: owner_live, owner_restored, owner_lost (in its grace), owner_ending.",
    labels: ["reason"],
  },
  deviceChanges: {
    type: "counter",
    name: "iommu_broker_device_changes_total",
    help: "Devices that appeared or disappeared.",
    labels: ["change"],
  },
} as const satisfies Record<string, Metric>;
