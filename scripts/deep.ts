// What takes too long for npm test: npm run test:deep -- [--minutes 2] [--first-seed N]. The minutes are the simulation's,
// whose seeds begin where those of npm test end; the rest is exhaustive or counted, and takes as long as it takes.

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    "first-seed": { type: "string", default: "1001" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log("npm run test:deep -- [--minutes 2, of the simulation] [--first-seed 1001, of the simulation]");
  process.exit(0);
}
const FILES = [
  "test/oracle",
  "test/backends/smmuv3/invalidation-exact.test.ts",
  "test/backends/sim/entry-interleaving.test.ts",
  "test/simulation",
];
const env = {
  ...process.env,
  IOMMU_BROKER_ORACLE_CASES: "100000",
  IOMMU_BROKER_ENTRY_PAIRS: "all",
  IOMMU_BROKER_SIM_SECONDS: String(Number(values.minutes) * 60),
  IOMMU_BROKER_SIM_STEPS: "200",
  IOMMU_BROKER_SIM_FIRST_SEED: values["first-seed"],
};
const { status } = spawnSync("vitest", ["run", ...FILES], { env, stdio: "inherit" });
process.exitCode = status ?? 1;
