// npm run bench:translate: the engine against C, Simulator.Translate end to end, and sealed guest memory against pread. With
// --engine, --rpc or --guest-memory one of them.
// Each is a process of its own, so that neither warms up or fills the heap of the other.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

const PARTS = { "--engine": "translate.ts", "--rpc": "translate-rpc.ts", "--guest-memory": "guest-memory.ts" };

const rest = process.argv.slice(2).filter((argument) => !Object.keys(PARTS).includes(argument));
const isWhole = !Object.keys(PARTS).some((part) => process.argv.includes(part));
for (const [part, file] of Object.entries(PARTS)) {
  if (!isWhole && !process.argv.includes(part)) continue;
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, file), ...rest], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
  console.log();
}
