// iommuctl top: what each device does now, from two readings of the broker's metrics.

import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import { BrokerCallError, type BrokerClient } from "../client/client.ts";
import { boundedBy, parseDuration } from "./argument-values.ts";
import { addTargetOptions, type ConnectionOptions, withBroker } from "./connection.ts";
import { isLate } from "./failure.ts";
import { METRICS_DEFAULT, METRICS_VARIABLE, type MetricsSource, metricsSource, scrape } from "./metrics-source.ts";
import { samplesOf } from "./metrics-text.ts";
import type { Surroundings } from "./program.ts";
import type { ScreenEvent } from "./screen.ts";
import { type Lesson, taught } from "./teaching.ts";
import { type Rates, type Reading, ratesOf } from "./top-rates.ts";
import { topJson, topLines } from "./top-text.ts";
import { Unreachable } from "./unreachable.ts";

interface TopOptions extends ConnectionOptions {
  readonly metrics?: string;
  readonly interval: number;
  readonly count?: number;
  readonly json?: boolean;
}

const INTERVAL_DEFAULT_MS = 2000;
const INTERVAL_MIN_MS = 100;
const COUNT_MAX = 1_000_000;
const TIMEOUT_MS = 10_000;

const LESSON: Lesson = {
  summary: "Shows live rates: translations and faults of each device, TLB hits of each IOMMU.",
  text: [
    "The busiest device comes first. On a terminal it draws again every --interval until q or Ctrl-C; elsewhere, or with --json, it prints --count rounds (one, unless --count says otherwise). Rates are differences of the broker's metrics, which are read on their own port or socket; where the hardware counts no translations, as natively, it says so and shows no zero.",
  ],
  examples: [
    ["iommuctl top", `with metrics from ${METRICS_DEFAULT}`],
    ["iommuctl top --metrics unix:/run/iommu-broker/metrics.sock --interval 500ms", "from a socket, twice a second"],
    ["iommuctl top --json --count 60 --interval 1s > minute.jsonl", "a minute, a line each second"],
  ],
  json: 'a line each round: {"time", "counted", "iommus": [{"iommu", "transactionsPerSecond", "tlbHitRatio"}], "devices": [{"device": Device, "translationsPerSecond", "faultsPerSecond"}]}; what is not known is left out',
  seeAlso: ["devices", "faults"],
};

export function addTop(program: Command, surroundings: Surroundings): void {
  const command = taught(program.command("top"), LESSON)
    .option("--metrics <url>", `http://HOST:PORT/metrics or unix:PATH (default: ${METRICS_DEFAULT})`)
    .option("--interval <duration>", "between two readings (default: 2s)", parseInterval, INTERVAL_DEFAULT_MS)
    .option("--count <number>", "rounds, then it ends", boundedBy(COUNT_MAX, 1))
    .option("--json", "print JSON lines");
  addTargetOptions(command).action(async (options: TopOptions) => {
    const source = metricsSource(options.metrics ?? (surroundings.environment[METRICS_VARIABLE] || METRICS_DEFAULT));
    await withBroker(options, surroundings.environment, async (client) => {
      const rounds = new Rounds(client, source, options);
      if (options.json === true || surroundings.screen === undefined) await print(rounds, options, surroundings);
      else await draw(rounds, options, surroundings, surroundings.screen);
    });
  });
}

/** Readings, and what happened between them. */
class Rounds {
  readonly #client: BrokerClient;
  readonly #source: MetricsSource;
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  #last: Reading | undefined;

  constructor(client: BrokerClient, source: MetricsSource, { interval, timeout }: TopOptions) {
    this.#client = client;
    this.#source = source;
    this.#intervalMs = interval;
    this.#timeoutMs = timeout ?? TIMEOUT_MS;
  }

  /** Waits out the interval; undefined: it was told to stop. */
  async next(stopped: AbortSignal): Promise<Rates | undefined> {
    const before = this.#last ?? (await this.#read());
    await sleep(this.#intervalMs, undefined, { signal: stopped }).catch(() => undefined);
    if (stopped.aborted) return undefined;
    const [after, devices] = await Promise.all([this.#read(), this.#client.listDevices()]);
    this.#last = after;
    return ratesOf(before, after, devices);
  }

  /** The broker was away: what it counted before says nothing of what it counts now. */
  async forget(stopped: AbortSignal): Promise<void> {
    this.#last = undefined;
    await sleep(this.#intervalMs, undefined, { signal: stopped }).catch(() => undefined);
  }

  async #read(): Promise<Reading> {
    const text = await scrape(this.#source, this.#timeoutMs);
    return { atMs: performance.now(), samples: samplesOf(text, "iommu_") };
  }
}

async function print(rounds: Rounds, options: TopOptions, surroundings: Surroundings): Promise<void> {
  const { gone, out, taken, terminal } = surroundings;
  for (let left = options.count ?? 1; left > 0; left -= 1) {
    const rates = await rounds.next(gone);
    if (rates === undefined) return;
    const text = `${topLines(rates, terminal).join("\n")}\n${left > 1 ? "\n" : ""}`;
    out(options.json === true ? topJson(rates, new Date()) : text);
    await taken();
  }
}

async function draw(
  rounds: Rounds,
  { count, interval }: TopOptions,
  { gone, terminal }: Surroundings,
  screen: NonNullable<Surroundings["screen"]>,
): Promise<void> {
  const stop = new AbortController();
  let rates: Rates | undefined;
  let awaySince: Date | undefined;
  const redraw = (): void => {
    const { columns, rows } = screen.size();
    const title = `iommuctl top, every ${interval} ms, q quits`.slice(0, columns);
    const away = awaySince && `no answer from the broker since ${awaySince.toLocaleTimeString()}: waiting for it`;
    const body = rates === undefined ? [away ?? "reading…"] : topLines(rates, { ...terminal, columns }, rows - 2);
    screen.draw([title, "", ...body].slice(0, rows));
  };
  const giveBack = screen.take((event: ScreenEvent) => (event === "quit" ? stop.abort() : redraw()));
  try {
    redraw();
    const stopped = AbortSignal.any([stop.signal, gone]);
    let hasAnswered = false;
    for (let left = count ?? Number.POSITIVE_INFINITY; left > 0 && !stopped.aborted; left -= 1) {
      try {
        rates = await rounds.next(stopped);
        if (rates === undefined) return;
        hasAnswered = true;
        awaySince = undefined;
      } catch (error) {
        if (!hasAnswered || !isAway(error)) throw error;
        rates = undefined;
        awaySince ??= new Date();
        redraw();
        await rounds.forget(stopped);
      }
      redraw();
    }
  } finally {
    giveBack();
  }
}

function isAway(error: unknown): boolean {
  return error instanceof Unreachable || isLate(error) || (error instanceof BrokerCallError && error.isBrokenOff);
}

function parseInterval(text: string): number {
  const ms = parseDuration(text);
  if (ms < INTERVAL_MIN_MS) throw new InvalidArgumentError(`It must be at least ${INTERVAL_MIN_MS}ms.`);
  return ms;
}
