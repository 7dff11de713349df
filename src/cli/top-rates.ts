// What happened between two readings of the metrics, by the second. A counter that began meanwhile, or began anew (a device
// was attached again, the broker restarted), counts from 0. What the hardware does not count is unknown, never 0.

import type { Device } from "../client/client.ts";
import type { Sample } from "./metrics-text.ts";

/** One reading. */
export interface Reading {
  readonly atMs: number;
  readonly samples: readonly Sample[];
}

export interface DeviceRates {
  readonly device: Device;
  /** Undefined: not counted, as where it is not attached. */
  readonly translationsPerSecond: number | undefined;
  readonly faultsPerSecond: number | undefined;
}

export interface IommuRates {
  /** "smmu0" */
  readonly iommu: string;
  readonly transactionsPerSecond: number | undefined;
  /** 0 to 1; undefined: not counted, or nothing was looked up. */
  readonly tlbHitRatio: number | undefined;
}

export interface Rates {
  /** False: this host's hardware does not count translations. */
  readonly isCounted: boolean;
  /** The busiest first. */
  readonly devices: readonly DeviceRates[];
  readonly iommus: readonly IommuRates[];
}

type Sums = ReadonlyMap<string, number>;

export function ratesOf(before: Reading, after: Reading, devices: readonly Device[]): Rates {
  const seconds = (after.atMs - before.atMs) / 1000;
  const rates = (name: string, label: string): Sums => {
    const earlier = sums(before.samples, name, label);
    return new Map(
      [...sums(after.samples, name, label)].map(([key, value]) => [key, grown(earlier.get(key), value) / seconds]),
    );
  };
  const [translations, faults] = ["iommu_translations_total", "iommu_faults_total"].map((name) =>
    rates(name, "device"),
  );
  const rows = devices.map((device) => {
    const id = device.name.slice("devices/".length);
    const translationsPerSecond = translations?.get(id);
    // An attached device without a fault so far has no series of one.
    const isWatched = translationsPerSecond !== undefined || device.owner !== "";
    return { device, translationsPerSecond, faultsPerSecond: faults?.get(id) ?? (isWatched ? 0 : undefined) };
  });
  const [transactions, hits, misses] = ["transactions", "tlb_hits", "tlb_misses"].map((name) =>
    rates(`iommu_${name}_total`, "iommu"),
  );
  const names = [...new Set(devices.map(({ iommu }) => iommu.slice("iommus/".length)))].sort();
  return {
    isCounted: after.samples.find(({ name }) => name === "iommu_translation_counters_available")?.value !== 0,
    devices: rows.sort(busiestFirst),
    iommus: names.map((iommu) => ({
      iommu,
      transactionsPerSecond: transactions?.get(iommu),
      tlbHitRatio: ratio(hits?.get(iommu), misses?.get(iommu)),
    })),
  };
}

/** Of all series of a name, by one label. */
function sums(samples: readonly Sample[], name: string, label: string): Sums {
  const found = new Map<string, number>();
  for (const sample of samples) {
    const key = sample.labels[label];
    if (sample.name === name && key !== undefined) found.set(key, (found.get(key) ?? 0) + sample.value);
  }
  return found;
}

function grown(before: number | undefined, after: number): number {
  return before === undefined || before > after ? after : after - before;
}

function ratio(hits: number | undefined, misses: number | undefined): number | undefined {
  if (hits === undefined || misses === undefined || hits + misses === 0) return undefined;
  return hits / (hits + misses);
}

function busiestFirst(one: DeviceRates, other: DeviceRates): number {
  const by =
    (other.translationsPerSecond ?? -1) - (one.translationsPerSecond ?? -1) ||
    (other.faultsPerSecond ?? -1) - (one.faultsPerSecond ?? -1);
  return by === 0 ? one.device.name.localeCompare(other.device.name, "en") : by;
}
