// Faults as an async iterator: those of a session's devices, or on the admin socket of every device. When the stream
// breaks it is opened again after what was dealt with, so what the broker still holds arrives, and what it no longer holds
// arrives as a gap. A device that was attached meanwhile, of which there is nothing to go on after, starts at its attach.

import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientReadableStream } from "@grpc/grpc-js";
import type { iommubroker } from "../server/rpc/codec.ts";
import { BROKER } from "../server/rpc/services.ts";
import type { Channel } from "./channel.ts";
import { asCallError, type BrokerCallError } from "./error.ts";
import { orSilence } from "./heartbeat-clock.ts";
import type { FaultEvent, FaultGap, FaultResolution } from "./messages.ts";
import { plain } from "./plain.ts";

export interface FaultWatchOptions {
  /** "devices/{id}"; none: all there are to see, those attached later included. */
  readonly devices?: readonly string[];
  /** Event names: "F_TRANSLATION", "PAGE_REQUEST"; none: all. Gaps and resolutions come in any case. */
  readonly types?: readonly string[];
  /** Each event with why it happened, from the tables as they are when it is sent. */
  readonly diagnose?: boolean;
  /** Last sequence number seen, by device name; 0n: all since it was attached. */
  readonly resumeAfter?: Readonly<Record<string, bigint>>;
  /** Devices that resumeAfter does not name as if it named them with 0n; otherwise they start with what comes from now on. */
  readonly fromStart?: boolean;
  /**
   * Milliseconds of silence after which the broker sends an empty message, 100 to 3,600,000. Three without one, and the watch
   * is opened again on a new connection. Default: the broker's pace; then a dead connection is known by the channel's pings.
   */
  readonly heartbeatMs?: number;
  /** The stream broke off and is opened again. */
  readonly onBroken?: (error: BrokerCallError) => void;
  /** It stands again, after what was seen. */
  readonly onResumed?: () => void;
}

export interface FaultBatch {
  readonly events: readonly FaultEvent[];
  readonly gaps: readonly FaultGap[];
  /** How what waited ended, of these events or of earlier ones. */
  readonly resolutions: readonly FaultResolution[];
}

type Message = iommubroker.v1.WatchFaultsResponse;

const BACKOFF_MS = { first: 50, max: 2000 };

export class FaultWatch implements AsyncIterable<FaultBatch> {
  /** Resolves when the subscription stands: a fault from then on is seen. */
  readonly ready: Promise<void>;
  readonly #channel: Channel;
  readonly #token: string | undefined;
  readonly #options: FaultWatchOptions;
  readonly #seen: Map<string, bigint>;
  readonly #closed = new AbortController();
  #connection: Client;
  #stream: ClientReadableStream<Message>;
  #messages: AsyncIterator<Message>;
  #next: Promise<IteratorResult<Message>>;
  #isBroken = false;
  /** It has begun: what happens from then on is not to be missed. */
  #hasStood = false;

  /** @param token  of the session whose devices they are; undefined: as an observer, on the admin socket */
  constructor(channel: Channel, token: string | undefined, options: FaultWatchOptions = {}) {
    this.#channel = channel;
    this.#token = token;
    this.#options = options;
    this.#seen = new Map(Object.entries(options.resumeAfter ?? {}));
    this.#connection = channel.connection;
    this.#stream = this.#open(options.fromStart ?? false);
    this.#messages = messagesOf(this.#stream);
    this.#next = this.#messages.next();
    this.ready = this.#next.then(
      () => undefined,
      (error) => Promise.reject(asCallError(error)),
    );
    this.ready.catch(() => undefined); // whoever iterates sees the same error
  }

  /** Of each device the last number that was seen, or needs not be: what a later watch resumes after, with fromStart. */
  get seen(): Readonly<Record<string, bigint>> {
    return Object.fromEntries(this.#seen);
  }

  /** Ends the iteration. */
  close(): void {
    this.#closed.abort();
    this.#stream.cancel();
  }

  /** Batches with something in them; heartbeats stay here. One iteration at a time. */
  async *[Symbol.asyncIterator](): AsyncIterator<FaultBatch> {
    let backoffMs = BACKOFF_MS.first;
    try {
      for (;;) {
        try {
          const { done, value } = await orSilence(
            this.#next,
            this.#channel,
            this.#connection,
            this.#options.heartbeatMs,
          );
          if (done) return;
          backoffMs = BACKOFF_MS.first;
          this.#standing();
          const { positions, ...batch } = plain(value);
          this.#remember(batch);
          this.#stand(positions);
          if (batch.events.length + batch.gaps.length + batch.resolutions.length > 0) yield batch;
          this.#next = this.#messages.next();
        } catch (error) {
          if (this.#closed.signal.aborted || this.#channel.isClosed) return;
          const failure = asCallError(error);
          if (!failure.mayReopen(this.#isBroken)) throw failure;
          this.#stream.cancel(); // silent, if it is not over
          this.#broken(failure);
          await this.#reopenAfter(backoffMs);
          backoffMs = Math.min(2 * backoffMs, BACKOFF_MS.max);
        }
      }
    } finally {
      this.close();
    }
  }

  /** Told once, however many attempts it takes. */
  #broken(failure: BrokerCallError): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#options.onBroken?.(failure);
  }

  #standing(): void {
    this.#hasStood = true;
    if (!this.#isBroken) return;
    this.#isBroken = false;
    this.#options.onResumed?.();
  }

  #open(fromStart: boolean): ClientReadableStream<Message> {
    const { devices, diagnose, heartbeatMs, types } = this.#options;
    this.#connection = this.#channel.connection;
    const resumeAfter = Object.fromEntries(this.#seen);
    const request = { devices, diagnose, heartbeatMs, types, resumeAfter, fromStart };
    const stream = this.#channel.serverStream(BROKER.watchFaults, request, this.#token);
    stream.on("error", () => undefined); // reaches the iteration through the iterator
    return stream;
  }

  async #reopenAfter(delayMs: number): Promise<void> {
    await sleep(delayMs, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    if (this.#channel.isClosed) return this.close();
    this.#stream = this.#open(this.#hasStood || (this.#options.fromStart ?? false));
    if (this.#closed.signal.aborted) this.#stream.cancel();
    this.#messages = messagesOf(this.#stream);
    this.#next = this.#messages.next();
  }

  /** A gap may lie before, between or behind the events of its message. */
  #remember({ events, gaps }: FaultBatch): void {
    for (const { device, last } of gaps) this.#saw(device, last);
    for (const { device, sequence } of events) this.#saw(device, sequence);
  }

  /** Lower than what was seen: the broker has lost its journal, and its numbers are others. */
  #stand(positions: Readonly<Record<string, bigint>>): void {
    for (const [device, position] of Object.entries(positions)) this.#seen.set(device, position);
  }

  #saw(device: string, sequence: bigint): void {
    if (sequence > (this.#seen.get(device) ?? -1n)) this.#seen.set(device, sequence);
  }
}

function messagesOf(stream: ClientReadableStream<Message>): AsyncIterator<Message> {
  return stream[Symbol.asyncIterator]();
}
