// Memory that the event loop and one thread of the pool share: a call goes over, its answer comes back, and a word on each
// side says whose turn it is. A message between threads each way costs three times as much, one for the answer alone a seventh more.
// The loop writes a call and then its turn; the thread answers and then repeats the turn. One call at a time.

import type { ChainStep, FilePart, IoctlResult } from "../backends/iommufd/kernel.ts";
import { assert, assertNever } from "../spec/assert.ts";
import { putSteps, takeResults } from "./ioctl-chain.ts";
import { allocateMemory, memoryAt, type NativeMemory } from "./native-memory.ts";

type PlainJob =
  | { readonly kind: "open"; readonly path: string }
  | { readonly kind: "close"; readonly fd: number }
  | { readonly kind: "map"; readonly part: FilePart }
  | { readonly kind: "unmap"; readonly address: bigint; readonly bytes: number };
export type KernelJob = PlainJob | { readonly kind: "ioctls"; readonly steps: readonly ChainStep[] };
/** As the thread sees it: ioctls it makes where they lie. */
export type ThreadJob = PlainJob | { readonly kind: "ioctls"; readonly memory: NativeMemory; readonly bytes: number };

/** What a thread needs to see the same. */
export interface SharedSlot {
  readonly head: SharedArrayBuffer;
  readonly address: number;
}

/** What the call returned, or the negative errno; of ioctls the result of each that was made. */
export interface KernelAnswer {
  readonly result: bigint;
  readonly results: readonly IoctlResult[];
}

const KINDS = ["ioctls", "open", "close", "map", "unmap"] as const;
/** Words of the head, 32 bits each. */
const [TURN, DONE, KIND, FD, BYTES, WRITABLE] = [0, 1, 2, 3, 4, 5];
/** Doublewords behind it. */
const [RESULT, NUMBER, LENGTH] = [8, 9, 10];
const HEAD_BYTES = 128;
/** A structure and a payload, as long as both may be. */
const DATA_BYTES = 2 ** 20 + 2 ** 13;
const NO_RESULTS: readonly IoctlResult[] = [];
const TURNS = 2 ** 30;

export class CallSlot {
  /** Whose turn it is, and what is short. */
  readonly #head: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #longs: BigInt64Array;
  readonly #data: NativeMemory;

  /** @param shared  of a thread's own: the event loop's side of it */
  constructor(shared?: SharedSlot) {
    this.#head = shared?.head ?? new SharedArrayBuffer(HEAD_BYTES);
    this.#data = shared === undefined ? allocateMemory(DATA_BYTES) : memoryAt(shared.address, DATA_BYTES);
    this.#words = new Int32Array(this.#head);
    this.#longs = new BigInt64Array(this.#head);
  }

  get shared(): SharedSlot {
    return { head: this.#head, address: this.#data.address };
  }

  // The event loop's side.

  /** Hands a call over. @param told  called once, never from within, when it was answered, and not at all when the thread died */
  handOver(job: KernelJob, told: () => void): void {
    this.#write(job);
    Atomics.store(this.#words, TURN, (this.#word(DONE) % TURNS) + 1);
    Atomics.notify(this.#words, TURN, 1);
    this.#waitForAnswer(told);
  }

  /** A thread may be late with its wake-up for the answer before this one: what wakes need not be the answer. */
  #waitForAnswer(told: () => void): void {
    const done = this.#word(DONE);
    const waits = done === this.#word(TURN) ? undefined : Atomics.waitAsync(this.#words, DONE, done);
    if (waits?.async === true) void waits.value.then(() => (this.#isAnswered() ? told() : this.#waitForAnswer(told)));
    else queueMicrotask(told);
  }

  /** Of the call that was handed over last, once it was answered. */
  takeAnswer(job: KernelJob): KernelAnswer {
    if (job.kind === "ioctls") return { result: 0n, results: takeResults(this.#data, job.steps) };
    return { result: this.#longs[RESULT] ?? 0n, results: NO_RESULTS };
  }

  // The thread's side.

  /** Sleeps until it is the thread's turn. The wake-up for a call that it found without having slept may come after that one. */
  waitForCall(): void {
    while (this.#isAnswered()) Atomics.wait(this.#words, TURN, this.#word(DONE));
  }

  answer(result: bigint): void {
    this.#longs[RESULT] = result;
    Atomics.store(this.#words, DONE, Atomics.load(this.#words, TURN));
    Atomics.notify(this.#words, DONE, 1);
  }

  /** The call that waits. */
  job(): ThreadJob {
    const kind = KINDS[this.#word(KIND)];
    if (kind === undefined) assert(false, `no call is numbered ${this.#word(KIND)}`);
    const fd = this.#word(FD);
    switch (kind) {
      case "ioctls":
        return { kind, memory: this.#data, bytes: this.#word(BYTES) };
      case "open":
        return { kind, path: Buffer.from(this.#data.bytes.slice(0, this.#word(BYTES))).toString() };
      case "close":
        return { kind, fd };
      case "map": {
        const [offset, bytes] = [Number(this.#longs[NUMBER]), Number(this.#longs[LENGTH])];
        return { kind, part: { fd, offset, bytes, writable: this.#word(WRITABLE) === 1 } };
      }
      case "unmap":
        return { kind, address: this.#longs[NUMBER] ?? 0n, bytes: Number(this.#longs[LENGTH]) };
      default:
        return assertNever(kind, "call");
    }
  }

  #isAnswered(): boolean {
    return this.#word(TURN) === this.#word(DONE);
  }

  #write(job: KernelJob): void {
    this.#words[KIND] = KINDS.indexOf(job.kind);
    switch (job.kind) {
      case "ioctls":
        this.#words[BYTES] = putSteps(this.#data, job.steps);
        break;
      case "open":
        this.#putPath(Buffer.from(job.path));
        break;
      case "close":
        this.#words[FD] = job.fd;
        break;
      case "map":
        this.#words[FD] = job.part.fd;
        this.#words[WRITABLE] = job.part.writable ? 1 : 0;
        this.#putRange(BigInt(job.part.offset), job.part.bytes);
        break;
      case "unmap":
        this.#putRange(job.address, job.bytes);
        break;
      default:
        assertNever(job, "call");
    }
  }

  #putRange(number: bigint, length: number): void {
    this.#longs[NUMBER] = number;
    this.#longs[LENGTH] = BigInt(length);
  }

  #putPath(path: Uint8Array): void {
    assert(path.byteLength <= this.#data.bytes.byteLength, "a path is longer than a call takes");
    this.#words[BYTES] = path.byteLength;
    this.#data.bytes.set(path);
  }

  #word(at: number): number {
    return Atomics.load(this.#words, at);
  }
}
