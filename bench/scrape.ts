// npm run bench:scrape: CPU of a scrape of ten thousand series against writing the same text by hand, in interleaved
// repetitions of one process. The scrape reads counters and census of devices that change between scrapes; by hand there is a
// list of samples with their numbers, and each line is put together with its labels escaped. Two turns by hand are measured
// against each other besides: where they differ by more than what is to be told, the answer is INCONCLUSIVE.

import { parseArgs } from "node:util";
import type { BackendCounters } from "../src/backends/counters.ts";
import { deviceID, iommuID } from "../src/backends/ids.ts";
import { recordedFaults } from "../src/backends/told-faults.ts";
import { createMetrics, type Metrics } from "../src/metrics/metrics.ts";
import { openMetricsOf } from "../src/metrics/openmetrics.ts";
import { BrokerEvents } from "../src/server/core/events.ts";
import type { Census } from "../src/server/core/views.ts";
import { median } from "./quantiles.ts";

const GOAL = 2;
const SERIES = 10_000;
const SCRAPES = 5;
const REPETITIONS = 15;
const WARM_UPS = 3;
/** Of the devices, those that have faulted, in as many ways. */
const FAULTS = ["F_TRANSLATION", "F_PERMISSION"] as const;

const none = { live: 0, restored: 0, lost: 0 };
const faults = {
  ...{ recorded: 0, delivered: 0, suppressed: 0, hostOnly: 0, held: 0, pending: 0 },
  dropped: { unrouted: 0, overrun: 0, released: 0, hardwareOverflow: 0 },
  resolutions: { answered: 0, "timed-out": 0, "owner-gone": 0, "stage-changed": 0 },
  subscribers: { owner: 0, observer: 0 },
  diagnoses: { made: 0, cached: 0, overBudget: 0 },
};

/** A host with so many devices, whose counters are others each time they are read. */
function hostOf(devices: number): { counters(): BackendCounters; census(): Census } {
  let scrapes = 0;
  const ids = Array.from({ length: devices }, (_, index) => deviceID(`0000:${(index >> 8).toString(16)}0:${index}.0`));
  const iommu = iommuID("smmu0");
  const tells = recordedFaults({ ats: true, pri: true });
  return {
    counters: () => {
      scrapes += 1;
      const faulted = FAULTS.map((type) => ({ type, stage: 1, class: "IN", count: scrapes }) as const);
      const counts = {
        translationsOk: scrapes * 1e6,
        translationsFaulted: scrapes,
        translationsAborted: 0,
        msis: scrapes,
      };
      return {
        hasTranslationCounters: true,
        iommus: [],
        devices: ids.map((device) => ({ device, ...counts, tells, faults: faulted })),
      };
    },
    census: () => ({
      ...{ sessions: 1, sessionStates: none, leases: none, addressSpaces: 1, virtualIommus: 1 },
      ...{ mappedBytes: 2 ** 30, pinnedBytes: 2 ** 30, clients: [], waiters: 0, queueDepth: 0, faults },
      devices: ids.map((id) => ({ id, iommu, state: "guest-nested", generation: scrapes, attached: true })),
      watches: { subscribers: 0, resyncs: 0 },
    }),
  };
}

function metricsOf(devices: number): Metrics {
  return createMetrics({
    ...hostOf(devices),
    events: new BrokerEvents(),
    connections: () => 1,
    openMemoryFiles: () => 1,
    tickets: () => ({ waiting: 0, taken: 0, device: 0 }),
    journal: () => undefined,
    devicesMax: devices,
    calls: [],
    connectionKinds: { limits: [], handshakeRefusals: [] },
    build: { version: "bench", backend: "simulated" },
  });
}

interface HandLine {
  /** Of a comment, all of it; of a sample, its name. */
  readonly text: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number | undefined;
}

function linesOf(text: string): HandLine[] {
  return text.split("\n").map((line) => {
    const [, name = "", labels = "", value = ""] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === "") return { text: line, labels: [], value: undefined };
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, label = "", word = ""]) => [label, word] as const,
    );
    return { text: name, labels: pairs, value: value === "Nan" ? Number.NaN : Number(value) };
  });
}

function byHand(lines: readonly HandLine[]): string {
  let text = "";
  for (const { labels, text: name, value } of lines) {
    if (value === undefined) {
      text += `${name}\n`;
      continue;
    }
    const number = Number.isNaN(value) ? "Nan" : value; // as prom-client writes it
    let words = "";
    for (const [label, word] of labels) words += `${words === "" ? "" : ","}${label}="${escaped(word)}"`;
    text += words === "" ? `${name} ${number}\n` : `${name}{${words}} ${number}\n`;
  }
  return text;
}

/** As the format has it; the words of this bench need none of it. */
function escaped(word: string): string {
  return word.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** CPU milliseconds of one, over several. */
async function costOf(act: () => Promise<unknown> | unknown): Promise<number> {
  const before = process.threadCpuUsage();
  for (let turn = 0; turn < SCRAPES; turn++) await act();
  const { system, user } = process.threadCpuUsage(before);
  return (user + system) / 1000 / SCRAPES;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({ options: { series: { type: "string", default: String(SERIES) } } });
  const series = async (metrics: Metrics) =>
    linesOf(await metrics.scrape()).filter(({ value }) => value !== undefined).length;
  const each = ((await series(metricsOf(200))) - (await series(metricsOf(100)))) / 100;
  const metrics = metricsOf(Math.ceil(Number(values.series) / each));
  const text = await metrics.scrape();
  const lines = linesOf(text.trimEnd());
  const hand = byHand(lines);
  if (hand !== text) throw new Error("by hand the text is another one");
  console.log(
    `${await series(metrics)} series, ${text.length} bytes; CPU ms of one, median of ${REPETITIONS} × ${SCRAPES}`,
  );
  const acts = {
    "by hand": () => byHand(lines),
    scrape: () => metrics.scrape(),
    "by hand again": () => byHand(lines),
    "scrape, OpenMetrics": async () => openMetricsOf(await metrics.scrape()),
  };
  const costs = new Map<string, number[]>(Object.keys(acts).map((name) => [name, []]));
  for (let repetition = -WARM_UPS; repetition < REPETITIONS; repetition++) {
    for (const [name, act] of Object.entries(acts)) {
      const cost = await costOf(act);
      if (repetition >= 0) costs.get(name)?.push(cost);
    }
  }
  return report(costs);
}

function report(costs: ReadonlyMap<string, readonly number[]>): boolean {
  const of = (name: string): readonly number[] => costs.get(name) ?? [];
  const [one, other] = [of("by hand"), of("by hand again")];
  const base = one.map((cost, index) => (cost + other[index]!) / 2);
  const ratioOf = (name: string): number => median(of(name).map((cost, index) => cost / base[index]!));
  for (const [name, own] of costs) {
    const range = `(${Math.min(...own).toFixed(1)} to ${Math.max(...own).toFixed(1)})`;
    console.log(
      `  ${name.padEnd(22)}${median(own).toFixed(2).padStart(8)} ${range.padEnd(16)}${ratioOf(name).toFixed(2)} × by hand`,
    );
  }
  const control = median(one.map((cost, index) => Math.abs(cost / other[index]! - 1)));
  let isMet = true;
  for (const name of ["scrape", "scrape, OpenMetrics"]) {
    const ratio = ratioOf(name);
    const isTold = Math.abs(ratio - GOAL) > control * ratio;
    const verdict = !isTold ? "INCONCLUSIVE" : ratio <= GOAL ? "met" : "missed";
    isMet &&= verdict !== "missed";
    console.log(
      `  ${name}: goal ≤ ${GOAL} × by hand ${verdict} (${ratio.toFixed(2)}; equal turns differ by ${control.toFixed(2)})`,
    );
  }
  return isMet;
}

if (!(await main())) process.exitCode = 1;
