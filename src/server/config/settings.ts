// Every setting there is, once: its name in the file, its default, its bounds, and what it is for.
// The file, the environment, --set, --print-config and the error messages all follow this table.
// Units end the names. A setting that a client can run into is refused by this name in the error's ErrorInfo.

import { z } from "zod";
import { tcpAddress } from "./address.ts";
import { DEFAULT_INVENTORY } from "./inventory.ts";
import { POLICY } from "./policy.ts";
import { SIMULATED } from "./simulated.ts";

export const OFF = "off";

function count(byDefault: number, minimum: number, maximum: number, purpose: string) {
  const error = `must be a whole number from ${minimum} to ${maximum}`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error }).default(byDefault).describe(purpose);
}

function choice<const T extends readonly [string, ...string[]]>(values: T, byDefault: T[number], purpose: string) {
  const error = `must be ${values.map((value) => `"${value}"`).join(" or ")}`;
  return z
    .enum(values, { error })
    .default(() => byDefault)
    .describe(purpose);
}

const PATH_ERROR = 'must be an absolute path, or "runtime:" and a name within the runtime directory';

function isPath(text: string): boolean {
  if (text.includes("\0")) return false;
  if (!text.startsWith("runtime:")) return text.startsWith("/");
  const name = text.slice("runtime:".length);
  return name !== "" && !name.startsWith("/") && !name.split("/").includes("..");
}

export const AUDIT_TO_LOG = "log";
const AUDIT_ERROR = `${PATH_ERROR}, or "log", or "off"`;

const PCI_ERROR = "must be a PCI address, like 0000:01:00.0";
const pciAddress = z
  .string({ error: PCI_ERROR })
  .regex(/^[\da-f]{4,8}:[\da-f]{2}:[01][\da-f]\.[0-7]$/, { error: PCI_ERROR });

const pathText = z.string({ error: PATH_ERROR }).refine(isPath, { error: PATH_ERROR });

function socket(byDefault: string, purpose: string) {
  const error = `${PATH_ERROR}, or "off"`;
  return z
    .string({ error })
    .refine((text) => text === OFF || isPath(text), { error })
    .default(byDefault)
    .describe(purpose);
}

/** Of fd_socket: where the API's socket is, so that daemons with sockets of their own have this one too. */
export const BESIDE = "beside";
const FD_SOCKET_ERROR = `${PATH_ERROR}, or "${BESIDE}" or "off"`;

function tcp(byDefault: string, purpose: string) {
  const error = 'must be "off" or an IP address with a port, like 127.0.0.1:9400 or [2001:db8::1]:9400';
  return z
    .string({ error })
    .refine((text) => text === OFF || tcpAddress(text) !== undefined, { error })
    .default(byDefault)
    .describe(purpose);
}

const TLS = z.strictObject({
  certificate: socket(
    OFF,
    "PEM file: the broker's certificate, then those of the authorities between it and the root.",
  ),
  private_key: socket(OFF, "PEM file: its key, without a passphrase, mode 0600."),
  client_ca: socket(OFF, "PEM file: authorities whose certificates clients have."),
  client_crl: socket(OFF, "PEM file: their lists of revoked certificates, one of each authority."),
});

const LISTEN = z.strictObject({
  socket: socket("runtime:broker.sock", "Unix socket of the API. Its directory is made 0750, the socket 0660."),
  fd_socket: z
    .string({ error: FD_SOCKET_ERROR })
    .refine((text) => text === OFF || text === BESIDE || isPath(text), { error: FD_SOCKET_ERROR })
    .default(BESIDE)
    .describe('Unix socket where clients put descriptors of their memory. "beside": fd.sock beside the socket above.'),
  tcp: tcp(OFF, "TCP address of the API besides. Needs listen.tls, or listen.tcp_insecure on loopback."),
  tls: TLS.prefault({}).describe("Mutual TLS on listen.tcp: a client is the SPIFFE ID or DNS name in its certificate."),
  tcp_insecure: z
    .boolean({ error: "must be true or false" })
    .default(false)
    .describe("listen.tcp is plain text, loopback only: whoever can connect is trusted."),
});

const ADMIN = z.strictObject({
  socket: socket(
    "runtime:admin.sock",
    "Unix socket of iommubroker.v1.IommuBrokerAdmin: sessions, revocation, policy, log level, drain.",
  ),
  uids: z
    .array(count(0, 0, 2 ** 32 - 2, ""), { error: "must be a list of uids" })
    .max(256, { error: "must name at most 256 uids" })
    .default(() => [...new Set([0, process.getuid?.() ?? 0])])
    .describe("Who may call it. Default: root and the daemon's uid."),
});

const AUDIT = z.strictObject({
  destination: z
    .string({ error: AUDIT_ERROR })
    .refine((text) => text === OFF || text === AUDIT_TO_LOG || isPath(text), { error: AUDIT_ERROR })
    .default(AUDIT_TO_LOG)
    .describe(
      'Where the audit lines go: "log" (among the log\'s, each with "audit": true), the path of a file of their own, or "off".',
    ),
});

const METRICS = z.strictObject({
  tcp: tcp("127.0.0.1:9401", "TCP address of GET /metrics, /livez and /readyz: on loopback, or with tcp_open."),
  tcp_open: z
    .boolean({ error: "must be true or false" })
    .default(false)
    .describe(
      "metrics.tcp may be reached from elsewhere. It asks nobody who he is: bound it by a firewall or a NetworkPolicy.",
    ),
  socket: socket(OFF, "Unix socket of the same."),
  devices_max: count(1024, 1, 65_536, "Devices with series of their own; the ones beyond are counted together."),
  status_page: choice(
    ["off", "summary", "full"],
    "summary",
    'The status page, /status, on loopback and the Unix socket. Whoever reaches them sees it: "full" also shows guests\' addresses and explains them.',
  ),
});

const LIMITS = z.strictObject({
  sessions_max: count(256, 1, 65_536, "Sessions at once."),
  address_spaces_per_session_max: count(64, 1, 65_536, "Address spaces of one session."),
  virtual_iommus_per_session_max: count(64, 1, 65_536, "Virtual IOMMUs of one session."),
  devices_per_session_max: count(256, 1, 65_536, "Attached devices of one session."),
  mappings_per_address_space_max: count(65_536, 1, 1_048_576, "Mapped ranges of one address space."),
  mappings_per_call_max: count(16_384, 1, 65_536, "Ranges in one MapMemory or UnmapMemory."),
  sources_per_call_max: count(256, 1, 256, "Files named in one MapMemory."),
  commands_per_call_max: count(
    4096,
    1,
    65_536,
    "Commands in one InvalidateCache, or one batch of StreamInvalidations.",
  ),
  invalidation_streams_per_session_max: count(64, 1, 1024, "StreamInvalidations of one session."),
  invalidation_batches_outstanding_max: count(
    64,
    1,
    1024,
    "Batches of one StreamInvalidations that are held unanswered; what comes beyond is not read until answers are out.",
  ),
  binds_per_call_max: count(256, 1, 4096, "Binds in one BatchBindGuestStage."),
  fault_streams_per_session_max: count(8, 1, 1024, "WatchFaults streams of one session."),
  fault_ring_events_max: count(
    4096,
    16,
    1_048_576,
    "Events kept of each device: for slow subscribers, those that resume, and ListFaults. Events that wait for an answer are not pushed out.",
  ),
  fault_batch_events_max: count(256, 1, 4096, "Events in one message of WatchFaults."),
  fault_history_events_total_max: count(
    1_048_576,
    1024,
    16_777_216,
    "Events kept of all devices together; beyond it the oldest go, but for those that wait for an answer.",
  ),
  fault_events_per_second: count(
    10_000,
    0,
    10_000_000,
    "Events of one device told in a second, after a burst of fault_ring_events_max; the others are summed up in a gap. 0: no limit.",
  ),
  fault_diagnoses_per_second: count(
    2000,
    0,
    1_000_000,
    "Diagnoses of faults made in a second, half of them at most for one device. 0: none.",
  ),
  fault_observers_max: count(256, 0, 4096, "WatchFaults streams on the admin socket."),
  queue_depth_max: count(256, 1, 65_536, "Calls that wait for one address space, virtual IOMMU or IOMMU group."),
  waiters_per_group_max: count(64, 1, 4096, "Calls that stand in line for one IOMMU group."),
  attach_wait_max_ms: count(60_000, 0, 3_600_000, "Longest time an AttachDevice may stand in line for a device."),
  preempt_grace_ms: count(5000, 0, 600_000, "From the notice to a preempted session until its device is set to abort."),
  device_watches_max: count(64, 1, 4096, "WatchDevices streams at once, of all clients."),
  device_changes_max: count(4096, 16, 1_048_576, "Changes of the inventory kept for WatchDevices to resume from."),
  lease_ttl_min_ms: count(1000, 100, 86_400_000, "Shortest lease a session may ask for."),
  lease_ttl_max_ms: count(3_600_000, 100, 86_400_000, "Longest lease a session may ask for."),
  lease_ttl_default_ms: count(30_000, 100, 86_400_000, "Lease of a session that asks for none."),
  session_grace_max_ms: count(
    600_000,
    0,
    86_400_000,
    "Longest time for which a lost session may ask to keep what it has.",
  ),
  message_bytes_max: count(2_097_152, 65_536, 67_108_864, "Length of one gRPC message, in either direction."),
  connections_max: count(256, 1, 65_536, "Client connections at once, over all listeners."),
  connections_per_identity_max: count(
    128,
    1,
    65_536,
    "Of them, those of one uid or certificate name, or of all on plain TCP.",
  ),
  handshakes_max: count(64, 1, 65_536, "TLS handshakes at once, a quarter of them from one address."),
  streams_per_connection_max: count(256, 1, 65_536, "Calls at once on one connection."),
  unfinished_requests_per_identity_max: count(
    64,
    1,
    65_536,
    "Requests of one identity that have begun to come and take more than a fifth of timing.request_timeout_ms.",
  ),
  session_memory_mib_max: count(64, 1, 4096, "Memory of one connection for headers and unsent data."),
  journal_bytes_max: count(
    16_777_216,
    65_536,
    1_073_741_824,
    "Length of the journal after which a snapshot takes its place.",
  ),
  tickets_max: count(256, 1, 4096, "Descriptors that were put and are not mapped yet."),
  tickets_per_peer_max: count(64, 1, 4096, "Of these, the ones of one uid."),
  fd_connections_max: count(
    64,
    4,
    1024,
    "Connections at once to the descriptor socket; a quarter of them for one uid.",
  ),
  open_memory_files_max: count(1024, 1, 65_536, "Distinct files open as guest memory."),
});

const TIMING = z.strictObject({
  grace_period_ms: count(10_000, 100, 600_000, "From the stop signal to the exit, at most."),
  fault_batch_ms: count(
    1,
    0,
    1000,
    "How long a batch of WatchFaults may wait for more events; 0: until the event loop's turn is over.",
  ),
  fault_response_ms: count(
    10_000,
    10,
    600_000,
    "Time for RespondToFault; then a stalled transaction is aborted, a page request fails.",
  ),
  heartbeat_ms: count(10_000, 100, 600_000, "Silence after which WatchFaults sends an empty message."),
  resume_window_ms: count(
    30_000,
    100,
    3_600_000,
    "After a restart, how long a session may take to be used or renewed, at least; counted over restarts.",
  ),
  ticket_ttl_ms: count(10_000, 100, 600_000, "Time to map what was put; then it is closed."),
  fd_request_timeout_ms: count(1000, 10, 60_000, "Time for a request on the descriptor socket to arrive."),
  reap_interval_ms: count(500, 10, 60_000, "How often lapsed leases are looked for."),
  backend_ping_timeout_ms: count(2000, 10, 60_000, "Time for the backend to answer a health check."),
  health_watch_interval_ms: count(1000, 10, 60_000, "How often a watched health status is checked again."),
  keepalive_ms: count(30_000, 1000, 3_600_000, "Silence after which a connection is pinged."),
  keepalive_timeout_ms: count(20_000, 1000, 600_000, "Time for the answer to that ping."),
  handshake_timeout_ms: count(5000, 100, 600_000, "Time for a client's TLS handshake, and for its first HTTP/2 frame."),
  request_timeout_ms: count(10_000, 100, 600_000, "Time for all of a request to come, once it has begun."),
  tls_reload_ms: count(5000, 100, 3_600_000, "How often the files of listen.tls are looked at for a change."),
  connection_idle_ms: count(300_000, 1000, 86_400_000, "A connection without a call for this long is closed."),
});

const LOG = z.strictObject({
  level: choice(["trace", "debug", "info", "warn", "error", "fatal"], "info", "Least severe line that is written."),
  destination: choice(["stdout", "stderr"], "stdout", "Where the JSON lines go."),
});

const NATIVE = z.strictObject({
  bind_devices: z
    .array(pciAddress, { error: "must be a list of PCI addresses" })
    .max(1024, { error: "must name at most 1024 devices" })
    .default(() => [])
    .describe(
      "Devices that are bound to vfio-pci while the daemon runs, and given back to their drivers when it stops.",
    ),
  experimental_vtd_nesting: z
    .boolean({ error: "must be true or false" })
    .default(false)
    .describe("Bind guests' first-stage tables on Intel VT-d (page_table). Nobody has verified it on hardware."),
});

export const SETTINGS = z.strictObject({
  backend: choice(
    ["simulated", "iommufd", "auto"],
    "simulated",
    "What the broker arbitrates: simulated SMMUs, or this host's IOMMUs by Linux iommufd. \"auto\": the host's, or it does not start.",
  ),
  native: NATIVE.prefault({}).describe("The native backend, with backend: iommufd or auto."),
  simulator_api: z
    .boolean({ error: "must be true or false" })
    .default(false)
    .describe("Serve iommubroker.v1.Simulator: DMA, guest memory, raw structures."),
  listen: LISTEN.prefault({}).describe("Where clients connect."),
  admin: ADMIN.prefault({}).describe("Where administrators connect."),
  policy: POLICY.prefault({}).describe("Who may do what. Reloaded by SIGHUP."),
  audit: AUDIT.prefault({}).describe("Who did what: JSON lines, one for each act and each change it made."),
  metrics: METRICS.prefault({}).describe("Where a scraper and a prober connect."),
  memory_roots: z
    .array(pathText, { error: "must be a list of directories" })
    .max(64, { error: "must name at most 64 directories" })
    .default(() => ["runtime:memory"])
    .describe("Files that clients name as guest memory must lie beneath one of these. Only runtime: ones are created."),
  memory_owner_uids: z
    .array(count(0, 0, 2 ** 32 - 2, ""), { error: "must be a list of uids" })
    .max(1024, { error: "must name at most 1024 uids" })
    .default(() => [process.getuid?.() ?? 0])
    .describe(
      "Owners of the files that root, the daemon's uid and TCP clients may name; others only their own. Default: the daemon's uid.",
    ),
  state_directory: socket(
    "runtime:state",
    "What outlives the daemon: sessions, who owns what, mappings, binds. Made 0700; one daemon's at a time. A directory of tmpfs or disk.",
  ),
  limits: LIMITS.prefault({}).describe("Bounds on what clients can make the broker hold."),
  timing: TIMING.prefault({}).describe("Periods and deadlines."),
  log: LOG.prefault({}).describe("The log: JSON lines."),
  simulated: SIMULATED.default(() => structuredClone(DEFAULT_INVENTORY)).describe("The hardware that is simulated."),
});

/** What is in force, in the names of the file. */
export type Settings = z.output<typeof SETTINGS>;
