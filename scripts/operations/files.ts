// The files that are made from tables: the reference pages, the manual of iommuctl, Grafana's dashboards.

import { apiPage } from "../reference/api-page.ts";
import { configurationPage } from "../reference/configuration-page.ts";
import { errorsPage } from "../reference/errors-page.ts";
import { dashboardJson } from "./dashboard-json.ts";
import { DASHBOARDS } from "./dashboards.ts";
import { iommuctlManual } from "./iommuctl-manual.ts";
import { iommuctlPage } from "./iommuctl-page.ts";
import { metricsPage } from "./metrics-page.ts";

/** By path from the root of the tree. */
export function operationsFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/api.md", apiPage()],
    ["docs/configuration.md", configurationPage()],
    ["docs/errors.md", errorsPage()],
    ["docs/metrics.md", metricsPage()],
    ["docs/iommuctl.md", iommuctlPage()],
    ["docs/iommuctl.1", iommuctlManual()],
    ...DASHBOARDS.map((dashboard): [string, string] => [
      `deploy/grafana/dashboards/${dashboard.uid}.json`,
      dashboardJson(dashboard),
    ]),
  ]);
}
