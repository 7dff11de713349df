// A dashboard of the table as Grafana's classic JSON model, which every version imports and provisioning reads.
// Schema version 42 is the last of that model.

import type { Dashboard, Panel } from "./dashboards.ts";

const SCHEMA_VERSION = 42;
const COLUMNS = 24;
const HEIGHT = { stat: 4, timeseries: 8, table: 8 } as const;
const DATASOURCE = { type: "prometheus", uid: "$datasource" } as const;

export function dashboardJson(dashboard: Dashboard): string {
  const { description, hasDevice, title, uid } = dashboard;
  const model = {
    uid,
    title,
    description,
    tags: ["iommu-broker"],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    links: [
      {
        title: "IOMMU",
        type: "dashboards",
        tags: ["iommu-broker"],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    annotations: { list: [] },
    templating: { list: [datasource(), instance(), ...(hasDevice ? [device()] : [])] },
    panels: panelsOf(dashboard),
  };
  return `${JSON.stringify(model, undefined, 2)}\n`;
}

function panelsOf({ rows }: Dashboard): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    const width = COLUMNS / row.length;
    for (const [column, panel] of row.entries()) {
      const gridPos = { h: HEIGHT[panel.kind], w: width, x: column * width, y };
      panels.push({ id: panels.length + 1, gridPos, ...contentOf(panel) });
    }
    y += Math.max(...row.map(({ kind }) => HEIGHT[kind]));
  }
  return panels;
}

function contentOf({ description, kind, queries, title, unit }: Panel): object {
  const isRange = kind === "timeseries";
  return {
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    targets: queries.map(({ expression, legend }, index) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + index),
      datasource: DATASOURCE,
      expr: expression,
      legendFormat: legend === "" ? "__auto" : legend,
      range: isRange,
      instant: !isRange,
      ...(kind === "table" ? { format: "table" } : {}),
    })),
    fieldConfig: { defaults: { unit, ...(unit === "percentunit" ? { min: 0, max: 1 } : {}) }, overrides: [] },
    options: optionsOf(kind, title),
    ...(kind === "table" ? { transformations: [ownersOnly()] } : {}),
  };
}

function optionsOf(kind: Panel["kind"], title: string): object {
  if (kind === "timeseries") {
    return {
      legend: { displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "multi", sort: "desc" },
    };
  }
  if (kind === "table") return { showHeader: true };
  // what such a panel has to say is in the labels
  const textMode = title === "Stage state" || title === "Version" ? "name" : "auto";
  return { reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false }, textMode, colorMode: "none" };
}

function ownersOnly(): object {
  const excludeByName = { Time: true, __name__: true, job: true };
  return { id: "organize", options: { excludeByName, renameByName: { Value: "devices" } } };
}

function datasource(): object {
  return { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus", current: {} };
}

function instance(): object {
  return queried("instance", "label_values(iommu_broker_build_info, instance)");
}

function device(): object {
  return queried("device", 'label_values(iommu_stage_state{instance=~"$instance"}, device)');
}

function queried(name: string, query: string): object {
  return {
    name,
    label: name,
    type: "query",
    datasource: DATASOURCE,
    definition: query,
    query: { query, refId: name },
    refresh: 2,
    sort: 1,
    includeAll: true,
    multi: true,
    current: { text: "All", value: "$__all" },
  };
}
