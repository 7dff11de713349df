// The files for operators that are made from tables: the page of metrics, Grafana's dashboards, the manual of iommuctl.

import { dashboardJson } from "./dashboard-json.ts";
import { DASHBOARDS } from "./dashboards.ts";
import { iommuctlManual } from "./iommuctl-manual.ts";
import { iommuctlPage } from "./iommuctl-page.ts";
import { metricsPage } from "./metrics-page.ts";

/** By path from the root of the tree. */
export function operationsFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/metrics.md", metricsPage()],
    ["docs/iommuctl.md", iommuctlPage()],
    ["docs/iommuctl.1", iommuctlManual()],
    ...DASHBOARDS.map((dashboard): [string, string] => [
      `deploy/grafana/dashboards/${dashboard.uid}.json`,
      dashboardJson(dashboard),
    ]),
  ]);
}
