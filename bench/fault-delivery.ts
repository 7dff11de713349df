// How many faults the daemon delivers in a second of its CPU time, to 1, 10 and 100 readers that decode and check all of them,
// beside a bare grpc-js server that streams one buffer, encoded beforehand, as often to as many. What it costs to make and
// record the faults is measured with no reader, just before and after, and taken off; two bare servers are each other's control.

import { join } from "node:path";
import {
  CountingProcess,
  openAll,
  type StreamOrder,
  type StreamReport,
  tellAll,
} from "../test/support/fault-counting.ts";
import {
  countOf,
  type FaultHost,
  faultRequest,
  observerStream,
  ownerStream,
  startFaultHost,
} from "../test/support/fault-devices.ts";
import { type BareServer, startBare } from "./bare-stream.ts";
import { cpuNanoseconds } from "./process-usage.ts";
import { median } from "./quantiles.ts";

export const GOALS = { deliveriesPerSecond: 5e6, ofBare: 0.8, atReaders: 100 };
const READER_PROCESSES = 5;
/** Accesses of one call; readers catch up before the next one. */
const BURST = 2048;
/** V8 compiles for some seconds of load. */
const WARM_UPS = 3;
const MILLION = 1e6;

export interface DeliveryOptions {
  /** To each reader, in one measurement. */
  readonly events: number;
  readonly repetitions: number;
  /** How many at a time. */
  readonly readers: readonly number[];
}

interface Sample {
  readonly cpuSeconds: number;
  readonly deliveries: number;
  readonly messages: number;
  readonly bytes: number;
}

/** What was measured with so many readers, a repetition each. */
interface Measured {
  /** Deliveries per CPU-second: the faults' making taken off, everything, the bare servers. */
  readonly net: number[];
  readonly whole: number[];
  readonly bare: number[];
  readonly again: number[];
  /** What the two measurements of the faults' making differ by, as a part of what the delivery costs. */
  readonly doubt: number[];
  readonly eventsPerMessage: number[];
}

class Bench {
  readonly #host: FaultHost;
  readonly #readers: readonly CountingProcess[];
  readonly #bursts: number;
  readonly #request: Buffer;
  /** The device's last number. */
  #through = 0;

  constructor(host: FaultHost, readers: readonly CountingProcess[], events: number) {
    this.#host = host;
    this.#readers = readers;
    this.#bursts = Math.max(1, Math.round(events / BURST));
    this.#request = faultRequest(host.devices[0]!, BURST);
  }

  get recorded(): number {
    return this.#through;
  }

  /** The owner reads with half of the streams, observers with the others. */
  async broker(readers: number): Promise<Sample> {
    const device = this.#host.devices[0]!;
    const after = { [device.name]: this.#through };
    const streams = Array.from({ length: readers }, (_, index) => {
      return index < readers / 2 ? ownerStream(this.#host, device, { after }) : observerStream(this.#host, { after });
    });
    return await this.#measure(streams, this.#host.broker.process.pid ?? 0, async (used) => {
      await this.#host.fault(device, this.#request);
      this.#through += BURST;
      await tellAll(used, { kind: "until", device: device.name, through: this.#through });
    });
  }

  async bare(server: BareServer, readers: number, eventsPerMessage: number): Promise<Sample> {
    const messages = Math.round(BURST / eventsPerMessage);
    const streams = Array.from({ length: readers }, () => server.stream());
    let through = 0;
    return await this.#measure(streams, server.pid, async (used) => {
      server.send(messages);
      through += messages * eventsPerMessage;
      await tellAll(used, { kind: "until", device: "", through });
    });
  }

  async #measure(
    streams: readonly StreamOrder[],
    pid: number,
    burst: (used: readonly CountingProcess[]) => Promise<void>,
  ): Promise<Sample> {
    const used = await openAll(this.#readers, streams);
    const before = cpuNanoseconds(pid);
    for (let count = 0; count < this.#bursts; count += 1) await burst(used);
    const cpuSeconds = (cpuNanoseconds(pid) - before) / 1e9;
    const reports = (await Promise.all(used.map((each) => each.report()))).flatMap((report) => report.streams);
    await tellAll(used, { kind: "close" });
    return { cpuSeconds, ...sumOf(reports) };
  }
}

/** Every tally has checked the numbers; here none may have been a gap. */
function sumOf(reports: readonly StreamReport[]): Omit<Sample, "cpuSeconds"> {
  const devices = reports.flatMap((report) => Object.values(report.devices));
  if (devices.some(({ gaps }) => Object.keys(gaps).length > 0)) throw new Error("a reader lost events to a gap");
  const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);
  return {
    deliveries: sum(devices.map(({ events }) => events)),
    messages: sum(reports.map(({ messages }) => messages)),
    bytes: sum(reports.map(({ bytes }) => bytes)),
  };
}

export async function measureDelivery({ events, readers: counts, repetitions }: DeliveryOptions): Promise<boolean> {
  const host = await startFaultHost(1, {
    limits: { fault_events_per_second: 0, fault_streams_per_session_max: 64 },
  });
  const readers = Array.from({ length: READER_PROCESSES }, () => new CountingProcess());
  const bares: BareServer[] = [];
  try {
    const bench = new Bench(host, readers, events);
    const first = await bench.broker(GOALS.atReaders);
    const perMessage = Math.round(first.deliveries / first.messages);
    for (const name of ["bare", "again"]) {
      bares.push(await startBare(`unix:${join(host.broker.directory, `${name}.sock`)}`, perMessage));
    }
    console.log(
      `${first.deliveries / GOALS.atReaders} faults to each reader in a measurement; the broker's messages have ${perMessage} events and` +
        ` ${(first.bytes / first.messages / 1024).toFixed(1)} KiB, the bare server's ${(bares[0]!.message.length / 1024).toFixed(1)} KiB`,
    );
    const measured = new Map<number, Measured>();
    const making: number[] = [];
    for (const count of counts) {
      const into: Measured = { net: [], whole: [], bare: [], again: [], doubt: [], eventsPerMessage: [] };
      for (let repetition = -WARM_UPS; repetition < repetitions; repetition += 1) {
        const order = repetition % 2 === 0 ? bares : bares.toReversed();
        const before = await bench.broker(0);
        const sample = await bench.broker(count);
        const behind = await bench.broker(0);
        const plain = new Map<BareServer, Sample>();
        for (const server of order) plain.set(server, await bench.bare(server, count, perMessage));
        if (repetition < 0) continue;
        const made = (before.cpuSeconds + behind.cpuSeconds) / 2;
        const net = sample.cpuSeconds - made;
        making.push((made / (sample.deliveries / count)) * MILLION);
        into.net.push(sample.deliveries / net);
        into.whole.push(sample.deliveries / sample.cpuSeconds);
        into.doubt.push(Math.abs(before.cpuSeconds - behind.cpuSeconds) / 2 / net);
        into.eventsPerMessage.push(sample.deliveries / sample.messages);
        const [one, other] = bares.map((server) => plain.get(server)!);
        into.bare.push(one!.deliveries / one!.cpuSeconds);
        into.again.push(other!.deliveries / other!.cpuSeconds);
      }
      measured.set(count, into);
    }
    const recorded = await countOf(host, "iommu_broker_fault_events_recorded_total");
    if (recorded !== bench.recorded) throw new Error(`${recorded} faults were recorded, ${bench.recorded} asked for`);
    console.log(
      `making and recording a fault, with no reader: ${median(making).toFixed(1)} µs of the daemon's CPU (taken off)`,
    );
    return report(measured, repetitions);
  } finally {
    for (const server of bares) server.stop();
    await Promise.all(readers.map((each) => each.stop()));
    await host.stop();
  }
}

function report(measured: ReadonlyMap<number, Measured>, repetitions: number): boolean {
  const title = "million deliveries per server CPU-second";
  console.log(`\n${title} (median of ${repetitions}; least to most); every one received, decoded, its number checked`);
  console.log(
    "  readers  broker             with the making  bare               bare again         broker / bare  control",
  );
  let isMissed = false;
  const verdicts: string[] = [];
  for (const [readers, { again, bare, doubt, net, whole }] of measured) {
    const ratio = median(net.map((each, index) => each / ((bare[index]! + again[index]!) / 2)));
    const spread = Math.max(median(bare.map((each, index) => Math.abs(each / again[index]! - 1))), median(doubt));
    const columns = [readers, ranged(net), millions(median(whole)), ranged(bare), ranged(again), ratio.toFixed(2)];
    const widths = [7, 18, 16, 18, 18, 14];
    const row = columns.map((column, index) => String(column).padEnd(widths[index]!));
    console.log(`  ${row.join(" ")} ${spread.toFixed(2)}`);
    if (readers !== GOALS.atReaders) continue;
    const found = [
      verdictOf("5 M deliveries per CPU-second", median(net), GOALS.deliveriesPerSecond, spread),
      verdictOf("0.8 × bare", ratio, GOALS.ofBare, spread),
    ];
    verdicts.push(...found.map(({ text }) => text));
    isMissed = found.some(({ verdict }) => verdict === "missed");
  }
  for (const verdict of verdicts) console.log(`  ${GOALS.atReaders} readers: ${verdict}`);
  return !isMissed;
}

/** Told only where what was found is farther from the goal than equals are from each other. */
function verdictOf(goal: string, found: number, wanted: number, spread: number) {
  const isTold = Math.abs(found / wanted - 1) > spread;
  const verdict = !isTold ? "INCONCLUSIVE" : found >= wanted ? "met" : "missed";
  return {
    verdict,
    text: `goal ≥ ${goal} ${verdict} (${(found / wanted).toFixed(2)} × the goal; control ${spread.toFixed(2)})`,
  };
}

function millions(value: number): string {
  return (value / MILLION).toFixed(2);
}

function ranged(values: readonly number[]): string {
  return `${millions(median(values))} (${millions(Math.min(...values))}-${millions(Math.max(...values))})`;
}
