// The directory that outlives the daemon: private to its user, and one daemon's at a time.
// The lock is the kernel's (flock on the directory itself), so it ends with the process, however that ends.

import { closeSync, constants, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BrokerError } from "../backends/errors.ts";
import { errnoOf } from "./errno.ts";
import { tryLock } from "./libc.ts";

const MODE = 0o700;
const FOR_OTHERS = 0o077;
const HOLDER = "pid";

export interface StateDirectory {
  readonly path: string;
  /** Gives up the lock. */
  release(): void;
}

/**
 * Takes the state directory, making it where there is none.
 * @param path  absolute
 * @throws BrokerError argument_invalid (not usable) or in_use (another daemon has it), each with the remedy
 */
export function takeStateDirectory(path: string): StateDirectory {
  const fd = openDirectory(path);
  try {
    check(path);
    if (!tryLock(fd)) {
      const pid = holderOf(path);
      const message = `state directory ${path} is in use by ${pid === 0 ? "another daemon" : `pid ${pid}`}: stop it, or give this daemon a state_directory of its own`;
      throw new BrokerError("in_use", message, { path, pid });
    }
    writeFileSync(join(path, HOLDER), `${process.pid}\n`, { mode: 0o600 });
    return { path, release: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** What the holder of the lock wrote, for the message only; 0 when it has not yet. */
function holderOf(path: string): number {
  try {
    return Number.parseInt(readFileSync(join(path, HOLDER), "utf8"), 10) || 0;
  } catch {
    return 0;
  }
}

function openDirectory(path: string): number {
  try {
    mkdirSync(path, { recursive: true, mode: MODE });
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const why = `cannot be opened (${errnoOf(error)}): check the path and its permissions`;
    throw refused(path, why, error);
  }
}

function check(path: string): void {
  const { mode, uid } = statSync(path);
  const self = process.geteuid?.() ?? 0;
  if (uid !== self) throw refused(path, `belongs to uid ${uid}, the daemon is uid ${self}: chown it`);
  if ((mode & FOR_OTHERS) !== 0) {
    const shown = (mode & 0o7777).toString(8).padStart(4, "0");
    throw refused(path, `has mode ${shown}, others could read or change it: chmod 0700 ${path}`);
  }
}

function refused(path: string, why: string, cause?: unknown): BrokerError {
  return new BrokerError("argument_invalid", `state directory ${path} ${why}`, { path }, { cause });
}
