// The admin socket: a gRPC server of its own on a Unix socket of its own, so that nothing of it can be reached from the API's.
// It serves IommuBrokerAdmin, five calls of IommuBroker to look with, health and reflection of just these.

import * as grpc from "@grpc/grpc-js";
import { type AdminDeps, addAdminServices } from "./admin-service.ts";
import type { GateOptions } from "./connection-gate.ts";
import { loadDescriptors } from "./descriptors.ts";
import { addHealthService, HEALTH_SERVICE, type HealthDeps } from "./health.ts";
import { type Listeners, openListeners } from "./listener.ts";
import { callerOf } from "./peer.ts";
import { addReflectionServices, REFLECTION_SERVICES } from "./reflection.ts";
import { ADMIN, BROKER } from "./services.ts";
import { followRequests, type RequestBounds, unfinishedRequests } from "./unfinished-requests.ts";

/** Administrators and their tools at once. */
export const ADMIN_CONNECTIONS_MAX = 16;

export interface AdminServerOptions {
  readonly socket: string;
  /** Its descriptor, where the process was started with it. */
  readonly inherited?: number | undefined;
  readonly deps: Omit<AdminDeps, "callerOf">;
  readonly health: Omit<HealthDeps, "services">;
  readonly channel: grpc.ServerOptions;
  readonly gate: Pick<GateOptions, "handshakeTimeoutMs" | "onRefused">;
  readonly requests: RequestBounds;
}

export interface AdminServer {
  /** "unix:/run/…/admin.sock" */
  readonly address: string;
  /** Lets the calls in flight finish and closes; resolves when all is sent. */
  stop(): Promise<void>;
  /** Destroys what is still open. */
  cut(): void;
}

/** @throws BrokerError argument_invalid or in_use with the socket and the remedy */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  let listeners: Listeners | undefined;
  const unfinished = unfinishedRequests(options.requests, () => listeners);
  const server = new grpc.Server({ ...options.channel, interceptors: [followRequests(unfinished)] });
  const callerOfName: AdminDeps["callerOf"] = (name) => {
    const peer = listeners?.peerOf(name);
    return peer && callerOf(name, peer);
  };
  const calls = addAdminServices(server, { ...options.deps, callerOf: callerOfName });
  const services = [ADMIN.listSessions.service, BROKER.listDevices.service];
  const health = addHealthService(server, { ...options.health, services });
  const all = [...services, HEALTH_SERVICE, ...REFLECTION_SERVICES];
  const reflection = addReflectionServices(server, loadDescriptors, all);
  const opened = await openListeners({
    server,
    socket: options.socket,
    inherited: options.inherited,
    tcp: undefined,
    connectionsMax: ADMIN_CONNECTIONS_MAX,
    connectionsPerIdentityMax: ADMIN_CONNECTIONS_MAX,
    ...options.gate,
  });
  listeners = opened;
  return {
    address: `unix:${options.socket}`,
    stop: async () => {
      health.drain();
      await calls.drain();
      health.close();
      reflection.close();
      opened.stop();
      unfinished.stop();
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      await opened.finished();
    },
    cut: () => {
      server.forceShutdown();
      opened.stop();
      unfinished.stop();
      opened.cut();
    },
  };
}
