// A program run to its end: its output, or an error with the last lines that it wrote. Nothing runs without a bound.

import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { basename, delimiter, join } from "node:path";

const OUTPUT_BYTES_MAX = 64 * 2 ** 20;
const ERROR_LINES = 12;

export interface Running {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** @returns what the program wrote to its standard output */
export function run(program: string, args: readonly string[], { cwd, env, timeoutMs }: Running): Promise<string> {
  const options = { cwd, env: { ...process.env, ...env }, timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX };
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { ...options, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const why = error.killed === true ? `not done after ${timeoutMs / 1000} s` : `exit ${error.code ?? error.signal}`;
      const said = `${stdout}${stderr}`.trim().split("\n").slice(-ERROR_LINES).join("\n");
      reject(new Error(`${basename(program)}: ${why}\n${said}`, { cause: error }));
    });
  });
}

/** The first of `folders`, then of PATH, that has the program. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  const everywhere = [...folders, ...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return everywhere.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
