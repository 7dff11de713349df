// From a row of the catalogue to a prom-client metric in a registry.

import { Counter, Gauge, Histogram, type Registry } from "prom-client";

interface Row<Type extends string, Label extends string> {
  readonly type: Type;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

/** From a cached answer to a long walk over a large guest, in seconds. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function counter<L extends string>(registry: Registry, row: Row<"counter", L>): Counter<L> {
  return new Counter({ name: row.name, help: row.help, labelNames: [...row.labels], registers: [registry] });
}

export function gauge<L extends string>(registry: Registry, row: Row<"gauge", L>): Gauge<L> {
  return new Gauge({ name: row.name, help: row.help, labelNames: [...row.labels], registers: [registry] });
}

export function histogram<L extends string>(registry: Registry, row: Row<"histogram", L>): Histogram<L> {
  const { name, help, labels } = row;
  return new Histogram({ name, help, labelNames: [...labels], registers: [registry], buckets: LATENCY_BUCKETS });
}
