// grpc.health.v1.Health: does the broker serve? Readiness asks the backend, really, with a deadline; liveness only says
// that this process answers, so that a supervisor does not kill a daemon whose hardware is slow.
// While somebody watches, the backend is asked at an interval, once for all watchers.
// Source: grpc/health/v1/health.proto; https://github.com/grpc/grpc/blob/master/doc/health-checking.md.

import type * as grpc from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { type Codec, codec, MalformedMessage } from "./codec.ts";
import { grpc as generated } from "./generated/messages.js";
import { byteDefinition, type RpcKind } from "./services.ts";

const v1 = generated.health.v1;
const STATUS = v1.HealthCheckResponse.ServingStatus;
type ServingStatus = generated.health.v1.HealthCheckResponse.ServingStatus;

const CHECK_REQUEST = codec(v1.HealthCheckRequest);
const CHECK_RESPONSE = codec(v1.HealthCheckResponse);
const LIST_RESPONSE = codec(v1.HealthListResponse);

export const HEALTH_SERVICE = "grpc.health.v1.Health";
const HEALTH = {
  check: method("Check", "unary"),
  list: method("List", "unary"),
  watch: method("Watch", "server_stream"),
} as const;

/** Watch streams at once, over all connections. */
const WATCHERS_MAX = 256;
/** Changes a watcher may be behind before it is let go. */
const UNSENT_MAX = 64;

export interface HealthDeps {
  /** The services whose health is the backend's, besides "" and "readiness". */
  readonly services: readonly string[];
  ping(): Promise<void>;
  readonly pingTimeoutMs: number;
  readonly watchIntervalMs: number;
}

export interface HealthHandle {
  /** The daemon is not draining and the backend answers. */
  isReady(): Promise<boolean>;
  /** From now on NOT_SERVING, told to every watcher at once. */
  drain(): void;
  /** Ends every Watch with UNAVAILABLE and stops asking. */
  close(): void;
}

export function addHealthService(server: grpc.Server, deps: HealthDeps): HealthHandle {
  const health = new Health(deps);
  server.addService(byteDefinition(HEALTH), {
    check: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      answer(done, CHECK_RESPONSE, () => health.check(serviceOf(call.request)));
    },
    list: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      answer(done, LIST_RESPONSE, () => health.list());
    },
    watch: (call: grpc.ServerWritableStream<Buffer, Buffer>) => health.watch(call),
  });
  return health;
}

interface Watcher {
  readonly service: string;
  readonly call: grpc.ServerWritableStream<Buffer, Buffer>;
  sent: ServingStatus | undefined;
}

class Health implements HealthHandle {
  readonly #deps: HealthDeps;
  readonly #ready: ReadonlySet<string>;
  readonly #watchers = new Set<Watcher>();
  #draining = false;
  #asking: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: HealthDeps) {
    this.#deps = deps;
    this.#ready = new Set(["", "readiness", ...deps.services]);
  }

  async isReady(): Promise<boolean> {
    return !this.#draining && (await this.#backendAnswers()) && !this.#draining;
  }

  async check(service: string): Promise<{ status: ServingStatus }> {
    const found = await this.#statusOf(service);
    if (found === STATUS.SERVICE_UNKNOWN) throw new CallError(status.NOT_FOUND, `unknown service ${quoted(service)}`);
    return { status: found };
  }

  async list(): Promise<{ statuses: Record<string, { status: ServingStatus }> }> {
    const names = [...this.#ready, "liveness"];
    const found = await Promise.all(names.map(async (name) => [name, { status: await this.#statusOf(name) }] as const));
    return { statuses: Object.fromEntries(found) };
  }

  watch(call: grpc.ServerWritableStream<Buffer, Buffer>): void {
    if (this.#watchers.size >= WATCHERS_MAX) {
      call.emit("error", new CallError(status.RESOURCE_EXHAUSTED, `limit of ${WATCHERS_MAX} health watches reached`));
      return;
    }
    try {
      const watcher: Watcher = { service: serviceOf(call.request), call, sent: undefined };
      this.#watchers.add(watcher);
      call.once("cancelled", () => this.#forget(watcher));
      call.once("close", () => this.#forget(watcher));
      this.#timer ??= setInterval(() => void this.#tellAll(), this.#deps.watchIntervalMs).unref();
      void this.#tell(watcher);
    } catch (error) {
      call.emit("error", callErrorOf(error));
    }
  }

  drain(): void {
    this.#draining = true;
    void this.#tellAll();
  }

  close(): void {
    for (const watcher of [...this.#watchers]) {
      this.#forget(watcher);
      watcher.call.emit("error", new CallError(status.UNAVAILABLE, "the daemon is stopping"));
    }
  }

  async #tellAll(): Promise<void> {
    await Promise.all([...this.#watchers].map((watcher) => this.#tell(watcher)));
  }

  async #tell(watcher: Watcher): Promise<void> {
    const found = await this.#statusOf(watcher.service);
    if (found === watcher.sent || !this.#watchers.has(watcher)) return;
    watcher.sent = found;
    watcher.call.write(CHECK_RESPONSE.encode({ status: found }));
    if (watcher.call.writableLength <= UNSENT_MAX) return;
    this.#forget(watcher);
    watcher.call.emit("error", new CallError(status.RESOURCE_EXHAUSTED, "the watcher does not read"));
  }

  #forget(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #statusOf(service: string): Promise<ServingStatus> {
    if (service === "liveness") return STATUS.SERVING;
    if (!this.#ready.has(service)) return STATUS.SERVICE_UNKNOWN;
    return (await this.isReady()) ? STATUS.SERVING : STATUS.NOT_SERVING;
  }

  /** One question at a time: who asks meanwhile gets the same answer. */
  #backendAnswers(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<boolean> {
    const deadline = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => deadline.resolve(false), this.#deps.pingTimeoutMs);
    const answered = this.#deps.ping().then(
      () => true,
      () => false,
    );
    return Promise.race([answered, deadline.promise]).finally(() => clearTimeout(timer));
  }
}

class CallError extends Error {
  readonly code: status;
  readonly details: string;

  constructor(code: status, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

function answer<I>(done: grpc.sendUnaryData<Buffer>, response: Codec<unknown, I>, make: () => Promise<I>): void {
  Promise.resolve()
    .then(make)
    .then(
      (message) => done(null, response.encode(message)),
      (error: unknown) => done(callErrorOf(error)),
    );
}

function callErrorOf(error: unknown): CallError {
  if (error instanceof CallError) return error;
  if (error instanceof MalformedMessage) return new CallError(status.INVALID_ARGUMENT, "the request is malformed");
  return new CallError(status.INTERNAL, "the health check failed");
}

function serviceOf(request: Buffer): string {
  return CHECK_REQUEST.decode(request).service;
}

function quoted(service: string): string {
  return JSON.stringify(service.slice(0, 100));
}

function method(name: string, kind: RpcKind): { name: string; path: string; kind: RpcKind } {
  return { name, path: `/${HEALTH_SERVICE}/${name}`, kind };
}
