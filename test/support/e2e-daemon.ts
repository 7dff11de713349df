// A daemon in a directory that outlives it: to be killed, started again on the same socket, or started twice.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { stringify } from "yaml";

const MAIN = fileURLToPath(new URL("../../src/server/main.ts", import.meta.url));

/** A directory for a daemon, gone with everything in it when the test ends. */
export class DaemonDirectory {
  readonly path = mkdtempSync(join(tmpdir(), "iommu-broker-e2e-"));
  readonly socket = join(this.path, "run", "broker.sock");
  readonly target = `unix:${this.socket}`;
  readonly adminSocket = join(this.path, "run", "admin.sock");
  readonly memoryRoot = join(this.path, "memory");
  readonly configFile = join(this.path, "broker.yaml");
  readonly #children = new Set<ChildProcess>();

  #settings: Readonly<Record<string, unknown>> = {};

  constructor(settings: Readonly<Record<string, unknown>> = {}) {
    mkdirSync(this.memoryRoot, { mode: 0o750 });
    this.configure(settings);
    onTestFinished(async () => {
      await Promise.all([...this.#children].map(killed));
      rmSync(this.path, { recursive: true, force: true });
    });
  }

  /** Lays settings over those there are: for what needs to know the directory. */
  configure(settings: Readonly<Record<string, unknown>>): void {
    this.#settings = { ...this.#settings, ...settings };
    const config = {
      simulator_api: true,
      listen: { socket: this.socket },
      admin: { socket: this.adminSocket },
      metrics: { socket: join(this.path, "run", "metrics.sock"), tcp: "off" },
      memory_roots: [this.memoryRoot],
      state_directory: join(this.path, "state"),
      ...this.#settings,
    };
    writeFileSync(this.configFile, stringify(config));
  }

  /** Starts a daemon; resolves when it says that it listens, or when it has ended. */
  async start(): Promise<RunningDaemon> {
    const child = spawn(process.execPath, [MAIN, "--config", this.configFile], { stdio: ["ignore", "pipe", "pipe"] });
    this.#children.add(child);
    const log: string[] = [];
    const { promise: listening, resolve } = Promise.withResolvers<void>();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        log.push(line);
        if (line.includes("listening for clients")) resolve();
      });
    }
    const exited = once(child, "close");
    void exited.then(() => this.#children.delete(child));
    await Promise.race([listening, exited]);
    return { process: child, log, exited: exited.then(() => child.exitCode) };
  }
}

export interface RunningDaemon {
  readonly process: ChildProcess;
  readonly log: readonly string[];
  /** Its exit code, once it has ended and its output is read; null: by a signal. */
  readonly exited: Promise<number | null>;
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
