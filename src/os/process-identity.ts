// What procfs says of the process at the other end of a Unix socket: what it runs, its control group, when it began.
// A pid may be another process's by the time it is looked up. The pidfd of the connection names the one that connected;
// while /proc/self/fdinfo shows the pid for it, that process has not been reaped and nobody else can have the number.
// procfs makes up these three files from memory: reading them waits for nobody.
// Source: proc_pid_stat(5), proc_pid_exe(5), cgroups(7), pidfd_open(2).

import { closeSync, openSync, readlinkSync, readSync } from "node:fs";

/** Absent: not readable for us, gone meanwhile, or longer than the limit; never shortened, which could make it another's. */
export interface ProcessIdentity {
  /**
   * Path of what it executes, as the process's own mounts have it: in a container, whoever made the image chose it.
   * It may say less than a uid, never more.
   */
  readonly executable?: string;
  /** Its path in the cgroup v2 hierarchy, "/system.slice/vmm@7.service". */
  readonly cgroup?: string;
  /** Clock ticks from boot to its start: with the pid it names one process of this boot. */
  readonly startTime?: number;
}

/** Linux's PATH_MAX. */
const TEXT_BYTES_MAX = 4096;
const FILE_BYTES_MAX = 65_536;

/**
 * Reads what procfs has of process `pid`.
 * @param pidfd  of the same process; without one nothing is certain, and nothing is told
 */
export function processIdentity(pid: number, pidfd: number | undefined): ProcessIdentity {
  if (pid <= 0 || pidfd === undefined) return {};
  const executable = orAbsent(() => text(readlinkSync(`/proc/${pid}/exe`, "buffer")));
  const cgroup = orAbsent(() => cgroupIn(read(`/proc/${pid}/cgroup`)));
  const startTime = orAbsent(() => startTimeIn(read(`/proc/${pid}/stat`)));
  if (orAbsent(() => pidIn(read(`/proc/self/fdinfo/${pidfd}`))) !== pid) return {};
  return {
    ...(executable !== undefined && { executable }),
    ...(cgroup !== undefined && { cgroup }),
    ...(startTime !== undefined && { startTime }),
  };
}

/** The v2 line, "0::/path"; v1 hierarchies, which have other numbers, are not looked at. */
export function cgroupIn(file: Buffer): string | undefined {
  const line = text(file, FILE_BYTES_MAX)
    ?.split("\n")
    .find((each) => each.startsWith("0::/"));
  const path = line?.slice("0::".length);
  return path === undefined || Buffer.byteLength(path) > TEXT_BYTES_MAX ? undefined : path;
}

/** Field 22. Field 2 is the command's name in parentheses and may itself hold blanks and parentheses. */
export function startTimeIn(file: Buffer): number | undefined {
  const line = file.toString("latin1");
  const fields = line.slice(line.lastIndexOf(")") + 1).split(" "); // [0] is empty, [1] is field 3
  const ticks = fields[20];
  if (ticks === undefined || !/^\d+$/.test(ticks) || !Number.isSafeInteger(Number(ticks))) return undefined;
  return Number(ticks);
}

/** -1 once the process was reaped, 0 when it is in no pid namespace that this procfs shows. */
function pidIn(file: Buffer): number {
  return Number(/^Pid:\t(-?\d+)$/m.exec(file.toString("latin1"))?.[1] ?? -1);
}

/** Undefined for what is not UTF-8: two names must not become one. */
function text(bytes: Buffer, bytesMax = TEXT_BYTES_MAX): string | undefined {
  if (bytes.length > bytesMax) return undefined;
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

function read(path: string): Buffer {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(FILE_BYTES_MAX);
    let length = 0;
    for (let more = -1; more !== 0 && length < bytes.length; length += more) {
      more = readSync(file, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

/** EACCES, ENOENT and ESRCH are answers here; so is text that is not UTF-8. */
function orAbsent<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
