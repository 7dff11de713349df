// ONE blocking wait for any number of descriptors that Node's own event loop does not take (pidfds, queues of iommufd):
// epoll_wait on a thread of libuv's pool, which it keeps for itself. Descriptors come and go while it waits; an eventfd ends it.
// Nothing is polled in turns: while nothing happens, nothing runs.

import { closeSync, writeSync } from "node:fs";
import { BrokerError } from "../backends/errors.ts";
import { addReadable, type Opened, openEpoll, openEventfd, removeReadable, waitReadable } from "./libc.ts";

/** What one wait brings at most; what is left is brought by the next one. */
const KEYS_PER_WAIT_MAX = 64;
/** Waits broken off in a row; a signal breaks off one. */
const BROKEN_WAITS_MAX = 100;
const WAKE_KEY = 0;
const KEYS = 2 ** 32;

export class Poller {
  readonly #epoll: number;
  readonly #wake: number;
  readonly #watched = new Map<number, { readonly fd: number; readonly onReadable: () => void }>();
  readonly #onFailure: (error: unknown) => void;
  readonly #wakeAtExit = (): void => this.#wakeUp();
  #lastKey = WAKE_KEY;
  #waiting: Promise<void> | undefined;
  #isClosed = false;

  /** @param onFailure  it cannot wait any more, so nothing it watches would ever be told of */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
    this.#epoll = descriptor(openEpoll(), "epoll_create1");
    try {
      this.#wake = descriptor(openEventfd(), "eventfd");
    } catch (error) {
      closeSync(this.#epoll);
      throw error;
    }
    addReadable(this.#epoll, this.#wake, WAKE_KEY);
  }

  /** Descriptors that are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /**
   * Calls `onReadable` once, when `fd` becomes readable, unless stopped first. From then on, and after stop(), `fd` is
   * the caller's to close. Waiting keeps the process alive until close().
   * @throws BrokerError backend_failed when the kernel does not take it (out of memory, over a limit)
   */
  watch(fd: number, onReadable: () => void): () => void {
    const key = this.#freeKey();
    if (this.#isClosed || !addReadable(this.#epoll, fd, key)) {
      throw new BrokerError("backend_failed", "a descriptor cannot be watched: epoll does not take it", { fd });
    }
    this.#watched.set(key, { fd, onReadable });
    if (this.#waiting === undefined) {
      process.once("exit", this.#wakeAtExit); // process.exit() waits for libuv's threads, and one of them waits here
      this.#waiting = this.#waitOn();
    }
    return () => this.#forget(key);
  }

  /** Ends the wait. What is still watched is told of no more. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wakeUp();
    await this.#waiting;
    process.off("exit", this.#wakeAtExit);
    this.#watched.clear();
    closeSync(this.#epoll);
    closeSync(this.#wake);
  }

  async #waitOn(): Promise<void> {
    let broken = 0;
    while (!this.#isClosed) {
      const keys = await waitReadable(this.#epoll, KEYS_PER_WAIT_MAX);
      broken = keys === undefined ? broken + 1 : 0;
      if (broken > BROKEN_WAITS_MAX) {
        this.#onFailure(new BrokerError("backend_failed", "epoll_wait fails again and again"));
        return;
      }
      for (const key of this.#isClosed ? [] : (keys ?? [])) this.#tell(key);
    }
  }

  #tell(key: number): void {
    const found = this.#watched.get(key);
    if (!found) return; // stopped while the wait was on its way back
    this.#forget(key);
    found.onReadable();
  }

  #forget(key: number): void {
    const found = this.#watched.get(key);
    if (!found) return;
    this.#watched.delete(key);
    removeReadable(this.#epoll, found.fd);
  }

  #freeKey(): number {
    do this.#lastKey = (this.#lastKey + 1) % KEYS;
    while (this.#lastKey === WAKE_KEY || this.#watched.has(this.#lastKey));
    return this.#lastKey;
  }

  #wakeUp(): void {
    writeSync(this.#wake, new BigUint64Array([1n]));
  }
}

function descriptor(result: Opened, call: string): number {
  if (result.ok) return result.fd;
  throw new BrokerError("backend_failed", `${call} fails (${result.errno})`, { errno: result.errno });
}
