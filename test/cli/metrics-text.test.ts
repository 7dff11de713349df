import { expect, test } from "vitest";
import { samplesOf } from "../../src/cli/metrics-text.ts";

test("series are read with their labels and values, and what is no series is passed over", () => {
  const text = [
    "# HELP iommu_x_total x",
    "# TYPE iommu_x_total counter",
    'iommu_x_total{device="0000:01:00.0",outcome="ok"} 12',
    "iommu_gauge 1.5e3 1700000000000",
    "iommu_broken{",
    "iommu_no_value",
    "process_cpu_seconds_total 3",
    "",
  ].join("\n");
  expect(samplesOf(text, "iommu_")).toEqual([
    { name: "iommu_x_total", labels: { device: "0000:01:00.0", outcome: "ok" }, value: 12 },
    { name: "iommu_gauge", labels: {}, value: 1500 },
  ]);
});

test("a label's value may have quotes, braces, backslashes and line breaks", () => {
  const [sample] = samplesOf(String.raw`iommu_x{a="q\"}{",b="c:\\d\ne"} 1`, "iommu_");
  expect(sample?.labels).toEqual({ a: 'q"}{', b: "c:\\d\ne" });
});
