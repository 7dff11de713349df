// The SMMUs' own counters on a made-up sysfs, laid out as drivers/perf/arm_smmuv3_pmu.c lays it out, and a played perf.

import { expect, test } from "vitest";
import { counterFindings } from "../../../src/backends/iommufd/doctor-counters.ts";
import type { PerfEvent, PerfEvents } from "../../../src/backends/iommufd/perf-events.ts";
import { findPmcgs, PmcgCounters } from "../../../src/backends/iommufd/pmcg.ts";
import { hostFiles } from "../../../src/os/host-files.ts";
import { FakeSysfs } from "../../support/fake-sysfs.ts";

const SOURCES = "sys/bus/event_source/devices";
const EACCES = 13;
const EVENTS = { cycles: 0, transaction: 1, tlb_miss: 2, config_cache_miss: 3, trans_table_walk_access: 4 };

function addPmcg(sysfs: FakeSysfs, name: string, type: number, events: Readonly<Record<string, number>> = EVENTS) {
  sysfs.write(`${SOURCES}/${name}/type`, `${type}\n`);
  sysfs.write(`${SOURCES}/${name}/cpumask`, "3\n");
  sysfs.write(`${SOURCES}/${name}/format/event`, "config:0-15\n");
  for (const [event, number] of Object.entries(events)) {
    sysfs.write(`${SOURCES}/${name}/events/${event}`, `event=0x${number.toString(16).padStart(2, "0")}\n`);
  }
}

class FakePerf implements PerfEvents {
  readonly opened = new Map<number, PerfEvent>();
  /** Of the event with this number. */
  readonly values = new Map<number, number | undefined>();
  errno = 0;

  open(event: PerfEvent): number {
    if (this.errno > 0) return -this.errno;
    const fd = 100 + this.opened.size;
    this.opened.set(fd, event);
    return fd;
  }

  readNow(fd: number): number | undefined {
    return this.values.get(this.opened.get(fd)!.config);
  }

  close(fd: number): void {
    this.opened.delete(fd);
  }
}

test("groups are found with what they count, on the CPU that each is tied to", async () => {
  const sysfs = new FakeSysfs();
  addPmcg(sysfs, "smmuv3_pmcg_ff88840", 11);
  addPmcg(sysfs, "smmuv3_pmcg_2b", 12, { transaction: 1 });
  sysfs.write(`${SOURCES}/cpu/type`, "4\n");
  sysfs.write(`${SOURCES}/smmuv3_pmcg_bad/type`, "13\n"); // nothing else: not as known
  const found = await findPmcgs(hostFiles, sysfs.roots);
  expect(found.map(({ name, events }) => [name, Object.fromEntries(events)])).toEqual([
    ["smmuv3_pmcg_2b", { transaction: { type: 12, config: 1, cpu: 3 } }],
    [
      "smmuv3_pmcg_ff88840",
      {
        transaction: { type: 11, config: 1, cpu: 3 },
        tlb_miss: { type: 11, config: 2, cpu: 3 },
        config_cache_miss: { type: 11, config: 3, cpu: 3 },
        trans_table_walk_access: { type: 11, config: 4, cpu: 3 },
      },
    ],
  ]);
});

test("an event stands where the format says", async () => {
  const sysfs = new FakeSysfs();
  addPmcg(sysfs, "smmuv3_pmcg_2b", 12, { tlb_miss: 2 });
  sysfs.write(`${SOURCES}/smmuv3_pmcg_2b/format/event`, "config:8-23\n");
  const [group] = await findPmcgs(hostFiles, sysfs.roots);
  expect(group?.events.get("tlb_miss")?.config).toBe(0x200);
});

test("a host without any has no counters and no findings", async () => {
  const sysfs = new FakeSysfs();
  const perf = new FakePerf();
  const counters = PmcgCounters.open(perf, await findPmcgs(hostFiles, sysfs.roots));
  expect(counters.read()).toEqual([]);
  expect(await counterFindings(hostFiles, sysfs.roots, perf)).toEqual([]);
});

test("counters are read as they stand; what is not counted all the time, or not at all, is not told", async () => {
  const sysfs = new FakeSysfs();
  addPmcg(sysfs, "smmuv3_pmcg_2b", 12);
  const perf = new FakePerf();
  const counters = PmcgCounters.open(perf, await findPmcgs(hostFiles, sysfs.roots));
  perf.values
    .set(1, 2 ** 40)
    .set(2, 0)
    .set(3, undefined)
    .set(4, 9);
  const [group] = counters.read();
  expect(group).toMatchObject({ iommu: "smmuv3_pmcg_2b", transactions: 2 ** 40, tlbMisses: 0 });
  expect(group).toMatchObject({ configCacheMisses: undefined, transTableWalkAccesses: 9, tlbHits: undefined });
  counters.close();
  expect(perf.opened.size).toBe(0);
});

test("where perf is refused nothing is counted, and doctor has the remedy", async () => {
  const sysfs = new FakeSysfs();
  addPmcg(sysfs, "smmuv3_pmcg_2b", 12);
  const perf = new FakePerf();
  perf.errno = EACCES;
  const found = await findPmcgs(hostFiles, sysfs.roots);
  expect(PmcgCounters.open(perf, found).read()).toEqual([]);
  const [finding] = await counterFindings(hostFiles, sysfs.roots, perf);
  expect(finding).toMatchObject({
    check: "translation_counters",
    subject: "smmuv3_pmcg_2b",
    verdict: "warning",
    what: expect.stringContaining("EACCES"),
    remedy: expect.stringMatching(/CAP_PERFMON.*perf_event_paranoid/),
  });
});

test("doctor tries each group and lets it go", async () => {
  const sysfs = new FakeSysfs();
  addPmcg(sysfs, "smmuv3_pmcg_2b", 12);
  addPmcg(sysfs, "smmuv3_pmcg_3c", 13, {});
  const perf = new FakePerf();
  const findings = await counterFindings(hostFiles, sysfs.roots, perf);
  expect(findings.map(({ subject, verdict }) => [subject, verdict])).toEqual([
    ["smmuv3_pmcg_2b", "ok"],
    ["smmuv3_pmcg_3c", "warning"],
  ]);
  expect(perf.opened.size).toBe(0);
});
