// A unary call from its arrival to its one end: its answer or its status goes out, and counters and the audit log are told.

import * as grpc from "@grpc/grpc-js";
import { isCallOver, isOver, type UnaryCall } from "./call-over.ts";
import type { CallInfo, RpcHooks } from "./deps.ts";
import type { Draining } from "./draining.ts";
import { failureStatus } from "./failure.ts";
import { cancelCode } from "./server-stream.ts";
import { newTrail, type Trail } from "./trail.ts";

/** A unary call under way. */
export interface Run {
  readonly info: CallInfo;
  readonly call: UnaryCall;
  readonly callback: grpc.sendUnaryData<Buffer>;
  readonly trail: Trail;
  readonly startMs: number;
  isEnded: boolean;
}

export class UnaryRuns {
  readonly #hooks: RpcHooks;
  readonly #draining: Draining;

  constructor(hooks: RpcHooks, draining: Draining) {
    this.#hooks = hooks;
    this.#draining = draining;
  }

  begin(info: CallInfo, call: UnaryCall, callback: grpc.sendUnaryData<Buffer>): Run {
    const trail = newTrail(info.method);
    const run: Run = { info, call, callback, trail, startMs: performance.now(), isEnded: false };
    this.#hooks.onStart(info);
    this.#hooks.onMessage?.(info, "received");
    this.#draining.began();
    return run;
  }

  answered(run: Run, bytes: Buffer): void {
    const { call, callback, info } = run;
    callback(null, bytes);
    this.#hooks.onMessage?.(info, "sent");
    this.ended(run, isOver(call) ? cancelCode(call) : grpc.status.OK, undefined);
  }

  failed(run: Run, error: unknown): void {
    const status = failureStatus(error, this.#hooks);
    const ending = isCallOver(error) ? { ...status, code: cancelCode(run.call) } : status;
    run.callback(ending);
    this.ended(run, ending.code, error);
  }

  ended(run: Run, code: grpc.status, error: unknown): void {
    if (run.isEnded) return;
    run.isEnded = true;
    const { info, startMs, trail } = run;
    this.#hooks.onCall({ ...info, code, error, seconds: (performance.now() - startMs) / 1000 });
    trail.code = code;
    trail.error = error;
    this.#hooks.onAct?.(trail);
    this.#draining.ended();
  }
}
