// Counters of PMUs through perf_event_open(2), which libc has no name for: opened for a whole CPU, read as they stand.
// Implements the native backend's PerfEvents port. A read asks the CPU that the PMU is tied to, and does not sleep.
// Source: perf_event_open(2); include/uapi/linux/perf_event.h (PERF_ATTR_SIZE_VER0).

import { closeSync, readSync } from "node:fs";
import koffi from "koffi";
import type { PerfEvent, PerfEvents } from "../backends/iommufd/perf-events.ts";

const libc = koffi.load(null);
// syscall takes "..." in C; on Linux a fixed argument is passed in the same place.
const syscall = libc.func(
  "long syscall(long number, const void *attr, long pid, long cpu, long group, unsigned long flags)",
);

/** By Node's name of the architecture; one that is not here has no SMMU. */
const PERF_EVENT_OPEN: Readonly<Record<string, number>> = { x64: 298, arm64: 241 };
const ENOSYS = 38;
const ATTR_BYTES = 64;
/** Bit 2 of the flags at 40: counted all the time, or not at all. */
const PINNED = 4n;
const ANY_PROCESS = -1;
const NO_GROUP = -1;
const FD_CLOEXEC = 8;
const VALUE_BYTES = 8;

/** struct perf_event_attr as its first version has it: type@0, size@4, config@8, flags@40. */
export function perfAttr({ config, type }: Omit<PerfEvent, "cpu">): Uint8Array {
  const view = new DataView(new ArrayBuffer(ATTR_BYTES));
  view.setUint32(0, type, true);
  view.setUint32(4, ATTR_BYTES, true);
  view.setBigUint64(8, BigInt(config), true);
  view.setBigUint64(40, PINNED, true);
  return new Uint8Array(view.buffer);
}

export const perfEvents: PerfEvents = {
  open: (event) => {
    const number = PERF_EVENT_OPEN[process.arch];
    if (number === undefined) return -ENOSYS;
    const fd = Number(syscall(number, perfAttr(event), ANY_PROCESS, event.cpu, NO_GROUP, FD_CLOEXEC));
    return fd >= 0 ? fd : -koffi.errno();
  },
  readNow: (fd) => {
    const value = new BigUint64Array(1);
    try {
      return readSync(fd, value, 0, VALUE_BYTES, null) === VALUE_BYTES ? Number(value[0]) : undefined;
    } catch {
      return undefined; // its PMU is gone
    }
  },
  close: (fd) => closeSync(fd),
};
