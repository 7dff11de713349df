// The composition root: builds every part, connects events to log and metrics, and stops them in the right order.
// Imports everything and is imported by main.ts and tests only. It holds no decisions of its own: a rule belongs to core,
// a bound to config/settings.ts, a reaction to event-log.ts or src/metrics.

import * as grpc from "@grpc/grpc-js";
import { type Notice, selectBackend } from "../backends/select.ts";
import { serveMetrics } from "../metrics/http.ts";
import { createMetrics } from "../metrics/metrics.ts";
import { createMemoryFiles } from "../os/memory-files.ts";
import { openMemoryRoots } from "../os/memory-roots.ts";
import { Poller } from "../os/poller.ts";
import { createProcessWatch } from "../os/process-watch.ts";
import { Audit } from "./audit.ts";
import { openAudit } from "./audit-stream.ts";
import { systemAlarms, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { logRefusedConnection, logTlsEvent } from "./connection-log.ts";
import { createCore } from "./core/create-core.ts";
import type { Inherited } from "./daemon/inherited.ts";
import { logLevelOf } from "./daemon/log-level.ts";
import { nativeSystem } from "./daemon/native-system.ts";
import { policyOf } from "./daemon/policy-of.ts";
import { startReaping } from "./daemon/reaping.ts";
import { addServices, edgeOf, listenerOptions, servedCalls, serverOptions } from "./daemon/servers.ts";
import { standInsOf } from "./daemon/stand-ins.ts";
import { openState } from "./daemon/state.ts";
import { statusOf } from "./daemon/status.ts";
import { type Parts, stopAll } from "./daemon/stopping.ts";
import { observeTls, rpcHooks } from "./daemon/watching.ts";
import { logEvents, Throttle } from "./event-log.ts";
import { IssuedTickets } from "./fds/device-tickets.ts";
import { type Exchange, openExchange } from "./fds/exchange.ts";
import { Tickets } from "./fds/tickets.ts";
import { cryptoIdentifiers, randomTicket } from "./identifiers.ts";
import type { Log } from "./log.ts";
import { type AdminServer, startAdminServer } from "./rpc/admin-server.ts";
import { CONNECTION_LIMITS } from "./rpc/connection-gate.ts";
import { type ListenerOptions, type Listeners, openListeners } from "./rpc/listener.ts";
import { callerOf } from "./rpc/peer.ts";
import { HANDSHAKE_REFUSALS } from "./rpc/tls-front.ts";
import { followRequests, unfinishedRequests } from "./rpc/unfinished-requests.ts";

export interface Daemon {
  /** Where administrators connect; undefined: nowhere. */
  readonly adminAddress: string | undefined;
  /** Where clients connect: "unix:/run/…/broker.sock", "127.0.0.1:9400". */
  readonly addresses: readonly string[];
  readonly metricsAddresses: readonly string[];
  readonly memoryRoots: readonly string[];
  /** Whether the backend answers in its time; false too while the daemon stops. */
  isReady(): Promise<boolean>;
  /**
   * Takes over what may change while the daemon runs: policy, admin uids, log level. Opens the audit file anew. Nothing
   * that anybody holds is taken away. Undefined: the configuration cannot be used, and what is in force stays.
   */
  reload(config: Config | undefined): void;
  /** Drains and stops; resolves within the grace period. A second call gives the first one's promise. */
  stop(): Promise<void>;
}

/** What only the process has and can do. */
export interface DaemonProcess {
  /** Listening sockets that it was started with. */
  readonly inherited?: Inherited;
  /** The daemon cannot go on: what is in memory is ahead of what can be kept. Only recovery can tell. */
  fatal(error: unknown): void;
  /** An administrator asked the daemon to stop. */
  drain(): void;
}

/**
 * Starts everything, or throws and leaves nothing behind.
 * @throws BrokerError for what the configuration asks and the system cannot give, with the remedy
 */
export async function startDaemon(config: Config, log: Log, version: string, on: DaemonProcess): Promise<Daemon> {
  const roots = openMemoryRoots(config.memoryRoots);
  const memoryFiles = createMemoryFiles({
    roots,
    ownerUids: config.memoryOwnerUids,
    daemonUid: process.getuid?.() ?? 0,
    openFilesMax: config.limits.openMemoryFilesMax,
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
  const system = nativeSystem(config, poller, (error) => log.error({ error }, "bug: the host could not be looked at"));
  // The state directory is one daemon's at a time, and so are the devices that it takes.
  const selection = await selectBackend(config, system.get, standInsOf(config, poller)).catch(
    async (error: unknown) => {
      await system.shutDown();
      await poller.close();
      await state.close();
      audit.close();
      throw error;
    },
  );
  const { backend, simulator } = selection;
  const tell = ({ level, message, facts }: Notice): void => log[level]({ facts }, message);
  backend.onNotice(tell);
  tell(selection.chosen);
  const stopBackend = async (): Promise<void> => {
    await selection.stop();
    await system.shutDown();
    await poller.close();
  };
  const tickets = new Tickets({
    clock: systemClock,
    random: randomTicket,
    ttlMs: config.timing.ticketTtlMs,
    ticketsMax: config.limits.ticketsMax,
    ticketsPerPeerMax: config.limits.ticketsPerPeerMax,
    onUsed: () => core.events.emit({ type: "ticketUsed" }),
    onExpired: (ticket) => core.events.emit({ type: "ticketExpired", ...ticket }),
  });
  const deviceTickets = new IssuedTickets({
    clock: systemClock,
    random: randomTicket,
    ttlMs: config.timing.ticketTtlMs,
    ticketsMax: config.limits.ticketsMax,
    ticketsPerPeerMax: config.limits.ticketsPerPeerMax,
    onExpired: ({ label: device, ...who }) => core.events.emit({ type: "deviceTicketExpired", device, ...who }),
  });
  const processes = createProcessWatch({ poller });
  const core = createCore({
    backend,
    simulator: config.simulatorApi ? simulator : undefined,
    ports: {
      clock: systemClock,
      alarms: systemAlarms,
      identifiers: cryptoIdentifiers,
      memoryFiles,
      memoryTickets: tickets,
      deviceTickets,
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
    tickets: () => ({ ...tickets.census(), device: deviceTickets.waiting }),
    journal: () => state.counters,
    devicesMax: config.metrics.devicesMax,
    calls: servedCalls(core, config),
    connectionKinds: { limits: CONNECTION_LIMITS, handshakeRefusals: HANDSHAKE_REFUSALS },
    build: { version, backend: backend.kind },
  });
  const onRefused: ListenerOptions["onRefused"] = (limit, who) => {
    metrics.connections.refused(limit);
    logRefusedConnection(limit, who, log, throttle);
  };
  const { requestTimeoutMs } = config.timing;
  const requests = { requestTimeoutMs, perIdentityMax: config.limits.unfinishedRequestsPerIdentityMax };
  const unfinished = unfinishedRequests(requests, () => listeners);
  const interceptors = [followRequests(unfinished)];
  const server = new grpc.Server({ ...serverOptions(config), interceptors });
  const edge = edgeOf(config, core, backend, rpcHooks(metrics, log, throttle, auditor));
  const services = addServices(server, edge, {
    callerOf: (name) => {
      const peer = listeners?.peerOf(name);
      return peer && callerOf(name, peer);
    },
  });
  try {
    const begunMs = systemClock.monotonicMs();
    await core.recover(state.records);
    metrics.recovered({ seconds: (systemClock.monotonicMs() - begunMs) / 1000, tornBytes: state.tornBytes });
    listeners = await openListeners({
      server,
      ...listenerOptions(config),
      inherited: on.inherited?.api,
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
        inherited: on.inherited?.fds,
        tickets,
        deviceTickets,
        connectionsMax: config.limits.fdConnectionsMax,
        requestTimeoutMs: config.timing.fdRequestTimeoutMs,
        adopt: (passed, label) => memoryFiles.adopt(passed, label),
        onRefused: (put) => core.events.emit({ type: "putRefused", ...put }),
        onBug: (error) => log.error({ error }, "bug: a descriptor could not be taken"),
      });
    }
    const http = await serveMetrics({
      ...config.metrics,
      inherited: on.inherited?.metrics,
      contentType: metrics.contentType,
      scrape: metrics.scrape,
      isReady: () => services.health.isReady(),
      status: statusOf(config, core, backend, version),
      onFailure: (error) => throttle.run("scrape", (left) => log.error({ error, ...left }, "scrape failed")),
    });
    // Last: an administrator may ask the daemon to stop as soon as it listens, and only one that has started can.
    if (config.admin.socket !== undefined) {
      admin = await startAdminServer({
        socket: config.admin.socket,
        inherited: on.inherited?.admin,
        channel: serverOptions(config),
        health: edge.health,
        deps: {
          ...edge.rpc,
          adminUids: () => adminUids,
          logLevel: logLevelOf(log),
          stop: () => on.drain(),
        },
        gate: { handshakeTimeoutMs: config.timing.handshakeTimeoutMs, onRefused },
        requests,
      });
    }
    const reaping = startReaping(core, config.timing.reapIntervalMs, log, () => {
      tickets.expire();
      deviceTickets.expire();
    });
    const parts: Parts = {
      gracePeriodMs: config.timing.gracePeriodMs, // the configuration itself is let go: its devices are many
      server,
      services,
      listeners,
      admin,
      stopLast: [
        () => exchange?.stop(),
        reaping.stop,
        () => unfinished.stop(),
        http.stop,
        () => processes.close(),
        stopBackend,
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
      isReady: () => services.health.isReady(),
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
    processes.close();
    await stopBackend();
    await state.close();
    audit.close();
    throw error;
  }
}
