// Creates a Unix socket so that at no moment somebody may connect who should not, and so that a daemon that runs
// already keeps its own: the directory is 0750 and ours, the socket 0660 from its first instant, a stale socket is
// replaced, a live one refused with who holds it. Two daemons that start at once are kept apart by a lock on the
// directory, held from the look to the bind. A socket that the process was started with (inherited-sockets.ts) was made by
// somebody else, who keeps it: nothing of this is done to it, and its file stays.

import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname, isAbsolute } from "node:path";
import { BrokerError } from "../backends/errors.ts";
import { errnoOf } from "./errno.ts";
import { descriptorOf, type PeerCredentials, peerCredentials, tryLock } from "./libc.ts";

/** sizeof(sun_path) - 1 on Linux, unix(7). */
export const SOCKET_PATH_BYTES_MAX = 107;
const DIRECTORY_MODE = 0o750;
/** Leaves 0660 of the 0777 that bind(2) starts from. */
const SOCKET_UMASK = 0o117;
const WRITABLE_BY_OTHERS = 0o022;
const PROBE_TIMEOUT_MS = 2000;

export interface UnixListener {
  readonly path: string;
  /** Accepts no more connections and removes the socket file, if it still is the one that was bound. */
  stop(): void;
}

/**
 * Makes `server` listen on a Unix socket at `path`.
 *
 * @param path  absolute, at most 107 bytes
 * @param inherited  the descriptor of a socket that listens at `path` already
 * @throws BrokerError argument_invalid (path, directory or what stands there is unusable) or in_use (a live socket),
 *         each with the remedy; the server then does not listen and nothing was removed
 */
export async function listenUnix(server: Server, path: string, inherited?: number): Promise<UnixListener> {
  if (inherited !== undefined) {
    await listenOn(server, path, { fd: inherited });
    return { path, stop: () => server.close() };
  }
  checkPath(path);
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  checkDirectory(path, directory);
  const lock = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    if (!tryLock(lock))
      throw refused("in_use", path, `waits for another daemon that is starting in ${directory}`, "try again");
    await clearStale(path);
    await listenOn(server, path, { path });
  } finally {
    closeSync(lock);
  }
  const bound = statSync(path);
  return { path, stop: () => stopListening(server, path, bound) };
}

function checkPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (!isAbsolute(path)) throw refused("argument_invalid", path, "is not absolute", "give the path from /");
  if (path.includes("\0")) throw refused("argument_invalid", path, "holds a NUL byte", "take it out");
  if (bytes > SOCKET_PATH_BYTES_MAX) {
    const why = `has ${bytes} bytes, but the kernel takes ${SOCKET_PATH_BYTES_MAX}`;
    throw refused("argument_invalid", path, why, "choose a shorter path");
  }
}

function checkDirectory(path: string, directory: string): void {
  const stat = statSync(directory);
  const self = process.geteuid?.() ?? 0;
  if (stat.uid !== 0 && stat.uid !== self) {
    const why = `is not safe: its directory belongs to uid ${stat.uid}, who could put another socket in its place`;
    throw refused("argument_invalid", path, why, `use a directory of uid ${self} or root`);
  }
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) {
    const mode = (stat.mode & 0o7777).toString(8).padStart(4, "0");
    const why = `is not safe: its directory has mode ${mode}, so others could put another socket in its place`;
    throw refused("argument_invalid", path, why, `chmod go-w ${directory}, or use a directory of its own`);
  }
}

/** Leaves the way free for bind, or throws: what stands there is live, or is not a socket. */
async function clearStale(path: string): Promise<void> {
  const before = statOf(path);
  if (before === undefined) return;
  if (!before.isSocket()) {
    throw refused("argument_invalid", path, "is there already and is not a socket", "move it away");
  }
  const probe = await probeSocket(path);
  if (probe.kind === "live") {
    const holder = await describeHolder(probe.holder);
    const facts = { path, pid: probe.holder?.pid ?? 0, uid: probe.holder?.uid ?? 0 };
    const message = `socket ${path} is in use by ${holder}: stop it, or choose another path`;
    throw new BrokerError("in_use", message, facts);
  }
  removeIfSame(path, before);
}

type Probe = { readonly kind: "stale" } | { readonly kind: "live"; readonly holder: PeerCredentials | undefined };

/** Only a refused connection proves that nobody listens; a full backlog or a timeout is somebody's. */
function probeSocket(path: string): Promise<Probe> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (probe: Probe): void => {
      socket.destroy();
      resolve(probe);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => done({ kind: "live", holder: undefined }));
    socket.once("connect", () => {
      const fd = descriptorOf(socket);
      done({ kind: "live", holder: fd === undefined ? undefined : peerCredentials(fd) });
    });
    socket.once("error", (error) => {
      const gone = ["ECONNREFUSED", "ENOENT"].includes(errnoOf(error));
      done(gone ? { kind: "stale" } : { kind: "live", holder: undefined });
    });
  });
}

async function describeHolder(holder: PeerCredentials | undefined): Promise<string> {
  if (holder === undefined) return "a process that does not answer";
  const commandLine = await readFile(`/proc/${holder.pid}/cmdline`, "utf8").catch(() => "");
  const words = commandLine
    .split("\0")
    .filter((word) => word !== "")
    .join(" ");
  return `pid ${holder.pid} (uid ${holder.uid}${words === "" ? "" : `, ${words.slice(0, 200)}`})`;
}

function listenOn(server: Server, path: string, where: { path: string } | { fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      const why = `cannot be bound (${errnoOf(error)})`;
      reject(refused("argument_invalid", path, why, "check the directory and its permissions", error));
    };
    server.once("error", onError);
    // Node binds before listen() returns, so the mask is only in force for the bind.
    const mask = process.umask(SOCKET_UMASK);
    try {
      server.listen(where, () => {
        server.off("error", onError);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

/** Closing a listening pipe unlinks the path it was bound to, whatever stands there now: keep what is not ours. */
function stopListening(server: Server, path: string, bound: Stats): void {
  const now = statOf(path);
  if (now === undefined || isSame(now, bound)) {
    server.close();
    return;
  }
  const spare = `${path}.kept-${process.pid}`;
  linkSync(path, spare);
  server.close();
  renameSync(spare, path);
}

function removeIfSame(path: string, known: Stats): void {
  const now = statOf(path);
  if (now !== undefined && isSame(now, known)) unlinkSync(path);
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function refused(
  code: "argument_invalid" | "in_use",
  path: string,
  why: string,
  remedy: string,
  cause?: unknown,
): BrokerError {
  return new BrokerError(code, `socket ${path} ${why}: ${remedy}`, { path }, { cause });
}
