// A program on a terminal of its own: a pseudo-terminal that python3 holds, with keys that are pressed when a text appears.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const HOLDER = fileURLToPath(new URL("./pty-run.py", import.meta.url));

export interface TerminalRun {
  readonly code: number | null;
  /** All that was written to the terminal. */
  readonly output: string;
  /** The terminal takes lines, echoes and has its interrupt key again. */
  readonly isSane: boolean;
}

/** @param script  for each text, the keys that are pressed when it appears; "resize ROWS COLUMNS", or a signal's name */
export async function onTerminal(
  argv: readonly string[],
  script: readonly (readonly [text: string, keys: string])[],
  options: { rows?: number; columns?: number; env?: Record<string, string | undefined> } = {},
): Promise<TerminalRun> {
  const size = [String(options.rows ?? 24), String(options.columns ?? 80)];
  const child = spawn("python3", [HOLDER, ...size, JSON.stringify(script), ...argv], {
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  await once(child, "close");
  return JSON.parse(out);
}
