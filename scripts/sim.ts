// The seeded simulation by itself: npm run sim -- [--seed N] [--steps M] [--seconds S] [--path P] [--first-seed N].
// A failure prints its seed and its path; with both, the smallest failing script runs at once.

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    steps: { type: "string", default: "60" },
    seconds: { type: "string", default: "60" },
    path: { type: "string", default: "" },
    "first-seed": { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log("npm run sim -- [--seed N, it alone] [--steps 60, of one script at most] [--seconds 60] [--path P]");
  console.log("without --seed: as many seeds as there is time for, from --first-seed 1 on");
  process.exit(0);
}
const seed = values.seed === undefined ? {} : { IOMMU_BROKER_SIM_SEED: values.seed };
const env = {
  ...process.env,
  ...seed,
  IOMMU_BROKER_SIM_STEPS: values.steps,
  IOMMU_BROKER_SIM_SECONDS: values.seconds,
  IOMMU_BROKER_SIM_PATH: values.path,
  IOMMU_BROKER_SIM_FIRST_SEED: values["first-seed"],
};
const { status } = spawnSync("vitest", ["run", "test/simulation"], { env, stdio: "inherit" });
process.exitCode = status ?? 1;
