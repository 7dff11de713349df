// The daemon as a process: how it starts, what it refuses, whom it serves, how it stops.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type BrokerClient, connect } from "../../src/client/client.ts";
import { google } from "../../src/server/rpc/codec.ts";
import { BROKER } from "../../src/server/rpc/services.ts";
import { TOKEN_KEY } from "../../src/server/rpc/token.ts";
import { DaemonProcess } from "../support/daemon-process.ts";

const BUF = join(import.meta.dirname, "../../node_modules/.bin/buf");
const run = promisify(execFile);

let directory: string;
let socket: string;
const daemons: DaemonProcess[] = [];
const clients: BrokerClient[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "daemon-"));
  socket = join(directory, "run/broker.sock");
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const daemon of daemons.splice(0)) await daemon.kill();
  rmSync(directory, { recursive: true });
});

function launch(...args: string[]): DaemonProcess {
  const daemon = new DaemonProcess(["--metrics-tcp", "127.0.0.1:0", ...args], {
    RUNTIME_DIRECTORY: join(directory, "run"),
  });
  daemons.push(daemon);
  return daemon;
}

/** Started and serving. */
async function start(...args: string[]): Promise<DaemonProcess> {
  const daemon = launch("--simulator-api", ...args);
  await daemon.logged("memory root"); // the last line of a start
  return daemon;
}

function client(): BrokerClient {
  const made = connect(`unix:${socket}`);
  clients.push(made);
  return made;
}

async function metricsOf(daemon: DaemonProcess, path = "/metrics"): Promise<{ status: number; text: string }> {
  const { address } = await daemon.logged("serving metrics");
  const response = await fetch(String(address).replace("/metrics", path));
  return { status: response.status, text: await response.text() };
}

function buf(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const common = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--unix-socket", socket];
  return run(BUF, [...common, ...args], { cwd: directory });
}

/** A stream without our client, which would open it again: when it has begun, and the code it ends with. */
function streamUntilItEnds(kind: "server" | "bidi", path: string, token = "") {
  const metadata = new Metadata();
  if (token !== "") metadata.set(TOKEN_KEY, token);
  const raw = new Client(`unix:${socket}`, credentials.createInsecure(), { "grpc.default_authority": "localhost" });
  const same = (bytes: Buffer): Buffer => bytes;
  const stream = raw.makeBidiStreamRequest(path, same, same, metadata);
  stream.write(Buffer.alloc(0)); // every field at its default
  if (kind === "server") stream.end();
  const begun = new Promise<void>((resolve) => stream.once("data", () => resolve()));
  const code = new Promise<status>((resolve) => stream.on("error", (error: ServiceError) => resolve(error.code)));
  return { begun, code: code.finally(() => raw.close()) };
}

describe("starting", () => {
  test("the socket is 0660 in a directory of 0750, and the log says where it listens", async () => {
    const daemon = await start();
    expect(await daemon.logged("listening for clients")).toMatchObject({ level: "info", address: `unix:${socket}` });
    expect((statSync(socket).mode & 0o777).toString(8)).toBe("660");
    expect((statSync(join(directory, "run")).mode & 0o777).toString(8)).toBe("750");
    expect(await client().listDevices()).toHaveLength(8);
  });

  test("the memory root of the runtime directory is created, and another must exist", async () => {
    await start();
    expect((statSync(join(directory, "run/memory")).mode & 0o777).toString(8)).toBe("750");
    const absent = launch("--listen-socket", join(directory, "run/b.sock"), "--memory-root", join(directory, "absent"));
    expect(await absent.exited()).toEqual({ code: 1, signal: null });
    expect(absent.log().at(-1)).toMatchObject({
      level: "fatal",
      msg: expect.stringContaining("absent cannot be used"),
    });
    expect(existsSync(join(directory, "run/b.sock"))).toBe(false);
  });

  test("a state directory in use is refused with who holds it", async () => {
    const first = await start();
    const second = launch("--listen-socket", join(directory, "run/other.sock"), "--metrics-tcp", "off");
    expect(await second.exited()).toEqual({ code: 1, signal: null });
    expect(second.log().at(-1)).toMatchObject({
      level: "fatal",
      msg: expect.stringContaining(`run/state is in use by pid ${first.pid}`),
    });
    expect(await client().listDevices()).toHaveLength(8);
  });

  test("a live socket is refused with who holds it, and its holder goes on", async () => {
    const first = await start();
    const second = launch("--state-directory", join(directory, "other-state"));
    expect(await second.exited()).toEqual({ code: 1, signal: null });
    expect(second.log().at(-1)).toMatchObject({
      level: "fatal",
      msg: expect.stringMatching(new RegExp(`in use by pid ${first.pid} \\(uid \\d+, .*main\\.ts`)),
      error: { code: "in_use", facts: { path: socket, pid: first.pid } },
    });
    expect(await client().listDevices()).toHaveLength(8);
  });

  test("a stale socket is replaced", async () => {
    const killed = await start();
    await killed.kill();
    expect(existsSync(socket)).toBe(true);
    await start();
    expect(await client().listDevices()).toHaveLength(8);
  });

  test("a file in the socket's place is left alone, and the daemon ends with the remedy", async () => {
    mkdirSync(join(directory, "run"), { mode: 0o750 });
    writeFileSync(socket, "precious");
    const daemon = launch();
    expect(await daemon.exited()).toMatchObject({ code: 1 });
    expect(daemon.log().at(-1)?.msg).toContain("is not a socket: move it away");
    expect(readFileSync(socket, "utf8")).toBe("precious");
  });

  test("TCP on loopback works beside the socket, and says which port it found", async () => {
    const daemon = await start("--listen-tcp", "127.0.0.1:0", "--listen-tcp-insecure");
    const addresses = daemon
      .log()
      .filter((line) => line.msg === "listening for clients")
      .map((line) => line.address);
    expect(addresses).toEqual([`unix:${socket}`, expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/)]);
    const tcp = connect(String(addresses[1]));
    clients.push(tcp);
    expect(await tcp.listDevices()).toHaveLength(8);
  });
});

describe("the command line", () => {
  async function outcome(...args: string[]) {
    const daemon = launch(...args);
    const { code } = await daemon.exited();
    return { code, stdout: daemon.stdout, stderr: daemon.stderr };
  }

  test("--check-config of a good file exits 0 and makes nothing", async () => {
    const file = join(import.meta.dirname, "../../deploy/simulated.yaml");
    expect(await outcome("--config", file, "--check-config")).toEqual({
      code: 0,
      stdout: `${file}: no problems\n`,
      stderr: "",
    });
    expect(existsSync(join(directory, "run"))).toBe(false);
  });

  test("--check-config of a bad file exits 1 and lists all that is wrong with it", async () => {
    const file = join(directory, "bad.yaml");
    writeFileSync(file, "backend: amd\nlimits:\n  sesions_max: 3\n");
    expect(await outcome("--config", file, "--check-config")).toEqual({
      code: 1,
      stdout: "",
      stderr: `${file}:1: backend: "amd" must be "simulated" or "iommufd" or "auto"\n${file}:3: limits.sesions_max: is no setting: did you mean sessions_max?\n`,
    });
  });

  test("a bad configuration stops the start, too", async () => {
    expect(await outcome("--set", "limits.sessions_max=0")).toMatchObject({
      code: 1,
      stderr: "--set: limits.sessions_max: 0 must be a whole number from 1 to 65536\n",
    });
  });

  test.each([[], ["--check-config"]])("ID registers that cannot be together stop the start: %j", async (...flags) => {
    const file = join(directory, "registers.yaml");
    const registers = "{ idr0: 0x0500101b, idr1: 0x02730010, idr3: 0x14, idr5: 0x54, aidr: 0x1 }"; // ST_LEVEL 0
    writeFileSync(file, `simulated:\n  iommus:\n    - id: odd\n      registers: ${registers}\n`);
    expect(await outcome("--config", file, ...flags)).toEqual({
      code: 1,
      stdout: "",
      stderr: `${file}:4: simulated.iommus[0].registers.idr1: 41091088 has IDR1.SIDSIZE 16: 7 and more need IDR0.ST_LEVEL (IHI 0070 §6.3.2); set IDR0.ST_LEVEL to 1, or 0 to 6\n`,
    });
  });

  test("--print-config prints a file that can be used", async () => {
    const { code, stdout } = await outcome("--print-config", "--set", "limits.sessions_max=5");
    expect(code).toBe(0);
    expect(stdout).toContain("sessions_max: 5 # from --set");
    const file = join(directory, "printed.yaml");
    writeFileSync(file, stdout);
    expect(await outcome("--config", file, "--check-config")).toMatchObject({ code: 0 });
  });

  test("--version is the package's", async () => {
    const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
    expect(await outcome("--version")).toMatchObject({ code: 0, stdout: `${Object(manifest).version}\n` });
  });

  test("--help is on standard output with exit 0, a mistake on standard error with exit 64", async () => {
    expect(await outcome("--help")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Examples:"),
      stderr: "",
    });
    expect(await outcome("--colour")).toMatchObject({
      code: 64,
      stdout: "",
      stderr: expect.stringContaining("--help"),
    });
  });

  test("an unknown variable of ours is a warning: printed by --check-config, logged by a daemon", async () => {
    const environment = { IOMMU_BROKER_LOG_LEVLE: "debug", RUNTIME_DIRECTORY: join(directory, "run") };
    const checking = new DaemonProcess(["--check-config"], environment);
    const running = new DaemonProcess(["--metrics-tcp", "off"], environment);
    daemons.push(checking, running);
    expect(await checking.exited()).toMatchObject({ code: 0 });
    const advice = "is no setting: did you mean IOMMU_BROKER_LOG_LEVEL?";
    expect(checking.stderr).toBe(`warning: IOMMU_BROKER_LOG_LEVLE: ${advice}\n`);
    expect(await running.logged(`IOMMU_BROKER_LOG_LEVLE ${advice}`)).toMatchObject({ level: "warn" });
    expect(running.stderr).toBe("");
  });
});

describe("serving", () => {
  test("buf curl, knowing the schema from reflection only, asks what the IOMMUs can do", async () => {
    await start();
    const { stdout } = await buf("http://localhost/iommubroker.v1.IommuBroker/GetCapabilities");
    expect(JSON.parse(stdout)).toMatchObject({ iommus: [{ name: "iommus/smmu0" }, { name: "iommus/smmu1" }] });
  });

  test("a refusal tells buf curl its code, its text, and what there is to branch on", async () => {
    await start();
    const url = "http://localhost/iommubroker.v1.IommuBroker/GetDevice";
    const failure = await buf("-d", '{"device":"devices/none"}', url).catch((error: unknown) => error);
    const { code, stderr } = Object(failure);
    expect(code).toBe(status.NOT_FOUND * 8);
    const { message, details } = JSON.parse(stderr);
    expect(message).toContain("ListDevices tells which there are");
    expect(details).toEqual([{ type: "google.rpc.ErrorInfo", value: expect.any(String) }]);
    const info = google.rpc.ErrorInfo.decode(Buffer.from(details[0].value, "base64"));
    expect(info).toMatchObject({ reason: "DEVICE_UNKNOWN", domain: "iommubroker.v1", metadata: { device: "none" } });
  });

  test("only what is served is listed: Simulator only with simulator_api", async () => {
    await start();
    const services = async (): Promise<string[]> =>
      (await buf("--list-services", "http://localhost")).stdout.trim().split("\n").sort();
    const always = [
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "iommubroker.v1.IommuBroker",
    ];
    expect(await services()).toEqual([...always, "iommubroker.v1.Simulator"]);
    await Promise.all(daemons.splice(0).map((daemon) => daemon.kill()));
    const plain = launch();
    await plain.logged("memory root");
    expect(await services()).toEqual(always);
  });

  test("health is told for every service that is served, by Check and by /readyz", async () => {
    const daemon = await start();
    for (const service of ["", "iommubroker.v1.IommuBroker", "iommubroker.v1.Simulator", "liveness", "readiness"]) {
      const { stdout } = await buf("-d", JSON.stringify({ service }), "http://localhost/grpc.health.v1.Health/Check");
      expect(JSON.parse(stdout), service).toEqual({ status: "SERVING" });
    }
    expect(await metricsOf(daemon, "/readyz")).toEqual({ status: 200, text: "ok\n" });
    expect((await metricsOf(daemon, "/livez")).status).toBe(200);
  });

  test("calls, sessions and their ends are in the metrics", async () => {
    const daemon = await start();
    const broker = client();
    const session = await broker.openSession({ displayName: "vmm", keepAlive: false });
    await expect(broker.getDevice("devices/none")).rejects.toThrow();
    const during = (await metricsOf(daemon)).text;
    expect(during).toMatch(/^iommu_broker_sessions\{state="live"\} 1$/m);
    expect(during).toMatch(/^grpc_server_handled_total\{.*grpc_method="GetDevice",grpc_code="NotFound"\} 1$/m);
    expect(during).toMatch(/^iommu_broker_connections 1$/m);
    await session.close();
    const after = (await metricsOf(daemon)).text;
    expect(after).toMatch(/^iommu_broker_sessions\{state="live"\} 0$/m);
    expect(after).toMatch(/^iommu_broker_sessions_ended_total\{reason="closed"\} 1$/m);
  });

  test("a session whose owner falls silent ends by itself", async () => {
    const daemon = await start("--set", "limits.lease_ttl_min_ms=100", "--set", "timing.reap_interval_ms=10");
    await client().openSession({ displayName: "silent", leaseTtlMs: 100, keepAlive: false });
    expect(await daemon.logged("lease expired")).toMatchObject({ level: "warn", owner: "silent" });
    await expect.poll(async () => (await metricsOf(daemon)).text).toMatch(/reason="lease_expired"\} 1$/m);
  });

  test("a message longer than the limit is RESOURCE_EXHAUSTED, and the daemon lives", async () => {
    await start("--set", "limits.message_bytes_max=65536");
    const broker = client();
    await expect(broker.openSession({ displayName: "x".repeat(70_000) })).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
    expect(await broker.listDevices()).toHaveLength(8);
  });

  test("garbage on the socket ends that connection and nothing else", async () => {
    await start();
    const garbage = connectSocket(socket);
    garbage.on("error", () => {});
    garbage.end("GET / HTTP/1.1\r\nhost: x\r\n\r\n\0\0\0\xff");
    await new Promise((resolve) => garbage.resume().once("close", resolve));
    expect(await client().listDevices()).toHaveLength(8);
  });

  test("a connection past the limit is refused, counted, and logged once", async () => {
    const daemon = await start("--set", "limits.connections_max=1");
    await client().ready();
    for (let count = 0; count < 3; count++) {
      const extra = connectSocket(socket);
      extra.on("error", () => {});
      await new Promise((resolve) => extra.resume().once("close", resolve));
    }
    expect(await daemon.logged("connection refused")).toMatchObject({ level: "warn", limit: "connections_max" });
    expect((await metricsOf(daemon)).text).toMatch(
      /^iommu_broker_connections_refused_total\{limit="connections_max"\} 3$/m,
    );
    expect(daemon.log().filter((line) => line.msg === "connection refused")).toHaveLength(1);
  });
});

describe("stopping", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s ends an idle daemon with exit 0 and takes its sockets away",
    async (signal) => {
      const daemon = await start("--metrics-socket", join(directory, "run/metrics.sock"));
      await client().ready();
      daemon.signal(signal);
      expect(await daemon.exited()).toEqual({ code: 0, signal: null });
      expect(daemon.log().at(-1)?.msg).toBe("stopped");
      expect(existsSync(socket)).toBe(false);
      expect(existsSync(join(directory, "run/metrics.sock"))).toBe(false);
    },
  );

  test("every kind of stream is ended with UNAVAILABLE, and the process is gone well within the grace period", async () => {
    const daemon = await start();
    const session = await client().openSession({ displayName: "vmm", keepAlive: false });
    const streams = [
      streamUntilItEnds("bidi", BROKER.keepSessionAlive.path, session.token),
      streamUntilItEnds("server", "/grpc.health.v1.Health/Watch"),
      streamUntilItEnds("bidi", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
      streamUntilItEnds("server", BROKER.watchFaults.path, session.token),
    ];
    await Promise.all(streams.map((stream) => stream.begun));
    const began = performance.now();
    daemon.signal("SIGTERM");
    expect(await Promise.all(streams.map((stream) => stream.code))).toEqual(Array(4).fill(status.UNAVAILABLE));
    expect(await daemon.exited()).toEqual({ code: 0, signal: null });
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test("a client that keeps a connection half open does not hold the daemon beyond the grace period", async () => {
    const daemon = await start("--set", "timing.grace_period_ms=500");
    const silent = connectSocket(socket);
    silent.on("error", () => {});
    await new Promise((resolve) => silent.once("connect", resolve));
    await expect.poll(async () => (await metricsOf(daemon)).text).toMatch(/^iommu_broker_connections 1$/m);
    daemon.signal("SIGTERM");
    expect(await daemon.exited()).toEqual({ code: 0, signal: null });
    silent.destroy();
  });

  test("another daemon can take the socket over as soon as the first has gone", async () => {
    const first = await start();
    first.signal("SIGTERM");
    await first.exited();
    await start();
    expect(await client().listDevices()).toHaveLength(8);
  });
});
