// The common way of every call: count it, refuse it while draining, decode, authenticate, replay, handle, map errors.
// Handlers see messages and a session id, and throw BrokerErrors; they know nothing of gRPC.
// A deadline or cancellation is seen before the handler runs and, by the gate that core asks, again before the intent:
// until then nothing changes, after that the operation completes.

import type * as grpc from "@grpc/grpc-js";
import { BrokerError } from "../../backends/errors.ts";
import type { Caller } from "../core/caller.ts";
import type { CallIssue } from "../core/token-issue.ts";
import { type CallContext, contextOf } from "./call-context.ts";
import { isOver, type UnaryCall } from "./call-over.ts";
import type { CallInfo, RpcDeps } from "./deps.ts";
import { Draining } from "./draining.ts";
import { failureStatus } from "./failure.ts";
import { issueOf, RequestReplays } from "./request-replays.ts";
import { cancelCode, ServerStream, type StreamCall } from "./server-stream.ts";
import type { Method, UnaryMethod } from "./services.ts";
import { optionalToken, sessionToken } from "./token.ts";
import { callerIn, noted, type Trail } from "./trail.ts";
import { UnaryRuns } from "./unary-runs.ts";

export type UnaryHandler = grpc.handleUnaryCall<Buffer, Buffer>;
type Answer<ResInput> = ResInput | Promise<ResInput>;
/** Bytes at once where nothing has to be waited for: a promise more is a good part of what a small call costs. */
type AnswerBytes = (call: UnaryCall, trail: Trail) => Answer<Buffer>;

export class Calls {
  readonly #deps: RpcDeps;
  readonly #replays: RequestReplays;
  readonly #draining = new Draining();
  readonly #runs: UnaryRuns;
  readonly #guard: (caller: Caller) => void;

  /** @param guard  throws for a caller who may call nothing here, whatever the policy says */
  constructor(deps: RpcDeps, guard: (caller: Caller) => void = () => {}) {
    this.#deps = deps;
    this.#guard = guard;
    this.#runs = new UnaryRuns(deps.hooks, this.#draining);
    this.#replays = new RequestReplays(deps.core.answers);
    deps.core.events.subscribe((event) => {
      if (event.type === "sessionEnded" || event.type === "sessionClaimed") this.#replays.dropSession(event.session);
    });
  }

  /** Unary calls that are running, and batches of streams. */
  get inFlight(): number {
    return this.#draining.inFlight;
  }

  /** Refuses new calls, ends the streams, and resolves when no unary call and no batch of a stream is running. */
  drain(): Promise<void> {
    return this.#draining.drain();
  }

  /** A call that needs no session. */
  open<Req, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    handle: (request: Req) => Answer<ResInput>,
  ): UnaryHandler {
    return this.#unary(method, (call, trail) =>
      encoded(method, handle(noted(method.request.decode(call.request), trail))),
    );
  }

  /** A call that is answered again by request_id for the same peer: OpenSession, ClaimSession. */
  openOnce<Req extends { requestId: string }, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    handle: (request: Req, caller: Caller, issue: CallIssue | undefined) => Answer<ResInput>,
  ): UnaryHandler {
    return this.#unary(method, async (call, trail) => {
      const request = noted(method.request.decode(call.request), trail);
      const caller = callerIn(trail);
      const repeatable = { path: method.path, requestID: request.requestId, request: call.request };
      const issue = issueOf(caller, repeatable);
      const execute = async () => method.response.encode(await handle(request, caller, issue));
      return await this.#replays.ofPeer(caller, repeatable, execute);
    });
  }

  /** A call that needs no session, and shows more to one: `session` is undefined when the metadata has no token. */
  withAnySession<Req, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    handle: (request: Req, session: string | undefined) => Answer<ResInput>,
  ): UnaryHandler {
    return this.#unary(method, (call, trail) => {
      const session = this.#anySession(call, trail);
      return encoded(method, handle(method.request.decode(call.request), session));
    });
  }

  /** The same, where the handler has the answer's bytes. */
  bytesWithAnySession<Req, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    handle: (request: Req, session: string | undefined) => Buffer,
  ): UnaryHandler {
    return this.#unary(method, (call, trail) =>
      handle(method.request.decode(call.request), this.#anySession(call, trail)),
    );
  }

  /** A call of a session. */
  withSession<Req, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    handle: (request: Req, session: string, context: CallContext) => Answer<ResInput>,
  ): UnaryHandler {
    return this.#unary(method, (call, trail) => {
      const session = this.#authenticateNoted(call, trail);
      const request = noted(method.request.decode(call.request), trail);
      return encoded(method, handle(request, session, contextOf(call, trail, this.#draining)));
    });
  }

  /** A call of a session that changes something and is answered again by request_id. */
  mutating<Req extends { requestId: string }, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    handle: (request: Req, session: string, context: CallContext) => Answer<ResInput>,
  ): UnaryHandler {
    return this.#unary(method, (call, trail) => {
      const session = this.#authenticateNoted(call, trail);
      const request = noted(method.request.decode(call.request), trail);
      const context = contextOf(call, trail, this.#draining);
      const execute = async () => method.response.encode(await handle(request, session, context));
      const repeatable = { path: method.path, requestID: request.requestId, request: call.request };
      return this.#replays.ofSession(session, repeatable, execute);
    });
  }

  /** CloseSession: it succeeds where there is no session any more, so it asks for it by itself. */
  closing<Req, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    handle: (request: Req, authenticate: () => string) => Answer<ResInput>,
  ): UnaryHandler {
    return this.#unary(method, (call, trail) => {
      const authenticate = (): string => {
        const { sessions } = this.#deps.core;
        trail.session = sessions.authenticateToClose(sessionToken(call.metadata), callerIn(trail));
        return trail.session;
      };
      return encoded(method, handle(method.request.decode(call.request), authenticate));
    });
  }

  /** A call that is admitted by its token alone, whatever became of the session: ResumeSession. */
  withToken<Req, ReqInput, Res, ResInput>(
    method: UnaryMethod<Req, ReqInput, Res, ResInput>,
    handle: (request: Req, token: string, caller: Caller) => Answer<ResInput>,
  ): UnaryHandler {
    return this.#unary(method, (call, trail) => {
      const token = sessionToken(call.metadata);
      const request = method.request.decode(call.request);
      return encoded(method, handle(request, token, callerIn(trail)));
    });
  }

  /** A stream. `serve` sets it up and returns; it may throw until then, and ends the stream later by itself. */
  stream<ResInput, Call extends StreamCall>(
    method: Method<unknown, never, unknown, ResInput>,
    serve: (stream: ServerStream<ResInput>, call: Call) => void,
  ): (call: Call) => void {
    const info = infoOf(method);
    return (call) => {
      const began = this.#begin(info);
      const stream = new ServerStream<ResInput>(call, observed(method.response, info, this.#deps), (error) =>
        failureStatus(error, this.#deps.hooks),
      );
      stream.onOver(({ code, error }) => began(code, error));
      if (method.kind === "server_stream") this.received(method);
      try {
        this.#draining.requireOpen();
        this.#admit(call, method.name);
        serve(stream, call);
      } catch (error) {
        stream.fail(error);
      }
    };
  }

  /** Tells a stream that the daemon drains, until the stream is over. */
  onDrain(stream: { onOver(cleanup: () => void): void }, listener: () => void): void {
    stream.onOver(this.#draining.onDrain(listener));
  }

  /**
   * What a stream does for one of its messages, as a call would: its session and the caller's rate are looked at anew, and
   * a daemon that drains waits for it.
   * @param act  given the session
   */
  async withinStream<T>(
    method: Pick<Method<never, never, never, never>, "name">,
    call: Pick<UnaryCall, "metadata" | "getPeer">,
    act: (session: string) => Promise<T>,
  ): Promise<T> {
    this.#draining.began();
    try {
      const session = this.authenticate(call);
      this.#admit(call, method.name);
      return await act(session);
    } finally {
      this.#draining.ended();
    }
  }

  /** Reports a message that a client sent on a stream. */
  received(method: Pick<Method<never, never, never, never>, "service" | "name" | "kind">): void {
    this.#deps.hooks.onMessage?.(infoOf(method), "received");
  }

  /** The session of the token in the metadata, when the caller is the one it belongs to. */
  authenticate(call: Pick<UnaryCall, "metadata" | "getPeer">): string {
    return this.#deps.core.sessions.authenticate(sessionToken(call.metadata), this.#callerOf(call));
  }

  #authenticateNoted(call: UnaryCall, trail: Trail): string {
    trail.session = this.#deps.core.sessions.authenticate(sessionToken(call.metadata), callerIn(trail));
    return trail.session;
  }

  #anySession(call: UnaryCall, trail: Trail): string | undefined {
    const token = optionalToken(call.metadata);
    return token === undefined ? undefined : this.#deps.core.sessions.authenticate(token, callerIn(trail));
  }

  /** @returns who calls */
  #admit(call: Pick<UnaryCall, "getPeer">, verb: string): Caller {
    const caller = this.#callerOf(call);
    this.#guard(caller);
    this.#deps.core.permissions.admitCall(caller, verb);
    return caller;
  }

  #unary(
    method: Pick<Method<never, never, never, never>, "service" | "name" | "kind">,
    answer: AnswerBytes,
  ): UnaryHandler {
    const info = infoOf(method);
    return (call, callback) => {
      const run = this.#runs.begin(info, call, callback);
      const { trail } = run;
      try {
        this.#draining.requireOpen();
        if (isOver(call)) {
          this.#runs.ended(run, cancelCode(call), undefined);
          return;
        }
        trail.caller = this.#admit(call, info.method);
        const bytes = answer(call, trail);
        const kept = bytes instanceof Promise ? bytes.then(this.#keeping) : this.#keeping(bytes);
        if (kept instanceof Promise) {
          kept
            .then((answered) => this.#runs.answered(run, answered))
            .catch((error: unknown) => this.#runs.failed(run, error));
        } else this.#runs.answered(run, kept);
      } catch (error) {
        this.#runs.failed(run, error);
      }
    };
  }

  /** What an answer tells must outlive a crash: only then is it sent. */
  readonly #keeping = (bytes: Buffer): Answer<Buffer> => this.#deps.core.durable()?.then(() => bytes) ?? bytes;

  /** A call outlives its connection: nobody waits for it any more. */
  #callerOf(call: Pick<UnaryCall, "getPeer">): Caller {
    const caller = this.#deps.callerOf(call.getPeer());
    if (caller === undefined) throw new BrokerError("call_over", "the caller's connection is gone");
    return caller;
  }

  #begin(info: CallInfo): (code: grpc.status, error: unknown) => void {
    const { hooks } = this.#deps;
    const startMs = performance.now();
    hooks.onStart(info);
    return (code, error) => hooks.onCall({ ...info, code, error, seconds: (performance.now() - startMs) / 1000 });
  }
}

function encoded<Req, ReqInput, Res, ResInput>(
  { response }: UnaryMethod<Req, ReqInput, Res, ResInput>,
  message: Answer<ResInput>,
): Answer<Buffer> {
  return message instanceof Promise ? message.then((each) => response.encode(each)) : response.encode(message);
}

function infoOf(method: Pick<Method<never, never, never, never>, "service" | "name" | "kind">): CallInfo {
  return { service: method.service, method: method.name, grpcType: method.kind };
}

function observed<I>(codec: Method<unknown, never, unknown, I>["response"], info: CallInfo, deps: RpcDeps) {
  return {
    decode: codec.decode,
    encode(message: I) {
      deps.hooks.onMessage?.(info, "sent");
      return codec.encode(message);
    },
  };
}
