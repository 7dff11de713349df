// The only file that loads native code (koffi): the calls of libc that Node does not have, one typed function each.
// SO_PEERCRED and SO_PEERPIDFD say who is at the other end of a Unix socket; flock keeps two daemons from starting in one directory;
// _exit ends a process that process.exit() cannot.
// Every call here returns at once; nothing that can sleep in the kernel belongs in this file.

import type { Socket } from "node:net";
import koffi from "koffi";

/** Who is at the other end of a Unix socket, as the kernel noted it when the connection was made (unix(7)). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;
const UCRED_BYTES = 12;
/** What the kernel answers for a socket that is not a Unix socket: (uid_t) -1. */
const NO_UID = 2 ** 32 - 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

const libc = koffi.load(null);
const getsockopt = libc.func(
  "int getsockopt(int fd, int level, int optname, _Out_ void *optval, _Inout_ uint32_t *optlen)",
);
const flock = libc.func("int flock(int fd, int operation)");
const underscoreExit = libc.func("void _exit(int status)");

/**
 * Reads SO_PEERCRED. On a socket that connected, it names who listens; on one that was accepted, who connected.
 *
 * @param fd  a connected Unix stream socket
 * @returns the credentials, or undefined when the kernel has none for this descriptor (not a Unix socket, closed)
 */
export function peerCredentials(fd: number): PeerCredentials | undefined {
  const ucred = new Int32Array(UCRED_BYTES / 4);
  const length = [UCRED_BYTES];
  const result: unknown = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ucred, length);
  if (result !== 0 || length[0] !== UCRED_BYTES) return undefined;
  const [pid = 0, uid = 0, gid = 0] = ucred;
  return asUnsigned(uid) === NO_UID ? undefined : { pid, uid: asUnsigned(uid), gid: asUnsigned(gid) };
}

/**
 * A descriptor of the process at the other end of a Unix socket, which stays that process's whatever becomes of its pid.
 *
 * @returns a new descriptor, the caller's to close; undefined before Linux 6.5, and for what is no Unix socket
 */
export function peerPidfd(fd: number): number | undefined {
  const pidfd = new Int32Array(1);
  const length = [pidfd.byteLength];
  const result: unknown = getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, pidfd, length);
  return result === 0 && length[0] === pidfd.byteLength ? pidfd[0] : undefined;
}

function asUnsigned(id: number): number {
  return id < 0 ? id + 2 ** 32 : id;
}

/** Takes the exclusive advisory lock of an open file or directory without waiting; it ends when `fd` is closed. */
export function tryLock(fd: number): boolean {
  const result: unknown = flock(fd, LOCK_EX | LOCK_NB);
  return result === 0;
}

/** Ends the process as it stands. process.exit() waits for Node's threads, and one may hang in a write to a full pipe. */
export function exitAtOnce(code: number): never {
  underscoreExit(code);
  throw new Error("unreachable: _exit returned");
}

/** The descriptor behind a socket, or undefined when it has none any more. Node keeps it, but has no public name for it. */
export function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, "fd");
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}
