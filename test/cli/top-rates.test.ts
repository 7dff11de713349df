// Rates by hand: two readings two seconds apart.

import { expect, test } from "vitest";
import { samplesOf } from "../../src/cli/metrics-text.ts";
import { ratesOf } from "../../src/cli/top-rates.ts";
import { rateText, topJson, topLines } from "../../src/cli/top-text.ts";
import type { Device } from "../../src/client/client.ts";

const DEVICE: Device = {
  name: "devices/nic",
  iommu: "iommus/smmu0",
  iommuGroup: 1,
  groupDevices: ["devices/nic"],
  streamIds: [1],
  state: 4, // STAGE_STATE_GUEST_NESTED
  generation: 2n,
  attached: true,
  ownerDisplayName: "vm\u001b[2J",
  owner: "sessions/x",
  virtualIommu: "",
  installedVste: [],
  stageAuthoritative: true,
  waiters: 0,
};
const IDLE: Device = { ...DEVICE, name: "devices/idle", owner: "", ownerDisplayName: "", state: 1 };
const WIDE = { columns: 80, hasColour: false };

function rates(before: string, after: string, devices: readonly Device[] = [IDLE, DEVICE]) {
  const reading = (text: string, atMs: number) => ({ atMs, samples: samplesOf(text, "iommu_") });
  return ratesOf(reading(before, 1000), reading(after, 3000), devices);
}

const BEFORE = `iommu_translation_counters_available 1
iommu_translations_total{device="nic",outcome="ok"} 100
iommu_translations_total{device="nic",outcome="aborted"} 10
iommu_faults_total{device="nic",event_type="F_TRANSLATION",stage="1",class="IN"} 4
iommu_transactions_total{iommu="smmu0"} 1000
iommu_tlb_hits_total{iommu="smmu0"} 50
iommu_tlb_misses_total{iommu="smmu0"} 50
`;
const AFTER = `iommu_translation_counters_available 1
iommu_translations_total{device="nic",outcome="ok"} 300
iommu_translations_total{device="nic",outcome="aborted"} 16
iommu_faults_total{device="nic",event_type="F_TRANSLATION",stage="1",class="IN"} 7
iommu_faults_total{device="nic",event_type="C_BAD_STE",stage="none",class="none"} 3
iommu_transactions_total{iommu="smmu0"} 3000
iommu_tlb_hits_total{iommu="smmu0"} 125
iommu_tlb_misses_total{iommu="smmu0"} 75
`;

test("a device's series are added up and divided by the time between the readings", () => {
  const { devices, iommus, isCounted } = rates(BEFORE, AFTER);
  expect(isCounted).toBe(true);
  // (300 - 100 + 16 - 10) / 2 s; (7 - 4 + 3 - 0) / 2 s
  expect(devices[0]).toMatchObject({ device: { name: "devices/nic" }, translationsPerSecond: 103, faultsPerSecond: 3 });
  // (3000 - 1000) / 2 s; 75 hits of 100 lookups
  expect(iommus).toEqual([{ iommu: "smmu0", transactionsPerSecond: 1000, tlbHitRatio: 0.75 }]);
});

test("a device without series is unknown, not idle, and comes last", () => {
  expect(rates(BEFORE, AFTER).devices[1]).toEqual({
    device: IDLE,
    translationsPerSecond: undefined,
    faultsPerSecond: undefined,
  });
});

test("a counter that began anew counts from 0", () => {
  const again = AFTER.replace('outcome="ok"} 300', 'outcome="ok"} 20').replace(
    'outcome="aborted"} 16',
    'outcome="aborted"} 0',
  );
  expect(rates(BEFORE, again).devices[0]?.translationsPerSecond).toBe(10);
  expect(rates("", AFTER).devices[0]?.translationsPerSecond).toBe(158);
});

test("no lookup at all has no ratio", () => {
  expect(rates(AFTER, AFTER).iommus).toEqual([{ iommu: "smmu0", transactionsPerSecond: 0, tlbHitRatio: undefined }]);
});

test("where the hardware does not count, that is said, and no zero is shown for translations", () => {
  const uncounted = "iommu_translation_counters_available 0\n";
  const found = rates(uncounted, uncounted);
  const lines = topLines(found, WIDE);
  expect(lines.join(" ")).toContain(
    "counts no translations and no TLB lookups: rates shown as - are unknown, not zero",
  );
  expect(lines).toContainEqual(expect.stringMatching(/^nic +guest-nested +vm\\u\{1b\}\[2J +- +0$/));
  const json: unknown = JSON.parse(topJson(found, new Date(0)));
  expect(json).toMatchObject({ time: "1970-01-01T00:00:00.000Z", counted: false });
  expect(json).not.toHaveProperty("devices.0.translationsPerSecond");
  expect(json).toHaveProperty("devices.0.faultsPerSecond", 0);
});

test("a round fits the screen it is for", () => {
  const many = Array.from({ length: 30 }, (_, at) => ({ ...DEVICE, name: `devices/0000:00:${at}.0` }));
  const found = rates(BEFORE, AFTER, many);
  for (const columns of [40, 59, 60, 80]) {
    const lines = topLines(found, { columns, hasColour: false }, 12);
    expect(lines).toHaveLength(12);
    for (const line of lines) expect([...line].length, line).toBeLessThanOrEqual(columns);
    expect(lines.at(-1)).toMatch(/^… \d+ more$/);
  }
  expect(topLines(found, { columns: 50, hasColour: false }).join("\n")).not.toContain("OWNER");
  expect(topLines(found, { columns: undefined, hasColour: false })).toHaveLength(2 + 1 + 1 + 30);
});

test.each([
  [undefined, "-"],
  [0, "0"],
  [0.5, "0.50"],
  [12.3, "12"],
  [999, "999"],
  [1500, "1.50 k"],
  [123_456, "123 k"],
  [2_000_000, "2.00 M"],
])("%s a second is written %s", (perSecond, text) => {
  expect(rateText(perSecond)).toBe(text);
});
