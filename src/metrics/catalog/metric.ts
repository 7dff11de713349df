// What the catalogue says of each metric.

/** One row of the table. */
export interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** There are series of it with the simulated backend alone; or natively where SMMUs have counters of their own (PMCG). */
  readonly natively?: "absent" | "pmcg";
}
