// Makes dist/, what the package installs: src/ as JavaScript with types, and the generated files beside it.
// tsc leaves alone what is JavaScript already, and what is no source at all; those are copied.

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, globSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
/** Files below src/ that tsc does not emit. */
const COPIED = ["server/rpc/generated/*", "metrics/status/assets/*", "cli/completion/*"];
/** What package.json names under "bin". */
const PROGRAMS = ["server/main.js", "cli/main.js"];

rmSync(join(ROOT, "dist"), { recursive: true, force: true });
execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["--project", "tsconfig.build.json"], {
  cwd: ROOT,
  stdio: "inherit",
});
for (const path of globSync(COPIED, { cwd: join(ROOT, "src") })) {
  const target = join(ROOT, "dist", path);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(ROOT, "src", path), target);
}
for (const program of PROGRAMS) chmodSync(join(ROOT, "dist", program), 0o755);
