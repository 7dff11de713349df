// Anonymous memory files, socket pairs and what of this process is open, for tests that pass descriptors.

import { closeSync, ftruncateSync, readdirSync, readFileSync } from "node:fs";
import koffi from "koffi";

const libc = koffi.load(null);
const memfdCreate = libc.func("memfd_create", "int", ["str", "uint32_t"]);
const fcntl = libc.func("fcntl", "int", ["int", "int", "long"]);
const fallocate = libc.func("fallocate", "int", ["int", "int", "int64_t", "int64_t"]);
const socketpair = libc.func("int socketpair(int domain, int type, int protocol, _Out_ int *fds)");
const mkfifo = libc.func("int mkfifo(const char *path, uint32_t mode)");

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_HUGETLB = 4;
const F_SETFL = 4;
const F_ADD_SEALS = 1033;
const FALLOC_KEEP_SIZE_PUNCH_HOLE = 3;
const AF_UNIX = 1;
const SOCK_STREAM = 1;

/** memfd_create(2): the numbers of linux/fcntl.h. */
export const SEAL = { seal: 1, shrink: 2, grow: 4, write: 8, futureWrite: 16 } as const;

export function memfd(bytes: number, seals = 0): number {
  const fd = Number(memfdCreate("guest-ram", MFD_CLOEXEC + MFD_ALLOW_SEALING));
  if (fd < 0) throw new Error(`memfd_create: errno ${koffi.errno()}`);
  ftruncateSync(fd, bytes);
  if (!seal(fd, seals)) throw new Error(`seals ${seals}: errno ${koffi.errno()}`);
  return fd;
}

/** Undefined where the kernel has no huge pages to name. */
export function hugeMemfd(bytes: number): number | undefined {
  const fd = Number(memfdCreate("guest-ram", MFD_CLOEXEC + MFD_ALLOW_SEALING + MFD_HUGETLB));
  if (fd < 0) return undefined;
  ftruncateSync(fd, bytes);
  seal(fd, SEAL.shrink);
  return fd;
}

export function seal(fd: number, seals: number): boolean {
  return Number(fcntl(fd, F_ADD_SEALS, seals)) === 0;
}

export function setFlags(fd: number, flags: number): void {
  fcntl(fd, F_SETFL, flags);
}

export function punchHole(fd: number, offset: number, bytes: number): boolean {
  return Number(fallocate(fd, FALLOC_KEEP_SIZE_PUNCH_HOLE, offset, bytes)) === 0;
}

export function socketPair(): readonly [number, number] {
  const fds = new Int32Array(2);
  if (Number(socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) !== 0) throw new Error(`socketpair: errno ${koffi.errno()}`);
  return [fds[0] ?? -1, fds[1] ?? -1];
}

export function fifo(path: string): void {
  if (Number(mkfifo(path, 0o600)) !== 0) throw new Error(`mkfifo: errno ${koffi.errno()}`);
}

/** Descriptors that a process has open. */
export function openDescriptors(pid: number | "self" = "self"): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Areas of this process's memory that show a memfd of memfd(). */
export function mappedAreas(): number {
  return readFileSync("/proc/self/maps", "latin1").split("/memfd:guest-ram").length - 1;
}

export function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}
