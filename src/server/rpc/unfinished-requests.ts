// Requests that have begun to come and have not ended. grpc-js keeps what came of a message until all of it is there, for as
// long as that takes and as often as a connection has streams: whoever ends none would have the daemon's memory. A request
// has its time, and an identity so many that take more than a moment; else its connection is closed, which lets all go.
// Age is counted in looks, not by the clock: between two of them the event loop has read what was there to be read, so a
// daemon that stood still takes nobody for slow.

import * as grpc from "@grpc/grpc-js";
import { identityOf } from "../core/caller.ts";
import type { Listeners } from "./listener.ts";
import { callerOf } from "./peer.ts";
import { BROKER } from "./services.ts";

type Listener = Parameters<grpc.ServerInterceptingCall["start"]>[0];
type Status = Parameters<grpc.ServerInterceptingCall["sendStatus"]>[0];

/** Looks in the time for one request. */
const LOOKS = 10;
/** Looks after which a request takes more than a moment. */
const MOMENT_LOOKS = 2;

export type UnfinishedLimit = "request_timeout_ms" | "unfinished_requests_per_identity_max";

export interface RequestBounds {
  readonly requestTimeoutMs: number;
  readonly perIdentityMax: number;
}

export interface UnfinishedOptions extends RequestBounds {
  /** Undefined: the connection is gone. */
  identityOf(peer: string): string | undefined;
  /** Closes a connection, by its calls' getPeer(). */
  cut(peer: string, limit: UnfinishedLimit): void;
}

/** Asked for its peer when it is slow only: nearly none is, and asking costs. */
type Asked = Pick<grpc.ServerInterceptingCallInterface, "getPeer">;

interface Unfinished {
  readonly call: Asked;
  /** The look before it began. */
  readonly since: number;
  /** A stream of requests may last; it counts all the same. */
  readonly mayLast: boolean;
}

export class UnfinishedRequests {
  readonly #options: UnfinishedOptions;
  /** In the order in which they began. */
  readonly #requests = new Set<Unfinished>();
  readonly #timer: NodeJS.Timeout;
  #looks = 0;

  constructor(options: UnfinishedOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), Math.ceil(options.requestTimeoutMs / LOOKS)).unref();
  }

  get count(): number {
    return this.#requests.size;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @returns to be called when all of the request is there, or its call is over */
  begin(call: Asked, mayLast = false): () => void {
    const request = { call, since: this.#looks, mayLast };
    this.#requests.add(request);
    return () => this.#requests.delete(request);
  }

  look(): void {
    this.#looks += 1;
    const slow = new Map<string, number>();
    const cut = new Map<string, UnfinishedLimit>();
    for (const { call, since, mayLast } of this.#requests) {
      const age = this.#looks - since;
      if (age <= MOMENT_LOOKS) break; // and so are all that follow
      const peer = call.getPeer();
      if (cut.has(peer)) continue;
      const identity = this.#options.identityOf(peer);
      if (identity === undefined) continue; // its calls end with it
      const number = (slow.get(identity) ?? 0) + 1;
      slow.set(identity, number);
      if (age > LOOKS && !mayLast) cut.set(peer, "request_timeout_ms");
      else if (number > this.#options.perIdentityMax) cut.set(peer, "unfinished_requests_per_identity_max");
    }
    for (const [peer, limit] of cut) this.#options.cut(peer, limit);
  }
}

/** Of a server's calls. @param listeners  where they come from; undefined until it listens */
export function unfinishedRequests(
  bounds: RequestBounds,
  listeners: () => Pick<Listeners, "peerOf" | "refuse"> | undefined,
): UnfinishedRequests {
  return new UnfinishedRequests({
    ...bounds,
    identityOf: (name) => {
      const peer = listeners()?.peerOf(name);
      return peer && identityOf(callerOf(name, peer));
    },
    cut: (name, limit) => listeners()?.refuse(name, limit),
  });
}

/** Follows each call to its request's end. Keep-alive streams are left alone: a session has few of them. */
export function followRequests(requests: Pick<UnfinishedRequests, "begin">): grpc.ServerInterceptor {
  return ({ path, requestStream }, call) => {
    const isFollowed = path !== BROKER.keepSessionAlive.path;
    return new Followed(call, isFollowed ? requests.begin(call, requestStream) : undefined);
  };
}

class Followed extends grpc.ServerInterceptingCall {
  readonly #call: grpc.ServerInterceptingCallInterface;
  readonly #ended: (() => void) | undefined;

  constructor(call: grpc.ServerInterceptingCallInterface, ended: (() => void) | undefined) {
    super(call);
    this.#call = call;
    this.#ended = ended;
  }

  override start(listener: Listener): void {
    const ended = this.#ended;
    if (ended === undefined) {
      this.#call.start(listener);
      return;
    }
    this.#call.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => {
        ended();
        listener.onReceiveHalfClose();
      },
      onCancel: () => {
        ended();
        listener.onCancel();
      },
    });
  }

  // What follows goes straight on: the base class would keep and look at each.
  override sendMetadata(metadata: grpc.Metadata): void {
    this.#call.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#call.sendMessage(message, callback);
  }

  override sendStatus(status: Status): void {
    this.#call.sendStatus(status);
  }
}
