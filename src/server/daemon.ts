// The composition root: builds every part, connects events to log and metrics, and stops them in the right order.
// Imports everything and is imported by main.ts and tests only. It holds no decisions of its own: a rule belongs to core,
// a bound to config/settings.ts, a reaction to event-log.ts or src/metrics.

import * as grpc from "@grpc/grpc-js";
import { selectBackend } from "../backends/select.ts";
import { serveMetrics } from "../metrics/http.ts";
import { createMetrics, type Metrics } from "../metrics/metrics.ts";
import { createMemoryFiles } from "../os/memory-files.ts";
import { openMemoryRoots } from "../os/memory-roots.ts";
import { Poller } from "../os/poller.ts";
import { createProcessWatch } from "../os/process-watch.ts";
import { takeStateDirectory } from "../os/state-directory.ts";
import type { TlsEvent } from "../os/tls-files.ts";
import { systemAlarms, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { logRefusedConnection, logTlsEvent } from "./connection-log.ts";
import type { Core } from "./core/core.ts";
import { createCore } from "./core/create-core.ts";
import type { DurableImage, DurableRecord } from "./core/durable.ts";
import type { Journal } from "./core/ports.ts";
import { logEvents, logLimit, Throttle } from "./event-log.ts";
import { type Exchange, openExchange } from "./fds/exchange.ts";
import { Tickets } from "./fds/tickets.ts";
import { cryptoIdentifiers, randomTicket } from "./identifiers.ts";
import type { Log } from "./log.ts";
import { addBrokerServices, type RpcDeps, type RpcHooks } from "./rpc/broker-services.ts";
import { CONNECTION_LIMITS } from "./rpc/connection-gate.ts";
import { loadDescriptors } from "./rpc/descriptors.ts";
import { addHealthService, HEALTH_SERVICE } from "./rpc/health.ts";
import { type Listeners, openListeners } from "./rpc/listener.ts";
import { callerOf } from "./rpc/peer.ts";
import { addReflectionServices, REFLECTION_SERVICES } from "./rpc/reflection.ts";
import { BROKER, SIMULATOR } from "./rpc/services.ts";
import { HANDSHAKE_REFUSALS } from "./rpc/tls-front.ts";
import { openFileJournal } from "./store/file-journal.ts";
import { createMemoryJournal } from "./store/memory-journal.ts";

export interface Daemon {
  /** Where clients connect: "unix:/run/…/broker.sock", "127.0.0.1:9400". */
  readonly addresses: readonly string[];
  readonly metricsAddresses: readonly string[];
  readonly memoryRoots: readonly string[];
  /** Drains and stops; resolves within the grace period. A second call gives the first one's promise. */
  stop(): Promise<void>;
}

/** Of the grace period, what the calls in flight may take; the rest is for closing connections. */
const DRAIN_SHARE = 0.8;
const STOP_SHARE = 0.95;

/**
 * Starts everything, or throws and leaves nothing behind.
 * @param onFatal  the daemon cannot go on: what is in memory is ahead of what can be kept. Only recovery can tell
 * @throws BrokerError for what the configuration asks and the system cannot give, with the remedy
 */
export async function startDaemon(
  config: Config,
  log: Log,
  version: string,
  onFatal: (error: unknown) => void,
): Promise<Daemon> {
  const roots = openMemoryRoots(config.memoryRoots);
  const memoryFiles = createMemoryFiles({
    roots,
    ownerUids: config.memoryOwnerUids,
    daemonUid: process.getuid?.() ?? 0,
    openFilesMax: config.limits.openMemoryFilesMax,
  });
  const { backend, simulator } = selectBackend(config);
  backend.onNotice(({ level, message, facts }) => log[level]({ facts }, message));
  const tickets = new Tickets({
    clock: systemClock,
    random: randomTicket,
    ttlMs: config.timing.ticketTtlMs,
    ticketsMax: config.limits.ticketsMax,
    ticketsPerPeerMax: config.limits.ticketsPerPeerMax,
    onUsed: () => core.events.emit({ type: "ticketUsed" }),
    onExpired: (ticket) => core.events.emit({ type: "ticketExpired", ...ticket }),
  });
  const state = await openState(config, () => core.image(), onFatal);
  const poller = new Poller(onFatal);
  const processes = createProcessWatch({ poller });
  const stopWatching = async (): Promise<void> => {
    processes.close();
    await poller.close();
  };
  const core = createCore({
    backend,
    simulator: config.simulatorApi ? simulator : undefined,
    ports: {
      clock: systemClock,
      alarms: systemAlarms,
      identifiers: cryptoIdentifiers,
      memoryFiles,
      memoryTickets: tickets,
      journal: state.journal,
      processes,
    },
    limits: config.limits,
  });
  const throttle = new Throttle(systemClock);
  logEvents(core.events, log, throttle);

  let listeners: Listeners | undefined;
  let exchange: Exchange | undefined;
  const metrics = createMetrics({
    events: core.events,
    counters: () => backend.counters(),
    census: () => core.census(),
    connections: () => listeners?.connections() ?? 0,
    openMemoryFiles: () => memoryFiles.openCount(),
    tickets: () => tickets.census(),
    devicesMax: config.metrics.devicesMax,
    calls: servedCalls(core),
    connectionKinds: { limits: CONNECTION_LIMITS, handshakeRefusals: HANDSHAKE_REFUSALS },
    build: { version, backend: backend.kind },
  });
  const server = new grpc.Server(serverOptions(config));
  const services = addServices(server, config, core, backend, {
    hooks: rpcHooks(metrics, log, throttle),
    callerOf: (name) => {
      const peer = listeners?.peerOf(name);
      return peer && callerOf(name, peer);
    },
  });
  try {
    await core.recover(state.records);
    listeners = await openListeners({
      server,
      ...listenerOptions(config),
      onRefused: (limit, who) => {
        metrics.connections.refused(limit);
        logRefusedConnection(limit, who, log, throttle);
      },
      onTlsEvent: (event) => {
        observeTls(metrics, event);
        logTlsEvent(event, log, throttle);
      },
    });
    if (config.listen.tcp !== undefined && config.listen.tls === undefined) {
      log.warn({}, "listen.tcp_insecure: whoever can connect over TCP is trusted");
    }
    if (config.fdSocket !== undefined) {
      exchange = await openExchange({
        path: config.fdSocket,
        tickets,
        connectionsMax: config.limits.fdConnectionsMax,
        requestTimeoutMs: config.timing.fdRequestTimeoutMs,
        adopt: (passed, label) => memoryFiles.adopt(passed, label),
        onRefused: (put) => core.events.emit({ type: "putRefused", ...put }),
        onBug: (error) => log.error({ error }, "bug: a descriptor could not be taken"),
      });
    }
    const http = await serveMetrics({
      ...config.metrics,
      contentType: metrics.contentType,
      scrape: metrics.scrape,
      isReady: () => services.health.isReady(),
      onFailure: (error) => throttle.run("scrape", (left) => log.error({ error, ...left }, "scrape failed")),
    });
    const reaping = startReaping(core, config.timing.reapIntervalMs, log, () => tickets.expire());
    const parts: Parts = {
      gracePeriodMs: config.timing.gracePeriodMs, // the configuration itself is let go: its devices are many
      server,
      services,
      listeners,
      stopLast: [
        () => exchange?.stop(),
        reaping.stop,
        http.stop,
        stopWatching,
        () => backend.close(),
        () => state.close(),
      ],
    };
    let stopping: Promise<void> | undefined;
    return {
      addresses: listeners.addresses,
      metricsAddresses: http.addresses,
      memoryRoots: roots.map((root) => root.configured),
      stop: () => {
        stopping ??= stopAll(parts);
        return stopping;
      },
    };
  } catch (error) {
    listeners?.stop();
    exchange?.stop();
    server.forceShutdown();
    await stopWatching();
    await backend.close();
    await state.close();
    throw error;
  }
}

interface State {
  readonly journal: Journal;
  /** Of before the restart. */
  readonly records: readonly DurableRecord[];
  close(): Promise<void>;
}

async function openState(
  { limits, stateDirectory }: Config,
  image: () => DurableImage,
  onFailure: (error: unknown) => void,
): Promise<State> {
  if (stateDirectory === undefined) return { journal: createMemoryJournal(), records: [], close: async () => {} };
  const directory = takeStateDirectory(stateDirectory);
  try {
    const { journalBytesMax } = limits;
    const journal = await openFileJournal({ directory: directory.path, journalBytesMax, image, onFailure });
    const close = async (): Promise<void> => {
      await journal.close();
      directory.release();
    };
    return { journal, records: journal.records, close };
  } catch (error) {
    directory.release();
    throw error;
  }
}

function listenerOptions({ listen, limits, timing }: Config) {
  const { connectionsMax, connectionsPerIdentityMax, handshakesMax } = limits;
  const { handshakeTimeoutMs, tlsReloadMs } = timing;
  const { socket, tcp, tls: files } = listen;
  const tls = files && { files, handshakesMax, reloadMs: tlsReloadMs };
  return { socket, tcp, tls, connectionsMax, connectionsPerIdentityMax, handshakeTimeoutMs };
}

function observeTls({ connections }: Metrics, event: TlsEvent): void {
  if (event.kind === "loaded") connections.tlsLoaded(event.validTo);
  else if (event.kind === "failed") connections.tlsFailed();
  else connections.handshakeRefused(event.reason);
}

function serverOptions({ limits, timing }: Config): grpc.ServerOptions {
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

type Services = ReturnType<typeof addServices>;

function addServices(
  server: grpc.Server,
  config: Config,
  core: Core,
  backend: { readonly kind: "simulated" | "iommufd"; ping(): Promise<void> },
  edge: Pick<RpcDeps, "hooks" | "callerOf">,
) {
  const { timing, limits } = config;
  const rpc = addBrokerServices(server, {
    core,
    backend: backend.kind,
    limits,
    heartbeatMs: timing.heartbeatMs,
    graceMs: timing.gracePeriodMs,
    ...edge,
  });
  const named = [...new Set(servedCalls(core).map((call) => call.service))];
  const health = addHealthService(server, {
    services: named,
    ping: () => backend.ping(),
    pingTimeoutMs: timing.backendPingTimeoutMs,
    watchIntervalMs: timing.healthWatchIntervalMs,
  });
  const all = [...named, HEALTH_SERVICE, ...REFLECTION_SERVICES];
  const reflection = addReflectionServices(server, loadDescriptors(), all);
  return { rpc, health, reflection };
}

function servedCalls(core: Core): { service: string; method: string; grpcType: string }[] {
  const methods = [...Object.values(BROKER), ...(core.simulator === undefined ? [] : Object.values(SIMULATOR))];
  return methods.map(({ service, name, kind }) => ({ service, method: name, grpcType: kind }));
}

function rpcHooks({ rpc }: Metrics, log: Log, throttle: Throttle): RpcHooks {
  return {
    onStart: (call) => rpc.started(call),
    onCall: (call) => {
      rpc.ended(call);
      logLimit(call.error, log, throttle);
    },
    onMessage: (call, direction) => rpc.message(call, direction),
    onBug: (errorID, error) => {
      rpc.bug();
      log.error({ errorID, error }, "bug: a call was answered INTERNAL");
    },
    onBackendFailure: (errorID, error) => {
      throttle.run("backend", (left) => log.error({ errorID, error, ...left }, "the backend failed"));
    },
  };
}

/**
 * Looks for lapsed leases at an interval, also while an earlier look is still giving back what it found: a look that
 * does not come is how core knows that the daemon stood still.
 */
function startReaping(core: Core, intervalMs: number, log: Log, alsoReap: () => void): { stop(): void } {
  const timer = setInterval(() => {
    alsoReap();
    core.reapExpired().catch((error: unknown) => log.error({ error }, "bug: reaping failed"));
  }, intervalMs).unref();
  return { stop: () => clearInterval(timer) };
}

interface Parts {
  readonly gracePeriodMs: number;
  readonly server: grpc.Server;
  readonly services: Services;
  readonly listeners: Listeners;
  readonly stopLast: readonly (() => void | Promise<void>)[];
}

/**
 * Not serving, then calls finished and streams ended with UNAVAILABLE, then connections closed, then the rest.
 * New connections are taken until the calls are done, so that a client is told UNAVAILABLE and not refused.
 */
async function stopAll({ gracePeriodMs, server, services, listeners, stopLast }: Parts): Promise<void> {
  const drained = deadline(gracePeriodMs * DRAIN_SHARE);
  const closed = deadline(gracePeriodMs * STOP_SHARE);
  services.health.drain();
  await Promise.race([services.rpc.drain(), drained.passed]);
  services.health.close();
  services.reflection.close();
  listeners.stop();
  const shutdown = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await Promise.race([shutdown.then(() => listeners.finished()), closed.passed]);
  server.forceShutdown();
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
