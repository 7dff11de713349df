// A program run to its end: its output, or an error with the last lines that it wrote. Nothing runs without a bound, and
// what it started ends with it, also when this process ends first.

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { basename, delimiter, join } from "node:path";

const ERROR_LINES = 12;

export interface Running {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** @returns what the program wrote to its standard output */
export async function run(program: string, args: readonly string[], options: Running): Promise<string> {
  const { cwd, env, timeoutMs } = options;
  // A group of its own, for make and npm do not pass a signal on to all that they have started.
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, said]: [string[], string[]] = [[], []];
  child.stdout.on("data", (data) => {
    stdout.push(String(data));
    said.push(String(data));
  });
  child.stderr.on("data", (data) => said.push(String(data)));
  const kill = (): void => killGroup(child.pid);
  process.once("exit", kill);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    kill();
  }, timeoutMs);
  try {
    const end = await new Promise<number | string | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(code ?? signal));
    });
    if (end === 0) return stdout.join("");
    const why = isLate ? `not done after ${timeoutMs / 1000} s` : `exit ${end}`;
    throw new Error(`${basename(program)}: ${why}\n${said.join("").trim().split("\n").slice(-ERROR_LINES).join("\n")}`);
  } finally {
    clearTimeout(timer);
    process.off("exit", kill);
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // all of it has ended
  }
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
