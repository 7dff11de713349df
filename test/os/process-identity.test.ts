import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { descriptorOf, peerPidfd } from "../../src/os/libc.ts";
import { cgroupIn, processIdentity, startTimeIn } from "../../src/os/process-identity.ts";

let directory: string;
let path: string;
let server: Server;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "process-identity-"));
  path = join(directory, "s");
  server = createServer({ allowHalfOpen: true }).listen(path);
  await once(server, "listening");
});

afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

/** A child that connects and goes on, and the pidfd of its connection. */
async function connectedChild(): Promise<{ child: ChildProcess; pid: number; pidfd: number; hangUp(): void }> {
  const source = `require("node:net").connect(${JSON.stringify(path)}).resume()`;
  const child = spawn(process.execPath, ["-e", source], { stdio: "inherit" });
  const [socket] = await once(server, "connection");
  const pidfd = peerPidfd(descriptorOf(socket) ?? -1);
  if (pidfd === undefined) throw new Error("this kernel has no SO_PEERPIDFD: the test needs Linux 6.5");
  const hangUp = (): void => {
    socket.destroy();
    closeSync(pidfd);
  };
  return { child, pid: child.pid ?? 0, pidfd, hangUp };
}

test("a child that connected is told by what it runs, its control group and its start", async () => {
  const { child, pid, pidfd, hangUp } = await connectedChild();
  const identity = processIdentity(pid, pidfd);
  expect(identity.executable).toBe(realpathSync(process.execPath));
  const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  expect(groups).toContain(`0::${identity.cgroup}\n`);
  // getconf CLK_TCK is 100 on every Linux that Node runs on; the child started within this test.
  const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  expect(identity.startTime).toBeGreaterThan((uptime - 60) * 100);
  expect(identity.startTime).toBeLessThanOrEqual((uptime + 1) * 100);
  child.kill();
  await once(child, "exit");
  hangUp();
});

test("nothing is told of a process that has been reaped", async () => {
  const { child, pid, pidfd, hangUp } = await connectedChild();
  child.kill("SIGKILL");
  await once(child, "exit"); // Node has waited for it: the number is free
  expect(processIdentity(pid, pidfd)).toEqual({});
  hangUp();
});

test("nothing is told of a pid that is another process's than the one that connected, as after its number was given anew", async () => {
  const { child, pid, pidfd, hangUp } = await connectedChild();
  expect(processIdentity(process.pid, pidfd)).toEqual({});
  expect(processIdentity(pid, undefined)).toEqual({});
  expect(processIdentity(0, pidfd)).toEqual({});
  child.kill();
  await once(child, "exit");
  hangUp();
});

describe("the start time", () => {
  // proc_pid_stat(5): field 22; fields 3 to 22 of this line are R and the numbers 4 to 22.
  const rest = `R ${Array.from({ length: 19 }, (_, index) => index + 4).join(" ")} 23 24`;

  test.each(["vmm", "a b", "x) R 1 2 3 (y", "()"])("is field 22, whatever the command is called: %j", (name) => {
    expect(startTimeIn(Buffer.from(`42 (${name}) ${rest}\n`))).toBe(22);
  });

  test.each(["", "42 (vmm) R 1 2 3", "42 (vmm) R"])("is absent from %j", (line) => {
    expect(startTimeIn(Buffer.from(line))).toBeUndefined();
  });
});

describe("the control group", () => {
  test("is the v2 line among others", () => {
    const file = "12:pids:/elsewhere\n1:name=systemd:/elsewhere\n0::/system.slice/vmm@7.service\n";
    expect(cgroupIn(Buffer.from(file))).toBe("/system.slice/vmm@7.service");
  });

  test("is absent where there is only v1", () => {
    expect(cgroupIn(Buffer.from("1:name=systemd:/vmm\n"))).toBeUndefined();
  });

  test("is not shortened: a path of 4,096 bytes is told, a longer one is not", () => {
    expect(cgroupIn(Buffer.from(`0::/${"g".repeat(4095)}\n`))).toHaveLength(4096);
    expect(cgroupIn(Buffer.from(`0::/${"g".repeat(4096)}\n`))).toBeUndefined();
  });
});
