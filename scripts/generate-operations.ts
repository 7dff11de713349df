// Writes what scripts/operations makes: the reference pages in docs/, the manual page of iommuctl, deploy/grafana/dashboards.
// The output is committed; test/deploy/generated.test.ts compares it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { operationsFiles } from "./operations/files.ts";

const ROOT = join(import.meta.dirname, "..");

for (const [path, content] of operationsFiles()) writeFileSync(join(ROOT, path), content);
