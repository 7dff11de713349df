// Frequent facts are read at the scrape: the backend's counters and core's census, in one snapshot.
// The backend's numbers only grow while a device is attached, so they are set as they are. A device's series begin at 0
// when it is attached and are gone when it is released; a scraper takes a fresh start for a counter reset.

import type { Counter, Gauge, Registry } from "prom-client";
import type { BackendCounters, IommuCounters } from "../backends/counters.ts";
import { type FaultKind, isSameKind } from "../backends/told-faults.ts";
import { SESSION_STATES } from "../server/core/session.ts";
import { STAGE_STATES } from "../server/core/stage-state.ts";
import type { Census, ClientCensus, FaultCensus } from "../server/core/views.ts";
import { METRICS } from "./catalog.ts";
import type { Families } from "./families.ts";
import { counter, gauge } from "./instruments.ts";
import { OVERFLOW } from "./label-values.ts";
import { CarriedTotals, ShownNames } from "./overflow.ts";

export interface SampleSources {
  counters(): BackendCounters;
  census(): Census;
  connections(): number;
  openMemoryFiles(): number;
  tickets(): { readonly waiting: number; readonly taken: number; readonly device: number };
  /** Undefined: there is no journal. */
  journal(): JournalSample | undefined;
  /** Devices with series of their own; the rest is counted as one. */
  readonly devicesMax: number;
}

/** What a journal counts of its writing. */
export interface JournalSample {
  readonly records: number;
  readonly frames: number;
  readonly bytes: number;
  readonly snapshots: number;
  readonly failures: number;
  readonly writeSeconds: number;
  readonly length: number;
}

const CONFIGURATION_EVENTS = ["C_BAD_STE", "C_BAD_SUBSTREAMID", "F_STREAM_DISABLED", "F_CD_FETCH", "C_BAD_CD"] as const;
const ACCESS_EVENTS = ["F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"] as const;
/** Where an access fails: in the guest's tables, or in stage 2 for the access itself or for a table or CD of the guest. */
const ACCESS_PLACES = [
  { stage: 1, class: "IN" },
  { stage: 2, class: "IN" },
  { stage: 2, class: "TTD" },
  { stage: 2, class: "CD" },
] as const;

/** Faults that a guest's tables and DMA can cause: their series begin at 0 where they can be told. Others appear when they happen. */
const EXPECTED_FAULTS: readonly FaultKind[] = [
  ...CONFIGURATION_EVENTS.map((type) => ({ type, stage: undefined, class: undefined })),
  { type: "F_WALK_EABT", stage: 1, class: "TTD" }, // its memory was taken away
  ...ACCESS_EVENTS.flatMap((type) => ACCESS_PLACES.map((place) => ({ type, ...place }))),
];

/** Of what can be told, by which there are few lists: those whose series begin at 0. */
const begun = new WeakMap<readonly FaultKind[], readonly FaultKind[]>();

function beginning(tells: readonly FaultKind[]): readonly FaultKind[] {
  const known = begun.get(tells);
  if (known !== undefined) return known;
  const expected = EXPECTED_FAULTS.filter((fault) => tells.some((told) => isSameKind(told, fault)));
  begun.set(tells, expected);
  return expected;
}

/** Clients with series of their own: more rules than anybody writes. */
const CLIENTS_MAX = 64;

/** Makes the function that brings the registry up to date; call it before each scrape. */
export function sampler(registry: Registry, families: Families, sources: SampleSources): () => void {
  const sampleIommus = iommuSampler(registry);
  const sampleDevices = deviceSampler(families);
  const sampleStages = stageSampler(families);
  const sampleCensus = censusSampler(registry);
  const sampleClients = clientSampler(registry);
  const sampleJournal = journalSampler(registry);
  const translationCounters = gauge(registry, METRICS.translationCounters);
  const connections = gauge(registry, METRICS.connections);
  const openMemoryFiles = gauge(registry, METRICS.openMemoryFiles);
  const tickets = gauge(registry, METRICS.tickets);
  const devicesOmitted = gauge(registry, METRICS.devicesOmitted);
  const shownDevices = new ShownNames(sources.devicesMax);
  return () => {
    const counters = sources.counters();
    const census = sources.census();
    const shown = shownDevices.among(census.devices.map(({ id }) => id));
    translationCounters.set(counters.hasTranslationCounters ? 1 : 0);
    sampleIommus(counters);
    sampleDevices(counters, shown);
    sampleClients(census.clients);
    sampleJournal(sources.journal());
    sampleCensus(census);
    sampleStages(census, shown);
    connections.set(sources.connections());
    openMemoryFiles.set(sources.openMemoryFiles());
    for (const [state, count] of Object.entries(sources.tickets())) tickets.set({ state }, count);
    devicesOmitted.set(census.devices.length - shown.size);
  };
}

type IommuRow = readonly [Counter<"iommu"> | Gauge<"iommu">, (from: IommuCounters) => number | undefined];

function iommuSampler(registry: Registry): (counters: BackendCounters) => void {
  const ofTranslations: readonly IommuRow[] = [
    [counter(registry, METRICS.transactions), (from) => from.transactions],
    [counter(registry, METRICS.tlbHits), (from) => from.tlbHits],
    [counter(registry, METRICS.tlbMisses), (from) => from.tlbMisses],
    [counter(registry, METRICS.configCacheMisses), (from) => from.configCacheMisses],
    [counter(registry, METRICS.walkAccesses), (from) => from.transTableWalkAccesses],
    [counter(registry, METRICS.configAccesses), (from) => from.configStructAccesses],
  ];
  const ofQueues: readonly IommuRow[] = [
    [counter(registry, METRICS.commands), (from) => from.commands],
    [counter(registry, METRICS.eventsRecorded), (from) => from.eventsRecorded],
    [counter(registry, METRICS.eventsDropped), (from) => from.eventsDropped],
    [counter(registry, METRICS.eventQueueOverflows), (from) => from.eventQueueOverflows],
    [counter(registry, METRICS.eventsMerged), (from) => from.eventsMerged],
    [gauge(registry, METRICS.stallsOutstanding), (from) => from.stallsOutstanding],
  ];
  const invalidations = counter(registry, METRICS.invalidations);
  return ({ hasTranslationCounters, iommus }) => {
    for (const [metric] of ofTranslations) metric.reset(); // what was counted before, and is not now, has no series either
    for (const [metric, read] of hasTranslationCounters ? [...ofTranslations, ...ofQueues] : ofQueues) {
      metric.reset();
      for (const each of iommus) {
        const value = read(each);
        if (value !== undefined) metric.inc({ iommu: each.iommu }, value);
      }
    }
    invalidations.reset();
    for (const { invalidations: counts, iommu } of iommus) {
      for (const [command, count] of Object.entries(counts)) invalidations.inc({ iommu, command }, count);
    }
  };
}

function deviceSampler(families: Families): (counters: BackendCounters, shown: ReadonlySet<string>) => void {
  const translations = families.of(METRICS.translations);
  const faults = families.of(METRICS.faults);
  const msis = families.of(METRICS.msis);
  const overflow = new CarriedTotals();
  return ({ devices, hasTranslationCounters }, shown) => {
    translations.reset();
    faults.reset();
    msis.reset();
    for (const each of devices) {
      const isShown = shown.has(each.device);
      const device = isShown ? each.device : OVERFLOW;
      const outcomes = { ok: each.translationsOk, fault: each.translationsFaulted, abort: each.translationsAborted };
      for (const [outcome, count] of Object.entries(outcomes)) {
        if (!hasTranslationCounters || count === undefined) continue;
        if (isShown) translations.inc({ device, outcome }, count);
        else overflow.note(outcome, each.device, count, (total) => translations.inc({ device, outcome }, total));
      }
      if (hasTranslationCounters && each.msis !== undefined) {
        if (isShown) msis.inc({ device }, each.msis);
        else overflow.note("msis", each.device, each.msis, (total) => msis.inc({ device }, total));
      }
      for (const fault of beginning(each.tells)) faults.inc({ device, ...faultLabels(fault) }, 0);
      for (const fault of each.faults) {
        const labels = { device, ...faultLabels(fault) };
        if (isShown) faults.inc(labels, fault.count);
        else {
          const series = `${labels.event_type} ${labels.stage} ${labels.class}`;
          overflow.note(series, each.device, fault.count, (total) => faults.inc(labels, total));
        }
      }
    }
    overflow.flush();
  };
}

function faultLabels(fault: FaultKind): { event_type: string; stage: string; class: string } {
  return { event_type: fault.type, stage: String(fault.stage ?? "none"), class: fault.class ?? "none" };
}

function clientSampler(registry: Registry): (clients: readonly ClientCensus[]) => void {
  const rows: readonly (readonly [Gauge<"client">, (from: ClientCensus) => number])[] = [
    [gauge(registry, METRICS.clientSessions), (from) => from.sessions],
    [gauge(registry, METRICS.clientDevices), (from) => from.devices],
    [gauge(registry, METRICS.clientMappedBytes), (from) => from.mappedBytes],
  ];
  const shownClients = new ShownNames(CLIENTS_MAX);
  return (clients) => {
    const shown = shownClients.among(clients.map(({ name }) => name));
    for (const [metric, read] of rows) {
      metric.reset();
      for (const each of clients) metric.inc({ client: shown.has(each.name) ? each.name : OVERFLOW }, read(each));
    }
  };
}

function journalSampler(registry: Registry): (journal: JournalSample | undefined) => void {
  const enabled = gauge(registry, METRICS.journalEnabled);
  const rows: readonly (readonly [Gauge | Counter, (from: JournalSample) => number])[] = [
    [counter(registry, METRICS.journalRecords), (from) => from.records],
    [counter(registry, METRICS.journalWrites), (from) => from.frames],
    [counter(registry, METRICS.journalWrittenBytes), (from) => from.bytes],
    [counter(registry, METRICS.journalWriteSeconds), (from) => from.writeSeconds],
    [counter(registry, METRICS.journalSnapshots), (from) => from.snapshots],
    [counter(registry, METRICS.journalFailures), (from) => from.failures],
    [gauge(registry, METRICS.journalBytes), (from) => from.length],
  ];
  return (journal) => {
    enabled.set(journal === undefined ? 0 : 1);
    if (journal === undefined) return; // nothing was written: 0 is true
    for (const [metric, read] of rows) {
      metric.reset();
      metric.inc(read(journal));
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
    const { hardwareOverflow, ...drops } = faults.dropped;
    for (const [reason, count] of Object.entries({ ...drops, hardware_overflow: hardwareOverflow })) {
      dropped.inc({ reason }, count);
    }
    for (const [outcome, count] of Object.entries(faults.resolutions)) resolutions.inc({ outcome }, count);
    const { cached, made, overBudget } = faults.diagnoses;
    for (const [result, count] of Object.entries({ made, cached, over_budget: overBudget })) {
      diagnoses.inc({ result }, count);
    }
  };
}

function stageSampler(families: Families): (census: Census, shown: ReadonlySet<string>) => void {
  const stageState = families.of(METRICS.stageState);
  const generation = families.of(METRICS.generation);
  return ({ devices }, shown) => {
    stageState.reset();
    generation.reset();
    for (const { id, state, generation: count } of devices) {
      if (!shown.has(id)) continue;
      for (const each of STAGE_STATES) stageState.inc({ device: id, state: each }, each === state ? 1 : 0);
      generation.inc({ device: id }, count);
    }
  };
}

function censusSampler(registry: Registry): (census: Census) => void {
  const sessions = gauge(registry, METRICS.sessions);
  const leases = gauge(registry, METRICS.leases);
  const sampleFaults = faultSampler(registry);
  const totals: readonly (readonly [Gauge | Counter, (from: Census) => number])[] = [
    [gauge(registry, METRICS.addressSpaces), (from) => from.addressSpaces],
    [gauge(registry, METRICS.virtualIommus), (from) => from.virtualIommus],
    [gauge(registry, METRICS.mappedBytes), (from) => from.mappedBytes],
    [gauge(registry, METRICS.pinnedBytes), (from) => from.pinnedBytes],
    [gauge(registry, METRICS.queueDepth), (from) => from.queueDepth],
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
  return (census) => {
    for (const [metric, read] of totals) {
      metric.reset();
      metric.inc(read(census));
    }
    sampleFaults(census.faults);
    for (const state of SESSION_STATES) {
      sessions.set({ state }, census.sessionStates[state]);
      leases.set({ state }, census.leases[state]);
    }
  };
}

function quarantined({ devices }: Census): number {
  return devices.filter(({ state }) => state === "quarantined").length;
}
