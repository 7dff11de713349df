// The file's names and texts (snake_case, "off", "runtime:", HOST:PORT) become what the daemon works with.
// Written out field by field: a setting that is forgotten here does not compile.

import { dirname, join } from "node:path";
import { deviceID } from "../../backends/ids.ts";
import type { IdRegisters } from "../../backends/inventory.ts";
import type { TlsFiles } from "../../os/tls-files.ts";
import type { AuditDestination, Config, EdgeLimits, Endpoints, Timing } from "../config.ts";
import type { CoreLimits } from "../core/limits.ts";
import { tcpAddress } from "./address.ts";
import { AUDIT_TO_LOG, BESIDE } from "./endpoints.ts";
import { policyRules } from "./policy.ts";
import { type Environment, resolveRuntime } from "./runtime-directory.ts";
import { OFF } from "./setting-kinds.ts";
import type { Settings } from "./settings.ts";

export function configOf(settings: Settings, environment: Environment): Config {
  const endpoints = (at: { socket: string; tcp: string }): Endpoints => ({
    socket: at.socket === OFF ? undefined : resolveRuntime(at.socket, environment).path,
    tcp: at.tcp === OFF ? undefined : tcpAddress(at.tcp),
  });
  return {
    backend: settings.backend,
    native: {
      bindDevices: settings.native.bind_devices.map((device) => deviceID(device)),
      experimentalVtdNesting: settings.native.experimental_vtd_nesting,
    },
    simulatorApi: settings.simulator_api,
    listen: { ...endpoints(settings.listen), tls: tlsFilesOf(settings.listen.tls, environment) },
    fdSocket: fdSocketOf(settings.listen, environment),
    metrics: {
      ...endpoints(settings.metrics),
      isTcpOpen: settings.metrics.tcp_open,
      devicesMax: settings.metrics.devices_max,
      statusPage: settings.metrics.status_page,
      statusHosts: settings.metrics.status_hosts.map((name) => name.toLowerCase()),
    },
    memoryRoots: settings.memory_roots.map((text) => {
      const { path, isRuntime } = resolveRuntime(text, environment);
      return { path, create: isRuntime };
    }),
    memoryOwnerUids: settings.memory_owner_uids,
    stateDirectory:
      settings.state_directory === OFF ? undefined : resolveRuntime(settings.state_directory, environment).path,
    limits: { ...coreLimitsOf(settings.limits, settings.timing), ...edgeLimitsOf(settings.limits) },
    timing: timingOf(settings.timing),
    log: settings.log,
    admin: {
      socket: settings.admin.socket === OFF ? undefined : resolveRuntime(settings.admin.socket, environment).path,
      uids: settings.admin.uids,
    },
    policyRules: policyRules(settings.policy),
    audit: auditOf(settings.audit.destination, environment),
    simulated: {
      iommus: settings.simulated.iommus.map(({ id, registers }) => ({ id, registers: withoutGaps(registers) })),
      devices: settings.simulated.devices.map(({ stream_ids, pasid_bits, reset_ms, ...device }) => ({
        ...device,
        streamIDs: stream_ids,
        pasidBits: pasid_bits,
        resetMs: reset_ms,
      })),
      mergeEvents: settings.simulated.merge_events,
    },
  };
}

function auditOf(destination: string, environment: Environment): AuditDestination {
  if (destination === OFF) return { kind: "off" };
  if (destination === AUDIT_TO_LOG) return { kind: "log" };
  return { kind: "file", path: resolveRuntime(destination, environment).path };
}

/** All or nothing: the configuration was checked as a whole. */
function tlsFilesOf(tls: Settings["listen"]["tls"], environment: Environment): TlsFiles | undefined {
  if (tls.certificate === OFF) return undefined;
  const path = (text: string): string => resolveRuntime(text, environment).path;
  return {
    certificate: path(tls.certificate),
    privateKey: path(tls.private_key),
    clientCA: path(tls.client_ca),
    clientCRL: tls.client_crl === OFF ? undefined : path(tls.client_crl),
  };
}

function fdSocketOf(listen: Settings["listen"], environment: Environment): string | undefined {
  if (listen.fd_socket === OFF) return undefined;
  if (listen.fd_socket !== BESIDE) return resolveRuntime(listen.fd_socket, environment).path;
  return listen.socket === OFF ? undefined : join(dirname(resolveRuntime(listen.socket, environment).path), "fd.sock");
}

/** Drops the registers that were not given, so that the backend's own values stand. */
function withoutGaps(registers: Settings["simulated"]["iommus"][number]["registers"]): Partial<IdRegisters> {
  return Object.fromEntries(Object.entries(registers).filter(([, value]) => value !== undefined));
}

/** Ticks of the reaper without which it was the daemon that stood still. */
const STALL_TICKS = 2;

function coreLimitsOf(from: Settings["limits"], timing: Settings["timing"]): CoreLimits {
  return {
    sessionsMax: from.sessions_max,
    addressSpacesPerSessionMax: from.address_spaces_per_session_max,
    virtualIommusPerSessionMax: from.virtual_iommus_per_session_max,
    devicesPerSessionMax: from.devices_per_session_max,
    mappingsPerAddressSpaceMax: from.mappings_per_address_space_max,
    mappingsPerCallMax: from.mappings_per_call_max,
    sourcesPerCallMax: from.sources_per_call_max,
    commandsPerCallMax: from.commands_per_call_max,
    bindsPerCallMax: from.binds_per_call_max,
    invalidationStreamsPerSessionMax: from.invalidation_streams_per_session_max,
    invalidationBatchesOutstandingMax: from.invalidation_batches_outstanding_max,
    faultStreamsPerSessionMax: from.fault_streams_per_session_max,
    faultRingEventsMax: from.fault_ring_events_max,
    faultBatchEventsMax: from.fault_batch_events_max,
    faultBatchMs: timing.fault_batch_ms,
    faultHistoryEventsTotalMax: from.fault_history_events_total_max,
    faultEventsPerSecond: from.fault_events_per_second,
    faultDiagnosesPerSecond: from.fault_diagnoses_per_second,
    faultObserversMax: from.fault_observers_max,
    faultResponseMs: timing.fault_response_ms,
    queueDepthMax: from.queue_depth_max,
    waitersPerGroupMax: from.waiters_per_group_max,
    attachWaitMaxMs: from.attach_wait_max_ms,
    preemptGraceMs: from.preempt_grace_ms,
    deviceWatchesMax: from.device_watches_max,
    deviceChangesMax: from.device_changes_max,
    leaseTtlMinMs: from.lease_ttl_min_ms,
    leaseTtlMaxMs: from.lease_ttl_max_ms,
    leaseTtlDefaultMs: from.lease_ttl_default_ms,
    sessionGraceMaxMs: from.session_grace_max_ms,
    resumeWindowMs: timing.resume_window_ms,
    leaseStallMs: STALL_TICKS * timing.reap_interval_ms,
  };
}

function edgeLimitsOf(from: Settings["limits"]): EdgeLimits {
  return {
    messageBytesMax: from.message_bytes_max,
    connectionsMax: from.connections_max,
    connectionsPerIdentityMax: from.connections_per_identity_max,
    handshakesMax: from.handshakes_max,
    streamsPerConnectionMax: from.streams_per_connection_max,
    unfinishedRequestsPerIdentityMax: from.unfinished_requests_per_identity_max,
    sessionMemoryMiBMax: from.session_memory_mib_max,
    openMemoryFilesMax: from.open_memory_files_max,
    journalBytesMax: from.journal_bytes_max,
    ticketsMax: from.tickets_max,
    ticketsPerPeerMax: from.tickets_per_peer_max,
    fdConnectionsMax: from.fd_connections_max,
  };
}

function timingOf(from: Settings["timing"]): Timing {
  return {
    gracePeriodMs: from.grace_period_ms,
    heartbeatMs: from.heartbeat_ms,
    ticketTtlMs: from.ticket_ttl_ms,
    fdRequestTimeoutMs: from.fd_request_timeout_ms,
    reapIntervalMs: from.reap_interval_ms,
    backendPingTimeoutMs: from.backend_ping_timeout_ms,
    healthWatchIntervalMs: from.health_watch_interval_ms,
    keepaliveMs: from.keepalive_ms,
    keepaliveTimeoutMs: from.keepalive_timeout_ms,
    handshakeTimeoutMs: from.handshake_timeout_ms,
    requestTimeoutMs: from.request_timeout_ms,
    tlsReloadMs: from.tls_reload_ms,
    connectionIdleMs: from.connection_idle_ms,
  };
}
