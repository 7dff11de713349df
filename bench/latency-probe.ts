// A worker thread that makes one small call after another, with a pause between, and measures how long each took: how
// much others are delayed. It has a connection and an event loop of its own.

import { setTimeout as pause } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { RawClient } from "./raw-client.ts";

/** The call to make. */
export interface Probe {
  readonly target: string;
  readonly token: string | undefined;
  readonly path: string;
  readonly request: Uint8Array;
}

const PAUSE_MS = 2;

/** Probes while `during` runs; milliseconds of each call. */
export async function probe(call: Probe, during: () => Promise<void>): Promise<readonly number[]> {
  const worker = new Worker(new URL(import.meta.url), { workerData: call });
  const latencies = new Promise<readonly number[]>((resolve, reject) => {
    worker.on("error", reject);
    worker.on("message", (message: "ready" | readonly number[]) => {
      if (message !== "ready") resolve(message);
    });
  });
  await new Promise<void>((resolve) => worker.once("message", () => resolve()));
  await during();
  worker.postMessage("stop");
  return await latencies;
}

async function measure(call: Probe): Promise<void> {
  let isRunning = true;
  parentPort?.once("message", () => {
    isRunning = false;
  });
  const client = new RawClient(call.target, call.token);
  const request = Buffer.from(call.request);
  for (let i = 0; i < 200; i++) await client.call(call.path, request);
  parentPort?.postMessage("ready");
  const latencies: number[] = [];
  while (isRunning) {
    const start = performance.now();
    await client.call(call.path, request);
    latencies.push(performance.now() - start);
    await pause(PAUSE_MS);
  }
  parentPort?.postMessage(latencies);
  client.close();
}

if (!isMainThread) await measure(workerData);
