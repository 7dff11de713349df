// Writes what scripts/operations makes: docs/metrics.md, docs/iommuctl.md, docs/iommuctl.1 and deploy/grafana/dashboards.
// The output is committed; test/deploy/generated.test.ts compares it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { operationsFiles } from "./operations/files.ts";

const ROOT = join(import.meta.dirname, "..");

for (const [path, content] of operationsFiles()) writeFileSync(join(ROOT, path), content);
