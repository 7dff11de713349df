// The built daemon as a process of the guest, in a folder that goes with it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const MAIN = "/app/dist/server/main.js";
const LISTENING = "listening for clients";
const LOG_LINES = 12;

export class GuestDaemon {
  readonly #path = mkdtempSync(join(tmpdir(), "daemon-"));
  readonly #socket = join(this.#path, "run", "broker.sock");
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #log: string[] = [];
  /** For connect(). */
  readonly target = `unix:${this.#socket}`;
  readonly memoryRoot = join(this.#path, "memory");

  private constructor(settings: Readonly<Record<string, unknown>>) {
    mkdirSync(this.memoryRoot, { mode: 0o750 });
    const config = join(this.#path, "broker.yaml");
    const paths = {
      listen: { socket: this.#socket },
      admin: { socket: join(this.#path, "run", "admin.sock") },
      metrics: { socket: join(this.#path, "run", "metrics.sock"), tcp: "off" },
      memory_roots: [this.memoryRoot],
      state_directory: join(this.#path, "state"),
    };
    writeFileSync(config, JSON.stringify({ ...paths, ...settings })); // what is JSON is YAML
    this.#process = spawn(process.execPath, [MAIN, "--config", config], { stdio: ["ignore", "pipe", "pipe"] });
    this.#exited = once(this.#process, "close");
  }

  /** Resolves when it listens; rejects with what it said when it ends instead. */
  static async start(settings: Readonly<Record<string, unknown>> = {}): Promise<GuestDaemon> {
    const daemon = new GuestDaemon(settings);
    const { promise: listening, resolve } = Promise.withResolvers<void>();
    for (const stream of [daemon.#process.stdout, daemon.#process.stderr]) {
      if (stream === null) continue;
      createInterface(stream).on("line", (line) => {
        daemon.#log.push(line);
        if (line.includes(LISTENING)) resolve();
      });
    }
    const ended = daemon.#exited.then(() => {
      throw new Error(`the daemon ended before it listened:\n${daemon.log.join("\n")}`);
    });
    await Promise.race([listening, ended]);
    ended.catch(() => undefined);
    return daemon;
  }

  /** Its lines, of both streams. */
  get log(): readonly string[] {
    return this.#log;
  }

  /** SIGKILL for what a crash leaves behind. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#process.kill(signal);
    await this.#exited;
    rmSync(this.#path, { recursive: true, force: true });
  }
}

/** A daemon for as long as the function runs; where it fails, its error says what the daemon said last. */
export async function withDaemon(
  settings: Readonly<Record<string, unknown>>,
  use: (daemon: GuestDaemon) => Promise<void>,
): Promise<void> {
  const daemon = await GuestDaemon.start(settings);
  try {
    await use(daemon);
  } catch (error) {
    const said = daemon.log.slice(-LOG_LINES).join("\n");
    throw new Error(`${error instanceof Error ? error.stack : error}\nthe daemon's last lines:\n${said}`);
  } finally {
    await daemon.end();
  }
}
