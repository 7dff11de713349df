// The faults of a session's devices as an async iterator. When the stream breaks it is opened again after the last
// sequence numbers seen, so what the broker still holds arrives, and what it no longer holds arrives as a gap.

import { setTimeout as sleep } from "node:timers/promises";
import type { ClientReadableStream } from "@grpc/grpc-js";
import type { iommubroker } from "../server/rpc/codec.ts";
import { BROKER } from "../server/rpc/services.ts";
import type { Channel } from "./channel.ts";
import { asCallError } from "./error.ts";
import type { FaultEvent, FaultGap } from "./messages.ts";
import { plain } from "./plain.ts";

export interface FaultWatchOptions {
  /** "devices/{id}"; none: all the session owns, those attached later included. */
  readonly devices?: readonly string[];
  /** Last sequence number seen, by device name. */
  readonly resumeAfter?: Readonly<Record<string, bigint>>;
  readonly heartbeatMs?: number;
}

export interface FaultBatch {
  readonly events: readonly FaultEvent[];
  readonly gaps: readonly FaultGap[];
}

type Message = iommubroker.v1.WatchFaultsResponse;

const BACKOFF_MS = { first: 50, max: 2000 };

export class FaultWatch implements AsyncIterable<FaultBatch> {
  /** Resolves when the subscription stands: a fault from then on is seen. */
  readonly ready: Promise<void>;
  readonly #channel: Channel;
  readonly #token: string;
  readonly #options: FaultWatchOptions;
  readonly #seen: Map<string, bigint>;
  readonly #closed = new AbortController();
  #stream: ClientReadableStream<Message>;
  #messages: AsyncIterator<Message>;
  #next: Promise<IteratorResult<Message>>;

  constructor(channel: Channel, token: string, options: FaultWatchOptions = {}) {
    this.#channel = channel;
    this.#token = token;
    this.#options = options;
    this.#seen = new Map(Object.entries(options.resumeAfter ?? {}));
    this.#stream = this.#open();
    this.#messages = messagesOf(this.#stream);
    this.#next = this.#messages.next();
    this.ready = this.#next.then(
      () => undefined,
      (error) => Promise.reject(asCallError(error)),
    );
    this.ready.catch(() => undefined); // whoever iterates sees the same error
  }

  /** Last sequence number seen of each device: what a later watch resumes after. */
  get seen(): Readonly<Record<string, bigint>> {
    return Object.fromEntries(this.#seen);
  }

  /** Ends the iteration. */
  close(): void {
    this.#closed.abort();
    this.#stream.cancel();
  }

  /** Batches with at least one event or gap; heartbeats stay here. One iteration at a time. */
  async *[Symbol.asyncIterator](): AsyncIterator<FaultBatch> {
    let backoffMs = BACKOFF_MS.first;
    try {
      for (;;) {
        try {
          const { done, value } = await this.#next;
          if (done) return;
          backoffMs = BACKOFF_MS.first;
          const { events, gaps } = plain(value);
          this.#remember(events, gaps);
          if (events.length + gaps.length > 0) yield { events, gaps };
          this.#next = this.#messages.next();
        } catch (error) {
          if (this.#closed.signal.aborted || this.#channel.isClosed) return;
          const failure = asCallError(error);
          if (!failure.isBrokenOff) throw failure;
          await this.#reopenAfter(backoffMs);
          backoffMs = Math.min(2 * backoffMs, BACKOFF_MS.max);
        }
      }
    } finally {
      this.close();
    }
  }

  #open(): ClientReadableStream<Message> {
    const stream = this.#channel.serverStream(
      BROKER.watchFaults,
      {
        devices: this.#options.devices ?? [],
        heartbeatMs: this.#options.heartbeatMs ?? 0,
        resumeAfter: Object.fromEntries(this.#seen),
      },
      this.#token,
    );
    stream.on("error", () => undefined); // reaches the iteration through the iterator
    return stream;
  }

  async #reopenAfter(delayMs: number): Promise<void> {
    await sleep(delayMs, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    if (this.#channel.isClosed) return this.close();
    this.#stream = this.#open();
    if (this.#closed.signal.aborted) this.#stream.cancel();
    this.#messages = messagesOf(this.#stream);
    this.#next = this.#messages.next();
  }

  #remember(events: readonly FaultEvent[], gaps: readonly FaultGap[]): void {
    for (const { device, last } of gaps) this.#seen.set(device, last);
    for (const { device, sequence } of events) this.#seen.set(device, sequence);
  }
}

function messagesOf(stream: ClientReadableStream<Message>): AsyncIterator<Message> {
  return stream[Symbol.asyncIterator]();
}
