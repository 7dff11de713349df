// What a handler may know of a call besides its message and its session.

import type { CallGate } from "../core/call-gate.ts";
import type { Caller } from "../core/caller.ts";
import { gateOf, type UnaryCall } from "./call-over.ts";
import type { Draining } from "./draining.ts";
import { callerIn, type Trail } from "./trail.ts";

export interface CallContext {
  /** For core's verbs: asked before they change anything. */
  readonly gate: CallGate;
  readonly caller: Caller;
  /** For the audit: what the call turned out to be about, where its request does not say it. */
  about(subject: string, reason: string): void;
}

export function contextOf(call: UnaryCall, trail: Trail, draining: Draining): CallContext {
  return {
    gate: gateOf(call, draining),
    caller: callerIn(trail),
    about(subject, reason) {
      trail.subjects = [subject];
      trail.reason = reason;
    },
  };
}
