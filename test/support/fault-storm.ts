// A storm: one device faults as fast as it can beside quiet ones, with many readers of which some never read. The same quiet
// devices are measured before, during and after it. Every reader's numbers are checked as they come, and added up here.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultGapReason } from "../../src/client/client.ts";
import { CountingProcess, type Latencies, openAll, quantileOf, type StreamReport, tellAll } from "./fault-counting.ts";
import {
  countOf,
  type FaultHost,
  type FaultyDevice,
  faultRequest,
  observerStream,
  ownerStream,
  startFaultHost,
} from "./fault-devices.ts";

export interface StormOptions {
  /** Of the device that storms. */
  readonly events: number;
  readonly quietDevices: number;
  readonly readers: number;
  /** Of them, how many read nothing. */
  readonly stuck: number;
  /** How long the quiet devices are measured alone, before and again after the storm. */
  readonly aloneMs: number;
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface StormOutcome {
  readonly stormMs: number;
  /** What the daemon had in RAM, in bytes. */
  readonly resident: { readonly before: number; readonly peak: number; readonly after: number };
  /** Of the quiet devices' events at every reader that reads, in milliseconds. */
  readonly latencies: Readonly<Record<"alone" | "storm" | "again", { readonly p50: number; readonly p99: number }>>;
  /** Events of all quiet devices together. */
  readonly quietEvents: number;
  /** At each reader of quiet devices, also at those that read nothing until the storm was over. */
  readonly quietPerReader: readonly QuietShare[];
  /** Of the storm's device, at each of its readers: they sum up to `events`. */
  readonly stormPerReader: readonly StormShare[];
  /** The same of those that read nothing until it was over. */
  readonly stuckPerReader: readonly StormShare[];
  readonly suppressed: number;
  readonly recorded: number;
}

export interface QuietShare {
  /** All that its devices had. */
  readonly recorded: number;
  readonly delivered: number;
}

export interface StormShare {
  readonly delivered: number;
  readonly suppressed: number;
  readonly overrun: number;
  /** Any other gap: there should be none. */
  readonly other: number;
}

const READER_PROCESSES = 4;
/** Accesses of one call of the device that storms: a longer one would hold the daemon up with decoding. */
const STORM_CALL = 256;
const STORM_CALLS_AT_ONCE = 2;
const QUIET_EVERY_MS = 20;
const WATCH_RSS_MS = 50;
const CATCH_UP_MS = 60_000;
const { FAULT_GAP_REASON_RATE_LIMIT, FAULT_GAP_REASON_RING_OVERRUN } = FaultGapReason;

export async function runStorm(options: StormOptions): Promise<StormOutcome> {
  const host = await startFaultHost(1 + options.quietDevices, options.settings);
  const readers = Array.from({ length: READER_PROCESSES }, () => new CountingProcess());
  const stuck = new CountingProcess();
  try {
    return await storm(host, { readers, stuck }, options);
  } finally {
    await Promise.all([...readers, stuck].map((each) => each.stop()));
    await host.stop();
  }
}

interface Readers {
  readonly readers: readonly CountingProcess[];
  readonly stuck: CountingProcess;
}

async function storm(host: FaultHost, { readers, stuck }: Readers, options: StormOptions): Promise<StormOutcome> {
  const [stormy, ...quiet] = host.devices;
  if (stormy === undefined) throw new Error("no device");
  const owners = host.devices.map((device) => ownerStream(host, device));
  const observers = options.readers - options.stuck - owners.length;
  await openAll(readers, [...owners, ...Array.from({ length: observers }, () => observerStream(host))]);
  const stuckStreams = Array.from({ length: options.stuck }, () => observerStream(host, { isStuck: true }));
  await stuck.do({ kind: "open", streams: stuckStreams });

  const resident = new ResidentSet(host.broker.process.pid ?? 0);
  const quietly = new QuietDevices(host, quiet);
  await phase(readers, "alone");
  await sleep(options.aloneMs);
  await phase(readers, "between");
  const before = resident.now();
  await phase(readers, "storm");
  const began = performance.now();
  await faultAll(host, stormy, options.events);
  const stormMs = performance.now() - began;
  await phase(readers, "between");
  await settled(readers, stormy, options.events);
  await phase(readers, "again");
  await sleep(options.aloneMs);
  await phase(readers, "");
  const counts = await quietly.stop();
  await stuck.do({ kind: "read" });
  await settled([...readers, stuck], stormy, options.events, counts);

  const reports = await Promise.all(readers.map((each) => each.report()));
  const late = await stuck.report();
  const streams = reports.flatMap((report) => report.streams);
  const latencies = reports.map((report) => report.latencies);
  return {
    stormMs,
    resident: { before, peak: resident.peak, after: resident.stop() },
    latencies: {
      alone: quantiles(latencies, "alone", stormy),
      storm: quantiles(latencies, "storm", stormy),
      again: quantiles(latencies, "again", stormy),
    },
    quietEvents: sum([...counts.values()]),
    quietPerReader: [...streams, ...late.streams].flatMap((stream) => quietOf(stream, counts)),
    stormPerReader: streams.flatMap((stream) => shareOf(stream, stormy)),
    stuckPerReader: late.streams.flatMap((stream) => shareOf(stream, stormy)),
    suppressed: await countOf(host, "iommu_broker_fault_events_suppressed_total"),
    recorded: await countOf(host, "iommu_broker_fault_events_recorded_total"),
  };
}

async function phase(readers: readonly CountingProcess[], name: string): Promise<void> {
  await tellAll(readers, { kind: "phase", phase: name });
}

async function faultAll(host: FaultHost, device: FaultyDevice, events: number): Promise<void> {
  const request = faultRequest(device, STORM_CALL);
  let left = events;
  const one = async (): Promise<void> => {
    while (left > 0) {
      const count = Math.min(left, STORM_CALL);
      left -= count;
      await host.fault(device, count === STORM_CALL ? request : faultRequest(device, count));
    }
  };
  await Promise.all(Array.from({ length: STORM_CALLS_AT_ONCE }, one));
}

/** Every reader has been told of all that the storm's device recorded, and of all of the quiet ones where they are given. */
async function settled(
  readers: readonly CountingProcess[],
  stormy: FaultyDevice,
  events: number,
  quiet: ReadonlyMap<string, number> = new Map(),
): Promise<void> {
  const wanted = new Map([[stormy.name, events], ...quiet]);
  const deadline = performance.now() + CATCH_UP_MS;
  for (;;) {
    const reports = await Promise.all(readers.map((each) => each.report()));
    const isThere = reports
      .flatMap(({ streams }) => streams)
      .every(({ devices, watched }) =>
        watched.every((device) => (devices[device]?.through ?? 0) >= (wanted.get(device) ?? 0)),
      );
    if (isThere) return;
    if (performance.now() > deadline) throw new Error("readers have not been told of everything after a minute");
    await sleep(WATCH_RSS_MS);
  }
}

/** Each faults once in a while, in turn. */
class QuietDevices {
  readonly #counts = new Map<string, number>();
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(host: FaultHost, devices: readonly FaultyDevice[]) {
    const run = async (device: FaultyDevice, index: number): Promise<void> => {
      const request = faultRequest(device, 1);
      await sleep((QUIET_EVERY_MS * index) / devices.length);
      while (!this.#isOver) {
        await host.fault(device, request);
        this.#counts.set(device.name, (this.#counts.get(device.name) ?? 0) + 1);
        await sleep(QUIET_EVERY_MS);
      }
    };
    this.#running = Promise.all(devices.map(run)).then(() => undefined);
    this.#running.catch(() => undefined); // whoever stops it sees the error
  }

  /** @returns how many events each had */
  async stop(): Promise<ReadonlyMap<string, number>> {
    this.#isOver = true;
    await this.#running;
    return this.#counts;
  }
}

/** What the kernel says the daemon has in RAM, looked at all the time. */
class ResidentSet {
  peak = 0;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.now(), WATCH_RSS_MS);
  }

  now(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
    const bytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
    this.peak = Math.max(this.peak, bytes);
    return bytes;
  }

  stop(): number {
    clearInterval(this.#timer);
    return this.now();
  }
}

function quantiles(latencies: readonly Latencies[], name: string, stormy: FaultyDevice) {
  const histograms = latencies.flatMap((each) => {
    return Object.entries(each[name] ?? {}).flatMap(([device, histogram]) =>
      device === stormy.name ? [] : [histogram],
    );
  });
  return { p50: quantileOf(histograms, 0.5), p99: quantileOf(histograms, 0.99) };
}

function quietOf({ devices, watched }: StreamReport, counts: ReadonlyMap<string, number>): QuietShare[] {
  const quiet = watched.filter((device) => counts.has(device));
  if (quiet.length === 0) return [];
  return [
    {
      recorded: sum(quiet.map((device) => counts.get(device) ?? 0)),
      delivered: sum(quiet.map((device) => devices[device]?.events ?? 0)),
    },
  ];
}

function shareOf(stream: StreamReport, stormy: FaultyDevice): StormShare[] {
  const tally = stream.devices[stormy.name];
  if (tally === undefined) return [];
  const { events: delivered, gaps } = tally;
  const suppressed = gaps[FAULT_GAP_REASON_RATE_LIMIT] ?? 0;
  const overrun = gaps[FAULT_GAP_REASON_RING_OVERRUN] ?? 0;
  const other = sum(Object.values(gaps)) - suppressed - overrun;
  return [{ delivered, suppressed, overrun, other }];
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
