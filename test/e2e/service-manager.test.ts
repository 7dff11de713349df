// The daemon as a service manager runs it: told when it is ready, reloads and stops, watched for hanging, and given the
// sockets, which outlive it.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../src/client/client.ts";
import { DaemonProcess, MAIN } from "../support/daemon-process.ts";
import { DaemonDirectory } from "../support/e2e-daemon.ts";
import { NotifyReceiver, requirePython, SocketSpawner, type SocketWish } from "../support/service-manager.ts";

/** Makes the event loop hang at a signal. */
const HANGS_ON_USR2 = `--import=data:text/javascript,${encodeURIComponent('process.on("SIGUSR2",()=>{for(;;);})')}`;
const WATCHDOG_MS = 4000;

function daemonIn(directory: DaemonDirectory, environment: Readonly<Record<string, string>>): DaemonProcess {
  const daemon = new DaemonProcess(["--config", directory.configFile], environment);
  onTestFinished(() => daemon.kill());
  return daemon;
}

async function devicesAt(target: string): Promise<number> {
  const client = connect(target);
  onTestFinished(() => client.close());
  return (await client.listDevices()).length;
}

test("READY, RELOADING, READY and STOPPING are told as the daemon does it", async (context) => {
  const directory = new DaemonDirectory();
  const address = `@${directory.path}`;
  const receiver = await NotifyReceiver.bind(requirePython(context), address, 60);
  receiver.read();
  const begunUsec = process.hrtime.bigint() / 1000n;
  const daemon = daemonIn(directory, { NOTIFY_SOCKET: address });
  expect(await receiver.next()).toEqual(["READY=1", `STATUS=serving clients at ${directory.target}`]);
  expect(await devicesAt(directory.target)).toBe(8);

  daemon.signal("SIGHUP");
  const [reloading, monotonic = ""] = await receiver.next();
  expect(reloading).toBe("RELOADING=1");
  const usec = BigInt(monotonic.replace("MONOTONIC_USEC=", ""));
  expect(usec > begunUsec && usec <= process.hrtime.bigint() / 1000n).toBe(true);
  expect(await receiver.next()).toEqual(["READY=1", expect.stringMatching(/^STATUS=serving clients at /)]);

  writeFileSync(directory.configFile, "log: { level: loud }\n");
  daemon.signal("SIGHUP");
  await receiver.nextWith("RELOADING=1");
  expect(await receiver.next()).toEqual(["READY=1", expect.stringContaining("was not reloaded")]);

  daemon.signal("SIGTERM");
  expect((await receiver.next())[0]).toBe("STOPPING=1");
  expect(await daemon.exited()).toEqual({ code: 0, signal: null });
});

test("keep-alives come while the event loop turns, and never again once it hangs", async (context) => {
  const directory = new DaemonDirectory();
  const address = join(directory.path, "notify");
  const receiver = await NotifyReceiver.bind(requirePython(context), address, WATCHDOG_MS / 1000);
  receiver.read();
  const environment = { NOTIFY_SOCKET: address, WATCHDOG_USEC: String(WATCHDOG_MS * 1000) };
  const daemon = daemonIn(directory, { ...environment, NODE_OPTIONS: HANGS_ON_USR2 });
  await receiver.nextWith("READY=1");
  for (let count = 0; count < 3; count++) expect(await receiver.next()).toEqual(["WATCHDOG=1"]);
  daemon.signal("SIGUSR2");
  await receiver.nextWith("silence"); // one may have been sent before the signal arrived
  expect(await receiver.next()).toEqual(["silence"]);
});

test("why a daemon does not start is its status", async (context) => {
  const directory = new DaemonDirectory({ memory_roots: ["/nonexistent"] });
  const address = join(directory.path, "notify");
  const receiver = await NotifyReceiver.bind(requirePython(context), address, 60);
  receiver.read();
  const daemon = daemonIn(directory, { NOTIFY_SOCKET: address });
  expect(await receiver.next()).toEqual([expect.stringMatching(/^STATUS=memory root \/nonexistent cannot be used/)]);
  expect(await daemon.exited()).toEqual({ code: 1, signal: null });
});

/** A directory whose sockets somebody else makes. */
function activated(): { directory: DaemonDirectory; run: string; wishes: SocketWish[]; command: string[] } {
  const directory = new DaemonDirectory();
  const run = dirname(directory.socket);
  mkdirSync(run, { mode: 0o750 });
  const files = { api: "broker.sock", admin: "admin.sock", fds: "fd.sock", metrics: "metrics.sock" };
  const wishes = Object.entries(files).map(
    ([name, file]) => ({ kind: "listening", name, path: join(run, file) }) as const,
  );
  return { directory, run, wishes, command: [process.execPath, MAIN, "--config", directory.configFile] };
}

test("sockets that came with the start are used, outlive the daemon, and keep who connects meanwhile", async (context) => {
  const { directory, wishes, command } = activated();
  const spawner = await SocketSpawner.make(requirePython(context), wishes, command);
  const inodes = wishes.map(({ path }) => statSync(path).ino);
  const early = devicesAt(directory.target);
  const first = await spawner.start();
  expect(await early).toBe(8);
  expect(await devicesAt(`unix:${directory.adminSocket}`)).toBe(8);
  for (const { path } of wishes) {
    const socket = connectSocket(path);
    await once(socket, "connect");
    socket.destroy();
  }
  process.kill(first, "SIGTERM");
  expect(await spawner.exited(), spawner.output).toBe(0);
  expect(wishes.map(({ path }) => statSync(path).ino)).toEqual(inodes);

  const meanwhile = devicesAt(directory.target);
  await spawner.start();
  expect(await meanwhile).toBe(8);
});

test("a socket with a name that is none ends the start with the name and the remedy", async (context) => {
  const { run, command } = activated();
  const wish = { kind: "listening", path: join(run, "x.sock"), name: "broker" } as const;
  const spawner = await SocketSpawner.make(requirePython(context), [wish], command);
  await spawner.start();
  expect(await spawner.exited()).toBe(1);
  expect(spawner.output).toContain("FileDescriptorName= to one of api, admin, fds, metrics");
});

test("systemd's own socket activation starts it, with the first client's call answered", async (context) => {
  if (spawnSync("systemd-socket-activate", ["--version"]).status !== 0) {
    expect(process.env.IOMMU_BROKER_REQUIRE_INTEROP, "install systemd").not.toBe("1");
    context.skip("needs systemd-socket-activate, of Debian's package systemd");
  }
  const { directory, wishes, command } = activated();
  const listen = wishes.flatMap(({ path }) => ["-l", path]);
  const names = wishes.map(({ name }) => name).join(":");
  const child = spawn("systemd-socket-activate", [...listen, `--fdname=${names}`, ...command], { stdio: "pipe" });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  await expect.poll(() => statSync(directory.socket, { throwIfNoEntry: false })?.isSocket()).toBe(true);
  expect(await devicesAt(directory.target)).toBe(8);
});
