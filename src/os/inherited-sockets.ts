// Listening sockets that the process was started with (sd_listen_fds(3)): the service manager made them and keeps them, so
// their paths survive a restart and who connects meanwhile waits in the kernel. Each comes under a name, and is looked at
// before it is used: a descriptor that is something else would be accepted on, or read, by mistake.
// Source: sd_listen_fds(3), systemd.socket(5), socket(7).

import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import koffi from "koffi";
import { BrokerError } from "../backends/errors.ts";

/** SD_LISTEN_FDS_START */
const FIRST = 3;
/** More sockets than a service of any size has. */
const SOCKETS_MAX = 64;
const VARIABLES = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] as const;

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const ADDRESS_BYTES = 110;

const libc = koffi.load(null);
const getsockopt = libc.func(
  "int getsockopt(int fd, int level, int optname, _Out_ void *optval, _Inout_ uint32_t *optlen)",
);
const getsockname = libc.func("int getsockname(int fd, _Out_ void *address, _Inout_ uint32_t *addressBytes)");
const fcntl = libc.func("fcntl", "int", ["int", "int", "long"]);

export interface InheritedSocket {
  readonly fd: number;
  /** FileDescriptorName= of the socket unit. */
  readonly name: string;
  /** Where it is bound. */
  readonly path: string;
}

/**
 * The sockets that are meant for this process; none where the variables are of another one or are not there.
 *
 * @param environment  LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES
 * @throws BrokerError argument_invalid for what is not a listening Unix stream socket, naming the descriptor
 */
export function inheritedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): InheritedSocket[] {
  const { LISTEN_PID, LISTEN_FDS = "", LISTEN_FDNAMES = "" } = environment;
  if (LISTEN_PID !== String(pid)) return [];
  const count = /^\d{1,4}$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : Number.NaN;
  if (!(count <= SOCKETS_MAX)) {
    throw refused(`LISTEN_FDS=${LISTEN_FDS}`, `must be a number of at most ${SOCKETS_MAX}`, "mend the socket units");
  }
  const names = LISTEN_FDNAMES.split(":");
  return Array.from({ length: count }, (_, index) => inherited(FIRST + index, names[index] || "unknown"));
}

/** Takes the variables from an environment that processes started later would inherit. */
export function forgetInheritedSockets(environment: NodeJS.ProcessEnv): void {
  for (const name of VARIABLES) delete environment[name];
}

/** Whether a configured path is the one that a socket is bound at, links in its directory resolved. */
export function isBoundAt(socket: InheritedSocket, path: string): boolean {
  return socket.path === path || placeOf(socket.path) === placeOf(path);
}

/** The error for a socket that is none the daemon can use; thrown by who finds out. */
export function refusedSocket({ fd, name, path }: InheritedSocket, why: string, remedy: string): BrokerError {
  const message = `socket "${name}" (descriptor ${fd}) of the service manager ${why}: ${remedy}`;
  return new BrokerError("argument_invalid", message, { name, path });
}

function inherited(fd: number, name: string): InheritedSocket {
  const what = `descriptor ${fd} (${name})`;
  const remedy = "it must come from ListenStream= with a path, and Accept=no";
  if (option(fd, SO_DOMAIN) !== AF_UNIX) throw refused(what, "is no Unix socket", remedy);
  if (option(fd, SO_TYPE) !== SOCK_STREAM) throw refused(what, "is no stream socket", remedy);
  if (option(fd, SO_ACCEPTCONN) !== 1) throw refused(what, "does not listen", remedy);
  const path = boundPath(fd);
  if (path === undefined) throw refused(what, "is not bound to a path", remedy);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return { fd, name, path };
}

/** An option that is an int; undefined where there is no socket. */
function option(fd: number, name: number): number | undefined {
  const value = new Int32Array(1);
  const result: unknown = getsockopt(fd, SOL_SOCKET, name, value, [value.byteLength]);
  return result === 0 ? value[0] : undefined;
}

/** sun_path of struct sockaddr_un; undefined for an abstract name, or none. */
function boundPath(fd: number): string | undefined {
  const address = Buffer.alloc(ADDRESS_BYTES);
  const length = [ADDRESS_BYTES];
  const result: unknown = getsockname(fd, address, length);
  const path = address.subarray(2, length[0]);
  if (result !== 0 || path.length === 0 || path[0] === 0) return undefined;
  const end = path.indexOf(0);
  return path.toString("utf8", 0, end < 0 ? path.length : end);
}

function placeOf(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

function refused(what: string, why: string, remedy: string): BrokerError {
  return new BrokerError("argument_invalid", `${what} of the service manager ${why}: ${remedy}`, { what });
}
