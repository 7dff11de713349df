// What the status page shows, picked field by field: devices, counters, the last faults with their diagnosis.
// The page is everybody's who reaches the port. "summary" has no address of a guest and nothing of its tables; "full" has
// what an observer on the admin socket may see. No answer's token is ever there, and what nobody counts is null, not 0.

import type { BackendCounters, DeviceCounters } from "../../backends/counters.ts";
import type { FaultDiagnosis } from "../../backends/diagnosis.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { FaultVerbs, SequencedFault } from "../../server/core/fault-verbs.ts";
import type { Clock } from "../../server/core/ports.ts";
import type { Census, OwnerView } from "../../server/core/views.ts";

export interface SnapshotSources {
  readonly clock: Clock;
  readonly build: { readonly version: string; readonly backend: string };
  readonly detail: "summary" | "full";
  counters(): BackendCounters;
  census(): Census;
  ownerOf(device: DeviceID): OwnerView | undefined;
  readonly faults: Pick<FaultVerbs, "list" | "diagnose">;
}

/** Rows of a table; how many devices there are besides is told. */
export const DEVICES_SHOWN = 500;
/** Faults that are put together, those of one kind and page in one row, and rows. */
export const FAULTS_READ = 200;
export const FAULTS_SHOWN = 25;
/** Walks made for one snapshot: the budget of diagnoses is its readers' first. */
export const DIAGNOSES_MADE = 10;

/** Makes the function that looks at everything once more. */
export function snapshots(sources: SnapshotSources): () => object {
  let diagnoses: ReadonlyMap<string, Diagnosed> = new Map();
  return () => {
    const { build, clock, detail } = sources;
    const counters = sources.counters();
    const census = sources.census();
    const { events } = sources.faults.list(undefined, { devices: [], types: [], pageSize: FAULTS_READ, pageToken: "" });
    const groups = groupsOf(events, detail).slice(0, FAULTS_SHOWN);
    diagnoses = diagnosesOf(groups, diagnoses, (event) => sources.faults.diagnose(event));
    return {
      ...build,
      detail,
      atMs: clock.monotonicMs(),
      wallMs: clock.wallMs(),
      sessions: census.sessions,
      devices: deviceRows(census, counters, (device) => sources.ownerOf(device)),
      devicesOmitted: Math.max(0, census.devices.length - DEVICES_SHOWN),
      iommus: iommuRows(census, counters),
      faults: groups.map((group) => faultRow(group, diagnoses.get(group.key)?.diagnosis, detail)),
    };
  };
}

/** The first in order, those that have an owner before the others. */
function deviceRows(
  { devices }: Census,
  { devices: counted, hasTranslationCounters }: BackendCounters,
  ownerOf: (device: DeviceID) => OwnerView | undefined,
): object[] {
  const counters = new Map(counted.map((each) => [each.device, each]));
  const rank = ({ state }: Census["devices"][number]): number => (state === "default-domain" ? 1 : 0);
  const inOrder = [...devices].sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  return inOrder.slice(0, DEVICES_SHOWN).map(({ attached, generation, id, iommu, state }) => {
    const own = counters.get(id);
    return {
      ...{ id, iommu, state, generation, attached },
      owner: ownerOf(id)?.displayName ?? null,
      translations: hasTranslationCounters && own !== undefined ? translationsOf(own) : null,
      faults: own === undefined ? null : own.faults.reduce((sum, { count }) => sum + count, 0),
    };
  });
}

function translationsOf(counters: DeviceCounters): number | null {
  const { translationsAborted, translationsFaulted, translationsOk } = counters;
  if (translationsOk === undefined) return null;
  return translationsOk + (translationsFaulted ?? 0) + (translationsAborted ?? 0);
}

/** Natively the IOMMUs are known by their devices alone. */
function iommuRows({ devices }: Census, { hasTranslationCounters, iommus }: BackendCounters): object[] {
  const counters = new Map(iommus.map((each) => [each.iommu, each]));
  const names = new Set([...iommus.map(({ iommu }) => iommu), ...devices.map(({ iommu }) => iommu)]);
  return [...names].sort().map((id) => {
    const own = counters.get(id);
    const translating = hasTranslationCounters ? own : undefined;
    return {
      id,
      transactions: translating?.transactions ?? null,
      tlbHits: translating?.tlbHits ?? null,
      tlbMisses: translating?.tlbMisses ?? null,
      commands: own?.commands ?? null,
      eventsRecorded: own?.eventsRecorded ?? null,
      eventsDropped: own?.eventsDropped ?? null,
    };
  });
}

/** Faults of one kind and device and, where addresses are shown, page; `key` says which. */
interface FaultGroup {
  readonly key: string;
  readonly newest: SequencedFault;
  readonly count: number;
}

interface Diagnosed {
  /** Of the event that was walked for. */
  readonly sequence: number;
  readonly diagnosis: FaultDiagnosis;
}

/** @param events  the newest first, and so are the groups */
function groupsOf(events: readonly SequencedFault[], detail: "summary" | "full"): FaultGroup[] {
  const groups = new Map<string, FaultGroup>();
  for (const event of events) {
    const key = keyOf(event, detail);
    const group = groups.get(key);
    groups.set(key, group === undefined ? { key, newest: event, count: 1 } : { ...group, count: group.count + 1 });
  }
  return [...groups.values()];
}

function keyOf({ fault, response }: SequencedFault, detail: "summary" | "full"): string {
  const { device, inputAddress, pageRequest, stage, substreamID, type } = fault;
  const page = (inputAddress ?? pageRequest?.address ?? 0n) >> 12n;
  const place = detail === "full" ? [substreamID, page] : [];
  return [device, type, stage, fault.class, response !== undefined, ...place].join(" ");
}

/** What was found for an event when it was first shown stays: its tables may be others a second later. */
function diagnosesOf(
  groups: readonly FaultGroup[],
  known: ReadonlyMap<string, Diagnosed>,
  diagnose: (event: SequencedFault) => FaultDiagnosis | undefined,
): Map<string, Diagnosed> {
  const diagnoses = new Map<string, Diagnosed>();
  let left = DIAGNOSES_MADE;
  for (const { key, newest } of groups) {
    const { sequence } = newest;
    const before = known.get(key);
    const isDue = before?.sequence !== sequence && left > 0;
    if (isDue) left -= 1;
    const diagnosis = isDue ? diagnose(newest) : undefined;
    const found = diagnosis === undefined ? before : { sequence, diagnosis };
    if (found !== undefined) diagnoses.set(key, found);
  }
  return diagnoses;
}

function faultRow(
  { count, newest }: FaultGroup,
  diagnosis: FaultDiagnosis | undefined,
  detail: "summary" | "full",
): object {
  const { fault, sequence, wallMs } = newest;
  const { device, hostOnly, stage, type } = fault;
  return {
    ...{ device, sequence, wallMs, type, hostOnly, count },
    stage: stage ?? null,
    class: fault.class ?? null,
    isWaiting: newest.response !== undefined,
    diagnosis: diagnosis === undefined ? null : diagnosisRow(diagnosis, detail),
    ...(detail === "full" ? addressesOf(newest) : {}),
  };
}

function diagnosisRow(diagnosis: FaultDiagnosis, detail: "summary" | "full"): object {
  const { summary, verdict } = diagnosis;
  const told = detail === "full" ? { verdict, summary } : { verdict };
  if (diagnosis.verdict !== "reproduced") return told;
  const { level, rule, section, structure } = diagnosis.cause;
  return { ...told, rule, section, structure, level: level ?? null };
}

function addressesOf({ fault }: SequencedFault): object {
  const { inputAddress, ipa, pageRequest, substreamID } = fault;
  const address = inputAddress ?? pageRequest?.address;
  return {
    address: address === undefined ? null : hex(address),
    ipa: ipa === undefined ? null : hex(ipa),
    substreamID: substreamID ?? null,
  };
}

export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}
