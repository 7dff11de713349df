// The inventory as a stream that survives a broken connection and a restarted broker: it is opened again after the last
// version seen. What the broker cannot resume from, it tells (resync) and lists anew.

import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientReadableStream } from "@grpc/grpc-js";
import { iommubroker } from "../server/rpc/codec.ts";
import { BROKER } from "../server/rpc/services.ts";
import type { Channel } from "./channel.ts";
import { asCallError, type BrokerCallError } from "./error.ts";
import { orSilence } from "./heartbeat-clock.ts";
import type { DeviceChange } from "./messages.ts";
import { plain } from "./plain.ts";

export interface DeviceWatchOptions {
  /** Resource version of earlier news: only what changed since. */
  readonly resumeAfter?: string;
  /** "iommus/{id}": only devices behind it. */
  readonly iommu?: string;
  readonly iommuGroup?: number;
  /** Only what the session owns. */
  readonly ownedByMe?: boolean;
  readonly pageSize?: number;
  /** As FaultWatchOptions.heartbeatMs. */
  readonly heartbeatMs?: number;
  /** The stream broke off and is opened again. Told once, however many attempts it takes. */
  readonly onBroken?: (error: BrokerCallError) => void;
  /** It stands again, after the last version seen. */
  readonly onResumed?: () => void;
}

export interface DeviceNews {
  /** synced: all there is has been told. resync: forget what was told, the list begins anew. */
  readonly mark: "none" | "synced" | "resync";
  readonly changes: readonly DeviceChange[];
  /** What a later watch resumes after; empty while the list is not complete. */
  readonly resourceVersion: string;
}

type Message = iommubroker.v1.WatchDevicesResponse;

const BACKOFF_MS = { first: 50, max: 2000 };
const Mark = iommubroker.v1.DeviceWatchMark;

export class DeviceWatch implements AsyncIterable<DeviceNews> {
  /** Resolves with the first of what there is to tell; rejects where the broker refuses or cannot be reached. */
  readonly ready: Promise<void>;
  readonly #channel: Channel;
  readonly #token: string | undefined;
  readonly #options: DeviceWatchOptions;
  readonly #closed = new AbortController();
  #connection: Client;
  #stream: ClientReadableStream<Message>;
  #messages: AsyncIterator<Message>;
  #next: Promise<IteratorResult<Message>>;
  #seen: string;
  #isListing: boolean;
  /** Whoever iterates holds a part of the list: where it breaks off, they must be told to forget that. */
  #isPartTold = false;
  #isBroken = false;

  /** @param token  of the session that watches; undefined: what anybody may see */
  constructor(channel: Channel, token: string | undefined, options: DeviceWatchOptions = {}) {
    this.#channel = channel;
    this.#token = token;
    this.#options = options;
    this.#seen = options.resumeAfter ?? "";
    this.#isListing = this.#seen === "";
    this.#connection = channel.connection;
    this.#stream = this.#open();
    this.#messages = messagesOf(this.#stream);
    this.#next = this.#messages.next();
    this.ready = this.#next.then(
      () => undefined,
      (error) => Promise.reject(asCallError(error)),
    );
    this.ready.catch(() => undefined); // whoever iterates sees the same error
  }

  /** Resource version of the last news: what a later watch resumes after. */
  get seen(): string {
    return this.#seen;
  }

  /** Ends the iteration. */
  close(): void {
    this.#closed.abort();
    this.#stream.cancel();
  }

  /** Marks and changes; heartbeats stay here. One iteration at a time. */
  async *[Symbol.asyncIterator](): AsyncIterator<DeviceNews> {
    let backoffMs = BACKOFF_MS.first;
    try {
      for (;;) {
        try {
          const { heartbeatMs } = this.#options;
          const { done, value } = await orSilence(this.#next, this.#channel, this.#connection, heartbeatMs);
          if (done) return;
          backoffMs = BACKOFF_MS.first;
          this.#standing();
          const news = this.#taken(value);
          if (news.mark !== "none" || news.changes.length > 0) yield news;
          this.#next = this.#messages.next();
          continue;
        } catch (error) {
          if (this.#closed.signal.aborted || this.#channel.isClosed) return;
          const failure = asCallError(error);
          if (!failure.mayReopen(this.#isBroken)) throw failure;
          this.#stream.cancel(); // silent, if it is not over
          this.#broken(failure);
        }
        await sleep(backoffMs, undefined, { signal: this.#closed.signal }).catch(() => undefined);
        if (this.#closed.signal.aborted || this.#channel.isClosed) return;
        backoffMs = Math.min(2 * backoffMs, BACKOFF_MS.max);
        this.#stream = this.#open();
        this.#messages = messagesOf(this.#stream);
        this.#next = this.#messages.next();
        this.#next.catch(() => undefined); // seen when it is asked for, which may be long after the resync
        if (this.#isPartTold) {
          this.#isPartTold = false;
          yield { mark: "resync", changes: [], resourceVersion: "" };
        }
      }
    } finally {
      this.close();
    }
  }

  #broken(failure: BrokerCallError): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#options.onBroken?.(failure);
  }

  #standing(): void {
    if (!this.#isBroken) return;
    this.#isBroken = false;
    this.#options.onResumed?.();
  }

  #taken(message: Message): DeviceNews {
    const { changes, mark, resourceVersion } = plain(message);
    if (resourceVersion !== "") this.#seen = resourceVersion;
    if (mark === Mark.DEVICE_WATCH_MARK_RESYNC) {
      this.#seen = "";
      this.#isListing = true;
      this.#isPartTold = changes.length > 0;
      return { mark: "resync", changes, resourceVersion };
    }
    if (mark !== Mark.DEVICE_WATCH_MARK_SYNCED) {
      if (this.#isListing && changes.length > 0) this.#isPartTold = true;
      return { mark: "none", changes, resourceVersion };
    }
    this.#isListing = false;
    this.#isPartTold = false;
    return { mark: "synced", changes, resourceVersion };
  }

  #open(): ClientReadableStream<Message> {
    this.#connection = this.#channel.connection;
    const { iommu, iommuGroup, ownedByMe, pageSize, heartbeatMs } = this.#options;
    const request = { iommu, iommuGroup, ownedByMe, pageSize, heartbeatMs, resumeAfter: this.#seen };
    const stream = this.#channel.serverStream(BROKER.watchDevices, request, this.#token);
    stream.on("error", () => undefined); // reaches the iteration through the iterator
    return stream;
  }
}

function messagesOf(stream: ClientReadableStream<Message>): AsyncIterator<Message> {
  return stream[Symbol.asyncIterator]();
}
