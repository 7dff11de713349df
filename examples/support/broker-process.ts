// Starts a broker as a process of its own, with everything it needs in one temporary directory, and stops it again.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";

const MAIN = fileURLToPath(new URL("../../src/server/main.ts", import.meta.url));
const START_MAX_MS = 120_000;
const POLL_MS = 10;
const LOG_LINES_MAX = 2000;

export interface BrokerProcess {
  /** "unix:…", for connect(). */
  readonly target: string;
  readonly socket: string;
  readonly adminSocket: string;
  /** Files here can be handed over as guest memory. */
  readonly memoryRoot: string;
  readonly directory: string;
  readonly process: ChildProcess;
  /** What the broker logged so far, a line each. */
  readonly log: readonly string[];
  /** The text of /metrics. */
  metrics(): Promise<string>;
  /** SIGTERM; resolves with the exit code, the directory removed. */
  stop(): Promise<number | null>;
}

/** @param extra  configuration laid over the defaults; of `listen`, `metrics` and `admin`, what stands beside the socket */
export async function startBroker(extra: Readonly<Record<string, unknown>> = {}): Promise<BrokerProcess> {
  const directory = mkdtempSync(join(tmpdir(), "iommu-broker-"));
  const socket = join(directory, "run", "broker.sock");
  const metricsSocket = join(directory, "run", "metrics.sock");
  const adminSocket = join(directory, "run", "admin.sock");
  const memoryRoot = join(directory, "memory");
  mkdirSync(memoryRoot, { mode: 0o750 });
  const config = {
    backend: "simulated",
    simulator_api: true,
    memory_roots: [memoryRoot],
    state_directory: join(directory, "state"),
    ...extra,
    metrics: { tcp: "off", ...(typeof extra.metrics === "object" && extra.metrics), socket: metricsSocket },
    listen: { ...(typeof extra.listen === "object" && extra.listen), socket },
    admin: { ...(typeof extra.admin === "object" && extra.admin), socket: adminSocket },
  };
  const configFile = join(directory, "broker.yaml");
  writeFileSync(configFile, stringify(config));
  const child = spawn(process.execPath, [MAIN, "--config", configFile], { stdio: ["ignore", "pipe", "pipe"] });
  const log = collectLines(child);
  try {
    await untilListening(child, [socket, metricsSocket], log);
  } catch (error) {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    target: `unix:${socket}`,
    socket,
    adminSocket,
    memoryRoot,
    directory,
    process: child,
    log,
    metrics: () => fetchText(metricsSocket, "/metrics"),
    stop: async () => {
      const code = await stopped(child);
      rmSync(directory, { recursive: true, force: true });
      return code;
    },
  };
}

async function stopped(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    await exit;
  }
  return child.exitCode;
}

function collectLines(child: ChildProcess): string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
      if (lines.length > LOG_LINES_MAX) lines.splice(0, lines.length - LOG_LINES_MAX);
    });
  }
  return lines;
}

async function untilListening(child: ChildProcess, sockets: readonly string[], log: readonly string[]): Promise<void> {
  const deadline = performance.now() + START_MAX_MS;
  while (!sockets.every((socket) => existsSync(socket))) {
    if (child.exitCode !== null) throw new Error(`the broker ended with ${child.exitCode}:\n${log.join("\n")}`);
    if (performance.now() > deadline) throw new Error(`the broker does not listen:\n${log.join("\n")}`);
    await sleep(POLL_MS);
  }
}

function fetchText(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    call.on("error", reject).end();
  });
}
