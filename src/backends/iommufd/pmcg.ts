// The SMMUv3's own counters (PMCG) where the host has them: found in sysfs, opened through perf, read when a scrape asks.
// Nothing tells which SMMU a group of counters belongs to, so its numbers bear the group's name. A counter is pinned: what
// hardware does not count all the time is told as not counted, and never scaled.
// Source: IHI 0070G.b §10.3; Linux drivers/perf/arm_smmuv3_pmu.c; perf_event_open(2). Tried on a made-up sysfs, on no hardware.

import type { IommuCounters } from "../counters.ts";
import { type HostFiles, type HostRoots, readText } from "./host-files.ts";
import type { PerfEvent, PerfEvents } from "./perf-events.ts";

/** A group of counters as sysfs shows it: its events by their names there. */
export interface PmcgGroup {
  /** "smmuv3_pmcg_ff88840", by the page of its registers. */
  readonly name: string;
  readonly events: ReadonlyMap<string, PerfEvent>;
}

/** More SMMUs than a host has. */
const GROUPS_MAX = 64;
const SOURCES_MAX = 1024;
/** By perf's name, which is the architecture's; four, for a group may have no more counters. */
const COUNTED = {
  transaction: "transactions",
  tlb_miss: "tlbMisses",
  config_cache_miss: "configCacheMisses",
  trans_table_walk_access: "transTableWalkAccesses",
} as const;
type Counted = (typeof COUNTED)[keyof typeof COUNTED];

const UNCOUNTED = {
  transactions: undefined,
  tlbHits: undefined,
  tlbMisses: undefined,
  configCacheMisses: undefined,
  transTableWalkAccesses: undefined,
  configStructAccesses: undefined,
  commands: undefined,
  invalidations: {},
  eventsRecorded: undefined,
  eventsDropped: undefined,
  eventQueueOverflows: undefined,
  eventsMerged: undefined,
  stallsOutstanding: undefined,
} as const satisfies Omit<IommuCounters, "iommu">;

/** In order of name. What sysfs shows otherwise than known is left out. */
export async function findPmcgs(files: HostFiles, { sys }: HostRoots): Promise<readonly PmcgGroup[]> {
  const folder = `${sys}/bus/event_source/devices`;
  const names = (await files.list(folder, SOURCES_MAX)).filter((name) => /^smmuv3_pmcg_[0-9a-f]{1,16}$/.test(name));
  const groups: PmcgGroup[] = [];
  for (const name of names.slice(0, GROUPS_MAX)) {
    const group = await groupAt(files, folder, name);
    if (group !== undefined) groups.push(group);
  }
  return groups;
}

async function groupAt(files: HostFiles, folder: string, name: string): Promise<PmcgGroup | undefined> {
  const text = (file: string) => readText(files, `${folder}/${name}/${file}`);
  const [type, cpus, format] = await Promise.all([text("type"), text("cpumask"), text("format/event")]);
  const cpu = /^(\d{1,6})/.exec(cpus ?? "")?.[1];
  const bits = /^config:(\d{1,2})(?:-\d{1,2})?$/.exec(format ?? "")?.[1];
  if (type === undefined || !/^\d{1,9}$/.test(type) || cpu === undefined || bits === undefined) return undefined;
  const events = new Map<string, PerfEvent>();
  for (const event of Object.keys(COUNTED)) {
    const number = /^event=0x([0-9a-f]{1,4})$/.exec((await text(`events/${event}`)) ?? "")?.[1];
    if (number === undefined) continue; // this hardware does not count it
    const config = Number.parseInt(number, 16) * 2 ** Number(bits);
    events.set(event, { type: Number(type), config, cpu: Number(cpu) });
  }
  return { name, events };
}

interface OpenGroup {
  readonly name: string;
  readonly counters: readonly { readonly counted: Counted; readonly fd: number }[];
}

/** Counters that were opened, for as long as the backend lives. */
export class PmcgCounters {
  readonly #perf: PerfEvents;
  readonly #groups: readonly OpenGroup[];

  private constructor(perf: PerfEvents, groups: readonly OpenGroup[]) {
    this.#perf = perf;
    this.#groups = groups;
  }

  /** What cannot be opened is not counted; doctor says why. */
  static open(perf: PerfEvents, found: readonly PmcgGroup[]): PmcgCounters {
    const groups = found.map(({ events, name }) => {
      const counters = Object.entries(COUNTED).flatMap(([event, counted]) => {
        const asked = events.get(event);
        const fd = asked === undefined ? -1 : perf.open(asked);
        return fd < 0 ? [] : [{ counted, fd }];
      });
      return { name, counters };
    });
    return new PmcgCounters(
      perf,
      groups.filter(({ counters }) => counters.length > 0),
    );
  }

  read(): readonly IommuCounters[] {
    return this.#groups.map(({ counters, name }) => {
      const values: Partial<Record<Counted, number | undefined>> = {};
      for (const { counted, fd } of counters) values[counted] = this.#perf.readNow(fd);
      return { ...UNCOUNTED, iommu: name, ...values };
    });
  }

  close(): void {
    for (const { counters } of this.#groups) for (const { fd } of counters) this.#perf.close(fd);
  }
}
