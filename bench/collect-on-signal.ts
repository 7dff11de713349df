// Loaded into a daemon that is measured, before its own code: SIGUSR2 collects all garbage and prints what is in use.
// The daemon itself has no such door; bench/memory.ts asks for it by NODE_OPTIONS.

import { memoryUsage } from "node:process";

process.on("SIGUSR2", () => {
  for (let round = 0; round < 3; round++) globalThis.gc?.();
  const { external, heapUsed } = memoryUsage();
  process.stderr.write(`bench-memory ${heapUsed + external}\n`);
});
