// Threads for calls that can sleep in the kernel: pinning a guest's memory, or closing a device whose DMA must end, can
// take seconds, and the event loop goes on meanwhile. As many threads as are needed, up to a bound; what finds none free
// waits in line, and the line has an end.
// A thread that dies takes down the call that it makes, and nothing else.

import { Worker } from "node:worker_threads";
import { BrokerError, limitReached } from "../backends/errors.ts";
import { type CallLane, laneOf } from "./call-lane.ts";
import { CallSlot, type KernelAnswer, type KernelJob } from "./call-slot.ts";

export interface KernelPoolOptions {
  /** Calls that run at once. */
  readonly threadsMax?: number;
  /** Calls that wait for a thread. */
  readonly waitingMax?: number;
}

const THREADS_MAX = 4;
const WAITING_MAX = 1024;
/** The thread's program, beside this file, in the source tree and in what is built from it. */
const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./kernel-worker.ts" : "./kernel-worker.js", import.meta.url);

interface Waiting {
  readonly job: KernelJob;
  readonly lane: CallLane;
  readonly resolve: (answer: KernelAnswer) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly slot: CallSlot;
  current: Waiting | undefined;
}

export class KernelPool {
  readonly #threadsMax: number;
  readonly #waitingMax: number;
  readonly #threads = new Set<Thread>();
  readonly #line: Waiting[] = [];
  readonly #onIdle: (() => void)[] = [];
  #isClosed = false;

  constructor({ threadsMax = THREADS_MAX, waitingMax = WAITING_MAX }: KernelPoolOptions = {}) {
    this.#threadsMax = threadsMax;
    this.#waitingMax = waitingMax;
  }

  /** Calls that run, and calls that wait. */
  get load(): { readonly running: number; readonly waiting: number } {
    const running = [...this.#threads].filter(({ current }) => current !== undefined).length;
    return { running, waiting: this.#line.length };
  }

  /**
   * What ends DMA or gives something back is always taken, and waits for no memory to be pinned (call-lane.ts).
   * @throws BrokerError limit_reached with kernel_calls_waiting, draining after close(), backend_failed when the thread dies
   */
  run(job: KernelJob): Promise<KernelAnswer> {
    if (this.#isClosed)
      return Promise.reject(new BrokerError("draining", "the daemon makes no more calls of the kernel"));
    const lane = laneOf(job);
    if (lane !== "ends" && this.#line.length >= this.#waitingMax && !(this.#hasRoom() && this.#mayRun(lane))) {
      const remedy = "earlier calls sleep in the kernel: try again later, or look into its log";
      return Promise.reject(limitReached("kernel_calls_waiting", this.#waitingMax, remedy));
    }
    const { promise, resolve, reject } = Promise.withResolvers<KernelAnswer>();
    this.#line.push({ job, lane, resolve, reject });
    this.#next();
    return promise;
  }

  /** Resolves when every call that was taken has been answered and the threads are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.load.running + this.load.waiting > 0) {
      await new Promise<void>((resolve) => void this.#onIdle.push(resolve));
    }
    const threads = [...this.#threads];
    this.#threads.clear();
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  #hasRoom(): boolean {
    return this.#threads.size < this.#threadsMax || [...this.#threads].some(({ current }) => current === undefined);
  }

  #next(): void {
    while (this.#line.length > 0 && this.#hasRoom()) {
      const waiting = this.#takeFirst();
      if (waiting === undefined) break;
      const thread = [...this.#threads].find(({ current }) => current === undefined) ?? this.#start();
      thread.current = waiting;
      thread.worker.ref();
      this.#hand(waiting, thread);
    }
    if (this.load.running > 0) return;
    for (const idle of this.#onIdle.splice(0)) idle();
  }

  #hand({ job, resolve, reject }: Waiting, thread: Thread): void {
    try {
      thread.slot.handOver(job, () => this.#over(thread, () => resolve(thread.slot.takeAnswer(job))));
    } catch (error) {
      queueMicrotask(() => this.#over(thread, () => reject(error))); // it was not even begun
    }
  }

  /** In the order in which they came, but that what pins leaves one thread to others, where there are several. */
  #takeFirst(): Waiting | undefined {
    const at = this.#line.findIndex(({ lane }) => this.#mayRun(lane));
    return at < 0 ? undefined : this.#line.splice(at, 1)[0];
  }

  #mayRun(lane: CallLane): boolean {
    if (lane !== "pins") return true;
    const pinning = [...this.#threads].filter(({ current }) => current?.lane === "pins").length;
    return pinning < Math.max(1, this.#threadsMax - 1);
  }

  #over(thread: Thread, tell: () => void): void {
    thread.current = undefined;
    thread.worker.unref(); // one that only waits for work keeps no process
    tell();
    this.#next();
  }

  #start(): Thread {
    const slot = new CallSlot();
    const worker = new Worker(WORKER, { name: "kernel-call", workerData: slot.shared });
    const thread: Thread = { worker, slot, current: undefined };
    this.#threads.add(thread);
    const lose = (cause?: unknown): void => {
      if (!this.#threads.delete(thread)) return;
      const what = thread.current?.job.kind ?? "none";
      const facts = { what };
      thread.current?.reject(
        new BrokerError("backend_failed", "a thread for calls of the kernel died", facts, { cause }),
      );
      thread.current = undefined;
      this.#next();
    };
    worker.on("error", lose);
    worker.on("exit", () => lose());
    return thread;
  }
}
