// What the catalogue says is absent natively, against a scrape of the native backend on a kernel that is played.

import { expect, test } from "vitest";
import { PmcgCounters } from "../../src/backends/iommufd/pmcg.ts";
import { HARDWARE } from "../../src/metrics/catalog/hardware.ts";
import type { Metric } from "../../src/metrics/catalog/metric.ts";
import { createMetrics } from "../../src/metrics/metrics.ts";
import { BrokerEvents } from "../../src/server/core/events.ts";
import { fakeSmmu } from "../support/fake-iommufd-machine.ts";
import { NO_FAULTS } from "../support/faults.ts";
import { type NativeWorld, nativeWorld, type WorldOptions } from "../support/native-world.ts";

const EVENTS = ["transaction", "tlb_miss", "config_cache_miss", "trans_table_walk_access"];

/** Of every event; a value undefined is one that hardware does not count all the time. */
function pmcg(value: number | undefined): PmcgCounters {
  const events = new Map(EVENTS.map((name, config) => [name, { type: 9, config, cpu: 0 }]));
  const perf = { open: () => 7, readNow: () => value, close: () => {} };
  return PmcgCounters.open(perf, [{ name: "smmuv3_pmcg_2b", events }]);
}

async function attached(counters?: PmcgCounters, options: WorldOptions = {}): Promise<NativeWorld> {
  const world = await nativeWorld({ ...options, ...(counters && { counters }) });
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  return world;
}

async function scrapeOf({ backend }: NativeWorld): Promise<string> {
  const devices = backend.inventory.devices().map(({ id, iommu }) => {
    return { id, iommu, state: "nest-parent", generation: 1, attached: true } as const;
  });
  const none = { live: 0, restored: 0, lost: 0 };
  const metrics = createMetrics({
    events: new BrokerEvents(),
    counters: () => backend.counters(),
    census: () => ({
      ...{ sessions: 0, sessionStates: none, addressSpaces: 0, virtualIommus: 0, mappedBytes: 0, pinnedBytes: 0 },
      ...{ leases: none, clients: [], queueDepth: 0, devices, faults: NO_FAULTS, waiters: 0 },
      watches: { subscribers: 0, resyncs: 0 },
    }),
    connections: () => 0,
    openMemoryFiles: () => 0,
    tickets: () => ({ waiting: 0, taken: 0, device: 0 }),
    journal: () => undefined,
    devicesMax: 16,
    calls: [],
    connectionKinds: { limits: [], handshakeRefusals: [] },
    build: { version: "1", backend: "iommufd" },
  });
  return await metrics.scrape();
}

/** Metrics of the hardware that have a series. */
function present(scrape: string): string[] {
  const names = Object.values(HARDWARE).map(({ name }) => name);
  return names.filter((name) => new RegExp(`^${name}[ {]`, "m").test(scrape)).toSorted();
}

const metrics: readonly Metric[] = Object.values(HARDWARE);
function marked(belongs: (natively: Metric["natively"]) => boolean): string[] {
  return metrics.flatMap(({ name, natively }) => (belongs(natively) ? name : [])).toSorted();
}

test("there are series of what is not marked, and of nothing else", async () => {
  expect(present(await scrapeOf(await attached()))).toEqual(marked((natively) => natively === undefined));
});

test("with counters of the SMMUs' own there are series of those too", async () => {
  const scrape = await scrapeOf(await attached(pmcg(42)));
  expect(present(scrape)).toEqual(marked((natively) => natively !== "absent"));
  expect(scrape).toContain("iommu_translation_counters_available 1");
});

test("counters that are open and never had the hardware are said not to be there", async () => {
  const scrape = await scrapeOf(await attached(pmcg(undefined)));
  expect(present(scrape)).toEqual(marked((natively) => natively === undefined));
  expect(scrape).toContain("iommu_translation_counters_available 0");
});

/** "event_type stage class" of each fault that has a series. */
function faultSeries(scrape: string): string[] {
  const lines = scrape.matchAll(/^iommu_faults_total\{.*event_type="(\w+)",stage="(\w+)",class="(\w+)"\} 0$/gm);
  return [...lines].map(([, type, stage, accessed]) => `${type} ${stage} ${accessed}`).toSorted();
}

test("of faults, only what Linux forwards begins at 0", async () => {
  // arm_smmu_handle_event of Linux 7.2: 0x04, 0x06, 0x08, 0x0A, and 0x10 to 0x13 of stage 1
  expect(faultSeries(await scrapeOf(await attached()))).toEqual([
    ...[
      "C_BAD_CD none none",
      "C_BAD_STE none none",
      "C_BAD_SUBSTREAMID none none",
      "F_ACCESS 1 IN",
      "F_ADDR_SIZE 1 IN",
    ],
    ...["F_PERMISSION 1 IN", "F_STREAM_DISABLED none none", "F_TRANSLATION 1 IN"],
  ]);
});

test.each([
  ["a kernel without queues of events", { machine: { unknown: ["veventq_alloc"] } }],
  ["a host that does not nest", { iommu: fakeSmmu({ nesting: false }) }],
  ["VT-d", { iommu: fakeSmmu({ kind: "vtd", hwInfo: new Uint8Array(24), nesting: false }) }],
] as const)("%s tells no faults, and there is no series of one", async (_, options) => {
  const world = await attached(undefined, options);
  expect(faultSeries(await scrapeOf(world))).toEqual([]);
  expect(world.backend.inventory.iommus()[0]?.toldFaults).toBeUndefined();
});
