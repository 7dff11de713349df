// Whatever a handler throws, as the status its caller gets. The one place that decides what leaves the process.

import { randomUUID } from "node:crypto";
import { BrokerError } from "../../backends/errors.ts";
import { type google, MalformedMessage } from "./codec.ts";
import type { RpcHooks } from "./deps.ts";
import { bugStatusMessage, type CallStatus, callStatus, statusMessage } from "./status.ts";

/** The google.rpc.Status of an error; reports bugs and backend failures under the id that the client is told. */
export function failureMessage(error: unknown, hooks: RpcHooks): google.rpc.IStatus {
  if (error instanceof MalformedMessage) {
    return statusMessage(
      new BrokerError("argument_invalid", `the request's bytes are not a valid message: ${error.message}`, {
        reason: error.message,
      }),
    );
  }
  if (!(error instanceof BrokerError)) {
    const id = randomUUID();
    hooks.onBug(id, error);
    return bugStatusMessage(id);
  }
  if (error.code !== "backend_failed") return statusMessage(error);
  const id = randomUUID();
  hooks.onBackendFailure?.(id, error);
  return statusMessage(new BrokerError(error.code, `${error.message}, id ${id}`, { ...error.facts, id }));
}

/** The same, as grpc-js takes it. */
export function failureStatus(error: unknown, hooks: RpcHooks): CallStatus {
  return callStatus(failureMessage(error, hooks));
}

/** What every call is told once the daemon is stopping. */
export function drainingError(): BrokerError {
  return new BrokerError("draining", "the daemon is stopping: try again when it is back", {}, { retryAfterMs: 1000 });
}
