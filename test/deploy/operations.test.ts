// Files for operators that are made from tables are what the tables make, and the dashboards ask only for what there is.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { operationsFiles } from "../../scripts/operations/files.ts";
import { METRICS } from "../../src/metrics/catalog.ts";
import { dashboardExpressions, dashboardFiles } from "../support/dashboards.ts";
import { metricOf, seriesOf } from "../support/promql.ts";

const ROOT = join(import.meta.dirname, "../..");
const RECORDED: { readonly groups: readonly { readonly rules: readonly { readonly record: string }[] }[] } = parse(
  readFileSync(join(ROOT, "deploy/prometheus/recording.yaml"), "utf8"),
);
const CLIENT_LIBRARY = ["process_start_time_seconds", "process_resident_memory_bytes"];

test.each([...operationsFiles()])("%s is what npm run generate writes", (path, content) => {
  expect(readFileSync(join(ROOT, path), "utf8") === content, "run npm run generate").toBe(true);
});

test("no dashboard lies there that nothing generates", () => {
  const made = [...operationsFiles().keys()].filter((path) => path.endsWith(".json"));
  expect(globSync("deploy/grafana/**/*.json", { cwd: ROOT }).toSorted()).toEqual(made.toSorted());
});

test("the page of metrics has each metric of the catalogue once, with its labels", () => {
  const lines = readFileSync(join(ROOT, "docs/metrics.md"), "utf8").split("\n");
  for (const { labels, name } of Object.values(METRICS)) {
    const rows = lines.filter((line) => line.startsWith(`| \`${name}\` |`));
    expect(rows, name).toHaveLength(1);
    for (const label of labels) expect(rows[0]).toContain(`\`${label}\``);
  }
});

describe.each(dashboardFiles().map((file) => [file.title, file] as const))("%s", (_, file) => {
  test("is of the last schema version of the classic model, with a uid that is its file's name", () => {
    expect(file.schemaVersion).toBe(42);
    expect(file.path).toBe(`deploy/grafana/dashboards/${file.uid}.json`);
  });

  test("has panels that do not overlap, within 24 columns, each with a description and an id of its own", () => {
    const cells = file.panels.flatMap(({ gridPos: { h, w, x, y } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_cell, at) => `${x + (at % w)}/${y + Math.floor(at / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(file.panels.map(({ id }) => id)).size).toBe(file.panels.length);
    for (const { description, targets, title } of file.panels) {
      expect(description, title).toMatch(/\.$/);
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
    }
  });

  test("uses only variables that it defines", () => {
    const defined = new Set([...file.templating.list.map(({ name }) => name), "__rate_interval"]);
    const text = readFileSync(join(ROOT, file.path), "utf8");
    const used = new Set([...text.matchAll(/\$(?!__all)(\w+)/g)].map(([, name]) => name!));
    expect([...used].filter((name) => !defined.has(name))).toEqual([]);
  });
});

test.each(dashboardExpressions("1m"))("%s asks only for series that there are", (_, expression) => {
  const known = new Set<string>([
    ...Object.values(METRICS).map(({ name }) => name),
    ...RECORDED.groups.flatMap(({ rules }) => rules.map(({ record }) => record)),
    ...CLIENT_LIBRARY,
  ]);
  const asked = seriesOf(expression);
  expect(asked).not.toEqual([]);
  expect(asked.filter((name) => !known.has(metricOf(name)))).toEqual([]);
});

test("Grafana's provisioning files name the folder of the dashboards and the data source that they ask", () => {
  const folder = "deploy/grafana/provisioning";
  const read = (path: string): unknown => parse(readFileSync(join(ROOT, folder, path), "utf8"));
  expect(read("dashboards/iommu-broker.yaml")).toMatchObject({
    apiVersion: 1,
    providers: [{ type: "file", options: { path: expect.stringMatching(/\/grafana\/dashboards$/) } }],
  });
  expect(read("datasources/prometheus.yaml")).toMatchObject({ apiVersion: 1, datasources: [{ type: "prometheus" }] });
});
