// The port to perf: counters of a PMU, opened for a whole CPU. os/perf-events.ts implements it, and tests play it.
// Source: perf_event_open(2).

/** One event of a PMU on one CPU, as perf_event_open takes it. */
export interface PerfEvent {
  readonly type: number;
  readonly config: number;
  readonly cpu: number;
}

/** What reading counters needs of the kernel: src/os implements it. */
export interface PerfEvents {
  /** Begins to count, pinned. @returns the descriptor, or the negative errno */
  open(event: PerfEvent): number;
  /** Without sleeping; undefined: it is not counted, for the hardware has no counter free. */
  readNow(fd: number): number | undefined;
  close(fd: number): void;
}
