// Memory that the event loop and one thread of the pool share: a call goes over, its answer comes back, and a word on each
// side says whose turn it is. A message between threads each way costs three times as much, one for the answer alone a seventh more.
// The loop writes a call and then its turn; the thread answers and then repeats the turn. One call at a time.

import type { ChainStep, FilePart, IoctlResult } from "../backends/iommufd/kernel.ts";
import { assert, assertNever } from "../spec/assert.ts";
import { type ChainMemory, putSteps, takeResults } from "./ioctl-chain.ts";

type PlainJob =
  | { readonly kind: "open"; readonly path: string }
  | { readonly kind: "close"; readonly fd: number }
  | { readonly kind: "map"; readonly part: FilePart }
  | { readonly kind: "unmap"; readonly address: bigint; readonly bytes: number };
export type KernelJob = PlainJob | { readonly kind: "ioctls"; readonly steps: readonly ChainStep[] };
/** As the thread sees it: ioctls it makes where they lie. */
export type ThreadJob = PlainJob | { readonly kind: "ioctls"; readonly memory: ChainMemory; readonly bytes: number };

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
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #longs: BigInt64Array;
  readonly #data: Uint8Array;
  readonly #chain: ChainMemory;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(HEAD_BYTES + DATA_BYTES)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.#longs = new BigInt64Array(memory, 0, HEAD_BYTES / 8);
    this.#data = new Uint8Array(memory, HEAD_BYTES);
    this.#chain = { bytes: this.#data, words: new Int32Array(memory, HEAD_BYTES) };
  }

  // The event loop's side.

  /** Hands a call over. @returns what is kept when it was answered, and never when the thread died; undefined: it was already */
  handOver(job: KernelJob): Promise<unknown> | undefined {
    this.#write(job);
    const before = this.#word(DONE);
    Atomics.store(this.#words, TURN, (before % TURNS) + 1);
    Atomics.notify(this.#words, TURN, 1);
    const answered = Atomics.waitAsync(this.#words, DONE, before);
    return answered.async ? answered.value : undefined;
  }

  /** Of the call that was handed over last, once it was answered. */
  takeAnswer(): KernelAnswer {
    const isChain = KINDS[this.#word(KIND)] === "ioctls";
    const results = isChain ? takeResults(this.#chain, this.#word(BYTES)) : NO_RESULTS;
    return { result: this.#longs[RESULT] ?? 0n, results };
  }

  // The thread's side.

  /** Sleeps until it is the thread's turn. */
  waitForCall(): void {
    Atomics.wait(this.#words, TURN, this.#word(DONE));
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
        return { kind, memory: this.#chain, bytes: this.#word(BYTES) };
      case "open":
        return { kind, path: Buffer.from(this.#data.slice(0, this.#word(BYTES))).toString() };
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

  #write(job: KernelJob): void {
    this.#words[KIND] = KINDS.indexOf(job.kind);
    switch (job.kind) {
      case "ioctls":
        this.#words[BYTES] = putSteps(this.#chain, job.steps);
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
    assert(path.byteLength <= this.#data.byteLength, "a path is longer than a call takes");
    this.#words[BYTES] = path.byteLength;
    this.#data.set(path);
  }

  #word(at: number): number {
    return Atomics.load(this.#words, at);
  }
}
