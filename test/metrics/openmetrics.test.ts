import { expect, test } from "vitest";
import { METRICS } from "../../src/metrics/catalog.ts";
import { openMetricsOf, prefersOpenMetrics } from "../../src/metrics/openmetrics.ts";

test("a counter's family loses _total and its samples keep it; the text ends in # EOF", () => {
  const text = [
    "# HELP faults_total Faults by type.",
    "# TYPE faults_total counter",
    'faults_total{type="C_BAD_CD"} 2',
    "",
    "# HELP sessions Open sessions.",
    "# TYPE sessions gauge",
    "sessions 1",
    "",
  ].join("\n");
  expect(openMetricsOf(text).split("\n")).toEqual([
    "# HELP faults Faults by type.",
    "# TYPE faults counter",
    'faults_total{type="C_BAD_CD"} 2',
    "# HELP sessions Open sessions.",
    "# TYPE sessions gauge",
    "sessions 1",
    "# EOF",
    "",
  ]);
});

test("a quote in a help text is escaped, which plain text does not ask for", () => {
  expect(openMetricsOf('# HELP a device="_overflow".\n')).toBe('# HELP a device=\\"_overflow\\".\n# EOF\n');
});

test("a counter that is not named like one is of unknown type, for its samples may not be named otherwise", () => {
  expect(openMetricsOf("# TYPE odd counter\nodd 1\n")).toBe("# TYPE odd unknown\nodd 1\n# EOF\n");
});

test("no counter of the catalogue has the name of another metric once _total is gone", () => {
  const families = Object.values(METRICS).map(({ name, type }) => (type === "counter" ? name.slice(0, -6) : name));
  expect(families.filter((name, index) => families.indexOf(name) !== index)).toEqual([]);
});

test.each<[string | undefined, boolean]>([
  // what Prometheus 2.42 sends
  [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    true,
  ],
  ["application/openmetrics-text", true],
  ["text/plain;version=0.0.4, application/openmetrics-text;q=0.5", false],
  ["application/openmetrics-text;q=0", false],
  ["application/openmetrics-text;version=2.0.0", false],
  ["application/openmetrics-text;q=nonsense", false],
  ["*/*", false],
  ["text/html", false],
  [undefined, false],
])("accept: %s gives OpenMetrics: %s", (accept, expected) => {
  expect(prefersOpenMetrics(accept)).toBe(expected);
});
