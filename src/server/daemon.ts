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
import { Audit } from "./audit.ts";
import { openAudit } from "./audit-stream.ts";
import { systemAlarms, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { logRefusedConnection, logTlsEvent } from "./connection-log.ts";
import type { Core } from "./core/core.ts";
import { createCore } from "./core/create-core.ts";
import type { DurableImage, DurableRecord } from "./core/durable.ts";
import { type Policy, policyWith } from "./core/policy.ts";
import type { Journal } from "./core/ports.ts";
import { logEvents, logLimit, Throttle } from "./event-log.ts";
import { type Exchange, openExchange } from "./fds/exchange.ts";
import { Tickets } from "./fds/tickets.ts";
import { cryptoIdentifiers, randomTicket } from "./identifiers.ts";
import { LOG_LEVELS, type Log } from "./log.ts";
import { type AdminServer, startAdminServer } from "./rpc/admin-server.ts";
import { addBrokerServices, type RpcDeps, type RpcHooks } from "./rpc/broker-services.ts";
import { CONNECTION_LIMITS } from "./rpc/connection-gate.ts";
import { loadDescriptors } from "./rpc/descriptors.ts";
import { addHealthService, HEALTH_SERVICE, type HealthDeps } from "./rpc/health.ts";
import { type ListenerOptions, type Listeners, openListeners } from "./rpc/listener.ts";
import { callerOf } from "./rpc/peer.ts";
import { addReflectionServices, REFLECTION_SERVICES } from "./rpc/reflection.ts";
import { ADMIN, BROKER, SIMULATOR } from "./rpc/services.ts";
import { HANDSHAKE_REFUSALS } from "./rpc/tls-front.ts";
import { openFileJournal } from "./store/file-journal.ts";
import { createMemoryJournal } from "./store/memory-journal.ts";

export interface Daemon {
  /** Where administrators connect; undefined: nowhere. */
  readonly adminAddress: string | undefined;
  /** Where clients connect: "unix:/run/…/broker.sock", "127.0.0.1:9400". */
  readonly addresses: readonly string[];
  readonly metricsAddresses: readonly string[];
  readonly memoryRoots: readonly string[];
  /**
   * Takes over what may change while the daemon runs: policy, admin uids, log level. Opens the audit file anew. Nothing
   * that anybody holds is taken away. Undefined: the configuration cannot be used, and what is in force stays.
   */
  reload(config: Config | undefined): void;
  /** Drains and stops; resolves within the grace period. A second call gives the first one's promise. */
  stop(): Promise<void>;
}

/** Of the grace period, what the calls in flight may take; the rest is for closing connections. */
const DRAIN_SHARE = 0.8;
const STOP_SHARE = 0.95;

/** What only the process can do. */
export interface DaemonListeners {
  /** The daemon cannot go on: what is in memory is ahead of what can be kept. Only recovery can tell. */
  fatal(error: unknown): void;
  /** An administrator asked the daemon to stop. */
  drain(): void;
}

/**
 * Starts everything, or throws and leaves nothing behind.
 * @throws BrokerError for what the configuration asks and the system cannot give, with the remedy
 */
export async function startDaemon(config: Config, log: Log, version: string, on: DaemonListeners): Promise<Daemon> {
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
  const throttle = new Throttle(systemClock);
  const audit = openAudit(config.audit, log, (error) =>
    throttle.run("audit", (left) => log.error({ error, ...left }, "an audit line could not be written")),
  );
  const state = await openState(config, () => core.image(), on.fatal).catch((error: unknown) => {
    audit.close();
    throw error;
  });
  const poller = new Poller(on.fatal);
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
    policy: policyOf(config),
  });
  logEvents(core.events, log, throttle);

  const auditor = new Audit({
    write: (line) => audit.write(line),
    throttle,
    ownerOf: (session) => core.administration.ownerOf(session),
  });
  auditor.follow(core.events);

  let listeners: Listeners | undefined;
  let exchange: Exchange | undefined;
  let admin: AdminServer | undefined;
  let adminUids = config.admin.uids;
  const metrics = createMetrics({
    events: core.events,
    counters: () => backend.counters(),
    census: () => core.census(),
    connections: () => listeners?.connections() ?? 0,
    openMemoryFiles: () => memoryFiles.openCount(),
    tickets: () => tickets.census(),
    devicesMax: config.metrics.devicesMax,
    calls: servedCalls(core, config),
    connectionKinds: { limits: CONNECTION_LIMITS, handshakeRefusals: HANDSHAKE_REFUSALS },
    build: { version, backend: backend.kind },
  });
  const onRefused: ListenerOptions["onRefused"] = (limit, who) => {
    metrics.connections.refused(limit);
    logRefusedConnection(limit, who, log, throttle);
  };
  const server = new grpc.Server(serverOptions(config));
  const edge = edgeOf(config, core, backend, rpcHooks(metrics, log, throttle, auditor));
  const services = addServices(server, edge, {
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
      onRefused,
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
    // Last: an administrator may ask the daemon to stop as soon as it listens, and only one that has started can.
    if (config.admin.socket !== undefined) {
      admin = await startAdminServer({
        socket: config.admin.socket,
        channel: serverOptions(config),
        health: edge.health,
        deps: {
          ...edge.rpc,
          adminUids: () => adminUids,
          logLevel: logLevelOf(log),
          stop: () => on.drain(),
        },
        gate: { handshakeTimeoutMs: config.timing.handshakeTimeoutMs, onRefused },
      });
    }
    const reaping = startReaping(core, config.timing.reapIntervalMs, log, () => tickets.expire());
    const parts: Parts = {
      gracePeriodMs: config.timing.gracePeriodMs, // the configuration itself is let go: its devices are many
      server,
      services,
      listeners,
      admin,
      stopLast: [
        () => exchange?.stop(),
        reaping.stop,
        http.stop,
        stopWatching,
        () => backend.close(),
        () => state.close(),
        () => audit.close(),
      ],
    };
    let stopping: Promise<void> | undefined;
    return {
      addresses: listeners.addresses,
      adminAddress: admin?.address,
      metricsAddresses: http.addresses,
      memoryRoots: roots.map((root) => root.configured),
      reload: (next) => {
        metrics.reloaded(next === undefined ? "failed" : "done");
        audit.reopen();
        if (next === undefined) return;
        core.permissions.replace(policyOf(next));
        adminUids = next.admin.uids;
        log.setLevel(next.log.level);
      },
      stop: () => {
        stopping ??= stopAll(parts);
        return stopping;
      },
    };
  } catch (error) {
    listeners?.stop();
    exchange?.stop();
    admin?.cut();
    server.forceShutdown();
    await stopWatching();
    await backend.close();
    await state.close();
    audit.close();
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

/** What the API's server and the admin's have in common. */
interface Edge {
  readonly rpc: Omit<RpcDeps, "callerOf">;
  readonly health: Omit<HealthDeps, "services">;
}

function edgeOf(
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

function addServices(server: grpc.Server, edge: Edge, callers: Pick<RpcDeps, "callerOf">) {
  const rpc = addBrokerServices(server, { ...edge.rpc, ...callers });
  const named = [...new Set(apiCalls(edge.rpc.core).map((call) => call.service))];
  const health = addHealthService(server, { ...edge.health, services: named });
  const all = [...named, HEALTH_SERVICE, ...REFLECTION_SERVICES];
  const reflection = addReflectionServices(server, loadDescriptors(), all);
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
function servedCalls(core: Core, { admin }: Config): ServedCall[] {
  const methods = admin.socket === undefined ? [] : Object.values(ADMIN);
  return [...apiCalls(core), ...methods.map(({ service, name, kind }) => ({ service, method: name, grpcType: kind }))];
}

function policyOf({ admin, policyRules }: Config): Policy {
  return policyWith(policyRules, { daemonUid: process.getuid?.() ?? 0, adminUids: admin.uids });
}

function logLevelOf(log: Log): { get(): string; set(level: string): boolean } {
  return {
    get: () => log.level(),
    set: (name) => {
      const level = LOG_LEVELS.find((known) => known === name);
      if (level !== undefined) log.setLevel(level);
      return level !== undefined;
    },
  };
}

function rpcHooks({ rpc }: Metrics, log: Log, throttle: Throttle, audit: Audit): RpcHooks {
  return {
    onStart: (call) => rpc.started(call),
    onCall: (call) => {
      rpc.ended(call);
      logLimit(call.error, log, throttle);
    },
    onMessage: (call, direction) => rpc.message(call, direction),
    onAct: (act) => audit.call(act),
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
  readonly admin: AdminServer | undefined;
  readonly stopLast: readonly (() => void | Promise<void>)[];
}

/**
 * Not serving, then calls finished and streams ended with UNAVAILABLE, then connections closed, then the rest.
 * New connections are taken until the calls are done, so that a client is told UNAVAILABLE and not refused.
 */
async function stopAll({ gracePeriodMs, server, services, listeners, admin, stopLast }: Parts): Promise<void> {
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
