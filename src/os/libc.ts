// Native code (koffi): calls of libc that Node does not have, one typed function each; descriptors.ts and shared-view.ts
// have those for descriptors and for memory.
// SO_PEERCRED and SO_PEERPIDFD say who is at the other end of a Unix socket; flock keeps two daemons from starting in one
// directory; _exit ends a process that process.exit() cannot; pidfd_open, epoll and eventfd are for poller.ts; mkfifo for stand-in-fifos.ts.
// Every call here returns at once, but for waitReadable, which waits on a thread of libuv's pool.

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

/** The same number on every architecture that Linux has it on (asm-generic/unistd.h). */
const SYS_PIDFD_OPEN = 434;
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
/** struct epoll_event is packed on x86-64 only (eventpoll.h). */
const EPOLL_EVENT = process.arch === "x64" ? { bytes: 12, dataAt: 4 } : { bytes: 16, dataAt: 8 };

const mkfifo = libc.func("int mkfifo(const char *path, unsigned int mode)");
const syscall = libc.func("long syscall(long number, int pid, unsigned int flags)");
const epollCreate = libc.func("int epoll_create1(int flags)");
const epollControl = libc.func("int epoll_ctl(int epfd, int op, int fd, void *event)");
const epollWait = libc.func("int epoll_wait(int epfd, _Out_ void *events, int maxevents, int timeout)");
const eventfd = libc.func("int eventfd(unsigned int initval, int flags)");

export type Opened = { readonly ok: true; readonly fd: number } | { readonly ok: false; readonly errno: string };

export type Made = { readonly ok: true } | { readonly ok: false; readonly errno: string };

/** mkfifo(3). @param mode  before the umask */
export function makeFifo(path: string, mode: number): Made {
  const result = opened(mkfifo(path, mode));
  return result.ok ? { ok: true } : result;
}

/** A descriptor that becomes readable when the process ends (pidfd_open(2)); whoever has it closes it. */
export function openPidfd(pid: number): Opened {
  return opened(syscall(SYS_PIDFD_OPEN, pid, 0));
}

export function openEpoll(): Opened {
  return opened(epollCreate(EPOLL_CLOEXEC));
}

/** An eventfd that is read and written without waiting. */
export function openEventfd(): Opened {
  return opened(eventfd(0, EFD_CLOEXEC + EFD_NONBLOCK));
}

/** Tells of `fd` under `key`, a whole number below 2^32, while it is readable. */
export function addReadable(epoll: number, fd: number, key: number): boolean {
  const event = Buffer.alloc(EPOLL_EVENT.bytes);
  event.writeUInt32LE(EPOLLIN, 0);
  event.writeUInt32LE(key, EPOLL_EVENT.dataAt);
  const result: unknown = epollControl(epoll, EPOLL_CTL_ADD, fd, event);
  return result === 0;
}

/** To be called before `fd` is closed: a copy of it elsewhere would go on telling. */
export function removeReadable(epoll: number, fd: number): void {
  epollControl(epoll, EPOLL_CTL_DEL, fd, null);
}

/**
 * Waits, without end, until something in `epoll` is readable; Node's own thread goes on meanwhile.
 * @returns the keys of what is readable, at most `keysMax`; undefined when the wait was broken off (EINTR)
 */
export function waitReadable(epoll: number, keysMax: number): Promise<readonly number[] | undefined> {
  const events = Buffer.alloc(EPOLL_EVENT.bytes * keysMax);
  return new Promise((resolve, reject) => {
    epollWait.async(epoll, events, keysMax, -1, (error: unknown, result: unknown) => {
      if (error) reject(error);
      else if (typeof result !== "number" || result < 0) resolve(undefined);
      else resolve(Array.from({ length: result }, (_, at) => keyAt(events, at)));
    });
  });
}

function keyAt(events: Buffer, at: number): number {
  return events.readUInt32LE(at * EPOLL_EVENT.bytes + EPOLL_EVENT.dataAt);
}

function opened(result: unknown): Opened {
  if (typeof result === "number" && result >= 0) return { ok: true, fd: result };
  const errno = koffi.errno();
  const name = Object.entries(koffi.os.errno).find(([, number]) => number === errno)?.[0];
  return { ok: false, errno: name ?? `errno ${errno}` };
}
