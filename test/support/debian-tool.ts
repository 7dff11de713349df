// Programs of Debian packages that tests run where they are: absent, the test is skipped with a line that names the package;
// IOMMU_BROKER_REQUIRE_INTEROP=1 makes that a failure.

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { expect, type TestContext } from "vitest";

export function debianTool(
  context: TestContext,
  tool: string,
  { from, args }: { readonly from: string; readonly args: readonly string[] },
): SpawnSyncReturns<string> {
  const ran = spawnSync(tool, args, { encoding: "utf8" });
  if (ran.error === undefined) return ran;
  expect(process.env.IOMMU_BROKER_REQUIRE_INTEROP, `install ${from}`).not.toBe("1");
  return context.skip(`needs ${tool}, of Debian's package ${from}`);
}
