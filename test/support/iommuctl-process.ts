// iommuctl as a process of its own, as people and scripts run it, with nothing of the test's environment that it reads.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { run, type Surroundings } from "../../src/cli/program.ts";

export const IOMMUCTL = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The test's environment without what iommuctl reads of it. */
export function soberEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("IOMMUBROKER_") && !["COLUMNS", "NO_COLOR", "XDG_RUNTIME_DIR"].includes(name),
  );
  return { ...Object.fromEntries(inherited), ...more };
}

/** Runs it to its end. */
export async function iommuctl(
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const child = spawn(process.execPath, [IOMMUCTL, ...argv], {
    env: soberEnvironment(environment),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const [code] = await once(child, "close");
  return { code, out, err };
}

/** A process around a command that has no terminal and says nothing. */
export const SILENT: Surroundings = {
  environment: {},
  terminal: { columns: undefined, hasColour: false },
  version: "1.2.3",
  out: () => undefined,
  err: () => undefined,
  taken: async () => undefined,
  gone: new AbortController().signal,
};

/** The same in this process, which is much faster: what src/cli/main.ts does besides, tests of processes show. */
export async function iommuctlHere(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Run> {
  let [out, err] = ["", ""];
  const code = await run(argv, {
    ...SILENT,
    environment,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}
