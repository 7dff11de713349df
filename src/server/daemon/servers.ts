// The gRPC servers' options, and the services that stand behind them: from the configuration and core to what rpc/ takes.

import type * as grpc from "@grpc/grpc-js";
import type { Config } from "../config.ts";
import type { Core } from "../core/core.ts";
import { addBrokerServices, type RpcDeps, type RpcHooks } from "../rpc/broker-services.ts";
import { loadDescriptors } from "../rpc/descriptors.ts";
import { addHealthService, HEALTH_SERVICE, type HealthDeps } from "../rpc/health.ts";
import { addReflectionServices, REFLECTION_SERVICES } from "../rpc/reflection.ts";
import { ADMIN, BROKER, SIMULATOR } from "../rpc/services.ts";

export function serverOptions({ limits, timing }: Config): grpc.ServerOptions {
  return {
    "grpc.max_receive_message_length": limits.messageBytesMax,
    "grpc.max_send_message_length": limits.messageBytesMax,
    "grpc.max_concurrent_streams": limits.streamsPerConnectionMax,
    "grpc.keepalive_time_ms": timing.keepaliveMs,
    "grpc.keepalive_timeout_ms": timing.keepaliveTimeoutMs,
    "grpc.max_connection_idle_ms": timing.connectionIdleMs,
    "grpc-node.max_session_memory": limits.sessionMemoryMiBMax,
    "grpc.enable_channelz": 0, // keeps a record of every connection; nobody reads it here
  };
}

export function listenerOptions({ listen, limits, timing }: Config) {
  const { connectionsMax, connectionsPerIdentityMax, handshakesMax } = limits;
  const { handshakeTimeoutMs, tlsReloadMs } = timing;
  const { socket, tcp, tls: files } = listen;
  const tls = files && { files, handshakesMax, reloadMs: tlsReloadMs };
  return { socket, tcp, tls, connectionsMax, connectionsPerIdentityMax, handshakeTimeoutMs };
}

export type Services = ReturnType<typeof addServices>;

/** What the API's server and the admin's have in common. */
export interface Edge {
  readonly rpc: Omit<RpcDeps, "callerOf">;
  readonly health: Omit<HealthDeps, "services">;
}

export function edgeOf(
  { timing, limits }: Config,
  core: Core,
  backend: { readonly kind: "simulated" | "iommufd"; ping(): Promise<void> },
  hooks: RpcHooks,
): Edge {
  const { heartbeatMs, gracePeriodMs: graceMs } = timing;
  return {
    rpc: { core, backend: backend.kind, limits, heartbeatMs, graceMs, hooks },
    health: {
      ping: () => backend.ping(),
      pingTimeoutMs: timing.backendPingTimeoutMs,
      watchIntervalMs: timing.healthWatchIntervalMs,
    },
  };
}

export function addServices(server: grpc.Server, edge: Edge, callers: Pick<RpcDeps, "callerOf">) {
  const rpc = addBrokerServices(server, { ...edge.rpc, ...callers });
  const named = [...new Set(apiCalls(edge.rpc.core).map((call) => call.service))];
  const health = addHealthService(server, { ...edge.health, services: named });
  const all = [...named, HEALTH_SERVICE, ...REFLECTION_SERVICES];
  const reflection = addReflectionServices(server, loadDescriptors, all);
  return { rpc, health, reflection };
}

interface ServedCall {
  readonly service: string;
  readonly method: string;
  readonly grpcType: string;
}

function apiCalls(core: Core): ServedCall[] {
  const methods = [...Object.values(BROKER), ...(core.simulator === undefined ? [] : Object.values(SIMULATOR))];
  return methods.map(({ service, name, kind }) => ({ service, method: name, grpcType: kind }));
}

/** On whichever socket. */
export function servedCalls(core: Core, { admin }: Config): ServedCall[] {
  const methods = admin.socket === undefined ? [] : Object.values(ADMIN);
  return [...apiCalls(core), ...methods.map(({ service, name, kind }) => ({ service, method: name, grpcType: kind }))];
}
