// What the native backend is given of the system, made only if it is asked for: the kernel with its threads, the host's
// pseudo file systems, and where drivers are noted.

import { join } from "node:path";
import type { NativeSystem } from "../../backends/select.ts";
import { HOST_ROOTS } from "../../backends/select.ts";
import { watchDirectory } from "../../os/directory-watch.ts";
import { driverNotes } from "../../os/driver-notes.ts";
import { hostFiles } from "../../os/host-files.ts";
import { createNativeKernel, type NativeKernel } from "../../os/native-kernel.ts";
import { perfEvents } from "../../os/perf-events.ts";
import type { Poller } from "../../os/poller.ts";
import type { Config } from "../config.ts";

const NOTES_DIRECTORY = "drivers";

export interface LazySystem {
  get(): NativeSystem;
  /** Waits for the calls that run: after the backend has closed, before the poller does. */
  shutDown(): Promise<void>;
}

export function nativeSystem({ stateDirectory }: Config, poller: Poller, onBug: (error: unknown) => void): LazySystem {
  let kernel: NativeKernel | undefined;
  return {
    get: () => {
      kernel ??= createNativeKernel({ poller });
      const notes = stateDirectory === undefined ? undefined : driverNotes(join(stateDirectory, NOTES_DIRECTORY));
      return {
        kernel,
        files: hostFiles,
        roots: HOST_ROOTS,
        watch: watchDirectory,
        perf: perfEvents,
        notes,
        uid: process.getuid?.() ?? 0,
        onBug,
      };
    },
    shutDown: async () => {
      await kernel?.shutDown();
    },
  };
}
