// The files for operators that are made from tables: the page of metrics and Grafana's dashboards.

import { dashboardJson } from "./dashboard-json.ts";
import { DASHBOARDS } from "./dashboards.ts";
import { metricsPage } from "./metrics-page.ts";

/** By path from the root of the tree. */
export function operationsFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/metrics.md", metricsPage()],
    ...DASHBOARDS.map((dashboard): [string, string] => [
      `deploy/grafana/dashboards/${dashboard.uid}.json`,
      dashboardJson(dashboard),
    ]),
  ]);
}
