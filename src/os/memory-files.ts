// Opens the files that clients name as guest memory, and reads and writes them by pread and pwrite.
// Implements core's MemoryFiles port. Nothing is mapped: a file truncated under us is a short read, which the SMMU model
// sees as a bus error, and not a signal that ends the daemon.
// Node has no openat(2), so a path is opened with O_NOFOLLOW and then compared with what /proc says was really opened:
// a symbolic link in any component, or one slipped in while we looked, shows as a difference.

import { closeSync, constants, fstatSync, open } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { isAbsolute, normalize } from "node:path";
import { BrokerError, type Facts, limitReached } from "../backends/errors.ts";
import type { GuestMemoryFile } from "../backends/guest-memory.ts";
import type { MemoryFiles } from "../server/core/ports.ts";
import { errnoOf } from "./errno.ts";
import { MemoryFile } from "./memory-file.ts";
import type { MemoryRoot } from "./memory-roots.ts";
import { openPassed, PassedMemoryFile } from "./passed-memory.ts";

export interface MemoryFilesOptions {
  readonly roots: readonly MemoryRoot[];
  /** Whose files may be guest memory for root, for the daemon's own uid and for callers not known by uid. */
  readonly ownerUids: readonly number[];
  /** The uid of the daemon. */
  readonly daemonUid: number;
  /** Distinct files open at once. */
  readonly openFilesMax: number;
}

export interface OpenMemoryFiles extends MemoryFiles {
  /** How many distinct files are open now. */
  openCount(): number;
  /**
   * The file behind a descriptor that a client passed, retained once for the caller. `passed` stays the caller's to close.
   * @throws BrokerError argument_invalid, policy_denied or limit_reached with the reason
   */
  adopt(passed: number, label: string): GuestMemoryFile;
}

/** PATH_MAX of Linux, without the final NUL. */
const PATH_BYTES_MAX = 4095;
/** O_NONBLOCK: a FIFO put in the file's place must not hang the open. Node adds O_CLOEXEC. */
const OPEN_FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export function createMemoryFiles(options: MemoryFilesOptions): OpenMemoryFiles {
  const files = new Map<string, OpenFile>();
  return {
    openCount: () => files.size,
    adopt: (passed, label) => {
      const opened = openPassed(passed);
      const make = (): OpenFile => new PassedMemoryFile(opened, label, () => files.delete(key));
      const key = `${opened.key}:${label}`;
      try {
        return retainOrAdd(files, { key, fd: opened.fd }, make, options.openFilesMax);
      } catch (error) {
        closeSync(opened.fd);
        throw error;
      }
    },
    open: async (path, caller) => {
      const expected = resolveBeneath(path, options.roots);
      await refuseUnlessRegular(path, expected);
      const fd = await openDescriptor(path, expected);
      try {
        const key = await checkDescriptor(fd, path, expected, (uid) => refuseOwner(path, uid, caller.uid, options));
        const make = (): OpenFile => new MemoryFile({ key, path, fd }, () => files.delete(key));
        return retainOrAdd(files, { key, fd }, make, options.openFilesMax);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    },
  };
}

type OpenFile = MemoryFile | PassedMemoryFile;

/** Takes over `fd`: keeps it in a new file, or closes it because the same inode is open already. Throws before that. */
function retainOrAdd(
  files: Map<string, OpenFile>,
  opened: { key: string; fd: number },
  make: () => OpenFile,
  openFilesMax: number,
): GuestMemoryFile {
  const known = files.get(opened.key);
  if (known !== undefined) {
    closeSync(opened.fd);
    known.retain();
    known.remeasure();
    return known;
  }
  if (files.size >= openFilesMax) {
    throw limitReached("open_memory_files_max", openFilesMax, "unmap memory, or raise limits.open_memory_files_max");
  }
  const file = make();
  files.set(opened.key, file);
  return file;
}

/** The real path that `path` must turn out to be, beneath one of the roots. */
function resolveBeneath(path: string, roots: readonly MemoryRoot[]): string {
  const why = malformed(path);
  if (why !== undefined) {
    throw new BrokerError("argument_invalid", `memory file ${shown(path)} ${why}`, { path: shown(path) });
  }
  for (const root of roots) {
    for (const prefix of [root.configured, root.real]) {
      if (path.startsWith(`${prefix}/`)) return `${root.real}${path.slice(prefix.length)}`;
    }
  }
  const names = roots.map((root) => root.configured).join(", ");
  throw denied(path, `is outside the memory roots (${names || "none"}): put it beneath one, or add a root`);
}

function malformed(path: string): string | undefined {
  if (path === "") return "is empty: give an absolute path";
  if (path.includes("\0")) return "holds a NUL byte";
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) return `is longer than ${PATH_BYTES_MAX} bytes`;
  if (!isAbsolute(path)) return "is not absolute: give the path from /";
  if (normalize(path) !== path || path.endsWith("/")) return 'holds "." or ".." or a superfluous "/": normalise it';
  return undefined;
}

/** Before the open, because opening a device node can already have effects; checked again on the descriptor. */
async function refuseUnlessRegular(path: string, expected: string): Promise<void> {
  const stat = await lstat(expected).catch((error: unknown) => {
    throw openFailed(path, error);
  });
  if (stat.isSymbolicLink()) throw denied(path, "is a symbolic link: name the file itself");
  if (!stat.isFile()) throw denied(path, "is not a regular file");
}

/** A raw descriptor: a FileHandle would close it when collected, and ours lives until the last release. */
function openDescriptor(path: string, expected: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(expected, OPEN_FLAGS, (error, fd) => (error === null ? resolve(fd) : reject(openFailed(path, error))));
  });
}

async function checkDescriptor(
  fd: number,
  path: string,
  expected: string,
  checkOwner: (uid: number) => void,
): Promise<string> {
  const actual = await readlink(`/proc/self/fd/${fd}`);
  if (actual !== expected) throw denied(path, "goes through a symbolic link, or was moved while it was opened");
  const stat = fstatSync(fd, { bigint: true });
  if (!stat.isFile()) throw denied(path, "is not a regular file");
  checkOwner(Number(stat.uid));
  return `${stat.dev}:${stat.ino}`;
}

/** A client that could name another user's file would have its device read and write that user's guest. */
function refuseOwner(
  path: string,
  fileUid: number,
  callerUid: number | undefined,
  { ownerUids, daemonUid }: MemoryFilesOptions,
): void {
  if (fileUid === callerUid) return;
  const facts = { file_uid: fileUid, caller_uid: callerUid ?? "unknown" };
  if (callerUid !== undefined && callerUid !== 0 && callerUid !== daemonUid) {
    throw denied(
      path,
      `belongs to uid ${fileUid}, its caller is uid ${callerUid}: chown it to the caller's uid`,
      facts,
    );
  }
  if (ownerUids.includes(fileUid)) return;
  const who = callerUid === undefined ? "not known by uid (TCP)" : `uid ${callerUid}`;
  const owners = ownerUids.join(" or ") || "none";
  throw denied(
    path,
    `belongs to uid ${fileUid}, its caller is ${who}: chown it to one of memory_owner_uids (${owners}), or add the uid there`,
    facts,
  );
}

function openFailed(path: string, error: unknown): BrokerError {
  const errno = errnoOf(error);
  const facts = { path: shown(path), errno };
  const cause = { cause: error };
  switch (errno) {
    case "ENOENT":
    case "ENOTDIR":
      return new BrokerError(
        "argument_invalid",
        `memory file ${shown(path)} does not exist: create it first`,
        facts,
        cause,
      );
    case "ENAMETOOLONG":
      return new BrokerError(
        "argument_invalid",
        `memory file ${shown(path)} has a name that is too long`,
        facts,
        cause,
      );
    case "ELOOP":
      return denied(path, "is a symbolic link: name the file itself");
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return denied(path, "cannot be opened for reading and writing by the daemon: change its mode or owner");
    default:
      return new BrokerError("backend_failed", `memory file ${shown(path)} cannot be opened (${errno})`, facts, cause);
  }
}

function denied(path: string, why: string, facts: Facts = {}): BrokerError {
  return new BrokerError("policy_denied", `memory file ${shown(path)} ${why}`, { path: shown(path), ...facts });
}

function shown(path: string): string {
  return path.length <= 200 ? path : `${path.slice(0, 200)}…`;
}
