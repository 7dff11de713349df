// A broker that collects its garbage when it is told to, and what it has in use then.

import { setTimeout as pause } from "node:timers/promises";
import { type BrokerProcess, startBroker } from "../examples/support/broker-process.ts";
import { privateBytes } from "./process-usage.ts";

const COLLECT_MAX_MS = 30_000;

export interface Usage {
  /** What the collector found in use, heap and buffers. */
  readonly used: number;
  /** What the kernel has given the process alone. */
  readonly resident: number;
}

export async function startMeasured(extra: Readonly<Record<string, unknown>>): Promise<BrokerProcess> {
  const before = process.env.NODE_OPTIONS ?? "";
  process.env.NODE_OPTIONS = `${before} --expose-gc --import=${new URL("collect-on-signal.ts", import.meta.url)}`;
  try {
    return await startBroker(extra);
  } finally {
    process.env.NODE_OPTIONS = before;
  }
}

export async function usageOf(broker: BrokerProcess): Promise<Usage> {
  const told = (): readonly string[] => broker.log.filter((line) => line.startsWith("bench-memory "));
  const before = told().length;
  broker.process.kill("SIGUSR2");
  const deadline = performance.now() + COLLECT_MAX_MS;
  while (told().length === before) {
    if (performance.now() > deadline) throw new Error("the broker does not say what memory it uses");
    await pause(5);
  }
  return { used: Number(told().at(-1)?.split(" ")[1]), resident: privateBytes(broker.process.pid!) };
}
