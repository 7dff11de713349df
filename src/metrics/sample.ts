// Frequent facts are read at the scrape: the backend's counters and core's census, in one snapshot.
// The backend's numbers only grow while a device is attached, so they are set as they are. A device's series begin at 0
// when it is attached and are gone when it is released; a scraper takes a fresh start for a counter reset.

import type { Counter, Gauge, Registry } from "prom-client";
import type { BackendCounters, DeviceCounters, IommuCounters } from "../backends/counters.ts";
import { SESSION_STATES } from "../server/core/session.ts";
import { STAGE_STATES } from "../server/core/stage-state.ts";
import type { Census, FaultCensus } from "../server/core/views.ts";
import { METRICS } from "./catalog.ts";
import { counter, gauge } from "./instruments.ts";

export interface SampleSources {
  counters(): BackendCounters;
  census(): Census;
  connections(): number;
  openMemoryFiles(): number;
  tickets(): { readonly waiting: number; readonly taken: number };
  /** Devices with series of their own; the rest is counted as one. */
  readonly devicesMax: number;
}

/** Events that a guest's tables and DMA can cause: their series begin at 0. Others appear when they happen. */
const EXPECTED_EVENTS = [
  "C_BAD_STE",
  "C_BAD_SUBSTREAMID",
  "F_STREAM_DISABLED",
  "F_CD_FETCH",
  "C_BAD_CD",
  "F_WALK_EABT",
  "F_TRANSLATION",
  "F_ADDR_SIZE",
  "F_ACCESS",
  "F_PERMISSION",
] as const;

/** Stands for all devices beyond the maximum: no device id begins so. */
const OVERFLOW = "_overflow";

/** Makes the function that brings the registry up to date; call it before each scrape. */
export function sampler(registry: Registry, sources: SampleSources): () => void {
  const sampleIommus = iommuSampler(registry);
  const sampleDevices = deviceSampler(registry);
  const sampleCensus = censusSampler(registry);
  const connections = gauge(registry, METRICS.connections);
  const openMemoryFiles = gauge(registry, METRICS.openMemoryFiles);
  const tickets = gauge(registry, METRICS.tickets);
  const devicesOmitted = gauge(registry, METRICS.devicesOmitted);
  return () => {
    const counters = sources.counters();
    const census = sources.census();
    const shown = new Set(
      firstInOrder(
        census.devices.map((device) => device.id),
        sources.devicesMax,
      ),
    );
    sampleIommus(counters.iommus);
    sampleDevices(counters.devices, shown);
    sampleCensus(census, shown);
    connections.set(sources.connections());
    openMemoryFiles.set(sources.openMemoryFiles());
    for (const [state, count] of Object.entries(sources.tickets())) tickets.set({ state }, count);
    devicesOmitted.set(census.devices.length - shown.size);
  };
}

function firstInOrder(names: readonly string[], maximum: number): string[] {
  return [...names].sort().slice(0, maximum);
}

function iommuSampler(registry: Registry): (iommus: readonly IommuCounters[]) => void {
  const rows: readonly (readonly [Counter<"iommu">, (from: IommuCounters) => number])[] = [
    [counter(registry, METRICS.transactions), (from) => from.transactions],
    [counter(registry, METRICS.tlbHits), (from) => from.tlbHits],
    [counter(registry, METRICS.tlbMisses), (from) => from.tlbMisses],
    [counter(registry, METRICS.configCacheMisses), (from) => from.configCacheMisses],
    [counter(registry, METRICS.walkAccesses), (from) => from.transTableWalkAccesses],
    [counter(registry, METRICS.configAccesses), (from) => from.configStructAccesses],
    [counter(registry, METRICS.commands), (from) => from.commands],
    [counter(registry, METRICS.eventsRecorded), (from) => from.eventsRecorded],
    [counter(registry, METRICS.eventsDropped), (from) => from.eventsDropped],
    [counter(registry, METRICS.eventsMerged), (from) => from.eventsMerged],
  ];
  return (iommus) => {
    for (const [metric, read] of rows) {
      metric.reset();
      for (const each of iommus) metric.inc({ iommu: each.iommu }, read(each));
    }
  };
}

function deviceSampler(registry: Registry): (devices: readonly DeviceCounters[], shown: ReadonlySet<string>) => void {
  const translations = counter(registry, METRICS.translations);
  const faults = counter(registry, METRICS.faults);
  const msis = counter(registry, METRICS.msis);
  return (devices, shown) => {
    translations.reset();
    faults.reset();
    msis.reset();
    for (const each of devices) {
      const device = shown.has(each.device) ? each.device : OVERFLOW;
      const outcomes = { ok: each.translationsOk, fault: each.translationsFaulted, abort: each.translationsAborted };
      for (const [outcome, count] of Object.entries(outcomes)) {
        if (count !== undefined) translations.inc({ device, outcome }, count);
      }
      if (each.msis !== undefined) msis.inc({ device }, each.msis);
      for (const event_type of EXPECTED_EVENTS) faults.inc({ device, event_type }, 0);
      for (const [event_type, count] of Object.entries(each.faults)) faults.inc({ device, event_type }, count);
    }
  };
}

/** Counts of the fault router that have a label. */
function faultSampler(registry: Registry): (faults: FaultCensus) => void {
  const subscribers = gauge(registry, METRICS.faultSubscribers);
  const dropped = counter(registry, METRICS.faultsDropped);
  const resolutions = counter(registry, METRICS.faultResolutions);
  const diagnoses = counter(registry, METRICS.faultDiagnoses);
  return (faults) => {
    for (const metric of [dropped, resolutions, diagnoses]) metric.reset();
    for (const [view, count] of Object.entries(faults.subscribers)) subscribers.set({ view }, count);
    for (const [reason, count] of Object.entries(faults.dropped)) dropped.inc({ reason }, count);
    for (const [outcome, count] of Object.entries(faults.resolutions)) resolutions.inc({ outcome }, count);
    const { cached, made, overBudget } = faults.diagnoses;
    for (const [result, count] of Object.entries({ made, cached, over_budget: overBudget })) {
      diagnoses.inc({ result }, count);
    }
  };
}

function censusSampler(registry: Registry): (census: Census, shown: ReadonlySet<string>) => void {
  const stageState = gauge(registry, METRICS.stageState);
  const generation = gauge(registry, METRICS.generation);
  const sessions = gauge(registry, METRICS.sessions);
  const sampleFaults = faultSampler(registry);
  const totals: readonly (readonly [Gauge | Counter, (from: Census) => number])[] = [
    [gauge(registry, METRICS.addressSpaces), (from) => from.addressSpaces],
    [gauge(registry, METRICS.virtualIommus), (from) => from.virtualIommus],
    [gauge(registry, METRICS.mappedBytes), (from) => from.mappedBytes],
    [gauge(registry, METRICS.waiters), (from) => from.waiters],
    [gauge(registry, METRICS.quarantinedDevices), (from) => quarantined(from)],
    [gauge(registry, METRICS.deviceWatches), (from) => from.watches.subscribers],
    [counter(registry, METRICS.deviceWatchResyncs), (from) => from.watches.resyncs],
    [counter(registry, METRICS.faultsRecorded), (from) => from.faults.recorded],
    [counter(registry, METRICS.faultsDelivered), (from) => from.faults.delivered],
    [counter(registry, METRICS.faultsSuppressed), (from) => from.faults.suppressed],
    [counter(registry, METRICS.faultsHostOnly), (from) => from.faults.hostOnly],
    [gauge(registry, METRICS.faultsHeld), (from) => from.faults.held],
    [gauge(registry, METRICS.faultsPending), (from) => from.faults.pending],
  ];
  return (census, shown) => {
    for (const [metric, read] of totals) {
      metric.reset();
      metric.inc(read(census));
    }
    sampleFaults(census.faults);
    for (const state of SESSION_STATES) sessions.set({ state }, census.sessionStates[state]);
    stageState.reset();
    generation.reset();
    for (const { id, state, generation: count } of census.devices) {
      if (!shown.has(id)) continue;
      for (const each of STAGE_STATES) stageState.set({ device: id, state: each }, each === state ? 1 : 0);
      generation.set({ device: id }, count);
    }
  };
}

function quarantined({ devices }: Census): number {
  return devices.filter(({ state }) => state === "quarantined").length;
}
