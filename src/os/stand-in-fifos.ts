// Stand-ins for the device nodes of a simulated host: FIFOs of which others hold the writing end (fifo(7)). The reading
// end is at its end when the last writer has closed, however it did, and epoll tells of it: nobody has to ask again and again.
// A FIFO keeps its name, so a daemon that was started anew finds out by opening it whether anybody still holds one.
// What holders write is thrown away.

import { closeSync, constants, mkdirSync, openSync, readSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { StandIns } from "../backends/device-descriptors.ts";
import { BrokerError } from "../backends/errors.ts";
import type { DeviceID } from "../backends/ids.ts";
import { errnoOf } from "./errno.ts";
import { makeFifo } from "./libc.ts";
import type { Poller } from "./poller.ts";

const DISCARDED_BYTES = 4096;
/** Of what one look throws away: a holder that writes and writes waits for its next turn. */
const DISCARDS_MAX = 16;

interface StandIn {
  readonly path: string;
  readonly readingEnd: number;
  readonly own: number[];
  stopWatching: (() => void) | undefined;
  onClosed: () => void;
}

export interface StandInOptions {
  /** For FIFOs alone; made when the first one is. */
  readonly directory: string;
  readonly poller: Pick<Poller, "watch">;
}

export function createStandIns(options: StandInOptions): StandIns {
  return new StandInFifos(options);
}

class StandInFifos implements StandIns {
  readonly #options: StandInOptions;
  readonly #known = new Map<DeviceID, StandIn>();

  constructor(options: StandInOptions) {
    this.#options = options;
  }

  open(device: DeviceID): number {
    const standIn = this.#known.get(device) ?? this.#make(device);
    const fd = openSync(standIn.path, constants.O_WRONLY + constants.O_NONBLOCK);
    standIn.own.push(fd);
    return fd;
  }

  letGo(device: DeviceID): void {
    for (const fd of this.#known.get(device)?.own.splice(0) ?? []) closeSync(fd);
  }

  isHeld(device: DeviceID, onClosed: () => void): boolean {
    const standIn = this.#known.get(device) ?? this.#find(device);
    if (standIn === undefined) return false;
    if (!hasWriters(standIn.readingEnd)) {
      this.forget(device);
      return false;
    }
    standIn.onClosed = onClosed;
    this.#watch(device, standIn);
    return true;
  }

  forget(device: DeviceID): void {
    const standIn = this.#known.get(device);
    if (standIn === undefined) return;
    this.#known.delete(device);
    close(standIn);
    unlinkSync(standIn.path);
  }

  close(): void {
    for (const standIn of this.#known.values()) close(standIn);
    this.#known.clear();
  }

  #watch(device: DeviceID, standIn: StandIn): void {
    standIn.stopWatching ??= this.#options.poller.watch(standIn.readingEnd, () => {
      standIn.stopWatching = undefined;
      if (hasWriters(standIn.readingEnd)) {
        this.#watch(device, standIn);
        return;
      }
      this.forget(device);
      standIn.onClosed();
    });
  }

  #make(device: DeviceID): StandIn {
    const { directory } = this.#options;
    const path = this.#pathOf(device);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw impossible(path, `mkdir: ${errnoOf(error)}`);
    }
    const made = makeFifo(path, 0o600);
    if (!made.ok && made.errno !== "EEXIST") throw impossible(path, `mkfifo: ${made.errno}`);
    return this.#know(device, path);
  }

  /** Of before a restart. */
  #find(device: DeviceID): StandIn | undefined {
    try {
      return this.#know(device, this.#pathOf(device));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  #know(device: DeviceID, path: string): StandIn {
    const readingEnd = openSync(path, constants.O_RDONLY + constants.O_NONBLOCK + constants.O_NOFOLLOW);
    const standIn = { path, readingEnd, own: [], stopWatching: undefined, onClosed: () => {} };
    this.#known.set(device, standIn);
    return standIn;
  }

  #pathOf(device: DeviceID): string {
    return join(this.#options.directory, device);
  }
}

function impossible(path: string, why: string): BrokerError {
  return new BrokerError("backend_failed", `${path} cannot be made (${why}): nothing can stand for the device`, {
    path,
  });
}

function close({ own, readingEnd, stopWatching }: StandIn): void {
  stopWatching?.();
  for (const fd of own.splice(0)) closeSync(fd);
  closeSync(readingEnd);
}

/** Nothing to be read is the end where nobody writes, and EAGAIN where somebody could. */
function hasWriters(readingEnd: number): boolean {
  const discarded = new Uint8Array(DISCARDED_BYTES);
  try {
    for (let discards = 0; discards < DISCARDS_MAX; discards += 1) {
      if (readSync(readingEnd, discarded) === 0) return false;
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === "EAGAIN") return true;
    throw error;
  }
}
