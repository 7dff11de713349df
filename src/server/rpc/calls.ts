// The common way of every call: count it, refuse it while draining, decode, authenticate, replay, handle, map errors.
// Handlers see messages and a session id, and throw BrokerErrors; they know nothing of gRPC.
// A deadline or cancellation is seen before the handler runs and, by the gate that core asks, again before the intent:
// until then nothing changes, after that the operation completes.

import * as grpc from "@grpc/grpc-js";
import { BrokerError } from "../../backends/errors.ts";
import { assert } from "../../spec/assert.ts";
import { Answers } from "../core/answers.ts";
import type { CallGate } from "../core/call-gate.ts";
import { type Caller, lastingScope, replayScope } from "../core/caller.ts";
import type { CallIssue } from "../core/token-issue.ts";
import type { CallInfo, RpcDeps } from "./deps.ts";
import { drainingError, failureMessage } from "./failure.ts";
import { requestID } from "./field.ts";
import { contentDigest, ReplayCache } from "./replay.ts";
import { cancelCode, ServerStream, type StreamCall } from "./server-stream.ts";
import type { Method, UnaryMethod } from "./services.ts";
import { type CallStatus, callStatus } from "./status.ts";
import { optionalToken, sessionToken } from "./token.ts";

export type UnaryHandler = grpc.handleUnaryCall<Buffer, Buffer>;
type UnaryCall = grpc.ServerUnaryCall<Buffer, Buffer>;
type Answer<ResInput> = ResInput | Promise<ResInput>;
/** Bytes at once where nothing has to be waited for: a promise more is a good part of what a small call costs. */
type AnswerBytes = (call: UnaryCall, trail: Trail) => Answer<Buffer>;

const IN_FLIGHT_PER_SESSION_MAX = 256;
const IN_FLIGHT_PER_PEER_MAX = 16;
/** In memory alone: they hold tokens. */
const PEER_ANSWERS = {
  scopesMax: 1024,
  entriesPerScopeMax: IN_FLIGHT_PER_PEER_MAX,
  bytesPerScopeMax: 2 ** 14,
  bytesMax: 2 ** 24,
  durableBytesMax: 0,
};

/** What a handler may know of a call besides its message and its session. */
export interface CallContext {
  /** For core's verbs: asked before they change anything. */
  readonly gate: CallGate;
  readonly caller: Caller;
  /** For the audit: what the call turned out to be about, where its request does not say it. */
  about(subject: string, reason: string): void;
}

export class Calls {
  readonly #deps: RpcDeps;
  readonly #sessionReplays: ReplayCache;
  readonly #peerReplays = new ReplayCache(new Answers(PEER_ANSWERS), IN_FLIGHT_PER_PEER_MAX);
  readonly #drainListeners = new Set<() => void>();
  readonly #guard: (caller: Caller) => void;
  #isDraining = false;
  #inFlight = 0;
  #whenIdle: (() => void)[] = [];

  /** @param guard  throws for a caller who may call nothing here, whatever the policy says */
  constructor(deps: RpcDeps, guard: (caller: Caller) => void = () => {}) {
    this.#deps = deps;
    this.#guard = guard;
    this.#sessionReplays = new ReplayCache(deps.core.answers, IN_FLIGHT_PER_SESSION_MAX);
    deps.core.events.subscribe((event) => {
      // With what is in flight: it is answered to whoever asked, and not remembered for who has the session now.
      if (event.type === "sessionEnded" || event.type === "sessionClaimed") this.#sessionReplays.drop(event.session);
    });
  }

  /** Unary calls that are running, and batches of streams. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Refuses new calls, ends the streams, and resolves when no unary call and no batch of a stream is running. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const listener of [...this.#drainListeners]) listener();
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
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
      const issue = issueOf(caller, request.requestId, () => contentDigest(method.path, call.request));
      const execute = async () => method.response.encode(await handle(request, caller, issue));
      const scope = replayScope(caller);
      return await once(this.#peerReplays, scope, method.path, request.requestId, call.request, execute);
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
      return encoded(method, handle(request, session, this.#contextOf(call, trail)));
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
      const context = this.#contextOf(call, trail);
      const execute = async () => method.response.encode(await handle(request, session, context));
      return once(this.#sessionReplays, session, method.path, request.requestId, call.request, execute);
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
        this.#statusOf(error),
      );
      stream.onOver(({ code, error }) => began(code, error));
      if (method.kind === "server_stream") this.received(method);
      try {
        this.#refuseWhileDraining();
        this.#admit(call, method.name);
        serve(stream, call);
      } catch (error) {
        stream.fail(error);
      }
    };
  }

  /** Tells a stream that the daemon drains, until the stream is over. */
  onDrain(stream: { onOver(cleanup: () => void): void }, listener: () => void): void {
    this.#drainListeners.add(listener);
    stream.onOver(() => this.#drainListeners.delete(listener));
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
    this.#inFlight += 1;
    try {
      const session = this.authenticate(call);
      this.#admit(call, method.name);
      return await act(session);
    } finally {
      this.#left();
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
      const trail = newTrail(info.method);
      const run: Run = { info, call, callback, trail, startMs: performance.now(), isEnded: false };
      const { hooks } = this.#deps;
      hooks.onStart(info);
      hooks.onMessage?.(info, "received");
      this.#inFlight += 1;
      try {
        this.#refuseWhileDraining();
        if (isOver(call)) {
          this.#ended(run, cancelCode(call), undefined);
          return;
        }
        trail.caller = this.#admit(call, info.method);
        const bytes = answer(call, trail);
        const kept = bytes instanceof Promise ? bytes.then(this.#keeping) : this.#keeping(bytes);
        if (kept instanceof Promise) {
          kept.then((answered) => this.#answered(run, answered)).catch((error: unknown) => this.#failed(run, error));
        } else this.#answered(run, kept);
      } catch (error) {
        this.#failed(run, error);
      }
    };
  }

  /** What an answer tells must outlive a crash: only then is it sent. */
  readonly #keeping = (bytes: Buffer): Answer<Buffer> => this.#deps.core.durable()?.then(() => bytes) ?? bytes;

  #answered(run: Run, bytes: Buffer): void {
    const { call, callback, info } = run;
    callback(null, bytes);
    this.#deps.hooks.onMessage?.(info, "sent");
    this.#ended(run, isOver(call) ? cancelCode(call) : grpc.status.OK, undefined);
  }

  #failed(run: Run, error: unknown): void {
    const status = this.#statusOf(error);
    const ending = isCallOver(error) ? { ...status, code: cancelCode(run.call) } : status;
    run.callback(ending);
    this.#ended(run, ending.code, error);
  }

  #ended(run: Run, code: grpc.status, error: unknown): void {
    if (run.isEnded) return;
    run.isEnded = true;
    const { info, startMs, trail } = run;
    const { hooks } = this.#deps;
    hooks.onCall({ ...info, code, error, seconds: (performance.now() - startMs) / 1000 });
    trail.code = code;
    trail.error = error;
    hooks.onAct?.(trail);
    this.#left();
  }

  #left(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) for (const idle of this.#whenIdle.splice(0)) idle();
  }

  #contextOf(call: UnaryCall, trail: Trail): CallContext {
    return {
      gate: this.#gateOf(call),
      caller: callerIn(trail),
      about(subject, reason) {
        trail.subjects = [subject];
        trail.reason = reason;
      },
    };
  }

  #gateOf(call: UnaryCall): CallGate {
    return {
      requireOpen: () => {
        if (isOver(call)) throw callOver();
      },
      onOver: (listener) => {
        const draining = (): void => listener(drainingError());
        const cancelled = (): void => listener(callOver());
        this.#drainListeners.add(draining);
        call.once("cancelled", cancelled);
        if (isOver(call)) cancelled();
        if (this.#isDraining) draining();
        return () => {
          this.#drainListeners.delete(draining);
          call.off("cancelled", cancelled);
        };
      },
    };
  }

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

  #refuseWhileDraining(): void {
    if (this.#isDraining) throw drainingError();
  }

  #statusOf(error: unknown): CallStatus {
    return callStatus(failureMessage(error, this.#deps.hooks));
  }
}

/** What becomes known of a call while it runs, for the audit log. */
interface Trail {
  readonly verb: string;
  caller: Caller | undefined;
  session: string | undefined;
  requestID: string;
  subjects: readonly string[];
  reason: string;
  code: grpc.status;
  error: unknown;
}

/** A unary call under way. */
interface Run {
  readonly info: CallInfo;
  readonly call: UnaryCall;
  readonly callback: grpc.sendUnaryData<Buffer>;
  readonly trail: Trail;
  readonly startMs: number;
  isEnded: boolean;
}

const NO_SUBJECTS: readonly string[] = [];

function newTrail(verb: string): Trail {
  const [caller, session, error] = [undefined, undefined, undefined];
  return { verb, caller, session, requestID: "", subjects: NO_SUBJECTS, reason: "", code: grpc.status.OK, error };
}

/** A call is admitted, and so its caller known, before anything is answered. */
function callerIn({ caller }: Trail): Caller {
  assert(caller !== undefined, "a call is answered before it was admitted");
  return caller;
}

function encoded<Req, ReqInput, Res, ResInput>(
  { response }: UnaryMethod<Req, ReqInput, Res, ResInput>,
  message: Answer<ResInput>,
): Answer<Buffer> {
  return message instanceof Promise ? message.then((each) => response.encode(each)) : response.encode(message);
}

/** What a request says of itself is noted up to here; longer is refused anyway. */
const NOTED_CHARACTERS_MAX = 128;
const NOTED_BINDS_MAX = 16;
const SUBJECT_FIELDS = ["device", "session", "addressSpace", "virtualIommu"] as const;

/** Notes what a request names. Requests are read by these fields' names alone: nothing else of them is noted. */
function noted<Req>(request: Req, trail: Trail): Req {
  if (typeof request !== "object" || request === null) return request;
  trail.requestID = textIn(request, "requestId");
  trail.reason = textIn(request, "reason");
  const subjects: string[] = [];
  noteSubjects(request, subjects);
  for (const bind of bindsIn(request)) noteSubjects(bind, subjects);
  trail.subjects = subjects;
  return request;
}

function noteSubjects(request: object, subjects: string[]): void {
  for (const field of SUBJECT_FIELDS) {
    const text = textIn(request, field);
    if (text !== "") subjects.push(text);
  }
}

function textIn(request: object, field: string): string {
  const value: unknown = Reflect.get(request, field);
  return typeof value === "string" ? value.slice(0, NOTED_CHARACTERS_MAX) : "";
}

/** The first of a batch. */
function bindsIn(request: object): readonly object[] {
  const binds: unknown = Reflect.get(request, "requests");
  return Array.isArray(binds) ? binds.slice(0, NOTED_BINDS_MAX).filter((each) => typeof each === "object") : [];
}

/** By what a call is known again after a restart; undefined: by nothing. */
function issueOf(caller: Caller, requestID: string, digest: () => string): CallIssue | undefined {
  const scope = lastingScope(caller);
  return requestID === "" || scope === undefined ? undefined : { scope, requestID, digest: digest() };
}

async function once(
  replays: ReplayCache,
  scope: string,
  path: string,
  id: string,
  request: Buffer,
  execute: () => Promise<Buffer>,
): Promise<Buffer> {
  requestID(id);
  if (id === "") return await execute();
  return await replays.run({ scope, requestID: id, digest: contentDigest(path, request) }, execute);
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

function isOver(call: UnaryCall): boolean {
  if (call.cancelled) return true;
  const deadline = call.getDeadline();
  if (deadline === Number.POSITIVE_INFINITY) return false;
  return Date.now() >= (typeof deadline === "number" ? deadline : deadline.getTime());
}

function callOver(): BrokerError {
  return new BrokerError("call_over", "the call was cancelled or timed out before it began");
}

function isCallOver(error: unknown): boolean {
  return error instanceof BrokerError && error.code === "call_over";
}
