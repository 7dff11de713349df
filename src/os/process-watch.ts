// Tells core when a process ends, by a pidfd (pidfd_open(2)): within milliseconds, however the process ends, and never
// for one that is only stopped. Implements core's ProcessWatch port.
// A pid comes back as another process's. The pidfd is opened first and the start time read then: what was opened is either
// the process of that start, or has died in between, which is seen at once. A caller's start was read when it connected
// (SO_PEERPIDFD); before Linux 6.5 it is not known, and whoever has its pid at the time is taken for it.

import { closeSync, readFileSync } from "node:fs";
import type { Caller } from "../server/core/caller.ts";
import type { ProcessWatch, WatchedProcess, WatchOutcome } from "../server/core/ports.ts";
import { bootID } from "./boot-id.ts";
import { type Opened, openPidfd } from "./libc.ts";
import type { Poller } from "./poller.ts";
import { startTimeIn } from "./process-identity.ts";

export interface ProcessWatchOptions {
  readonly poller: Poller;
  /** pidfd_open(2); a test has it fail as on a kernel or in a sandbox without it. */
  readonly open?: (pid: number) => Opened;
}

export interface SystemProcessWatch extends ProcessWatch {
  /** Watches nothing any more; the poller is its owner's to close. */
  close(): void;
}

export function createProcessWatch({ poller, open = openPidfd }: ProcessWatchOptions): SystemProcessWatch {
  const stops = new Set<() => void>();
  const watchPid = (
    pid: number,
    expected: { readonly birth?: string | undefined; readonly startTime?: number | undefined },
    onDeath: () => void,
  ): WatchOutcome => {
    const pidfd = open(pid);
    if (!pidfd.ok) {
      if (pidfd.errno === "ESRCH") return { kind: "dead" };
      return { kind: "impossible", reason: `the kernel gives no pidfd for pid ${pid} (${pidfd.errno})` };
    }
    const startTime = startTimeOf(pid);
    const birth = `${startTime}@${thisBoot()}`;
    if (
      startTime === undefined ||
      (expected.birth ?? birth) !== birth ||
      (expected.startTime ?? startTime) !== startTime
    ) {
      closeSync(pidfd.fd);
      return { kind: "dead" };
    }
    const stop = watchPidfd(poller, pidfd.fd, () => {
      stops.delete(stop);
      onDeath();
    });
    stops.add(stop);
    return {
      kind: "watched",
      process: { pid, birth },
      stop: () => {
        stops.delete(stop);
        stop();
      },
    };
  };
  return {
    watch: (caller: Caller, onDeath) => {
      if (caller.kind !== "process") return { kind: "impossible", reason: "no process is known behind a TCP client" };
      if (caller.pid === 0) return { kind: "impossible", reason: "the caller is in another pid namespace" };
      return watchPid(caller.pid, { startTime: caller.startTime }, onDeath);
    },
    close: () => {
      for (const stop of stops) stop();
      stops.clear();
    },
    rewatch: ({ pid, birth }: WatchedProcess, onDeath) => watchPid(pid, { birth }, onDeath),
  };
}

/** Gives what stops it; the pidfd is closed by whichever comes first. */
function watchPidfd(poller: Poller, pidfd: number, onDeath: () => void): () => void {
  let isOver = false;
  const over = (): boolean => {
    const wasOver = isOver;
    isOver = true;
    return wasOver;
  };
  const forget = poller.watch(pidfd, () => {
    if (over()) return;
    closeSync(pidfd);
    onDeath();
  });
  return () => {
    if (over()) return;
    forget();
    closeSync(pidfd);
  };
}

function startTimeOf(pid: number): number | undefined {
  try {
    return startTimeIn(readFileSync(`/proc/${pid}/stat`));
  } catch {
    return undefined; // gone
  }
}

let knownBootID: string | undefined;

function thisBoot(): string {
  knownBootID ??= bootID("/proc");
  return knownBootID;
}
