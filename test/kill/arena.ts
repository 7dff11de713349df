// The daemon and the clients of the kill test as processes: started, killed, counted, and what they leave behind.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { connect } from "../../src/client/client.ts";
import { Copies, type Holder } from "./copies.ts";
import { RAM_BYTES } from "./guest.ts";
import type { ClientOrders, ClientReport, FromClient, ToClient } from "./orders.ts";

const MAIN = fileURLToPath(new URL("../../src/server/main.ts", import.meta.url));
const CLIENT = fileURLToPath(new URL("./client.ts", import.meta.url));
const IDR = [
  { idr0: 0x0d4c101b, idr1: 0x02730510, idr3: 0x1414, idr5: 0x75, aidr: 1 },
  { idr0: 0x0d44101b, idr1: 0x02730210, idr3: 0x14, idr5: 0x54, aidr: 1 },
];
const DEVICES_PER_IOMMU = 16;
export const LEASE_MS = 4000;
const RESUME_WINDOW_MS = 4000;
/** After this long a dead client's things must be gone: lease, resume window, the reaper, and a machine that is busy. */
export const GONE_MS = LEASE_MS + RESUME_WINDOW_MS + 4000;
const START_MAX_MS = 20_000;
const VERIFY_MAX_MS = 60_000;

interface Player {
  readonly name: string;
  readonly process: ChildProcess;
  readonly isSetUp: Promise<void>;
}

/** Started with what the test could see, and gone with it. */
export class Arena {
  readonly #path = mkdtempSync(join(tmpdir(), "iommu-broker-kill-"));
  readonly #socket = join(this.#path, "run", "broker.sock");
  readonly #metrics = join(this.#path, "run", "metrics.sock");
  readonly #memory = join(this.#path, "memory");
  readonly #config = join(this.#path, "broker.yaml");
  readonly copies = new Copies(join(this.#path, "state", "stand-ins"));
  readonly target = `unix:${this.#socket}`;
  readonly devices: readonly string[];
  readonly log: string[] = [];
  readonly players = new Map<number, Player>();
  /** When clients died, by name. */
  readonly #diedAt = new Map<string, number>();
  #daemon: ChildProcess | undefined;
  /** A restart gives every lease, of the dead too, its full length again. */
  #startedAt = 0;

  constructor() {
    const devices = IDR.flatMap((_, iommu) =>
      Array.from({ length: DEVICES_PER_IOMMU }, (_each, index) => ({
        id: `device-${iommu}-${index}`,
        iommu: `smmu${iommu}`,
        group: iommu * DEVICES_PER_IOMMU + index,
        stream_ids: [0x10 + index],
      })),
    );
    this.devices = devices.map(({ id }) => `devices/${id}`);
    mkdirSync(this.#memory, { mode: 0o750 });
    const config = {
      simulator_api: true,
      listen: { socket: this.#socket },
      admin: { socket: join(this.#path, "run", "admin.sock") },
      metrics: { socket: this.#metrics, tcp: "off" },
      memory_roots: [this.#memory],
      state_directory: join(this.#path, "state"),
      // Small, so that kills also meet snapshots.
      limits: { journal_bytes_max: 65_536 },
      timing: { resume_window_ms: RESUME_WINDOW_MS },
      log: { level: "warn" },
      simulated: { iommus: IDR.map((registers, index) => ({ id: `smmu${index}`, registers })), devices },
    };
    writeFileSync(this.#config, stringify(config));
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0;
  }

  async startDaemon(): Promise<void> {
    const child = spawn(process.execPath, [MAIN, "--config", this.#config], { stdio: ["ignore", "pipe", "pipe"] });
    this.#daemon = child;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.log.push(line);
        if (this.log.length > 1000) this.log.splice(0, 500);
      });
    }
    const client = connect(this.target);
    try {
      await client.ready(START_MAX_MS);
      this.#startedAt = performance.now();
    } catch (error) {
      throw new Error(`the daemon does not come back:\n${this.log.slice(-20).join("\n")}`, { cause: error });
    } finally {
      client.close();
    }
  }

  async killDaemon(): Promise<void> {
    const child = this.#daemon;
    if (child !== undefined) await killed(child);
  }

  startClient(slot: number, orders: Pick<ClientOrders, "name" | "seed">): void {
    const memoryFile = join(this.#memory, orders.name);
    const file = openSync(memoryFile, "wx", 0o600);
    writeSync(file, Buffer.alloc(Number(RAM_BYTES), orders.seed % 255));
    closeSync(file);
    const told: ClientOrders = { ...orders, memoryFile, target: this.target, devices: this.devices };
    const child = fork(CLIENT, [JSON.stringify(told), String(LEASE_MS)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    child.stderr?.on("data", (data) => this.log.push(`${orders.name}: ${String(data)}`));
    const isSetUp = new Promise<void>((resolve) => {
      child.on("message", ({ kind }: FromClient) => {
        if (kind === "set-up") resolve();
      });
    });
    child.on("error", (error) => this.log.push(`${orders.name}: ${error.message}`));
    this.players.set(slot, { name: orders.name, process: child, isSetUp });
  }

  /** Some process is passed what the client holds, and lives on when it dies. @returns how many files */
  shareCopies(slot: number): number {
    const { name, process: child } = this.players.get(slot)!;
    return this.copies.takeFrom(child.pid ?? 0, name);
  }

  /** Of devices' descriptors, the daemon not included. */
  holders(): readonly Holder[] {
    const own = [...this.players.values()].flatMap(({ name, process: child }) =>
      this.copies.openBy(child.pid ?? 0, name),
    );
    return [...own, ...this.copies.taken()];
  }

  /** Stand-ins for devices that the daemon has open. */
  openStandIns(): readonly string[] {
    return this.copies.openBy(this.pid, "the daemon").map(({ device }) => device);
  }

  async killClient(slot: number): Promise<void> {
    const { name, process: child } = this.players.get(slot)!;
    this.players.delete(slot);
    await killed(child);
    this.#diedAt.set(name, performance.now());
  }

  /** Everybody stops, and tells what it found. */
  async verify(kind: "verify" | "end" = "verify"): Promise<readonly ClientReport[]> {
    const all = [...this.players.values()];
    await within(Promise.all(all.map((player) => player.isSetUp)), "clients are not set up", this.log);
    return await within(Promise.all(all.map((player) => reportOf(player, kind))), "clients do not answer", this.log);
  }

  goOn(): void {
    for (const { process: child } of this.players.values()) send(child, { kind: "go" });
  }

  /** Names of clients that are gone for so long that nothing may be left of them; all the dead with `now`. */
  overdue(now: boolean): ReadonlySet<string> {
    const limit = performance.now() - (now ? 0 : GONE_MS);
    const overdue = [...this.#diedAt].filter(([, at]) => Math.max(at, this.#startedAt) <= limit);
    return new Set(overdue.map(([name]) => name));
  }

  /** What the daemon still has of these: devices and open memory files. */
  async leftOf(names: ReadonlySet<string>): Promise<readonly string[]> {
    const client = connect(this.target);
    try {
      const devices = await client.listDevices();
      const held = devices.filter(({ ownerDisplayName }) => names.has(ownerDisplayName));
      const files = this.openFiles().filter((path) => names.has(path.slice(this.#memory.length + 1)));
      return [...held.map(({ name, ownerDisplayName }) => `${name} of ${ownerDisplayName}`), ...files];
    } finally {
      client.close();
    }
  }

  /** Memory files that the daemon has open. */
  openFiles(): readonly string[] {
    return this.#descriptors().filter((target) => target.startsWith(`${this.#memory}/`));
  }

  sockets(): number {
    return this.#descriptors().filter((target) => target.startsWith("socket:")).length;
  }

  #descriptors(): readonly string[] {
    const folder = `/proc/${this.pid}/fd`;
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(join(folder, fd))];
      } catch {
        return []; // closed meanwhile
      }
    });
  }

  /** One number of /metrics. */
  async metric(name: string): Promise<number> {
    const text = await fetchText(this.#metrics);
    const line = text.split("\n").find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`));
    return Number(line?.split(" ").at(-1) ?? Number.NaN);
  }

  memoryFile(name: string): string {
    return join(this.#memory, name);
  }

  async close(): Promise<void> {
    for (const slot of [...this.players.keys()]) await this.killClient(slot);
    await this.killDaemon();
    this.copies.close(() => true);
    rmSync(this.#path, { recursive: true, force: true });
  }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function reportOf({ process: child, name }: Player, kind: "verify" | "end"): Promise<ClientReport> {
  const answer = new Promise<ClientReport>((resolve, reject) => {
    const onMessage = (message: FromClient): void => {
      if (message.kind !== "verified") return;
      child.off("message", onMessage);
      child.off("exit", hasEnded);
      resolve(message.report);
    };
    child.on("message", onMessage);
    const hasEnded = (): void =>
      reject(new Error(`${name} ended by itself with ${child.exitCode ?? child.signalCode}`));
    if (child.exitCode === null) child.once("exit", hasEnded);
    else hasEnded();
  });
  if (child.connected) send(child, { kind });
  return await answer;
}

function send(child: ChildProcess, message: ToClient): void {
  child.send(message);
}

async function within<T>(work: Promise<T>, what: string, log: readonly string[]): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}:\n${log.slice(-20).join("\n")}`)), VERIFY_MAX_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function fetchText(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: "/metrics" }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    call.on("error", reject).end();
  });
}
