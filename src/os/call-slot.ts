// Memory that the event loop and one thread of the pool share: a call goes over, its answer comes back, and a word on each
// side says whose turn it is. A message between threads costs five times as much, and a bind makes several calls.
// The loop writes a call and then its turn; the thread answers and then repeats the turn. One call at a time.

import type { ChainStep, FilePart, IoctlRequest } from "../backends/iommufd/kernel.ts";
import { assert, assertNever } from "../spec/assert.ts";
import { bytesOfSteps, stepsOfBytes } from "./ioctl-chain.ts";

export type KernelJob =
  | { readonly kind: "ioctl"; readonly request: IoctlRequest }
  | { readonly kind: "ioctls"; readonly steps: readonly ChainStep[] }
  | { readonly kind: "open"; readonly path: string }
  | { readonly kind: "close"; readonly fd: number }
  | { readonly kind: "map"; readonly part: FilePart }
  | { readonly kind: "unmap"; readonly address: bigint; readonly bytes: number };

/** What the call returned, or the negative errno; of an ioctl also its structure and its payload afterwards, of several
 * bytesOfResults(). */
export interface KernelAnswer {
  readonly result: bigint;
  readonly bytes: Uint8Array;
  readonly payload: Uint8Array | undefined;
}

const KINDS = ["ioctl", "open", "close", "map", "unmap", "ioctls"] as const;
/** Words of the head, 32 bits each. */
const [TURN, DONE, KIND, FD, REQUEST, BYTES, PAYLOAD_BYTES, POINTER_AT, WRITABLE] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
/** Doublewords behind it. */
const [RESULT, NUMBER, LENGTH] = [8, 9, 10];
const HEAD_BYTES = 128;
/** A structure and a payload, as long as both may be. */
const DATA_BYTES = 2 ** 20 + 2 ** 13;
const NONE = -1;
const TURNS = 2 ** 30;

export class CallSlot {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #longs: BigInt64Array;
  readonly #data: Uint8Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(HEAD_BYTES + DATA_BYTES)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.#longs = new BigInt64Array(memory, 0, HEAD_BYTES / 8);
    this.#data = new Uint8Array(memory, HEAD_BYTES);
  }

  // The event loop's side.

  /** Hands a call over; the promise is kept when it was answered, and never when the thread died. */
  async carryOut(job: KernelJob): Promise<KernelAnswer> {
    this.#write(job);
    const before = this.#word(DONE);
    Atomics.store(this.#words, TURN, (before % TURNS) + 1);
    Atomics.notify(this.#words, TURN);
    const answered = Atomics.waitAsync(this.#words, DONE, before);
    if (answered.async) await answered.value;
    return this.#answer();
  }

  // The thread's side.

  /** Sleeps until it is the thread's turn. */
  waitForCall(): void {
    Atomics.wait(this.#words, TURN, this.#word(DONE));
  }

  answer({ result, bytes, payload }: KernelAnswer): void {
    this.#longs[RESULT] = result;
    this.#putData(bytes, payload);
    Atomics.store(this.#words, DONE, Atomics.load(this.#words, TURN));
    Atomics.notify(this.#words, DONE);
  }

  /** The call that waits. */
  job(): KernelJob {
    const kind = KINDS[this.#word(KIND)];
    assert(kind !== undefined, `no call is numbered ${this.#word(KIND)}`);
    const fd = this.#word(FD);
    switch (kind) {
      case "ioctl": {
        const { bytes, payload } = this.#takeData();
        const request = { fd, request: this.#word(REQUEST), bytes };
        if (payload === undefined) return { kind, request };
        return { kind, request: { ...request, payload: { pointerAt: this.#word(POINTER_AT), bytes: payload } } };
      }
      case "ioctls":
        return { kind, steps: stepsOfBytes(this.#takeData().bytes) };
      case "open":
        return { kind, path: Buffer.from(this.#takeData().bytes).toString() };
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
      case "ioctl": {
        const { fd, request, bytes, payload } = job.request;
        this.#words[FD] = fd;
        this.#words[REQUEST] = request;
        this.#words[POINTER_AT] = payload?.pointerAt ?? NONE;
        this.#putData(bytes, payload?.bytes);
        break;
      }
      case "ioctls":
        this.#putData(bytesOfSteps(job.steps), undefined);
        break;
      case "open":
        this.#putData(Buffer.from(job.path), undefined);
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

  #answer(): KernelAnswer {
    return { result: this.#longs[RESULT] ?? 0n, ...this.#takeData() };
  }

  #putRange(number: bigint, length: number): void {
    this.#longs[NUMBER] = number;
    this.#longs[LENGTH] = BigInt(length);
  }

  #putData(bytes: Uint8Array, payload: Uint8Array | undefined): void {
    const total = bytes.byteLength + (payload?.byteLength ?? 0);
    assert(total <= this.#data.byteLength, `${total} bytes are more than a call takes`);
    this.#words[BYTES] = bytes.byteLength;
    this.#words[PAYLOAD_BYTES] = payload?.byteLength ?? NONE;
    this.#data.set(bytes);
    if (payload !== undefined) this.#data.set(payload, bytes.byteLength);
  }

  /** Copies, in memory that is not shared. */
  #takeData(): { readonly bytes: Uint8Array; readonly payload: Uint8Array | undefined } {
    const [length, payloadLength] = [this.#word(BYTES), this.#word(PAYLOAD_BYTES)];
    return {
      bytes: new Uint8Array(this.#data.subarray(0, length)),
      payload: payloadLength === NONE ? undefined : new Uint8Array(this.#data.subarray(length, length + payloadLength)),
    };
  }

  #word(at: number): number {
    return Atomics.load(this.#words, at);
  }
}
