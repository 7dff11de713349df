// The rules that are shipped: promtool takes them, each alert has words, a section of the runbooks and tests that make it
// fire and clear, and no rule asks for a series that nobody has.

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import { parse } from "yaml";
import type { Metric } from "../../src/metrics/catalog/metric.ts";
import { METRICS } from "../../src/metrics/catalog.ts";
import { metricOf, seriesOf } from "../support/promql.ts";

const ROOT = join(import.meta.dirname, "../..");
const RULES = ["deploy/prometheus/recording.yaml", "deploy/prometheus/alerts.yaml"];

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

interface AlertCases {
  readonly tests: readonly {
    readonly name: string;
    readonly promql_expr_test: readonly {
      readonly expr: string;
      readonly eval_time: string;
      readonly exp_samples: readonly unknown[];
    }[];
  }[];
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

const rules = RULES.flatMap((path) => {
  const file: RuleFile = parse(read(path));
  return file.groups.flatMap((group) => group.rules);
});
const alerts = rules.flatMap((rule) => (rule.alert === undefined ? [] : { ...rule, alert: rule.alert }));

/** Undefined: the test is skipped. */
function promtool(context: TestContext, ...args: readonly string[]): SpawnSyncReturns<string> | undefined {
  const ran = spawnSync("promtool", args, { cwd: ROOT, encoding: "utf8" });
  if (ran.error === undefined) return ran;
  expect(process.env.IOMMU_BROKER_REQUIRE_INTEROP, "install prometheus").not.toBe("1");
  context.skip("needs promtool, of Debian's package prometheus");
  return undefined;
}

describe("promtool", () => {
  test.for([
    ["check", "rules", ...RULES],
    ["check", "config", "deploy/prometheus/prometheus.yaml"],
    ["test", "rules", "test/deploy/recording.yaml", "test/deploy/alerts.yaml"],
  ])("%s %s is content", (args, context) => {
    const ran = promtool(context, ...args);
    if (ran !== undefined) expect(ran.status, `${ran.stdout}${ran.stderr}`).toBe(0);
  });

  test("is there, and sees a rule that is wrong", (context) => {
    const ran = promtool(context, "check", "rules", "package.json");
    expect(ran?.status).not.toBe(0);
  });
});

test("there are rules", () => {
  expect(alerts.length).toBeGreaterThan(10);
  expect(rules.length - alerts.length).toBeGreaterThan(5);
});

const KNOWN = new Set<string>([
  ...Object.values(METRICS).map(({ name }) => name),
  ...rules.flatMap(({ record }) => record ?? []),
  ...["up", "process_start_time_seconds"], // Prometheus' own, and every client library's
]);

test.each(rules.map((rule): [string, string] => [rule.alert ?? rule.record ?? "", rule.expr]))(
  "%s asks only for series that there are",
  (_, expression) => {
    const asked = seriesOf(expression);
    expect(asked).not.toEqual([]);
    expect(asked.filter((name) => !KNOWN.has(metricOf(name)))).toEqual([]);
  },
);

/** Alerts that claim one backend alone; every other one claims both. */
const SIMULATED_ALONE: ReadonlySet<string> = new Set(["IommuStuckStall"]);
const metrics: readonly Metric[] = Object.values(METRICS);
const ABSENT_NATIVELY = new Set(metrics.flatMap(({ name, natively }) => (natively === undefined ? [] : name)));

/** Whether one of an expression's alternatives asks only for what there is natively, recorded series followed to what they are made of. */
function canFireNatively(expression: string): boolean {
  const alternatives = expression.split(/\bor\b/).map((part) => part.split(/\bunless\b/)[0]!);
  return alternatives.some((part) =>
    seriesOf(part).every((name) => {
      const recorded = rules.find(({ record }) => record === name);
      return recorded === undefined ? !ABSENT_NATIVELY.has(metricOf(name)) : canFireNatively(recorded.expr);
    }),
  );
}

describe("the backends that an alert claims have its series", () => {
  test.each(alerts.map(({ alert, expr }): [string, string] => [alert, expr]))("%s", (alert, expression) => {
    expect(canFireNatively(expression)).toBe(!SIMULATED_ALONE.has(alert));
  });

  test("a series that is counted nowhere natively is seen through a recorded one, and beside one that is", () => {
    expect(ABSENT_NATIVELY.size).toBeGreaterThan(10);
    expect(canFireNatively("rate(iommu_events_dropped_total[5m]) > 0")).toBe(false);
    expect(canFireNatively("iommu_broker_faults_pending > 0 and iommu_stalls_outstanding > 0")).toBe(false);
    expect(canFireNatively("iommu_stalls_outstanding > 0 or iommu_broker_faults_pending > 0")).toBe(true);
    const translated = rules.find(({ expr }) => expr.includes("iommu_translations_total"))?.record;
    expect(canFireNatively(`${translated} > 0`)).toBe(false);
  });
});

const runbooks = read("docs/runbooks.md");
const cases: AlertCases = parse(read("test/deploy/alerts.yaml"));

describe.each(alerts.map((rule) => [rule.alert, rule] as const))("%s", (name, { annotations, labels }) => {
  test("has a severity, a summary and a description", () => {
    expect(["critical", "warning"]).toContain(labels?.severity);
    expect(annotations?.summary).toMatch(/\.$/);
    expect(annotations?.description).toMatch(/\.$/);
  });

  test("has a section of the runbooks with what it means, how to look and what to do", () => {
    expect(annotations?.runbook_url).toBe(`docs/runbooks.md#${name.toLowerCase()}`);
    const section = runbooks.split(/^## /m).find((text) => text.startsWith(`${name}\n`)) ?? "";
    for (const part of ["**Means.**", "**Look.**", "**Do.**"]) expect(section, part).toContain(part);
  });

  test("is made to fire and to clear, in this order", () => {
    const steps = cases.tests.find((one) => one.name.startsWith(`${name}: `))?.promql_expr_test ?? [];
    expect(steps.map(({ exp_samples: samples }) => samples.length)).toEqual([1, 0]);
    expect(steps.map(({ expr }) => expr.includes(`alertname="${name}",alertstate="firing"`))).toEqual([true, true]);
    const [fires = 0, clears = 0] = steps.map(({ eval_time: at }) => Number.parseInt(at, 10));
    expect(clears).toBeGreaterThan(fires);
  });
});

test("no section of the runbooks is about an alert that is gone", () => {
  const sections = [...runbooks.matchAll(/^## (Iommu\w+)$/gm)].map(([, name]) => name);
  expect(sections.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
});
