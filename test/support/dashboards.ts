// The dashboards that are shipped, read from their files, and each of their expressions with variables filled in.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

export interface DashboardFile {
  readonly path: string;
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly description: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets: readonly { readonly expr: string; readonly refId: string }[];
  }[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly query: unknown;
      readonly definition?: string;
    }[];
  };
}

export function dashboardFiles(): DashboardFile[] {
  return globSync("deploy/grafana/dashboards/*.json", { cwd: ROOT })
    .sort()
    .map((path) => ({ ...JSON.parse(readFileSync(join(ROOT, path), "utf8")), path }));
}

/** "dashboard: panel", and the expression as Grafana would send it with all instances and devices chosen. */
export function dashboardExpressions(rateInterval: string): (readonly [string, string])[] {
  return dashboardFiles().flatMap(({ panels, title }) =>
    panels.flatMap((panel) =>
      panel.targets.map(({ expr, refId }): readonly [string, string] => {
        const filled = expr.replaceAll("$__rate_interval", rateInterval).replaceAll(/\$(?:instance|device)\b/g, ".*");
        return [`${title}: ${panel.title} ${refId}`, filled];
      }),
    ),
  );
}

/** "dashboard: $variable", and what Grafana asks Prometheus for to fill it: the values of a label. */
export function dashboardVariables(): (readonly [string, { readonly selector: string; readonly label: string }])[] {
  return dashboardFiles().flatMap(({ templating, title }) =>
    templating.list.flatMap(({ definition, name, type }) => {
      if (type !== "query") return [];
      const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? "") ?? [];
      if (selector === undefined || label === undefined) throw new Error(`${title}: $${name} is ${definition}`);
      return [[`${title}: $${name}`, { selector: selector.replaceAll("$instance", ".*"), label }] as const];
    }),
  );
}
