// iommuctl faults: what devices did wrong, and why; the last of it, or as it happens.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { BrokerClient, FaultBatch, FaultEvent, FaultWatch } from "../client/client.ts";
import { deviceName } from "./argument-values.ts";
import { addObserverOptions, type ConnectionOptions, FOLLOW_HEARTBEAT_MS, withObserver } from "./connection.ts";
import { UsageError } from "./failure.ts";
import { eventJson, gapJson, resolutionJson } from "./fault-json.ts";
import { eventText, gapText, resolutionText } from "./fault-text.ts";
import type { Surroundings } from "./program.ts";
import { type Lesson, taught } from "./teaching.ts";
import { COLOUR_CHOICES, colouredAs, printable } from "./terminal.ts";

interface FaultsOptions extends ConnectionOptions {
  readonly follow?: boolean;
  readonly lines?: number;
  readonly type: readonly string[];
  readonly diagnosis: boolean;
  readonly json?: boolean;
  readonly resume: Readonly<Record<string, bigint>>;
  readonly color: (typeof COLOUR_CHOICES)[number];
}

const LINES_DEFAULT = 50;
const LINES_MAX = 100_000;
const PAGE_SIZE_MAX = 1000;
const RESUMED_MAX = 1000;

const LESSON: Lesson = {
  summary: "Prints the faults of devices, each with the reason for it.",
  text: [
    "A line for each event: time, device, its number, the guest's StreamID (vSID), the event's name in the SMMUv3 specification, the stage, access and address; and why it happened, from the guest's tables as they are now. Numbers count each device's events without holes; what was lost has a line of its own (--) with how much and why. docs/faults.md explains every event.",
    "Without a session's token it asks on the admin socket and shows every device; with one it shows what the session owns.",
  ],
  examples: [
    ["iommuctl faults", `the last ${LINES_DEFAULT} of all devices`],
    ["iommuctl faults -f 0000:01:00.0", "one device's, as they happen, after its last ones"],
    ["iommuctl faults -f --type C_BAD_STE --type C_BAD_CD", "a guest's driver that sets up its tables wrongly"],
    ["iommuctl faults -n 1000 --json | jq -r .event.type | sort | uniq -c", "how many of each"],
    ["iommuctl faults -f --token-file vmm.token --resume 0000:01:00.0=41", "from where an earlier run ended"],
  ],
  json: 'a line each: {"event": FaultEvent}, {"gap": FaultGap}, {"resolution": FaultResolution}; never a response token',
  seeAlso: ["explain"],
};

export function addFaults(program: Command, surroundings: Surroundings): void {
  const command = taught(program.command("faults"), LESSON)
    .argument("[device...]", 'devices: "0000:01:00.0" or "devices/0000:01:00.0" (default: all there are to see)')
    .option("-f, --follow", "go on with what happens from now on, over restarts of the broker too")
    .option("-n, --lines <number>", `how many past events (default: ${LINES_DEFAULT}; 0: none)`, parseLines)
    .option("--type <event>", "only these events; may be given several times", collected, [])
    .option("--no-diagnosis", "without the reason")
    .option("--json", "an object a line: 64-bit values as decimal strings, enums by name; never a response token")
    .option("--resume <device=number>", "with --follow: after this number, in place of past events", resumed, {})
    .addOption(new Option("--color <when>", "colours").choices(COLOUR_CHOICES).default("auto", "auto: on a terminal"));
  addObserverOptions(command).action(async (devices: string[], options: FaultsOptions) =>
    faults(devices.map(deviceName), options, surroundings),
  );
}

async function faults(devices: readonly string[], options: FaultsOptions, surroundings: Surroundings): Promise<void> {
  const isResumed = Object.keys(options.resume).length > 0;
  if (isResumed && options.follow !== true) throw new UsageError("--resume goes on with --follow: give both");
  const query = { devices, types: options.type, diagnose: options.diagnosis };
  const lines = options.lines ?? (isResumed ? 0 : LINES_DEFAULT);
  const printer = new Printer(options, surroundings);
  await withObserver(options, surroundings.environment, async (client, token) => {
    const printPast = async (): Promise<void> => {
      const pageSize = Math.min(lines, PAGE_SIZE_MAX);
      const events = await pastOf(client.listFaults(token, { ...query, pageSize }), lines);
      if (events.length > 0) await printer.past(events);
      else if (lines > 0 && surroundings.isWatched === true) surroundings.err(noneText(devices, options, token));
    };
    if (options.follow !== true) {
      await printPast();
      return;
    }
    const watch = follow(client, token, { ...query, resumeAfter: options.resume }, surroundings);
    try {
      await watch.ready; // before the past is asked for: what happens between is in both, and printed once
      await printPast();
      for await (const batch of watch) await printer.batch(batch);
    } finally {
      watch.close();
    }
  });
}

function follow(
  client: BrokerClient,
  token: string | undefined,
  options: NonNullable<Parameters<BrokerClient["watchFaults"]>[1]>,
  { err, gone }: Surroundings,
): FaultWatch {
  const watch = client.watchFaults(token, {
    ...options,
    heartbeatMs: FOLLOW_HEARTBEAT_MS,
    onBroken: (error) => err(`iommuctl: the broker is gone (${printable(error.message)}); waiting for it\n`),
    onResumed: () => err("iommuctl: the broker is back; going on after the last event seen\n"),
  });
  gone.addEventListener("abort", () => watch.close());
  if (gone.aborted) watch.close();
  return watch;
}

/** For who would else wonder whether it works. */
function noneText(devices: readonly string[], { follow, type }: FaultsOptions, token: string | undefined): string {
  const whose =
    devices.length > 0 ? "of what was named" : `of ${token === undefined ? "any device" : "the session's devices"}`;
  const kind = type.length > 0 ? ` of type ${printable(type.join(", "))}` : "";
  const then = follow === true ? " yet; waiting for the first" : "";
  return `iommuctl: there are no faults${kind} ${whose}${then}\n`;
}

/** The newest `count`, the oldest of them first. */
async function pastOf(newestFirst: AsyncIterable<FaultEvent>, count: number): Promise<readonly FaultEvent[]> {
  const events: FaultEvent[] = [];
  if (count === 0) return events;
  for await (const event of newestFirst) {
    events.push(event);
    if (events.length === count) break;
  }
  return events.reverse();
}

class Printer {
  readonly #surroundings: Surroundings;
  readonly #event: (event: FaultEvent) => string;
  readonly #gap: (gap: FaultBatch["gaps"][number]) => string;
  readonly #resolution: (resolution: FaultBatch["resolutions"][number]) => string;
  /** Last number printed of the past, by device. */
  readonly #printed = new Map<string, bigint>();

  constructor({ color, json }: FaultsOptions, surroundings: Surroundings) {
    const terminal = colouredAs(color, surroundings.terminal);
    this.#surroundings = surroundings;
    this.#event = json === true ? eventJson : (event) => eventText(event, terminal);
    this.#gap = json === true ? gapJson : (gap) => gapText(gap, terminal);
    this.#resolution = json === true ? resolutionJson : (resolution) => resolutionText(resolution, terminal);
  }

  async past(events: readonly FaultEvent[]): Promise<void> {
    const { gone, out, taken } = this.#surroundings;
    for (const event of events) {
      if (gone.aborted) return;
      this.#printed.set(event.device, event.sequence);
      out(this.#event(event));
      await taken();
    }
  }

  /** A device's gaps in their places between its events. */
  async batch({ events, gaps, resolutions }: FaultBatch): Promise<void> {
    const { out, taken } = this.#surroundings;
    const waiting = new Set(gaps);
    for (const event of events) {
      if (event.sequence <= (this.#printed.get(event.device) ?? 0n)) continue;
      for (const gap of waiting) {
        if (gap.device !== event.device || gap.last > event.sequence) continue;
        out(this.#gap(gap));
        waiting.delete(gap);
      }
      out(this.#event(event));
    }
    for (const gap of waiting) out(this.#gap(gap));
    for (const resolution of resolutions) out(this.#resolution(resolution));
    await taken();
  }
}

function parseLines(text: string): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) > LINES_MAX) {
    throw new InvalidArgumentError(`It must be 0 to ${LINES_MAX}.`);
  }
  return Number(text);
}

function collected(type: string, before: readonly string[]): readonly string[] {
  return [...before, type];
}

function resumed(text: string, before: Readonly<Record<string, bigint>>): Readonly<Record<string, bigint>> {
  const [, device, sequence] = /^(.{1,80})=(\d{1,20})$/.exec(text) ?? [];
  if (device === undefined || sequence === undefined || BigInt(sequence) >= 2n ** 64n) {
    throw new InvalidArgumentError("Write it as 0000:01:00.0=41: the number of the last event that was seen.");
  }
  if (Object.keys(before).length >= RESUMED_MAX) throw new InvalidArgumentError(`At most ${RESUMED_MAX} devices.`);
  return { ...before, [deviceName(device)]: BigInt(sequence) };
}
