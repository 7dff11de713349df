// Makes dist/, what the package installs: the client library as JavaScript with types, the programs as one file each, and
// the files that they read. tsc leaves alone what is JavaScript already, and what is no source at all; those are copied.

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bundle, licencesOf } from "./package/bundle.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
/** Files below src/ that tsc does not emit. */
const COPIED = ["server/rpc/generated/*", "metrics/status/assets/*", "cli/completion/*"];
/** The folders of what package.json names under "bin". */
const PROGRAMS = ["server", "cli"];
const WORKER = "os/kernel-worker";
const SHEBANG = "#!/usr/bin/env node\n";

rmSync(DIST, { recursive: true, force: true });
execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["--project", "tsconfig.build.json"], {
  cwd: ROOT,
  stdio: "inherit",
});
for (const path of globSync(COPIED, { cwd: join(ROOT, "src") })) {
  const target = join(DIST, path);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(ROOT, "src", path), target);
}
const bundled = [...(await bundle(`src/${WORKER}.ts`, join(DIST, `${WORKER}.js`), "esm"))];
for (const folder of PROGRAMS) {
  bundled.push(...(await bundle(`src/${folder}/main.ts`, join(DIST, folder, "main.cjs"), "cjs")));
  const main = join(DIST, folder, "main.js");
  await bundle("scripts/package/launcher.ts", main, "esm");
  writeFileSync(main, SHEBANG + readFileSync(main, "utf8"));
  chmodSync(main, 0o755);
}
writeFileSync(join(DIST, "LICENSES-OF-OTHERS.txt"), licencesOf(bundled));
