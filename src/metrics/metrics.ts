// The metrics of one daemon: a registry with all of the catalogue in it, the observers that feed it, and its text.
// daemon.ts makes one and hands out the observers; nothing else imports this folder.

import { collectDefaultMetrics, Registry } from "prom-client";
import type { BrokerEvents } from "../server/core/events.ts";
import { METRICS } from "./catalog.ts";
import { lagSampler } from "./event-loop-lag.ts";
import { Families } from "./families.ts";
import { gauge } from "./instruments.ts";
import { type ObservedCall, observeEvents, observeReloads, observeRpc, type RpcObserver } from "./observe.ts";
import { type ConnectionKinds, type ConnectionObserver, observeConnections } from "./observe-connections.ts";
import { type SampleSources, sampler } from "./sample.ts";

export interface MetricsSources extends SampleSources {
  readonly events: BrokerEvents;
  /** Every RPC that is served. */
  readonly calls: readonly ObservedCall[];
  readonly connectionKinds: ConnectionKinds;
  readonly build: { readonly version: string; readonly backend: string };
}

export interface Metrics {
  readonly rpc: RpcObserver;
  reloaded(outcome: "done" | "failed"): void;
  readonly connections: ConnectionObserver;
  /** What the journal told has been rebuilt. `tornBytes`: of a write that a crash cut off. */
  recovered(what: { readonly seconds: number; readonly tornBytes: number }): void;
  readonly contentType: string;
  /** Reads the sources and gives everything in Prometheus' text format. */
  scrape(): Promise<string>;
}

/** Gauges of prom-client whose names end like a counter's; `promtool check metrics` objects, and the types say more. */
const MISNAMED = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  observeEvents(registry, sources.events);
  const rpc = observeRpc(registry, sources.calls);
  const connections = observeConnections(registry, sources.connectionKinds);
  sources.events.subscribe((event) => {
    if (event.type === "putRefused" && event.limit !== undefined) rpc.limited(event.limit);
  });
  const families = new Families();
  const sample = sampler(registry, families, sources);
  const sampleLag = lagSampler(registry);
  const recoverySeconds = gauge(registry, METRICS.recoverySeconds);
  const tornBytes = gauge(registry, METRICS.journalTornBytes);
  const { version, backend } = sources.build;
  gauge(registry, METRICS.buildInfo).set({ version, node_version: process.version, backend }, 1);
  return {
    rpc,
    reloaded: observeReloads(registry),
    connections,
    recovered: (what) => {
      recoverySeconds.set(what.seconds);
      tornBytes.set(what.tornBytes);
    },
    contentType: registry.contentType,
    scrape: async () => {
      sample();
      rpc.sample();
      sampleLag();
      const ofDevices = families.text(); // of this moment, as what the registry holds is
      return (await registry.metrics()) + ofDevices;
    },
  };
}
