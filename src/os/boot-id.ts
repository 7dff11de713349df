// Which start of the kernel this is: start times of processes count from it.
// Kernels without CONFIG_SYSCTL have no boot_id; they still tell when they started, by a clock that may have been set since.
// Source: random(4), proc_stat(5).

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** @param proc  where procfs is mounted */
export function bootID(proc: string): string {
  try {
    return readFileSync(join(proc, "sys/kernel/random/boot_id"), "latin1").trim();
  } catch (error) {
    const started = /^btime (\d+)$/m.exec(readFileSync(join(proc, "stat"), "latin1"))?.[1];
    if (started === undefined) throw error;
    return `btime-${started}`;
  }
}
