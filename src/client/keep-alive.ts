// Keeps a session's lease alive: a message every third of its length, on a stream that is opened again when it breaks.
// The lease is lost when the broker says so, and only then: a broker that stood still gives every lease its full length
// again, so silence is told (unanswered) and renewing goes on.

import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import type { iommubroker } from "../server/rpc/codec.ts";
import { BROKER } from "../server/rpc/services.ts";
import type { Channel } from "./channel.ts";
import { type BrokerCallError, fromServiceError } from "./error.ts";

/** What the broker tells a session's owner. */
export type Notice =
  | { readonly kind: "deviceRemoved"; readonly device: string }
  | { readonly kind: "draining"; readonly graceMs: number }
  /** A session of higher priority asked for the device: detach it, or it is taken when the deadline is over. */
  | {
      readonly kind: "preempted";
      readonly device: string;
      readonly deadlineMs: number;
      readonly by: string;
      readonly reason: string;
    }
  /** No answer for a whole lease: the broker is gone or stands still. Told once until it answers again. */
  | { readonly kind: "unanswered"; readonly leaseMs: number };

export interface KeepAliveListeners {
  /** The session is gone: its devices are aborted and given back. Called at most once. */
  readonly onLost?: (error: BrokerCallError) => void;
  readonly onNotice?: (notice: Notice) => void;
}

type Stream = ClientDuplexStream<iommubroker.v1.IKeepSessionAliveRequest, iommubroker.v1.KeepSessionAliveResponse>;

const RENEWALS_PER_LEASE = 3;

export class KeepAlive {
  readonly #channel: Channel;
  readonly #token: string;
  readonly #leaseMs: number;
  readonly #listeners: KeepAliveListeners;
  readonly #timer: NodeJS.Timeout;
  #stream: Stream | undefined;
  #renewedMs = performance.now();
  /** A renewal is on its way. */
  #isWaiting = false;
  #isUnanswered = false;

  constructor(channel: Channel, lease: { token: string; leaseMs: number }, listeners: KeepAliveListeners) {
    this.#channel = channel;
    this.#token = lease.token;
    this.#leaseMs = lease.leaseMs;
    this.#listeners = listeners;
    this.#timer = setInterval(() => this.#renew(), lease.leaseMs / RENEWALS_PER_LEASE);
    this.#renew();
  }

  /** Stops renewing; the session itself lives on until its lease lapses or it is closed. */
  stop(): void {
    clearInterval(this.#timer);
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
  }

  #renew(): void {
    if (this.#channel.isClosed) {
      this.stop(); // by its own side: that is no loss to tell of, and a timer must not throw
      return;
    }
    if (!this.#isUnanswered && performance.now() - this.#renewedMs >= this.#leaseMs) {
      this.#isUnanswered = true;
      this.#listeners.onNotice?.({ kind: "unanswered", leaseMs: this.#leaseMs });
    }
    this.#stream ??= this.#open();
    if (this.#isWaiting) return; // what is sent into silence only piles up
    this.#isWaiting = true;
    this.#stream.write({});
  }

  #open(): Stream {
    const stream = this.#channel.bidiStream(BROKER.keepSessionAlive, this.#token);
    this.#isWaiting = false;
    stream.on("data", (message: iommubroker.v1.KeepSessionAliveResponse) => {
      if (this.#stream !== stream) return;
      if (message.notice) this.#tell(message.notice);
      else this.#answered();
    });
    stream.on("error", (error: ServiceError) => {
      if (this.#stream !== stream) return;
      this.#stream = undefined; // the next renewal opens another
      const failure = fromServiceError(error);
      if (!failure.isBrokenOff) this.#lose(failure);
    });
    stream.on("status", () => {
      if (this.#stream === stream) this.#stream = undefined; // ended with OK
    });
    return stream;
  }

  #answered(): void {
    this.#renewedMs = performance.now();
    this.#isWaiting = false;
    this.#isUnanswered = false;
  }

  #tell(notice: iommubroker.v1.SessionNotice): void {
    if (notice.deviceRemoved) {
      this.#listeners.onNotice?.({ kind: "deviceRemoved", device: notice.deviceRemoved.device });
    }
    if (notice.preempted) {
      const { device, deadlineMs, by, reason } = notice.preempted;
      this.#listeners.onNotice?.({ kind: "preempted", device, deadlineMs, by, reason });
    }
    if (notice.draining) this.#listeners.onNotice?.({ kind: "draining", graceMs: notice.draining.graceMs });
  }

  #lose(error: BrokerCallError): void {
    this.stop();
    this.#listeners.onLost?.(error);
  }
}
