import { beforeEach, expect, test } from "vitest";
import { ABORT_VSTE, BYPASS_VSTE } from "../../../src/backends/vste.ts";
import {
  DEVICES_SHOWN,
  DIAGNOSES_MADE,
  FAULTS_SHOWN,
  type SnapshotSources,
  snapshots,
} from "../../../src/metrics/status/snapshot.ts";
import {
  attach,
  bind,
  detach,
  type Guest,
  guest,
  NVME,
  type TestHost,
  TWO_SMMUS,
  testHost,
  translationOf,
  turn,
} from "../../support/host.ts";

/** Guest memory is 2 MiB from here; behind it stage 2 has nothing. */
const RAM = 0x4000_0000;
const WILD = 0x4020_0000;

interface Seen {
  readonly devices: readonly {
    readonly id: string;
    readonly faults: number | null;
    readonly [field: string]: unknown;
  }[];
  readonly iommus: readonly object[];
  readonly faults: readonly { readonly diagnosis: object | null; readonly [field: string]: unknown }[];
  readonly devicesOmitted: number;
  readonly sessions: number;
}

let host: TestHost;
let vmm: Guest;
beforeEach(() => start());

async function start(limits: Parameters<typeof testHost>[0] = {}): Promise<void> {
  host = testHost(limits);
  vmm = await guest(host, { name: "vm-1" });
  await attach(host, vmm, NVME);
  await bind(host, vmm, NVME, BYPASS_VSTE, 1);
}

function sources(over: Partial<SnapshotSources> = {}): SnapshotSources {
  return {
    clock: host.clock,
    build: { version: "1", backend: "simulated" },
    detail: "full",
    counters: () => host.backend.counters(),
    census: () => host.core.census(),
    ownerOf: (device) => host.core.devices.get(device).owner,
    faults: host.core.faults,
    ...over,
  };
}

/** As a browser gets it. */
function seen(take: () => object): Seen {
  return JSON.parse(JSON.stringify(take()));
}

async function fault(pages = 1, from = WILD): Promise<void> {
  for (let page = 0; page < pages; page++) await translationOf(host, NVME, from + page * 4096);
  await turn();
}

test("a device has its owner, state, generation and counters; those with an owner come first", async () => {
  expect(await translationOf(host, NVME, RAM)).toBe("ok");
  await fault();
  const { devices, devicesOmitted, sessions } = seen(snapshots(sources()));
  expect(devices[0]).toEqual({
    ...{ id: NVME, iommu: "smmu0", state: "nest-parent", generation: 2, attached: true, owner: "vm-1" },
    ...{ translations: 2, faults: 1 },
  });
  expect(devices[1]).toEqual({
    ...{ id: "0000:00:01.0", iommu: "smmu0", state: "default-domain", generation: 0, attached: false, owner: null },
    ...{ translations: null, faults: null },
  });
  expect({ count: devices.length, devicesOmitted, sessions }).toEqual({ count: 8, devicesOmitted: 0, sessions: 1 });
});

test("what the hardware does not count is null, never 0", () => {
  const counters = () => ({ hasTranslationCounters: false, iommus: [], devices: host.backend.counters().devices });
  const { devices, iommus } = seen(snapshots(sources({ counters })));
  expect(devices[0]).toMatchObject({ translations: null, faults: 0 });
  expect(iommus).toHaveLength(2);
  expect(iommus[0]).toEqual({
    ...{ id: "smmu0", transactions: null, tlbHits: null, tlbMisses: null, commands: null },
    ...{ eventsRecorded: null, eventsDropped: null },
  });
});

test("faults of one kind and page are one row with their number, the newest first, each with its diagnosis", async () => {
  await fault();
  await fault();
  await fault(1, WILD + 4096);
  const { faults } = seen(snapshots(sources()));
  expect(faults.map(({ address, count, type }) => ({ address, count, type }))).toEqual([
    { address: "0x40201000", count: 1, type: "F_TRANSLATION" },
    { address: "0x40200000", count: 2, type: "F_TRANSLATION" },
  ]);
  expect(faults[0]?.diagnosis).toMatchObject({
    ...{ verdict: "reproduced", rule: "STAGE2_NOT_MAPPED", structure: "stage 2" },
    summary: expect.stringContaining("0x40201000"),
  });
});

test("a summary has no address, no value and no sentence that could hold one", async () => {
  await fault();
  const { faults } = seen(snapshots(sources({ detail: "summary" })));
  expect(Object.keys(faults[0] ?? {}).sort()).toEqual([
    "class",
    "count",
    "device",
    "diagnosis",
    "hostOnly",
    "isWaiting",
    "sequence",
    "stage",
    "type",
    "wallMs",
  ]);
  expect(Object.keys(faults[0]?.diagnosis ?? {}).sort()).toEqual(["level", "rule", "section", "structure", "verdict"]);
  expect(JSON.stringify(faults)).not.toContain("4020");
  await fault(1, WILD + 4096); // nor does it tell pages apart
  expect(seen(snapshots(sources({ detail: "summary" }))).faults).toMatchObject([{ count: 2 }]);
});

test("what was found for a fault stays when its tables have changed", async () => {
  await fault();
  const take = snapshots(sources());
  expect(seen(take).faults[0]?.diagnosis).toMatchObject({ verdict: "reproduced" });
  await bind(host, vmm, NVME, ABORT_VSTE);
  host.clock.advance(1000);
  expect(seen(take).faults[0]?.diagnosis).toMatchObject({ verdict: "reproduced" });
  expect(seen(snapshots(sources())).faults[0]?.diagnosis).toMatchObject({ verdict: "no-longer-reproducible" });
});

test("one look makes a bounded number of walks, and the next one goes on", async () => {
  await start({ limits: { faultRingEventsMax: 64 } });
  await fault(DIAGNOSES_MADE + 2);
  let walks = 0;
  const faults = {
    list: host.core.faults.list,
    diagnose: (event: Parameters<typeof host.core.faults.diagnose>[0]) => {
      walks += 1;
      return host.core.faults.diagnose(event);
    },
  };
  const take = snapshots(sources({ faults }));
  expect(seen(take).faults.filter(({ diagnosis }) => diagnosis === null)).toHaveLength(2);
  expect(walks).toBe(DIAGNOSES_MADE);
  expect(seen(take).faults.filter(({ diagnosis }) => diagnosis === null)).toEqual([]);
  expect(walks).toBe(DIAGNOSES_MADE + 2);
});

test("rows of faults are bounded", async () => {
  await start({ limits: { faultRingEventsMax: 64, faultHistoryEventsTotalMax: 64 } });
  await fault(FAULTS_SHOWN + 5);
  expect(seen(snapshots(sources())).faults).toHaveLength(FAULTS_SHOWN);
});

test("rows of devices are bounded, and how many are left out is told", () => {
  const device = (index: number) => ({ id: `d${index}`, iommu: "smmu0", group: index, streamIDs: [index] });
  host = testHost({
    config: { ...TWO_SMMUS, devices: Array.from({ length: DEVICES_SHOWN + 3 }, (_, index) => device(index)) },
  });
  const { devices, devicesOmitted } = seen(snapshots(sources()));
  expect({ shown: devices.length, devicesOmitted }).toEqual({ shown: DEVICES_SHOWN, devicesOmitted: 3 });
});

test("a fault stays in sight of whoever may see all after its device left; the device's counters go with it", async () => {
  await fault();
  await detach(host, vmm, NVME);
  const { devices, faults } = seen(snapshots(sources()));
  expect(faults).toHaveLength(1);
  expect(devices.find(({ id }) => id === NVME)).toMatchObject({ attached: false, owner: null, faults: null });
});
