// A storm: one device faults as fast as it can beside quiet ones, with many readers of which some never read. The quiet
// devices are measured before, during and after it; a second daemon with the same ones and as many readers, where nothing
// storms, is measured at the same time: what happens there too is the machine's doing. Every reader's numbers are checked.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultGapReason } from "../../src/client/client.ts";
import { CountingProcess, openAll, quantileOf, type StreamReport, tellAll } from "./fault-counting.ts";
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

export type Phase = "alone" | "storm" | "again";

export interface PhaseLatency {
  readonly events: number;
  readonly p50: number;
  readonly p99: number;
}

export interface StormOutcome {
  readonly stormMs: number;
  /** What the daemon had in RAM, in bytes. */
  readonly resident: Resident;
  /** Of the quiet devices' events at their owners, in milliseconds: where it storms, and in the daemon where it does not. */
  readonly latencies: Readonly<Record<Phase, PhaseLatency>>;
  readonly calmLatencies: Readonly<Record<Phase, PhaseLatency>>;
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

export interface Resident {
  readonly before: number;
  /** The most there was in each quarter of the storm. */
  readonly quarters: readonly number[];
  readonly after: number;
}

const OBSERVER_PROCESSES = 3;
/** Accesses of one call of the device that storms: a longer one would hold the daemon up with decoding. */
const STORM_CALL = 256;
const STORM_CALLS_AT_ONCE = 2;
const QUIET_EVERY_MS = 100;
const WATCH_RSS_MS = 50;
const WARM_UP_MS = 2000;
const QUARTERS = 4;
const CATCH_UP_MS = 60_000;
const { FAULT_GAP_REASON_RATE_LIMIT, FAULT_GAP_REASON_RING_OVERRUN } = FaultGapReason;

export async function runStorm(options: StormOptions): Promise<StormOutcome> {
  const parts: Side[] = [];
  const stuck = new CountingProcess();
  try {
    for (const observing of [OBSERVER_PROCESSES, 1]) parts.push(await startSide(options, observing));
    const [stormy, calm] = parts;
    return await storm({ stormy: stormy!, calm: calm!, stuck }, options);
  } finally {
    await stuck.stop();
    for (const { host, observers, owners } of parts) {
      await Promise.all([owners, ...observers].map((each) => each.stop()));
      await host.stop();
    }
  }
}

/** A daemon and its readers that read: the quiet devices' owners in a process of their own. */
interface Side {
  readonly host: FaultHost;
  readonly owners: CountingProcess;
  readonly observers: readonly CountingProcess[];
}

async function startSide(options: StormOptions, observing: number): Promise<Side> {
  const host = await startFaultHost(1 + options.quietDevices, options.settings);
  const [stormy, ...quiet] = host.devices;
  if (stormy === undefined) throw new Error("no device");
  const owners = new CountingProcess();
  const observers = Array.from({ length: observing }, () => new CountingProcess());
  await openAll(
    [owners],
    quiet.map((device) => ownerStream(host, device)),
  );
  const others = options.readers - options.stuck - host.devices.length;
  await openAll(observers, [ownerStream(host, stormy), ...Array.from({ length: others }, () => observerStream(host))]);
  return { host, owners, observers };
}

interface Sides {
  readonly stormy: Side;
  readonly calm: Side;
  readonly stuck: CountingProcess;
}

async function storm({ calm, stormy, stuck }: Sides, options: StormOptions): Promise<StormOutcome> {
  const { host, observers, owners } = stormy;
  const [wild, ...quiet] = host.devices;
  if (wild === undefined) throw new Error("no device");
  const stuckStreams = Array.from({ length: options.stuck }, () => observerStream(host, { isStuck: true }));
  await stuck.do({ kind: "open", streams: stuckStreams });
  const both = [owners, calm.owners];
  const resident = new ResidentSet(host.broker.process.pid ?? 0);
  const quietly = new QuietDevices(host, quiet);
  const calmly = new QuietDevices(calm.host, calm.host.devices.slice(1));
  await sleep(WARM_UP_MS);
  await tellAll(both, { kind: "phase", phase: "alone" });
  await sleep(options.aloneMs);
  const before = resident.take();
  await tellAll(both, { kind: "phase", phase: "storm" });
  const began = performance.now();
  const quarters: number[] = [];
  for (let quarter = 1; quarter <= QUARTERS; quarter += 1) {
    await faultAll(
      host,
      wild,
      Math.floor((options.events * quarter) / QUARTERS) - Math.floor((options.events * (quarter - 1)) / QUARTERS),
    );
    quarters.push(resident.take());
  }
  const stormMs = performance.now() - began;
  await tellAll(both, { kind: "phase", phase: "" });
  await settled([owners, ...observers], wild, options.events);
  await tellAll(both, { kind: "phase", phase: "again" });
  await sleep(options.aloneMs);
  await tellAll(both, { kind: "phase", phase: "" });
  const counts = await quietly.stop();
  await calmly.stop();
  await stuck.do({ kind: "read" });
  await settled([owners, ...observers, stuck], wild, options.events, counts);

  const reports = await Promise.all([owners, ...observers].map((each) => each.report()));
  const streams = reports.flatMap((report) => report.streams);
  const late = (await stuck.report()).streams;
  return {
    stormMs,
    resident: { before, quarters, after: resident.stop() },
    latencies: await latenciesOf(owners),
    calmLatencies: await latenciesOf(calm.owners),
    quietEvents: sum([...counts.values()]),
    quietPerReader: [...streams, ...late].flatMap((stream) => quietOf(stream, counts)),
    stormPerReader: streams.flatMap((stream) => shareOf(stream, wild)),
    stuckPerReader: late.flatMap((stream) => shareOf(stream, wild)),
    suppressed: await countOf(host, "iommu_broker_fault_events_suppressed_total"),
    recorded: await countOf(host, "iommu_broker_fault_events_recorded_total"),
  };
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
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #peak = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), WATCH_RSS_MS);
  }

  /** The most there was since it was last asked. */
  take(): number {
    this.#look();
    const peak = this.#peak;
    this.#peak = 0;
    return peak;
  }

  stop(): number {
    clearInterval(this.#timer);
    this.#peak = 0;
    return this.take();
  }

  #look(): void {
    const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
    this.#peak = Math.max(this.#peak, Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024);
  }
}

async function latenciesOf(readers: CountingProcess): Promise<Record<Phase, PhaseLatency>> {
  const { latencies } = await readers.report();
  const of = (phase: Phase): PhaseLatency => {
    const histograms = Object.values(latencies[phase] ?? {});
    const events = sum(histograms.flatMap((histogram) => Object.values(histogram)));
    return { events, p50: quantileOf(histograms, 0.5), p99: quantileOf(histograms, 0.99) };
  };
  return { alone: of("alone"), storm: of("storm"), again: of("again") };
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
