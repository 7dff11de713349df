// What becomes dist/server/main.js and dist/cli/main.js: turns on the compile cache where there is a place for it, and runs the
// program beside it. A file of its own, because the cache serves what is loaded after it is on.

import { createRequire } from "node:module";
import { useCompileCache } from "../../src/os/compile-cache.ts";

const cache = useCompileCache(process.env);
if (cache.kind === "refused") console.error(`warning: no compile cache: ${cache.why}`);
createRequire(import.meta.url)("./main.cjs");
