// Threads for calls that can sleep in the kernel: pinning a guest's memory, or closing a device whose DMA must end, can
// take seconds, and the event loop goes on meanwhile. As many threads as are needed, up to a bound; what finds none free
// waits in line, where sessions take turns (fair-line.ts), and the line has an end, for each of them and for all.
// A thread that dies takes down the call that it makes, and nothing else.

import { Worker } from "node:worker_threads";
import { BrokerError, limitReached } from "../backends/errors.ts";
import { type CallLane, laneOf } from "./call-lane.ts";
import { CallSlot, type KernelAnswer, type KernelJob } from "./call-slot.ts";
import { FairLine } from "./fair-line.ts";

export interface KernelPoolOptions {
  /** Calls that run at once. */
  readonly threadsMax?: number;
  /** Calls that wait for a thread. */
  readonly waitingMax?: number;
  /** Of these, one owner's; the daemon's own have no other end than the line's. */
  readonly waitingPerOwnerMax?: number;
}

const THREADS_MAX = 4;
const WAITING_MAX = 1024;
const WAITING_PER_OWNER_MAX = 256;
/** The thread's program, beside this file, in the source tree and in what is built from it. */
const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./kernel-worker.ts" : "./kernel-worker.js", import.meta.url);

interface Waiting {
  readonly job: KernelJob;
  /** Undefined: it is the daemon's own. */
  readonly owner: string | undefined;
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
  readonly #waitingPerOwnerMax: number;
  readonly #threads: Thread[] = [];
  readonly #line = new FairLine<Waiting>();
  readonly #onIdle: (() => void)[] = [];
  readonly #mayRunNow = (waiting: Waiting): boolean => this.#mayRun(waiting);
  #running = 0;
  #isClosed = false;

  constructor(options: KernelPoolOptions = {}) {
    this.#threadsMax = options.threadsMax ?? THREADS_MAX;
    this.#waitingMax = options.waitingMax ?? WAITING_MAX;
    this.#waitingPerOwnerMax = options.waitingPerOwnerMax ?? WAITING_PER_OWNER_MAX;
  }

  /** Calls that run, and calls that wait. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#line.length };
  }

  /**
   * What ends DMA or gives something back is always taken, and waits for no memory to be pinned (call-lane.ts).
   * @param owner  whose calls take turns with others'; undefined: the daemon's own
   * @throws BrokerError limit_reached with kernel_calls_waiting or kernel_calls_waiting_per_session, draining after close(),
   *   backend_failed when the thread dies
   */
  run(job: KernelJob, owner?: string): Promise<KernelAnswer> {
    if (this.#isClosed)
      return Promise.reject(new BrokerError("draining", "the daemon makes no more calls of the kernel"));
    const { promise, resolve, reject } = Promise.withResolvers<KernelAnswer>();
    const waiting: Waiting = { job, owner, lane: laneOf(job), resolve, reject };
    const refusal = this.#refusal(waiting);
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#line.add(owner, waiting);
    this.#next();
    return promise;
  }

  /** Resolves when every call that was taken has been answered and the threads are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.load.running + this.load.waiting > 0) {
      await new Promise<void>((resolve) => void this.#onIdle.push(resolve));
    }
    const threads = this.#threads.splice(0);
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  /** What would run at once is never refused, and what gives something back neither. */
  #refusal(waiting: Waiting): BrokerError | undefined {
    if (waiting.lane === "ends" || (this.#hasRoom() && this.#mayRun(waiting))) return undefined;
    if (waiting.owner !== undefined && this.#line.lengthOf(waiting.owner) >= this.#waitingPerOwnerMax) {
      const remedy = "make fewer calls at a time: wait for the answers of earlier ones";
      return limitReached("kernel_calls_waiting_per_session", this.#waitingPerOwnerMax, remedy);
    }
    if (this.#line.length < this.#waitingMax) return undefined;
    const remedy = "earlier calls sleep in the kernel: try again later, or look into its log";
    return limitReached("kernel_calls_waiting", this.#waitingMax, remedy);
  }

  #hasRoom(): boolean {
    return this.#running < this.#threadsMax;
  }

  #next(): void {
    while (this.#line.length > 0 && this.#hasRoom()) {
      const waiting = this.#line.take(this.#mayRunNow);
      if (waiting === undefined) break;
      const thread = this.#threads.find(isFree) ?? this.#start();
      thread.current = waiting;
      this.#running += 1;
      thread.worker.ref();
      this.#hand(waiting, thread);
    }
    if (this.#running > 0) return;
    for (const idle of this.#onIdle.splice(0)) idle();
  }

  #hand({ job, resolve, reject }: Waiting, thread: Thread): void {
    try {
      thread.slot.handOver(job, () => this.#over(thread, () => resolve(thread.slot.takeAnswer(job))));
    } catch (error) {
      queueMicrotask(() => this.#over(thread, () => reject(error))); // it was not even begun
    }
  }

  /**
   * What pins leaves one thread to what does not, where there are several, and one owner's one more to others that pin:
   * guests that pin for minutes on all of them would otherwise keep everybody from the first turn.
   */
  #mayRun({ lane, owner }: Waiting): boolean {
    if (lane !== "pins") return true;
    const pinsMax = Math.max(1, this.#threadsMax - 1);
    let [pinning, own] = [0, 0];
    for (const { current } of this.#threads) {
      if (current?.lane !== "pins") continue;
      pinning += 1;
      if (current.owner === owner) own += 1;
    }
    return pinning < pinsMax && own < Math.max(1, pinsMax - 1);
  }

  #over(thread: Thread, tell: () => void): void {
    if (thread.current === undefined) return; // it died meanwhile
    thread.current = undefined;
    this.#running -= 1;
    thread.worker.unref(); // one that only waits for work keeps no process
    tell();
    this.#next();
  }

  #start(): Thread {
    const slot = new CallSlot();
    const worker = new Worker(WORKER, { name: "kernel-call", workerData: slot.shared });
    const thread: Thread = { worker, slot, current: undefined };
    this.#threads.push(thread);
    const lose = (cause?: unknown): void => {
      const at = this.#threads.indexOf(thread);
      if (at < 0) return;
      this.#threads.splice(at, 1);
      const { current } = thread;
      const facts = { what: current?.job.kind ?? "none" };
      current?.reject(new BrokerError("backend_failed", "a thread for calls of the kernel died", facts, { cause }));
      if (current !== undefined) this.#running -= 1;
      thread.current = undefined;
      this.#next();
    };
    worker.on("error", lose);
    worker.on("exit", () => lose());
    return thread;
  }
}

function isFree({ current }: Thread): boolean {
  return current === undefined;
}
