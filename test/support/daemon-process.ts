// The daemon as a process of its own, started as its users start it, with what it logged and how it ended.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export const MAIN = fileURLToPath(new URL("../../src/server/main.ts", import.meta.url));

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [fact: string]: unknown;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class DaemonProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<Exit>;
  #stdout = "";
  #stderr = "";

  /** Settings of the test's own environment do not reach the daemon. */
  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("IOMMU_BROKER_"));
    const env = { ...Object.fromEntries(inherited), ...environment };
    this.#child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout?.on("data", (data) => {
      this.#stdout += String(data);
    });
    this.#child.stderr?.on("data", (data) => {
      this.#stderr += String(data);
    });
    this.#exited = once(this.#child, "close").then(([code, signal]) => ({ code, signal }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  log(): LogLine[] {
    return this.#stdout
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  /** The first log line with this message; rejects when the process ends without it. */
  async logged(message: string): Promise<LogLine> {
    for (;;) {
      const found = this.log().find((line) => line.msg === message);
      if (found !== undefined) return found;
      const more = this.#child.stdout === null ? Promise.resolve() : once(this.#child.stdout, "data");
      const ended = this.#exited.then((exit) => {
        if (this.log().some((line) => line.msg === message)) return;
        throw new Error(`ended with ${JSON.stringify(exit)} before "${message}":\n${this.#stdout}${this.#stderr}`);
      });
      await Promise.race([more, ended]);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  exited(): Promise<Exit> {
    return this.#exited;
  }

  /** For clean-up: ends it whatever it does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
