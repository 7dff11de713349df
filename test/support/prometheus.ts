// A real Prometheus as a process: Debian's package, on a loopback port, with everything in a temporary directory.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";

const START_MAX_MS = 60_000;
const POLL_MS = 50;

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function hasPrometheus(): boolean {
  return spawnSync("prometheus", ["--version"]).error === undefined;
}

/** A port of 127.0.0.1 that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}

export class Prometheus {
  readonly #base: string;
  readonly #child: ChildProcess;
  readonly #directory: string;
  #log = "";

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.#base = `http://127.0.0.1:${port}`;
    this.#child = child;
    this.#directory = directory;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#log = (this.#log + text).slice(-20_000);
      });
    }
  }

  /** @param config  as in prometheus.yaml */
  static async start(config: object): Promise<Prometheus> {
    const directory = mkdtempSync(join(tmpdir(), "iommu-broker-prometheus-"));
    const file = join(directory, "prometheus.yaml");
    writeFileSync(file, stringify(config));
    const port = await freePort();
    const child = spawn(
      "prometheus",
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(directory, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=warn",
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const prometheus = new Prometheus(port, child, directory);
    try {
      await prometheus.#untilReady();
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
    return prometheus;
  }

  /** @param at  seconds since 1970; now unless given */
  async query(expression: string, at?: number): Promise<Sample[]> {
    const parameters = new URLSearchParams({ query: expression, ...(at === undefined ? {} : { time: String(at) }) });
    const answer: {
      data: { resultType: string; result: { metric: Record<string, string>; value: [number, string] }[] };
    } = await this.get(`/api/v1/query?${parameters}`);
    return answer.data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#base}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return JSON.parse(await response.text());
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      await exit;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + START_MAX_MS;
    for (;;) {
      const response = await fetch(`${this.#base}/-/ready`).catch(() => undefined);
      if (response?.ok === true) return;
      if (this.#child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`prometheus does not come up:\n${this.#log}`);
      }
      await sleep(POLL_MS);
    }
  }
}
