// One open stream on the server's side: it ends exactly once, with OK or with an error's status, and knows when its
// reader is behind. grpc-js queues without bound what is written regardless, so callers wait for writable(): a reader
// that does not read holds QUEUED_BYTES_MAX and one message, however long the messages are.

import type { Metadata } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import type { Codec } from "./codec.ts";
import type { CallStatus } from "./status.ts";

/** What is used of grpc-js's ServerWritableStream and ServerDuplexStream. */
export interface StreamCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  readonly writableLength: number;
  getDeadline(): Date | number;
  getPeer(): string;
  write(bytes: Buffer, taken: () => void): boolean;
  end(): void;
  emit(event: "error", status: CallStatus): boolean;
  once(event: "cancelled", listener: () => void): unknown;
}

export interface StreamOutcome {
  readonly code: status;
  readonly error: unknown;
}

/** Of short messages as many; grpc-js would say so by itself. */
const QUEUED_MESSAGES_MAX = 16;
const QUEUED_BYTES_MAX = 65_536;

export class ServerStream<I> {
  readonly #call: StreamCall;
  readonly #codec: Codec<unknown, I>;
  readonly #statusOf: (error: unknown) => CallStatus;
  readonly #cleanups: (() => void)[] = [];
  #queuedBytes = 0;
  #queuedMessages = 0;
  #proceed: (() => void) | undefined;
  #outcome: StreamOutcome | undefined;

  constructor(call: StreamCall, codec: Codec<unknown, I>, statusOf: (error: unknown) => CallStatus) {
    this.#call = call;
    this.#codec = codec;
    this.#statusOf = statusOf;
    call.once("cancelled", () => this.#finish({ code: cancelCode(call), error: undefined }));
  }

  /** The stream has ended or was cancelled; writing is pointless. */
  get isOver(): boolean {
    return this.#outcome !== undefined;
  }

  /** The reader has not yet taken what was written. */
  get isBehind(): boolean {
    return this.#queuedBytes >= QUEUED_BYTES_MAX || this.#queuedMessages >= QUEUED_MESSAGES_MAX;
  }

  /** Messages written and not yet handed to the transport. */
  get queued(): number {
    return this.#call.writableLength;
  }

  /** Runs once when the stream is over, at once when it already is. */
  onOver(cleanup: (outcome: StreamOutcome) => void): void {
    const outcome = this.#outcome;
    if (outcome !== undefined) cleanup(outcome);
    else this.#cleanups.push(() => cleanup(this.#outcome ?? { code: status.OK, error: undefined }));
  }

  write(message: I): void {
    if (this.isOver) return;
    const bytes = this.#codec.encode(message);
    this.#queuedBytes += bytes.length;
    this.#queuedMessages += 1;
    this.#call.write(bytes, () => {
      this.#queuedBytes -= bytes.length;
      this.#queuedMessages -= 1;
      if (!this.isBehind) this.#proceed?.();
    });
  }

  /** Resolves when the reader has caught up, or when the stream is over. One waiter at a time. */
  async writable(): Promise<void> {
    if (!this.isBehind || this.isOver) return;
    await new Promise<void>((resolve) => {
      this.#proceed = resolve;
    });
  }

  /** Ends with OK, after what was written. */
  end(): void {
    if (this.isOver) return;
    this.#call.end();
    this.#finish({ code: status.OK, error: undefined });
  }

  /** Ends with the error's status, after what was written. */
  fail(error: unknown): void {
    if (this.isOver) return;
    const ending = this.#statusOf(error);
    this.#call.emit("error", ending);
    this.#finish({ code: ending.code, error });
  }

  #finish(outcome: StreamOutcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    for (const cleanup of this.#cleanups) cleanup();
    this.#proceed?.();
  }
}

/** grpc-js cancels a call both when its client leaves and when its deadline passes. */
export function cancelCode(call: { getDeadline(): Date | number }): status {
  const deadline = call.getDeadline();
  const atMs = typeof deadline === "number" ? deadline : deadline.getTime();
  return Date.now() >= atMs ? status.DEADLINE_EXCEEDED : status.CANCELLED;
}
