// Whether who made a call still waits for its answer: cancelled, or its deadline has passed. By gateOf() core asks the same
// before it changes anything.

import type * as grpc from "@grpc/grpc-js";
import { BrokerError } from "../../backends/errors.ts";
import type { CallGate } from "../core/call-gate.ts";
import type { Draining } from "./draining.ts";
import { drainingError } from "./failure.ts";

export type UnaryCall = grpc.ServerUnaryCall<Buffer, Buffer>;

export function isOver(call: UnaryCall): boolean {
  if (call.cancelled) return true;
  const deadline = call.getDeadline();
  if (deadline === Number.POSITIVE_INFINITY) return false;
  return Date.now() >= (typeof deadline === "number" ? deadline : deadline.getTime());
}

export function isCallOver(error: unknown): boolean {
  return error instanceof BrokerError && error.code === "call_over";
}

export function gateOf(call: UnaryCall, draining: Draining): CallGate {
  return {
    requireOpen: () => {
      if (isOver(call)) throw callOver();
    },
    onOver: (listener) => {
      const drained = (): void => listener(drainingError());
      const cancelled = (): void => listener(callOver());
      const callOff = draining.onDrain(drained);
      call.once("cancelled", cancelled);
      if (isOver(call)) cancelled();
      if (draining.isDraining) drained();
      return () => {
        callOff();
        call.off("cancelled", cancelled);
      };
    },
  };
}

function callOver(): BrokerError {
  return new BrokerError("call_over", "the call was cancelled or timed out before it began");
}
