// The kernel itself, for the native backend: what can sleep goes through the pool's threads, what the kernel answers at
// once is called here, and descriptors are watched by the daemon's one epoll.
// Source: HOUSE rule 6.

import { readSync, writeSync } from "node:fs";
import type { Kernel } from "../backends/iommufd/kernel.ts";
import { assert } from "../spec/assert.ts";
import { KernelPool, type KernelPoolOptions } from "./kernel-pool.ts";
import { NativeCaller } from "./native-call.ts";
import type { Poller } from "./poller.ts";

export interface NativeKernel extends Kernel {
  /** Waits for the calls that run. To be called last: descriptors are closed through it. */
  shutDown(): Promise<void>;
}

export function createNativeKernel({
  poller,
  ...options
}: KernelPoolOptions & { readonly poller: Poller }): NativeKernel {
  const pool = new KernelPool(options);
  const parts = { pool, caller: new NativeCaller(), poller };
  return { ...kernelOf(parts, undefined), shutDown: () => pool.close() };
}

interface Parts {
  readonly pool: KernelPool;
  readonly caller: NativeCaller;
  readonly poller: Poller;
}

function kernelOf(parts: Parts, owner: string | undefined): Kernel {
  const { caller, poller, pool } = parts;
  return {
    ownedBy: (other) => kernelOf(parts, other),
    ioctl: async (request) => {
      const [answer] = (await pool.run({ kind: "ioctls", steps: [request] }, owner)).results;
      assert(answer !== undefined, "the ioctl was made");
      return answer;
    },
    ioctls: async (steps) => (await pool.run({ kind: "ioctls", steps }, owner)).results,
    ioctlNow: (request) => caller.ioctl(request),
    open: async (path) => Number((await pool.run({ kind: "open", path }, owner)).result),
    close: async (fd) => {
      await pool.run({ kind: "close", fd }, owner);
    },
    onReadable: (fd, listener) => watchReadable(poller, fd, listener),
    readNow: (fd, into) => countOrErrno(() => readSync(fd, into)),
    writeNow: (fd, from) => countOrErrno(() => writeSync(fd, from)),
    mapFile: async (part) => (await pool.run({ kind: "map", part }, owner)).result,
    unmapFile: async (address, bytes) => {
      await pool.run({ kind: "unmap", address, bytes }, owner);
    },
  };
}

/** The poller tells once; what is still readable after the listener is told of again. */
function watchReadable(poller: Poller, fd: number, listener: () => void): () => void {
  let isStopped = false;
  let stop: () => void;
  const watch = (): void => {
    stop = poller.watch(fd, () => {
      listener();
      if (!isStopped) watch();
    });
  };
  watch();
  return () => {
    isStopped = true;
    stop();
  };
}

/** Nothing to be had is no error. */
const NOTHING = "EAGAIN";

function countOrErrno(transfer: () => number): number {
  try {
    return transfer();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (Reflect.get(error, "code") === NOTHING) return 0;
    const errno: unknown = Reflect.get(error, "errno"); // Node gives it negative already
    if (typeof errno !== "number") throw error;
    return errno;
  }
}
