// What the services are given by daemon.ts, and whom they tell about calls. They import neither metrics nor a logger.

import type { status } from "@grpc/grpc-js";
import type { Caller } from "../core/caller.ts";
import type { Core } from "../core/core.ts";
import type { CoreLimits } from "../core/limits.ts";
import type { RpcKind } from "./services.ts";

/** A call, as metrics and logs name it. */
export interface CallInfo {
  /** "iommubroker.v1.IommuBroker" */
  readonly service: string;
  /** "GetDevice" */
  readonly method: string;
  readonly grpcType: RpcKind;
}

export interface CallEnd extends CallInfo {
  readonly code: status;
  readonly seconds: number;
  /** What the call was refused or failed with. */
  readonly error: unknown;
}

/** A call as the audit log tells it: who wanted what, for which session, and what came of it. */
export interface Act {
  readonly verb: string;
  /** Undefined: the connection was gone before it could be asked. */
  readonly caller: Caller | undefined;
  readonly session: string | undefined;
  readonly requestID: string;
  /** Names of what the request is about: devices, address spaces, sessions. */
  readonly subjects: readonly string[];
  /** Why, where the request says so. */
  readonly reason: string;
  readonly code: status;
  readonly error: unknown;
}

/** None of these may throw. */
export interface RpcHooks {
  onStart(call: CallInfo): void;
  onCall(call: CallEnd): void;
  onMessage?(call: CallInfo, direction: "received" | "sent"): void;
  /** A call that may change something, or was refused by the policy, is over. */
  onAct?(act: Act): void;
  /** A limit that ended no call: something on a stream was refused by it, or the stream is not read for a while. */
  onLimit?(limit: string): void;
  /** Something was thrown that is no BrokerError: a bug. The client was told the id and nothing else. */
  onBug(id: string, error: unknown): void;
  /** The backend failed; the cause of the BrokerError stays here, the client was told the message and the id. */
  onBackendFailure?(id: string, error: unknown): void;
}

export interface RpcDeps {
  readonly core: Core;
  readonly backend: "simulated" | "iommufd";
  readonly limits: CoreLimits & { readonly messageBytesMax: number };
  /** Silence on a fault stream after which an empty message goes out, unless the client asks for another. */
  readonly heartbeatMs: number;
  /** What a draining daemon tells clients they have left. */
  readonly graceMs: number;
  readonly hooks: RpcHooks;
  /** Who calls, by getPeer(); undefined once the connection is gone. */
  callerOf(peer: string): Caller | undefined;
}
