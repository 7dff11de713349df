// The section "timing:": periods and deadlines, in milliseconds.

import { z } from "zod";
import { count } from "./setting-kinds.ts";

export const TIMING = z.strictObject({
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
