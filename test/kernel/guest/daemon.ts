// The built daemon as a process of the guest, in a folder that goes with it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

type Settings = Readonly<Record<string, unknown>>;

const MAIN = "/app/dist/server/main.js";
const LISTENING = "listening for clients";
const LOG_LINES = 12;

export class GuestDaemon {
  readonly #path: string;
  readonly #settings: Settings;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #log: string[] = [];
  /** For connect(). */
  readonly target: string;

  private constructor(path: string, settings: Settings) {
    this.#path = path;
    this.#settings = settings;
    const memoryRoot = join(path, "memory");
    mkdirSync(memoryRoot, { mode: 0o750, recursive: true });
    const socket = join(path, "run", "broker.sock");
    this.target = `unix:${socket}`;
    const config = join(path, "broker.yaml");
    const paths = {
      listen: { socket },
      admin: { socket: join(path, "run", "admin.sock") },
      metrics: { socket: join(path, "run", "metrics.sock"), tcp: "off" },
      memory_roots: [memoryRoot],
      state_directory: join(path, "state"),
    };
    writeFileSync(config, JSON.stringify({ ...paths, ...settings })); // what is JSON is YAML
    this.#process = spawn(process.execPath, [MAIN, "--config", config], { stdio: ["ignore", "pipe", "pipe"] });
    this.#exited = once(this.#process, "close");
  }

  /** Resolves when it listens; rejects with what it said when it ends instead. */
  static async start(
    settings: Settings = {},
    path: string = mkdtempSync(join(tmpdir(), "daemon-")),
  ): Promise<GuestDaemon> {
    const daemon = new GuestDaemon(path, settings);
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

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Its lines, of both streams. */
  get log(): readonly string[] {
    return this.#log;
  }

  /** SIGKILL: what it leaves behind stays, for restart(). */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  /** It does nothing meanwhile, as when it is held up. */
  async whileStopped(act: () => Promise<void>): Promise<void> {
    this.#process.kill("SIGSTOP");
    try {
      await act();
    } finally {
      this.#process.kill("SIGCONT");
    }
  }

  /** Another one, in the same folder. */
  async restart(): Promise<GuestDaemon> {
    return await GuestDaemon.start(this.#settings, this.#path);
  }

  async end(): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#exited;
    rmSync(this.#path, { recursive: true, force: true });
  }
}

/** A daemon for as long as the function runs; where it fails, its error says what the daemon said last. */
export async function withDaemon(settings: Settings, use: (daemon: GuestDaemon) => Promise<void>): Promise<void> {
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
