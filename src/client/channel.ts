// One broker and the ways to call it over a connection, the latest there is. Knows paths, codecs and the token's metadata key;
// what the calls mean is in client.ts and session.ts.

import * as grpc from "@grpc/grpc-js";
import type { Method, UnaryMethod } from "../server/rpc/services.ts";
import { TOKEN_KEY } from "../server/rpc/token.ts";
import { Connections } from "./connections.ts";
import { asCallError, BrokerCallError, fromServiceError } from "./error.ts";
import { type Plain, plain, type Sendable, wire } from "./plain.ts";
import { repeatedly } from "./retry.ts";

export interface CallOptions {
  /** Milliseconds until the call is given up. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** What the broker is asked to wait by itself: on top of the default deadline. */
  readonly waitMs?: number;
  /** As ConnectOptions.retryForMs, for this call. */
  readonly retryForMs?: number;
}

export interface TlsClientOptions {
  /** Authorities that the broker's certificate must come from. */
  readonly ca: Buffer;
  /** The client's: the SPIFFE ID or DNS name in it is who the broker takes it for. */
  readonly certificate: Buffer;
  readonly privateKey: Buffer;
}

export interface ConnectOptions {
  /** Deadline of calls that name none. Default 30,000. */
  readonly deadlineMs?: number;
  /**
   * For how long a call is made again while the broker is away, draining, or has the device in a reset. Only calls that
   * cannot happen twice by it: those that change nothing, those with a requestId, and what the broker itself refused.
   * Default 0: every failure is told at once.
   */
  readonly retryForMs?: number;
  /** Path of the descriptor socket. Default: "fd.sock" beside the API's socket. */
  readonly fdSocket?: string;
  /** Mutual TLS, in PEM. Default: plain text, as on a Unix socket. */
  readonly tls?: TlsClientOptions;
  /**
   * Channel options of grpc-js, over ours: "grpc.keepalive_time_ms" (10,000) and "grpc.keepalive_timeout_ms" (10,000) are
   * how often a connection is pinged and how long the answer may take until another connection is made.
   */
  readonly channelOptions?: grpc.ChannelOptions;
}

const DEADLINE_DEFAULT_MS = 30_000;
/** A daemon that restarts is back within seconds, and leases are as short: gRPC's own pace, up to 2 minutes, is too slow. */
const RECONNECT = { "grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 1000 };
/**
 * A connection that has fallen silent is known after 20 s, before a call's default deadline, also when it is idle. The daemon
 * takes pings at any pace; another server that finds these too many says so, and grpc-js then halves the pace. A broker that
 * stands still for less than the timeout keeps its connections.
 */
const KEEPALIVE = {
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.keepalive_permit_without_calls": 1,
};
/** Connections of one process to one target are shared, and a second one is wanted because the first is silent. */
const UNSHARED = { "grpc.use_local_subchannel_pool": 1 };

export class Channel {
  readonly #connections: Connections;
  readonly #target: string;
  readonly #deadlineMs: number;
  readonly #retryForMs: number;
  #isClosed = false;

  constructor(target: string, options: ConnectOptions) {
    // A Unix socket's path is no authority that every server takes; "localhost" is.
    const authority = target.startsWith("unix:") ? { "grpc.default_authority": "localhost" } : {};
    const channelOptions = { ...authority, ...RECONNECT, ...KEEPALIVE, ...options.channelOptions };
    const credentials = credentialsOf(options.tls);
    this.#connections = new Connections(
      (isFirst) => new grpc.Client(target, credentials, isFirst ? channelOptions : { ...channelOptions, ...UNSHARED }),
    );
    this.#target = target;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_DEFAULT_MS;
    this.#retryForMs = options.retryForMs ?? 0;
  }

  /** What a stream that is opened now goes over. */
  get connection(): grpc.Client {
    return this.#connections.current;
  }

  /** False while it is still being made: silence says nothing then. */
  stands(connection: grpc.Client): boolean {
    return this.#connections.stands(connection);
  }

  /** Nothing comes over it any more: calls from now on go over another. Those under way end as they may. */
  replace(connection: grpc.Client): void {
    if (!this.#isClosed) this.#connections.replace(connection);
  }

  /** Resolves once the connection stands; rejects after `deadlineMs`. */
  async ready(deadlineMs: number): Promise<void> {
    this.#assertOpen();
    await new Promise<void>((resolve, reject) => {
      this.connection.waitForReady(Date.now() + deadlineMs, (error) => (error ? reject(error) : resolve()));
    }).catch((error: unknown) => {
      this.#assertOpen();
      throw failed(grpc.status.UNAVAILABLE, `no connection to ${this.#target} within ${deadlineMs} ms`, error);
    });
  }

  async unary<Req, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    request: Sendable<ReqInput>,
    token: string | undefined,
    options: CallOptions = {},
  ): Promise<Plain<Res>> {
    return await repeatedly(() => this.#attempt(method, request, token, options), asCallError, {
      forMs: options.retryForMs ?? this.#retryForMs,
      rpc: method.name,
      hasRequestID: hasRequestID(request),
      signal: options.signal,
    });
  }

  async #attempt<Req, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    request: Sendable<ReqInput>,
    token: string | undefined,
    options: CallOptions,
  ): Promise<Plain<Res>> {
    this.#assertOpen();
    const deadline = Date.now() + (options.deadlineMs ?? this.#deadlineMs + (options.waitMs ?? 0));
    return await new Promise<Plain<Res>>((resolve, reject) => {
      const call = this.connection.makeUnaryRequest(
        method.path,
        (message: ReqInput) => method.request.encode(message),
        (bytes) => method.response.decode(bytes),
        wire<ReqInput>(request),
        metadataWith(token),
        { deadline },
        (error, response) => {
          options.signal?.removeEventListener("abort", cancel);
          if (error) reject(fromServiceError(error));
          else if (response !== undefined) resolve(plain(response));
        },
      );
      const cancel = () => call.cancel();
      if (options.signal?.aborted) cancel();
      options.signal?.addEventListener("abort", cancel);
    });
  }

  serverStream<Req, ReqInput, Res, ResInput>(
    method: Method<Req, ReqInput, Res, ResInput, "server_stream">,
    request: Sendable<ReqInput>,
    token: string | undefined,
  ): grpc.ClientReadableStream<Res> {
    this.#assertOpen();
    return this.connection.makeServerStreamRequest(
      method.path,
      (message: ReqInput) => method.request.encode(message),
      (bytes) => method.response.decode(bytes),
      wire<ReqInput>(request),
      metadataWith(token),
    );
  }

  bidiStream<Req, ReqInput, Res, ResInput>(
    method: Method<Req, ReqInput, Res, ResInput, "bidi_stream">,
    token: string,
    deadlineMs?: number,
  ): grpc.ClientDuplexStream<ReqInput, Res> {
    this.#assertOpen();
    return this.connection.makeBidiStreamRequest(
      method.path,
      (message: ReqInput) => method.request.encode(message),
      (bytes) => method.response.decode(bytes),
      metadataWith(token),
      deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
    );
  }

  /** No call can be made any more: the attempt is a BrokerCallError. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
    this.#connections.close();
  }

  /** A code that is never tried again by itself: only another connection helps. */
  #assertOpen(): void {
    if (!this.#isClosed) return;
    throw failed(grpc.status.FAILED_PRECONDITION, `the connection to ${this.#target} was closed: connect again`);
  }
}

/** A failure of this side's. */
function failed(code: grpc.status, message: string, cause?: unknown): BrokerCallError {
  return new BrokerCallError(message, { code, reason: "", metadata: {}, fields: [], retryAfterMs: undefined }, cause);
}

function hasRequestID(request: unknown): boolean {
  if (typeof request !== "object" || request === null) return false;
  const requestID: unknown = Reflect.get(request, "requestId");
  return typeof requestID === "string" && requestID !== "";
}

function credentialsOf(tls: TlsClientOptions | undefined): grpc.ChannelCredentials {
  if (tls === undefined) return grpc.credentials.createInsecure();
  return grpc.credentials.createSsl(tls.ca, tls.privateKey, tls.certificate);
}

function metadataWith(token: string | undefined): grpc.Metadata {
  const metadata = new grpc.Metadata();
  if (token !== undefined) metadata.set(TOKEN_KEY, token);
  return metadata;
}
