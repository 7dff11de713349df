// The end of the daemon: in which order its parts stop, and how much of the grace period each may take.

import type * as grpc from "@grpc/grpc-js";
import type { AdminServer } from "../rpc/admin-server.ts";
import type { Listeners } from "../rpc/listener.ts";
import type { Services } from "./servers.ts";

/** Of the grace period, what the calls in flight may take; the rest is for closing connections. */
const DRAIN_SHARE = 0.8;
const STOP_SHARE = 0.95;

export interface Parts {
  readonly gracePeriodMs: number;
  readonly server: grpc.Server;
  readonly services: Services;
  readonly listeners: Listeners;
  readonly admin: AdminServer | undefined;
  readonly stopLast: readonly (() => void | Promise<void>)[];
}

/**
 * Not serving, then calls finished and streams ended with UNAVAILABLE, then connections closed, then the rest.
 * New connections are taken until the calls are done, so that a client is told UNAVAILABLE and not refused.
 */
export async function stopAll({ gracePeriodMs, server, services, listeners, admin, stopLast }: Parts): Promise<void> {
  const drained = deadline(gracePeriodMs * DRAIN_SHARE);
  const closed = deadline(gracePeriodMs * STOP_SHARE);
  services.health.drain();
  await Promise.race([services.rpc.drain(), drained.passed]);
  services.health.close();
  services.reflection.close();
  listeners.stop();
  const shutdown = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await Promise.race([Promise.all([shutdown.then(() => listeners.finished()), admin?.stop()]), closed.passed]);
  server.forceShutdown();
  admin?.cut();
  listeners.cut();
  for (const stop of stopLast) await stop();
  drained.clear();
  closed.clear();
}

function deadline(ms: number): { readonly passed: Promise<void>; clear(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return { passed: promise, clear: () => clearTimeout(timer) };
}
