// What the kernel says of another process: CPU time and memory that is its own.
// Source: Linux Documentation/filesystems/proc.rst (smaps_rollup), Documentation/scheduler/sched-stats.rst.

import { readdirSync, readFileSync } from "node:fs";

/** CPU nanoseconds so far, of all threads there are; proc's own times count in hundredths of a second. */
export function cpuNanoseconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8"));
  return times.reduce((sum, time) => sum + Number(time.split(" ")[0]), 0);
}

/** Bytes in RAM that no other process shares. */
export function privateBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0);
  return (kib("Private_Clean") + kib("Private_Dirty")) * 1024;
}

/** Bytes in RAM, those shared with others included. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
