// Puts the services onto a gRPC server: IommuBroker always, Simulator where core can simulate.
// Start reading here: *-calls.ts have the handlers by topic, calls.ts what is common to all of them.

import type * as grpc from "@grpc/grpc-js";
import { addressSpaceCalls } from "./address-space-calls.ts";
import { Calls } from "./calls.ts";
import { capabilityCalls } from "./capability-calls.ts";
import type { RpcDeps } from "./deps.ts";
import { descriptorCalls } from "./descriptor-calls.ts";
import { deviceWatchCalls } from "./device-watch-calls.ts";
import { explainCalls } from "./explain-calls.ts";
import { faultCalls } from "./fault-calls.ts";
import { invalidationCalls } from "./invalidation-calls.ts";
import { BROKER, byteDefinition, SIMULATOR } from "./services.ts";
import { sessionCalls } from "./session-calls.ts";
import { simulatorCalls } from "./simulator-service.ts";
import { stageCalls } from "./stage-calls.ts";
import { virtualIommuCalls } from "./virtual-iommu-calls.ts";

export type { CallEnd, CallInfo, RpcDeps, RpcHooks } from "./deps.ts";

/** What the daemon does with the services once they serve. */
export interface RpcHandle {
  /**
   * Refuses new calls, tells keep-alive streams DRAINING, ends every stream with UNAVAILABLE; resolves when the unary
   * calls in flight are done.
   */
  drain(): Promise<void>;
  /** Unary calls that are running. */
  inFlight(): number;
}

export function addBrokerServices(server: grpc.Server, deps: RpcDeps): RpcHandle {
  const calls = new Calls(deps);
  const broker = {
    ...capabilityCalls(calls, deps),
    ...sessionCalls(calls, deps),
    ...addressSpaceCalls(calls, deps),
    ...virtualIommuCalls(calls, deps),
    ...stageCalls(calls, deps),
    ...descriptorCalls(calls, deps),
    ...deviceWatchCalls(calls, deps),
    ...invalidationCalls(calls, deps),
    ...faultCalls(calls, deps),
    ...explainCalls(calls, deps),
  } satisfies Record<keyof typeof BROKER, unknown>;
  server.addService(byteDefinition(BROKER), broker);
  const { simulator } = deps.core;
  if (simulator !== undefined) {
    const implementation = simulatorCalls(calls, simulator) satisfies Record<keyof typeof SIMULATOR, unknown>;
    server.addService(byteDefinition(SIMULATOR), implementation);
  }
  return { drain: () => calls.drain(), inFlight: () => calls.inFlight };
}
