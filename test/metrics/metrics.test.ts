import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { BackendCounters, DeviceCounters, IommuCounters } from "../../src/backends/counters.ts";
import { BrokerError, limitReached } from "../../src/backends/errors.ts";
import { deviceID, groupID, iommuID } from "../../src/backends/ids.ts";
import { CALLS } from "../../src/backends/iommufd/errno-table.ts";
import { recordedFaults } from "../../src/backends/told-faults.ts";
import { METRICS } from "../../src/metrics/catalog.ts";
import { createMetrics, type Metrics } from "../../src/metrics/metrics.ts";
import { LIMITS } from "../../src/metrics/observe.ts";
import type { JournalSample } from "../../src/metrics/sample.ts";
import { BrokerEvents } from "../../src/server/core/events.ts";
import type { StageState } from "../../src/server/core/stage-state.ts";
import type { Census } from "../../src/server/core/views.ts";
import { NO_FAULTS } from "../support/faults.ts";

const ROOT = join(import.meta.dirname, "../..");
const TELLS = recordedFaults({ ats: true, pri: true });
const NIC = deviceID("0000:01:00.0");
const DISK = deviceID("0000:00:01.0");
const CALL = { service: "iommubroker.v1.IommuBroker", method: "GetDevice", grpcType: "unary" };

/** What the daemon would read, to be changed by a test. */
let counters: { hasTranslationCounters: boolean; iommus: IommuCounters[]; devices: DeviceCounters[] };
let census: { -readonly [Key in keyof Census]: Census[Key] };
let events: BrokerEvents;
let journal: JournalSample | undefined;

beforeEach(() => {
  counters = { hasTranslationCounters: true, iommus: [iommuCounters()], devices: [] };
  census = {
    sessions: 0,
    sessionStates: { live: 0, restored: 0, lost: 0 },
    addressSpaces: 0,
    virtualIommus: 0,
    mappedBytes: 0,
    pinnedBytes: 0,
    leases: { live: 0, restored: 0, lost: 0 },
    clients: [],
    queueDepth: 0,
    devices: [device(NIC, "default-domain", 0), device(DISK, "default-domain", 0)],
    faults: NO_FAULTS,
    waiters: 0,
    watches: { subscribers: 0, resyncs: 0 },
  };
  events = new BrokerEvents();
  journal = undefined;
});

function iommuCounters(over: Partial<IommuCounters> = {}): IommuCounters {
  return {
    iommu: iommuID("smmu0"),
    transactions: 0,
    tlbHits: 0,
    tlbMisses: 0,
    configCacheMisses: 0,
    transTableWalkAccesses: 0,
    configStructAccesses: 0,
    commands: 0,
    eventsRecorded: 0,
    eventsDropped: 0,
    eventsMerged: 0,
    eventQueueOverflows: 0,
    invalidations: {},
    stallsOutstanding: 0,
    ...over,
  };
}

function deviceCounters(id: typeof NIC, over: Partial<DeviceCounters> = {}): DeviceCounters {
  return {
    device: id,
    translationsOk: 0,
    translationsFaulted: 0,
    translationsAborted: 0,
    msis: 0,
    tells: TELLS,
    faults: [],
    ...over,
  };
}

function device(id: typeof NIC, state: StageState, generation: number): Census["devices"][number] {
  return { id, iommu: iommuID("smmu0"), state, generation, attached: state !== "default-domain" };
}

function metrics(devicesMax = 16): Metrics {
  return createMetrics({
    events,
    counters: (): BackendCounters => counters,
    census: () => census,
    connections: () => 3,
    openMemoryFiles: () => 2,
    tickets: () => ({ waiting: 4, taken: 1, device: 2 }),
    journal: () => journal,
    devicesMax,
    calls: [CALL],
    connectionKinds: { limits: ["connections_max"], handshakeRefusals: ["expired", "revoked"] },
    build: { version: "1.2.3", backend: "simulated" },
  });
}

/** The samples of a scrape: "name{labels}" → value. */
async function scraped(of: Metrics): Promise<Map<string, number>> {
  const lines = (await of.scrape()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

test("a scrape has every metric of the catalogue, with its help and type, and no other of ours", async () => {
  counters.devices.push(deviceCounters(NIC));
  const text = await metrics().scrape();
  const described = new Set(text.split("\n").filter((line) => line.startsWith("# TYPE ")));
  for (const { name, type, help } of Object.values(METRICS)) {
    expect(described, name).toContain(`# TYPE ${name} ${type}`);
    expect(text).toContain(`# HELP ${name} ${help}`);
  }
  const ours = [...described].map((line) => line.split(" ")[2] ?? "").filter((name) => /^(?:iommu|grpc)_/.test(name));
  expect(ours.sort()).toEqual(
    Object.values(METRICS)
      .map((metric) => metric.name)
      .sort(),
  );
});

test("an attached device's series begin at zero, with the backend's numbers after that", async () => {
  counters.devices.push(deviceCounters(NIC));
  const subject = metrics();
  const before = await scraped(subject);
  for (const outcome of ["ok", "fault", "abort"]) {
    expect(before.get(`iommu_translations_total{device="${NIC}",outcome="${outcome}"}`), outcome).toBe(0);
  }
  expect(before.get(faultSeries("C_BAD_CD", "none", "none"))).toBe(0);
  expect(before.get(faultSeries("F_WALK_EABT", "1", "TTD"))).toBe(0);
  for (const [stage, cls] of [
    ["1", "IN"],
    ["2", "IN"],
    ["2", "TTD"],
    ["2", "CD"],
  ] as const) {
    expect(before.get(faultSeries("F_TRANSLATION", stage, cls)), `${stage} ${cls}`).toBe(0);
  }
  expect(before.get(`iommu_msis_total{device="${NIC}"}`)).toBe(0);
  const faults = [
    { type: "C_BAD_CD", stage: undefined, class: undefined, count: 2 },
    { type: "F_TRANSLATION", stage: 2, class: "TTD", count: 4 },
    { type: "F_WALK_EABT", stage: 1, class: "TTD", count: 1 },
  ] as const;
  counters.devices = [
    deviceCounters(NIC, { translationsOk: 7, translationsFaulted: 3, translationsAborted: 1, msis: 5, faults }),
  ];
  const after = await scraped(subject);
  expect(after.get(`iommu_translations_total{device="${NIC}",outcome="ok"}`)).toBe(7);
  expect(after.get(`iommu_translations_total{device="${NIC}",outcome="fault"}`)).toBe(3);
  expect(after.get(`iommu_translations_total{device="${NIC}",outcome="abort"}`)).toBe(1);
  expect(after.get(`iommu_msis_total{device="${NIC}"}`)).toBe(5);
  expect(after.get(faultSeries("C_BAD_CD", "none", "none"))).toBe(2);
  expect(after.get(faultSeries("F_TRANSLATION", "2", "TTD"))).toBe(4);
  expect(after.get(faultSeries("F_TRANSLATION", "1", "IN"))).toBe(0);
  expect(after.get(faultSeries("F_WALK_EABT", "1", "TTD"))).toBe(1);
});

function faultSeries(type: string, stage: string, cls: string): string {
  return `iommu_faults_total{device="${NIC}",event_type="${type}",stage="${stage}",class="${cls}"}`;
}

/** Each number of the census below, and the series it goes to. */
const FAULT_SERIES = {
  iommu_broker_fault_events_recorded_total: 1,
  iommu_broker_fault_events_delivered_total: 2,
  iommu_broker_fault_events_suppressed_total: 3,
  iommu_broker_fault_events_host_only_total: 4,
  'iommu_broker_fault_events_dropped_total{reason="unrouted"}': 4,
  'iommu_broker_fault_events_dropped_total{reason="overrun"}': 5,
  'iommu_broker_fault_events_dropped_total{reason="released"}': 6,
  'iommu_broker_fault_events_dropped_total{reason="hardware_overflow"}': 19,
  iommu_broker_fault_history_entries: 7,
  iommu_broker_faults_pending: 8,
  'iommu_broker_fault_resolutions_total{outcome="answered"}': 9,
  'iommu_broker_fault_resolutions_total{outcome="timed-out"}': 10,
  'iommu_broker_fault_resolutions_total{outcome="owner-gone"}': 11,
  'iommu_broker_fault_resolutions_total{outcome="stage-changed"}': 12,
  'iommu_broker_fault_subscribers{view="owner"}': 14,
  'iommu_broker_fault_subscribers{view="observer"}': 15,
  'iommu_broker_fault_diagnoses_total{result="made"}': 16,
  'iommu_broker_fault_diagnoses_total{result="cached"}': 17,
  'iommu_broker_fault_diagnoses_total{result="over_budget"}': 18,
};

test("scraping twice does not count twice", async () => {
  counters.devices.push(deviceCounters(NIC, { translationsOk: 7 }));
  census.faults = {
    recorded: 1,
    delivered: 2,
    suppressed: 3,
    hostOnly: 4,
    dropped: { unrouted: 4, overrun: 5, released: 6, hardwareOverflow: 19 },
    held: 7,
    pending: 8,
    resolutions: { answered: 9, "timed-out": 10, "owner-gone": 11, "stage-changed": 12 },
    subscribers: { owner: 14, observer: 15 },
    diagnoses: { made: 16, cached: 17, overBudget: 18 },
  };
  const subject = metrics();
  const [first, second] = [await scraped(subject), await scraped(subject)];
  for (const name of [`iommu_translations_total{device="${NIC}",outcome="ok"}`, ...Object.keys(FAULT_SERIES)]) {
    expect(first.get(name), name).toBeGreaterThan(0);
    expect(second.get(name), name).toBe(first.get(name));
  }
  for (const [name, value] of Object.entries(FAULT_SERIES)) expect([name, first.get(name)]).toEqual([name, value]);
});

test("a released device's series are gone, and its stage state goes on", async () => {
  counters.devices.push(deviceCounters(NIC, { translationsOk: 7 }));
  const subject = metrics();
  await subject.scrape();
  counters.devices = [];
  const names = [...(await scraped(subject)).keys()];
  expect(names.filter((name) => /^iommu_(?:translations|faults)_total/.test(name))).toEqual([]);
  expect(names).toContain(`iommu_stage_state{device="${NIC}",state="default-domain"}`);
});

test("exactly one stage state of a device is 1, and it follows the device", async () => {
  const subject = metrics();
  const stateOf = async (): Promise<string[]> =>
    [...(await scraped(subject))]
      .filter(([name, value]) => name.startsWith(`iommu_stage_state{device="${NIC}"`) && value === 1)
      .map(([name]) => /state="([^"]+)"/.exec(name)?.[1] ?? "");
  expect(await stateOf()).toEqual(["default-domain"]);
  census.devices = [device(NIC, "guest-nested", 4)];
  expect(await stateOf()).toEqual(["guest-nested"]);
  expect((await scraped(subject)).get(`iommu_stage_generation{device="${NIC}"}`)).toBe(4);
});

test("each hardware counter is its own series of each IOMMU", async () => {
  const numbers = {
    transactions: 1,
    tlbHits: 2,
    tlbMisses: 3,
    configCacheMisses: 4,
    transTableWalkAccesses: 5,
    configStructAccesses: 6,
    commands: 7,
    eventsRecorded: 8,
    eventsDropped: 9,
    eventsMerged: 10,
    eventQueueOverflows: 11,
    stallsOutstanding: 12,
  };
  counters.iommus = [iommuCounters(numbers), iommuCounters({ iommu: iommuID("smmu1") })];
  const found = await scraped(metrics());
  const names = [
    "iommu_transactions_total",
    "iommu_tlb_hits_total",
    "iommu_tlb_misses_total",
    "iommu_config_cache_misses_total",
    "iommu_translation_table_walk_accesses_total",
    "iommu_config_struct_accesses_total",
    "iommu_commands_total",
    "iommu_events_recorded_total",
    "iommu_events_dropped_total",
    "iommu_events_merged_total",
    "iommu_event_queue_overflows_total",
    "iommu_stalls_outstanding",
  ];
  expect(names.map((name) => found.get(`${name}{iommu="smmu0"}`))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(names.map((name) => found.get(`${name}{iommu="smmu1"}`))).toEqual(Array(12).fill(0));
});

test("the census is shown as gauges", async () => {
  Object.assign(census, {
    sessions: 6,
    sessionStates: { live: 3, restored: 2, lost: 1 },
    addressSpaces: 2,
    virtualIommus: 3,
    mappedBytes: 2 ** 40,
    pinnedBytes: 2 ** 39,
    leases: { live: 7, restored: 8, lost: 9 },
    queueDepth: 5,
  });
  const found = await scraped(metrics());
  const states = ["live", "restored", "lost"].map((state) => found.get(`iommu_broker_sessions{state="${state}"}`));
  expect(states).toEqual([3, 2, 1]);
  expect(found.get("iommu_broker_address_spaces")).toBe(2);
  expect(found.get("iommu_broker_virtual_iommus")).toBe(3);
  expect(found.get("iommu_broker_mapped_bytes")).toBe(2 ** 40);
  expect(found.get("iommu_broker_pinned_bytes")).toBe(2 ** 39);
  expect(found.get("iommu_broker_queue_depth")).toBe(5);
  const leases = ["live", "restored", "lost"].map((state) => found.get(`iommu_broker_leases{state="${state}"}`));
  expect(leases).toEqual([7, 8, 9]);
  expect(found.get("iommu_broker_connections")).toBe(3);
  expect(found.get("iommu_broker_open_memory_files")).toBe(2);
});

test("devices beyond the maximum are counted together and said to be left out", async () => {
  counters.devices = [deviceCounters(DISK, { translationsOk: 1 }), deviceCounters(NIC, { translationsOk: 5 })];
  const found = await scraped(metrics(1));
  expect(found.get(`iommu_translations_total{device="${DISK}",outcome="ok"}`)).toBe(1);
  expect(found.get('iommu_translations_total{device="_overflow",outcome="ok"}')).toBe(5);
  expect([...found.keys()].filter((name) => name.includes(NIC))).toEqual([]);
  expect(found.get("iommu_broker_metrics_devices_omitted")).toBe(1);
});

test("invalidations are counted by command and IOMMU", async () => {
  counters.iommus = [iommuCounters({ invalidations: { CMD_TLBI_NH_VA: 3, CMD_ATC_INV: 0 } })];
  const found = await scraped(metrics());
  expect(found.get('iommu_invalidations_total{iommu="smmu0",command="CMD_TLBI_NH_VA"}')).toBe(3);
  expect(found.get('iommu_invalidations_total{iommu="smmu0",command="CMD_ATC_INV"}')).toBe(0);
});

test("an IOMMU that counts some of it has series for that, at 0 too, and none for the rest", async () => {
  counters.iommus = [iommuCounters({ iommu: "smmuv3_pmcg_1", transactions: 7, tlbMisses: 0, commands: undefined })];
  const found = await scraped(metrics());
  const label = '{iommu="smmuv3_pmcg_1"}';
  expect(found.get(`iommu_transactions_total${label}`)).toBe(7);
  expect(found.get(`iommu_tlb_misses_total${label}`)).toBe(0);
  expect(found.has(`iommu_commands_total${label}`)).toBe(false);
});

test("what the hardware does not count has no series, never a zero, and is said to be absent", async () => {
  counters.devices.push(deviceCounters(NIC));
  const counting = await scraped(metrics());
  expect(counting.get("iommu_translation_counters_available")).toBe(1);
  counters.hasTranslationCounters = false;
  const found = await scraped(metrics());
  expect(found.get("iommu_translation_counters_available")).toBe(0);
  const uncounted = /^iommu_(?:translations|transactions|tlb|config|translation_table|msis)_\w*total/;
  expect([...counting.keys()].filter((name) => uncounted.test(name)).length).toBeGreaterThan(6);
  expect([...found.keys()].filter((name) => uncounted.test(name))).toEqual([]);
  expect(found.get(faultSeries("C_BAD_CD", "none", "none"))).toBe(0);
});

test("what stops being counted loses the series that it had", async () => {
  const subject = metrics();
  expect((await scraped(subject)).get('iommu_tlb_misses_total{iommu="smmu0"}')).toBe(0);
  counters = { hasTranslationCounters: false, iommus: [iommuCounters({ tlbMisses: undefined })], devices: [] };
  expect((await scraped(subject)).has('iommu_tlb_misses_total{iommu="smmu0"}')).toBe(false);
});

test("clients beyond the maximum are counted together, and one that left has no series", async () => {
  const client = (index: number) => ({ name: `vm ${100 + index}`, sessions: 1, devices: 2, mappedBytes: 4096 });
  census.clients = Array.from({ length: 66 }, (_, index) => client(index));
  const subject = metrics();
  const found = await scraped(subject);
  expect(found.get('iommu_broker_client_sessions{client="vm 100"}')).toBe(1);
  expect(found.get('iommu_broker_client_devices{client="vm 163"}')).toBe(2);
  expect(found.get('iommu_broker_client_devices{client="_overflow"}')).toBe(4);
  expect(found.get('iommu_broker_client_mapped_bytes{client="_overflow"}')).toBe(8192);
  census.clients = [client(1)];
  const left = [...(await scraped(subject)).keys()].filter((name) => name.startsWith("iommu_broker_client_sessions"));
  expect(left).toEqual(['iommu_broker_client_sessions{client="vm 101"}']);
});

test("names of policy rules beyond the maximum are counted together, however often the policy is reloaded", async () => {
  const subject = metrics();
  for (let index = 0; index < 300; index++) {
    events.emit({ type: "policyDenied", caller: CALLER, verb: "Dma", rule: `rule ${index}`, subject: undefined });
  }
  const found = await scraped(subject);
  expect(found.get('iommu_broker_policy_denials_total{rule="rule 255",verb="Dma"}')).toBe(1);
  expect(found.get('iommu_broker_policy_denials_total{rule="_overflow",verb="Dma"}')).toBe(44);
});

test("the journal's numbers and what the last start took are shown; without a journal it says so", async () => {
  expect((await scraped(metrics())).get("iommu_broker_journal_enabled")).toBe(0);
  journal = { records: 1, frames: 2, bytes: 3, snapshots: 4, failures: 5, writeSeconds: 0.5, length: 7 };
  const subject = metrics();
  subject.recovered({ seconds: 1.5, tornBytes: 9 });
  await scraped(subject);
  const found = await scraped(subject);
  const series = {
    iommu_broker_journal_enabled: 1,
    iommu_broker_journal_records_total: 1,
    iommu_broker_journal_writes_total: 2,
    iommu_broker_journal_written_bytes_total: 3,
    iommu_broker_journal_snapshots_total: 4,
    iommu_broker_journal_failures_total: 5,
    iommu_broker_journal_write_seconds_total: 0.5,
    iommu_broker_journal_bytes: 7,
    iommu_broker_journal_torn_bytes: 9,
    iommu_broker_recovery_seconds: 1.5,
  };
  for (const [name, value] of Object.entries(series)) expect([name, found.get(name)]).toEqual([name, value]);
});

test("how late the event loop was is shown in seconds", async () => {
  const subject = metrics();
  const maximum = async () =>
    (await scraped(subject)).get('iommu_broker_event_loop_lag_seconds{statistic="max"}') ?? -1;
  await expect.poll(maximum).toBeGreaterThan(0);
  const until = performance.now() + 200;
  while (performance.now() < until) Math.sqrt(until); // holds the loop up
  await new Promise((resolve) => setTimeout(resolve, 0)); // what was due comes first, then a scrape
  await expect.poll(maximum).toBeGreaterThan(0.1);
});

test("an RPC that is served has its series at zero before the first call", async () => {
  const found = await scraped(metrics());
  const labels = 'grpc_type="unary",grpc_service="iommubroker.v1.IommuBroker",grpc_method="GetDevice"';
  expect(found.get(`grpc_server_started_total{${labels}}`)).toBe(0);
  expect(found.get(`grpc_server_handled_total{${labels},grpc_code="OK"}`)).toBe(0);
  expect(found.get(`grpc_server_handling_seconds_count{${labels}}`)).toBe(0);
});

test("a call is counted when it starts and, with its code as Go spells it and its time, when it ends", async () => {
  const subject = metrics();
  subject.rpc.started(CALL);
  subject.rpc.message(CALL, "received");
  subject.rpc.ended({ ...CALL, code: 9, seconds: 0.003, error: undefined });
  const found = await scraped(subject);
  const labels = 'grpc_type="unary",grpc_service="iommubroker.v1.IommuBroker",grpc_method="GetDevice"';
  expect(found.get(`grpc_server_started_total{${labels}}`)).toBe(1);
  expect(found.get(`grpc_server_msg_received_total{${labels}}`)).toBe(1);
  expect(found.get(`grpc_server_msg_sent_total{${labels}}`)).toBe(0);
  expect(found.get(`grpc_server_handled_total{${labels},grpc_code="FailedPrecondition"}`)).toBe(1);
  expect(found.get(`grpc_server_handling_seconds_bucket{le="0.0025",${labels}}`)).toBe(0);
  expect(found.get(`grpc_server_handling_seconds_bucket{le="0.005",${labels}}`)).toBe(1);
  expect(found.get(`grpc_server_handling_seconds_sum{${labels}}`)).toBeCloseTo(0.003);
  expect((await scraped(subject)).get(`grpc_server_started_total{${labels}}`)).toBe(1);
});

test("a call refused by a limit is counted under the limit's name; names that are not known are one", async () => {
  const subject = metrics();
  const end = (error: unknown) => subject.rpc.ended({ ...CALL, code: 8, seconds: 0, error });
  for (const limit of ["sessions_max", "queue_depth_max", "queue_depth_max"]) end(limitReached(limit, 4, "wait"));
  for (let name = 0; name < 100; name++) end(limitReached(`made up ${name}`, 4, "wait"));
  end(new BrokerError("fenced", "stale"));
  end(new Error("a bug"));
  const found = await scraped(subject);
  const counted = [...found].filter(([series]) => series.startsWith("iommu_broker_limit_reached_total"));
  expect(counted.filter(([, value]) => value > 0)).toEqual([
    ['iommu_broker_limit_reached_total{limit="sessions_max"}', 1],
    ['iommu_broker_limit_reached_total{limit="queue_depth_max"}', 2],
    ['iommu_broker_limit_reached_total{limit="other"}', 100],
  ]);
  expect(counted).toHaveLength(LIMITS.size + 1);
});

test("every limit that the source can refuse by has its series", () => {
  const named = globSync("src/**/*.ts", { cwd: ROOT }).flatMap((path) => [
    ...readFileSync(join(ROOT, path), "utf8").matchAll(
      /(?:limitReached\(|onLimit\?\.\()\s*"([^"]+)"|refuseAbove\([^"]*"([^"]+)"/g,
    ),
  ]);
  const quotas = ["sessions", "devices", "mapped_bytes", "fault_streams", "calls_per_second"];
  const ofKernel = Object.values(CALLS).flatMap(({ rows }) => Object.values(rows).flatMap(({ limit }) => limit ?? []));
  const limits = new Set([
    ...ofKernel,
    ...named.map(([, direct, above]) => direct ?? above),
    ...quotas.map((quota) => `quota_${quota}`),
  ]);
  expect([...limits].toSorted()).toEqual([...LIMITS].toSorted());
});

const NO_STE = { from: undefined, to: undefined };
const CALLER = { kind: "process", uid: 1001, gid: 1001, pid: 42, connection: "uds-1" } as const;

test("every broker event moves the counter that names it", async () => {
  const subject = metrics();
  const stage = { group: groupID(1), devices: [NIC], generation: 1, session: "s", vste: NO_STE };
  events.emit({ type: "stageChanged", ...stage, from: "default-domain", to: "nest-parent", trigger: "attach" });
  events.emit({ type: "sessionOpened", session: "s", displayName: "vmm" });
  events.emit({ type: "sessionEnded", session: "s", displayName: "vmm", reason: "lease_expired" });
  events.emit({ type: "sessionLost", session: "s", displayName: "vmm", reason: "peer_died", graceMs: 5 });
  events.emit({ type: "sessionResumed", session: "s", displayName: "vmm", was: "lost" });
  events.emit({ type: "sessionClaimed", session: "s", displayName: "vmm", to: "pid 7 of uid 1" });
  events.emit({ type: "reaped", session: "s", devices: 3 });
  events.emit({ type: "reapFailed", session: "s", subject: "x", error: undefined });
  events.emit({ type: "leaseConflict", device: NIC, session: "s", owner: "o", ownerState: "lost" });
  events.emit({ type: "preempted", device: NIC, session: "s", by: "o", graceMs: 1 });
  events.emit({ type: "preemptionEnded", group: groupID(1), session: "s", outcome: "handed_over" });
  events.emit({ type: "deviceReset", device: NIC, result: "failed" });
  events.emit({ type: "quarantined", device: NIC, group: groupID(1), reason: "x" });
  events.emit({ type: "deviceAdded", device: NIC });
  events.emit({ type: "deviceRemoved", device: NIC, session: undefined });
  events.emit({ type: "policyDenied", caller: CALLER, verb: "Dma", rule: "no-dma", subject: undefined });
  events.emit({ type: "quotaReached", quota: "devices", identity: "uid:1001", rule: "vms" });
  events.emit({ type: "deviceForced", device: NIC, session: "s", reason: "stuck" });
  subject.reloaded("failed");
  subject.rpc.bug();
  const found = await scraped(subject);
  expect(found.get('iommu_broker_stage_changes_total{from="default-domain",to="nest-parent",trigger="attach"}')).toBe(
    1,
  );
  expect(found.get("iommu_broker_sessions_opened_total")).toBe(1);
  expect(found.get('iommu_broker_sessions_ended_total{reason="lease_expired"}')).toBe(1);
  expect(found.get('iommu_broker_sessions_ended_total{reason="closed"}')).toBe(0);
  expect(found.get('iommu_broker_sessions_lost_total{reason="peer_died"}')).toBe(1);
  expect(found.get('iommu_broker_sessions_lost_total{reason="lease_expired"}')).toBe(0);
  expect(found.get('iommu_broker_sessions_resumed_total{was="lost"}')).toBe(1);
  expect(found.get("iommu_broker_sessions_claimed_total")).toBe(1);
  expect(found.get("iommu_broker_devices_reaped_total")).toBe(3);
  expect(found.get("iommu_broker_reap_failures_total")).toBe(1);
  expect(found.get('iommu_broker_lease_conflicts_total{reason="owner_lost"}')).toBe(1);
  expect(found.get('iommu_broker_lease_conflicts_total{reason="owner_live"}')).toBe(0);
  expect(found.get('iommu_broker_preemptions_total{outcome="handed_over"}')).toBe(1);
  expect(found.get('iommu_broker_preemptions_total{outcome="taken"}')).toBe(0);
  expect(found.get('iommu_broker_device_resets_total{result="failed"}')).toBe(1);
  expect(found.get("iommu_broker_quarantines_total")).toBe(1);
  expect(found.get('iommu_broker_device_changes_total{change="added"}')).toBe(1);
  expect(found.get('iommu_broker_device_changes_total{change="removed"}')).toBe(1);
  expect(found.get('iommu_broker_policy_denials_total{rule="no-dma",verb="Dma"}')).toBe(1);
  expect(found.get('iommu_broker_quota_reached_total{quota="devices"}')).toBe(1);
  expect(found.get('iommu_broker_quota_reached_total{quota="sessions"}')).toBe(0);
  expect(found.get("iommu_broker_devices_forced_total")).toBe(1);
  expect(found.get('iommu_broker_reloads_total{outcome="failed"}')).toBe(1);
  expect(found.get('iommu_broker_reloads_total{outcome="done"}')).toBe(0);
  expect(found.get("iommu_broker_bugs_total")).toBe(1);
});

test("what the listeners tell is counted by its name, from 0, and a certificate's end is in Unix time", async () => {
  const subject = metrics();
  expect((await scraped(subject)).get("iommu_broker_tls_certificate_end_timestamp_seconds")).toBe(0);
  subject.connections.refused("connections_max");
  subject.connections.handshakeRefused("revoked");
  subject.connections.tlsLoaded(new Date("2001-09-09T01:46:40Z")); // 1,000,000,000 s
  subject.connections.tlsFailed();
  subject.connections.tlsFailed();
  const found = await scraped(subject);
  expect(found.get('iommu_broker_connections_refused_total{limit="connections_max"}')).toBe(1);
  expect(found.get('iommu_broker_tls_handshakes_refused_total{reason="expired"}')).toBe(0);
  expect(found.get('iommu_broker_tls_handshakes_refused_total{reason="revoked"}')).toBe(1);
  expect(found.get('iommu_broker_tls_reloads_total{outcome="loaded"}')).toBe(1);
  expect(found.get('iommu_broker_tls_reloads_total{outcome="failed"}')).toBe(2);
  expect(found.get("iommu_broker_tls_certificate_end_timestamp_seconds")).toBe(1_000_000_000);
});

test("who waits, watches and is withheld is counted at the scrape", async () => {
  census.waiters = 3;
  census.watches = { subscribers: 2, resyncs: 5 };
  census.devices = [device(NIC, "quarantined", 4), device(DISK, "default-domain", 0)];
  const found = await scraped(metrics());
  expect(found.get("iommu_broker_attach_waiters")).toBe(3);
  expect(found.get("iommu_broker_device_watches")).toBe(2);
  expect(found.get("iommu_broker_device_watch_resyncs_total")).toBe(5);
  expect(found.get("iommu_broker_quarantined_devices")).toBe(1);
});

test("build information and the process's own metrics are there", async () => {
  const text = await metrics().scrape();
  expect(text).toContain(
    `iommu_broker_build_info{version="1.2.3",node_version="${process.version}",backend="simulated"} 1`,
  );
  for (const name of ["nodejs_eventloop_lag_p99_seconds", "process_resident_memory_bytes", "process_open_fds"]) {
    expect(text, name).toMatch(new RegExp(`^${name} `, "m"));
  }
});

test("names follow Prometheus' rules: counters end in _total, nothing else does, units are base units", () => {
  for (const { name, type } of Object.values(METRICS)) {
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    expect(name, name).not.toMatch(/_(?:ms|milliseconds|kb|mb|percent)(?:_|$)/);
  }
});

test("promtool check metrics accepts a scrape", async (context) => {
  if (spawnSync("promtool", ["--version"]).error !== undefined) {
    expect(process.env.IOMMU_BROKER_REQUIRE_INTEROP, "install prometheus").not.toBe("1");
    context.skip("needs promtool, of Debian's package prometheus");
    return;
  }
  counters.devices.push(deviceCounters(NIC, { translationsOk: 1 }));
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: await metrics().scrape() });
  expect(`${stdout}${stderr}`).toBe("");
  expect(status).toBe(0);
});

test("passed descriptors are counted: by where they are, by how they ended, and by the limit that refused one", async () => {
  const subject = metrics();
  const refused = { type: "putRefused", uid: 1000, pid: 42, why: "full" } as const;
  events.emit({ type: "ticketUsed" });
  events.emit({ type: "ticketExpired", label: "ram", uid: 1000, pid: 42 });
  events.emit({ type: "ticketExpired", label: "rom", uid: 1000, pid: 42 });
  events.emit({ ...refused, limit: "tickets_max" });
  events.emit({ ...refused, limit: undefined });
  const after = await scraped(subject);
  expect(after.get('iommu_broker_tickets{state="waiting"}')).toBe(4);
  expect(after.get('iommu_broker_tickets{state="taken"}')).toBe(1);
  expect(after.get('iommu_broker_tickets{state="device"}')).toBe(2);
  expect(after.get('iommu_broker_tickets_ended_total{outcome="used"}')).toBe(1);
  expect(after.get('iommu_broker_tickets_ended_total{outcome="expired"}')).toBe(2);
  expect(after.get("iommu_broker_descriptors_refused_total")).toBe(2);
  expect(after.get('iommu_broker_limit_reached_total{limit="tickets_max"}')).toBe(1);
});
