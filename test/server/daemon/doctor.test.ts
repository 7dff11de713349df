// On whatever host the tests run: what it says and how it ends must fit together.

import { expect, test } from "vitest";
import { doctor } from "../../../src/server/daemon/doctor.ts";

test("the host it runs on is examined without a daemon, and the exit code is that of the worst finding", async () => {
  const { exitCode, text } = await doctor(true);
  const { findings } = JSON.parse(text);
  const checks = findings.map(({ check }: { check: string }) => check);
  expect(checks.slice(0, 3)).toEqual(["kernel_version", "iommu_present", "iommufd_node"]);
  const verdicts: string[] = findings.map(({ verdict }: { verdict: string }) => verdict);
  const worst = Math.max(...verdicts.map((verdict) => ["ok", "warning", "problem"].indexOf(verdict)));
  expect(exitCode).toBe(worst);
  const lines = (await doctor(false)).text.split("\n").filter((line) => /^\S/.test(line));
  expect(lines).toHaveLength(findings.length);
});
