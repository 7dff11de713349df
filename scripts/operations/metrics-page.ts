// docs/metrics.md from the catalogue, so that it lists what a scrape has and nothing else.

import type { Metric } from "../../src/metrics/catalog/metric.ts";
import { METRICS } from "../../src/metrics/catalog.ts";

const INTRODUCTION = `# Metrics

<!-- Generated from src/metrics/catalog.ts by npm run generate. Do not edit. -->

\`GET /metrics\` at \`metrics.tcp\` (on loopback, unless \`metrics.tcp_open\` opens it; 127.0.0.1:9401 in [deploy/simulated.yaml](../deploy/simulated.yaml)) or on the Unix socket \`metrics.socket\`, as
Prometheus text or, for whom asks, as OpenMetrics; beside it \`/livez\` (the process answers) and \`/readyz\` (it serves, and the backend
answers), and for people the [status page](status-page.md). [deploy/prometheus](../deploy/prometheus) has a scrape configuration, recording rules and alerts, with a section of
[runbooks.md](runbooks.md) each; [deploy/grafana](../deploy/grafana) has dashboards.

- Translations are counted by the hardware, or the model of it, in plain numbers that a scrape reads: nothing is called for each.
- A device's series begin at 0 when it is attached and are gone when it is released. More than \`metrics.devices_max\` devices
  are counted together as \`device="_overflow"\`, and so are clients beyond 64 and policy rules beyond 256.
- A fault that nobody tells the backend has no series, rather than 0: natively those of stage 2, F_CD_FETCH and F_WALK_EABT, and all
  where there is no queue of events (x86; Linux before 6.15). \`GetCapabilities\` lists those that are told (\`told_faults\`).
- No label has an address, a pid or a token. \`client\` is the name of the policy rule that lets a session attach devices.
- What the hardware does not count has no series: \`iommu_translation_counters_available\` is then 0. *Absent natively*: only the
  simulated backend counts it. *Natively PMCG's*: where SMMUs have counters of their own ([native.md](native.md#counters-of-the-hardware)).
- Five scrapes in a second are made anew; whoever asks beyond that gets the last one again, which is at most a second old. A
  connection may be kept, and who sends a request on it before the last one is answered is cut off.
- The process's own metrics are those of prom-client: \`process_*\` and \`nodejs_*\`.
`;

const SECTIONS: readonly (readonly [string, (name: string) => boolean])[] = [
  ["The hardware", (name) => name.startsWith("iommu_") && !name.startsWith("iommu_broker_")],
  ["The broker", (name) => name.startsWith("iommu_broker_")],
  ["RPCs, under the names that gRPC dashboards expect", (name) => name.startsWith("grpc_server_")],
];

export function metricsPage(): string {
  const metrics: readonly Metric[] = Object.values(METRICS);
  const sections = SECTIONS.map(([title, belongs]) => {
    const rows = metrics.filter(({ name }) => belongs(name)).map(rowOf);
    return ["", `## ${title}`, "", "| metric | type | labels | |", "|---|---|---|---|", ...rows, ""].join("\n");
  });
  return [INTRODUCTION, ...sections].join("");
}

const NATIVELY = { absent: " *Absent natively.*", pmcg: " *Natively PMCG's.*" } as const;

function rowOf({ help, labels, name, natively, type }: Metric): string {
  const named = labels.map((label) => `\`${label}\``).join(", ");
  return `| \`${name}\` | ${type} | ${named} | ${help.replaceAll("|", "\\|")}${natively === undefined ? "" : NATIVELY[natively]} |`;
}
