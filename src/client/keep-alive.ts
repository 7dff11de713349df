// Keeps a session's lease alive: a message every third of its length, on a stream that is opened again when it breaks.
// A session without a lease has the stream for its notices alone.
// A renewal that has no answer when the next is due is sent again on a new connection. The lease is lost when the broker says
// so, and only then: one that stood still gives every lease its full length again, so silence is told (unanswered).

import type { Client, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import type { iommubroker } from "../server/rpc/codec.ts";
import { BROKER } from "../server/rpc/services.ts";
import type { Channel } from "./channel.ts";
import { type BrokerCallError, fromServiceError } from "./error.ts";

/** What the broker tells a session's owner. */
export type Notice =
  | { readonly kind: "deviceRemoved"; readonly device: string }
  | { readonly kind: "draining"; readonly graceMs: number }
  /** The session is ended by somebody else's decision; onLost follows. */
  | { readonly kind: "revoked"; readonly reason: string }
  /** Somebody whom this session named has it now; onLost follows. */
  | { readonly kind: "transferred"; readonly to: string }
  /** A device is taken away after deadlineMs, for the session named `by`. */
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
  /**
   * The session is of no use any more: lost, ended, or another's. Its devices are at abort; where the error's metadata
   * has the reason "lost", resumeSession() brings it back. Called at most once.
   */
  readonly onLost?: (error: BrokerCallError) => void;
  readonly onNotice?: (notice: Notice) => void;
}

type Stream = ClientDuplexStream<iommubroker.v1.IKeepSessionAliveRequest, iommubroker.v1.KeepSessionAliveResponse>;

const RENEWALS_PER_LEASE = 3;
/** Counted one by one: to a process that stood still itself, the broker was silent for one of them. */
const TICKS_PER_RENEWAL = 2;
/**
 * What the broker says of a session that can be renewed no more. Any other failure, as of a proxy between or of a limit, says
 * nothing of it: the stream is opened again, and whoever waits in vain is told (unanswered).
 */
const ENDING: ReadonlySet<string> = new Set(["LEASE_EXPIRED", "SESSION_UNKNOWN", "UNAUTHENTICATED"]);
/** How often a stream for notices alone is looked after. */
const REOPEN_MS = 1000;

export class KeepAlive {
  readonly #channel: Channel;
  readonly #token: string;
  readonly #leaseMs: number;
  readonly #listeners: KeepAliveListeners;
  readonly #timer: NodeJS.Timeout;
  #stream: Stream | undefined;
  /** What the stream goes over. */
  #connection: Client;
  /** Since something was sent, on a connection that stands. */
  #ticks = 0;
  #renewedMs = performance.now();
  /** A renewal is on its way. */
  #isWaiting = false;
  #isUnanswered = false;

  constructor(channel: Channel, lease: { token: string; leaseMs: number }, listeners: KeepAliveListeners) {
    this.#channel = channel;
    this.#token = lease.token;
    this.#leaseMs = lease.leaseMs;
    this.#listeners = listeners;
    this.#connection = channel.connection;
    const everyMs = lease.leaseMs > 0 ? lease.leaseMs / RENEWALS_PER_LEASE / TICKS_PER_RENEWAL : REOPEN_MS;
    this.#timer = setInterval(() => this.#tick(), everyMs);
    this.#renew();
  }

  /** Stops renewing; the session itself lives on until its lease lapses or it is closed. */
  stop(): void {
    clearInterval(this.#timer);
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
  }

  #tick(): void {
    if (this.#channel.isClosed) {
      this.stop(); // by its own side: that is no loss to tell of, and a timer must not throw
      return;
    }
    if (this.#leaseMs === 0) {
      if (this.#stream === undefined) this.#renew();
      return;
    }
    if (!this.#isUnanswered && performance.now() - this.#renewedMs >= this.#leaseMs) {
      this.#isUnanswered = true;
      this.#listeners.onNotice?.({ kind: "unanswered", leaseMs: this.#leaseMs });
    }
    this.#ticks = this.#channel.stands(this.#connection) ? this.#ticks + 1 : 0;
    if (this.#stream !== undefined && this.#ticks < TICKS_PER_RENEWAL) return;
    if (this.#isWaiting) this.#giveUp();
    this.#renew();
  }

  #renew(): void {
    this.#stream ??= this.#open();
    this.#ticks = 0;
    this.#isWaiting = true;
    this.#stream.write({});
  }

  /** What is sent into silence only piles up. */
  #giveUp(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#stream = undefined;
    stream.cancel();
    this.#channel.replace(this.#connection);
  }

  #open(): Stream {
    this.#connection = this.#channel.connection;
    const stream = this.#channel.bidiStream(BROKER.keepSessionAlive, this.#token);
    stream.on("data", (message: iommubroker.v1.KeepSessionAliveResponse) => {
      if (this.#stream !== stream) return;
      if (message.notice) this.#tell(message.notice);
      else this.#answered();
    });
    stream.on("error", (error: ServiceError) => {
      if (this.#stream !== stream) return;
      this.#stream = undefined; // the next renewal opens another
      const failure = fromServiceError(error);
      if (ENDING.has(failure.reason)) this.#lose(failure);
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

  #tell({ deviceRemoved, draining, preempted, revoked, transferred }: iommubroker.v1.SessionNotice): void {
    const tell = (notice: Notice) => this.#listeners.onNotice?.(notice);
    if (deviceRemoved) tell({ kind: "deviceRemoved", device: deviceRemoved.device });
    if (draining) tell({ kind: "draining", graceMs: draining.graceMs });
    if (revoked) tell({ kind: "revoked", reason: revoked.reason });
    if (transferred) tell({ kind: "transferred", to: transferred.to });
    if (preempted) {
      const { device, deadlineMs, by, reason } = preempted;
      tell({ kind: "preempted", device, deadlineMs, by, reason });
    }
  }

  #lose(error: BrokerCallError): void {
    this.stop();
    this.#listeners.onLost?.(error);
  }
}
