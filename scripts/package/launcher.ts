// What becomes dist/server/main.js and dist/cli/main.js: turns on the compile cache where there is a place for it, and runs the
// program beside it. A file of its own, because the cache serves what is loaded after it is on, and because it must be readable
// to a Node that is too old for the program: nothing is imported here by a name that such a one lacks.

import { createRequire } from "node:module";
import { useCompileCache } from "../../src/os/compile-cache.ts";
import { whyTooOld } from "../../src/os/node-version.ts";

const tooOld = whyTooOld(process.versions.node);
if (tooOld !== undefined) {
  console.error(tooOld);
  process.exit(1);
}
const cache = useCompileCache(process.env);
if (cache.kind === "refused") console.error(`warning: no compile cache: ${cache.why}`);
createRequire(import.meta.url)("./main.cjs");
