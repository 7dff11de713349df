#!/usr/bin/env node
// The process iommuctl: its arguments, its output, its exit code. What a command does is in the command's file.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { run } from "./program.ts";
import { screenOf } from "./screen.ts";
import { terminalOf } from "./terminal.ts";

/** The package's own, two folders up from src/cli as from dist/cli. */
function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const version: unknown =
    typeof manifest === "object" && manifest !== null ? Reflect.get(manifest, "version") : undefined;
  return typeof version === "string" ? version : "unknown";
}

// A reader that has seen enough (head, less) is no failure.
const gone = new AbortController();
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  gone.abort();
});

async function taken(): Promise<void> {
  if (!process.stdout.writableNeedDrain || gone.signal.aborted) return;
  await once(process.stdout, "drain", { signal: gone.signal }).catch(() => undefined); // gone is as good as taken
}

async function main(): Promise<void> {
  process.exitCode = await run(process.argv.slice(2), {
    environment: process.env,
    terminal: terminalOf(process.stdout, process.env),
    version: packageVersion(),
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    taken,
    gone: gone.signal,
    screen: screenOf(process.stdin, process.stdout),
    isWatched: process.stderr.isTTY === true,
  });
}

void main();
