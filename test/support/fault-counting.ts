// Readers of WatchFaults in processes of their own, which count what they get: this side starts and asks them.
// fault-counting-process.ts is the other side.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { DeviceTally } from "./fault-tally.ts";

/** A stream to be opened. */
export interface StreamOrder {
  /** "unix:…" */
  readonly target: string;
  readonly path: string;
  readonly token: string | undefined;
  /** WatchFaultsRequest in base64. */
  readonly request: string;
  /** The last number of each device before the first that is to come. */
  readonly after: Readonly<Record<string, number>>;
  /** The devices that it is told of. */
  readonly watched: readonly string[];
  /** Reads nothing until it is told to. */
  readonly isStuck: boolean;
  /** All numbers are the same: they are counted and not held against each other. */
  readonly isBare: boolean;
}

/** What a reader is told to do. */
export type ReaderOrder =
  | { readonly kind: "open"; readonly streams: readonly StreamOrder[] }
  | { readonly kind: "until"; readonly device: string; readonly through: number }
  | { readonly kind: "phase"; readonly phase: string }
  | { readonly kind: "read" }
  | { readonly kind: "report" }
  | { readonly kind: "close" };

/** Milliseconds from FaultEvent.time to the reader, in tenths, with how many took so long: by phase, then device. */
export type Latencies = Record<string, Record<string, Record<number, number>>>;

export interface StreamReport {
  readonly watched: readonly string[];
  readonly devices: Readonly<Record<string, DeviceTally>>;
  readonly messages: number;
  readonly bytes: number;
}

export type ReaderAnswer =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "report"; readonly streams: readonly StreamReport[]; readonly latencies: Latencies };

const PROCESS = fileURLToPath(new URL("fault-counting-process.ts", import.meta.url));

/** A process with some streams. One order at a time; each is answered. */
export class CountingProcess {
  readonly #child: ChildProcess;
  #failure: Error | undefined;
  #answer: ((answer: ReaderAnswer) => void) | undefined;

  constructor() {
    this.#child = fork(PROCESS);
    this.#child.on("message", (answer: ReaderAnswer) => this.#take(answer));
    this.#child.once("exit", (code) => this.#take({ kind: "failed", reason: `the reader ended with ${code}` }));
  }

  async do(order: ReaderOrder): Promise<ReaderAnswer> {
    if (this.#failure !== undefined) throw this.#failure;
    const answer = new Promise<ReaderAnswer>((resolve) => {
      this.#answer = resolve;
    });
    this.#child.send(order);
    const told = await answer;
    if (told.kind === "failed") throw this.#failure ?? new Error(told.reason);
    return told;
  }

  async report(): Promise<Extract<ReaderAnswer, { kind: "report" }>> {
    const answer = await this.do({ kind: "report" });
    if (answer.kind !== "report") throw new Error(`the reader answered ${answer.kind}`);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }

  #take(answer: ReaderAnswer): void {
    if (answer.kind === "failed") this.#failure ??= new Error(answer.reason);
    const waiting = this.#answer;
    this.#answer = undefined;
    waiting?.(answer);
  }
}

/** Orders to many, each streams[i] to processes[i modulo how many]. */
export async function openAll(
  processes: readonly CountingProcess[],
  streams: readonly StreamOrder[],
): Promise<readonly CountingProcess[]> {
  const shares = processes.map((process, index) => ({
    process,
    streams: streams.filter((_, at) => at % processes.length === index),
  }));
  const used = shares.filter((share) => share.streams.length > 0);
  await Promise.all(used.map((share) => share.process.do({ kind: "open", streams: share.streams })));
  return used.map(({ process }) => process);
}

export async function tellAll(processes: readonly CountingProcess[], order: ReaderOrder): Promise<void> {
  await Promise.all(processes.map((process) => process.do(order)));
}

/** The part of a histogram in tenths of milliseconds that lies below, in milliseconds. */
export function quantileOf(histograms: readonly Readonly<Record<number, number>>[], part: number): number {
  const sum: Record<number, number> = {};
  for (const histogram of histograms) {
    for (const [tenths, count] of Object.entries(histogram)) {
      sum[Number(tenths)] = (sum[Number(tenths)] ?? 0) + count;
    }
  }
  const rising = Object.entries(sum).sort(([a], [b]) => Number(a) - Number(b));
  const total = rising.reduce((all, [, count]) => all + count, 0);
  let below = 0;
  for (const [tenths, count] of rising) {
    below += count;
    if (below >= total * part) return Number(tenths) / 10;
  }
  return Number.NaN;
}
