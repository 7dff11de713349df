// The sections "listen:", "admin:", "audit:" and "metrics:": where the daemon listens, and where it writes who did what.

import { isIP } from "node:net";
import { z } from "zod";
import { choice, count, isPath, OFF, PATH_ERROR, socket, tcp } from "./setting-kinds.ts";

export const AUDIT_TO_LOG = "log";
const AUDIT_ERROR = `${PATH_ERROR}, or "log", or "off"`;

/** Of fd_socket: where the API's socket is, so that daemons with sockets of their own have this one too. */
export const BESIDE = "beside";
const FD_SOCKET_ERROR = `${PATH_ERROR}, or "${BESIDE}" or "off"`;

const TLS = z.strictObject({
  certificate: socket(
    OFF,
    "PEM file: the broker's certificate, then those of the authorities between it and the root.",
  ),
  private_key: socket(OFF, "PEM file: its key, without a passphrase, mode 0600."),
  client_ca: socket(OFF, "PEM file: authorities whose certificates clients have."),
  client_crl: socket(OFF, "PEM file: their lists of revoked certificates, one of each authority."),
});

export const LISTEN = z.strictObject({
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

export const ADMIN = z.strictObject({
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

export const AUDIT = z.strictObject({
  destination: z
    .string({ error: AUDIT_ERROR })
    .refine((text) => text === OFF || text === AUDIT_TO_LOG || isPath(text), { error: AUDIT_ERROR })
    .default(AUDIT_TO_LOG)
    .describe(
      'Where the audit lines go: "log" (among the log\'s, each with "audit": true), the path of a file of their own, or "off".',
    ),
});

const HOST_ERROR = "must be a host name or an IP address, without a port, like status.example";
/** One label after the other: nothing in it can be matched in two ways. */
const HOST_NAME = /^(?!-)[\da-z-]{1,63}(?:\.(?!-)[\da-z-]{1,63})*$/i;
const hostName = z
  .string({ error: HOST_ERROR })
  .max(253, { error: HOST_ERROR })
  .refine((text) => isIP(text) !== 0 || HOST_NAME.test(text), { error: HOST_ERROR });

export const METRICS = z.strictObject({
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
  status_hosts: z
    .array(hostName, { error: "must be a list of host names" })
    .max(64, { error: "must name at most 64 host names" })
    .default(() => [])
    .describe(
      "Names and addresses under which the status page answers on metrics.tcp, besides those of loopback: what a proxy on this host passes on as Host. /metrics and the probes answer under any.",
    ),
});
