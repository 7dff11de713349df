import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listenUnix, SOCKET_PATH_BYTES_MAX } from "../../src/os/unix-listener.ts";

let directory: string;
const servers: Server[] = [];
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "unix-listener-"));
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  rmSync(directory, { recursive: true, force: true });
});

function server(): Server {
  const made = createServer((socket) => socket.end("hello"));
  servers.push(made);
  return made;
}

/** Another process that listens on `path`; resolves when it does. */
async function listenElsewhere(path: string): Promise<ChildProcess> {
  const source = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  if (child.stdout !== null) await once(child.stdout, "data");
  return child;
}

async function greeting(path: string): Promise<string> {
  const socket = connect(path);
  const [data]: unknown[] = await once(socket, "data");
  socket.destroy();
  return String(data);
}

test("a new socket has mode 0660 in a directory made with mode 0750, and answers", async () => {
  const path = join(directory, "run/broker.sock");
  await listenUnix(server(), path);
  expect((statSync(path).mode & 0o777).toString(8)).toBe("660");
  expect((statSync(join(directory, "run")).mode & 0o777).toString(8)).toBe("750");
  expect(await greeting(path)).toBe("hello");
});

test("the process's umask is as before", async () => {
  const before = process.umask();
  await listenUnix(server(), join(directory, "broker.sock"));
  expect(process.umask()).toBe(before);
});

test("a stale socket left by a killed process is replaced", async () => {
  const path = join(directory, "broker.sock");
  const child = await listenElsewhere(path);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(lstatSync(path).isSocket()).toBe(true);
  await listenUnix(server(), path);
  expect(await greeting(path)).toBe("hello");
});

test("a live socket is refused with the pid, uid and command line of who holds it, and stays", async () => {
  const path = join(directory, "broker.sock");
  const child = await listenElsewhere(path);
  const inode = lstatSync(path).ino;
  await expect(listenUnix(server(), path)).rejects.toMatchObject({
    code: "in_use",
    message: expect.stringMatching(new RegExp(`pid ${child.pid} \\(uid ${process.getuid?.()}, .*createServer`)),
    facts: { path, pid: child.pid },
  });
  expect(lstatSync(path).ino).toBe(inode);
});

test("a path that is not a socket is refused and kept", async () => {
  const path = join(directory, "broker.sock");
  writeFileSync(path, "precious");
  await expect(listenUnix(server(), path)).rejects.toMatchObject({ message: expect.stringContaining("not a socket") });
  expect(existsSync(path)).toBe(true);
});

test("a symbolic link in the socket's place is refused, not followed", async () => {
  const path = join(directory, "broker.sock");
  symlinkSync(join(directory, "elsewhere.sock"), path);
  await expect(listenUnix(server(), path)).rejects.toMatchObject({ message: expect.stringContaining("not a socket") });
  expect(lstatSync(path).isSymbolicLink()).toBe(true);
});

test.each([0o777, 0o1777, 0o770])("a directory of mode %o is refused with the remedy", async (mode) => {
  const open = join(directory, "open");
  mkdirSync(open);
  chmodSync(open, mode);
  await expect(listenUnix(server(), join(open, "broker.sock"))).rejects.toMatchObject({
    code: "argument_invalid",
    message: expect.stringContaining("chmod go-w"),
  });
  expect(existsSync(join(open, "broker.sock"))).toBe(false);
});

test.runIf(process.getuid?.() === 0)("a directory of another uid is refused", async () => {
  const foreign = join(directory, "foreign");
  mkdirSync(foreign);
  const { chownSync } = await import("node:fs");
  chownSync(foreign, 12_345, 12_345);
  await expect(listenUnix(server(), join(foreign, "broker.sock"))).rejects.toMatchObject({
    message: expect.stringContaining("belongs to uid 12345"),
  });
});

test("a path one byte past what the kernel takes is refused; the longest one works", async () => {
  const room = SOCKET_PATH_BYTES_MAX - Buffer.byteLength(directory) - 1;
  await listenUnix(server(), join(directory, "s".repeat(room)));
  await expect(listenUnix(server(), join(directory, "s".repeat(room + 1)))).rejects.toMatchObject({
    message: expect.stringContaining(`${SOCKET_PATH_BYTES_MAX + 1} bytes`),
  });
});

test("a relative path is refused", async () => {
  await expect(listenUnix(server(), "broker.sock")).rejects.toMatchObject({
    message: expect.stringContaining("not absolute"),
  });
});

test("stopping removes the socket", async () => {
  const path = join(directory, "broker.sock");
  const listener = await listenUnix(server(), path);
  listener.stop();
  expect(existsSync(path)).toBe(false);
});

test("stopping leaves a socket that somebody else put in its place", async () => {
  const path = join(directory, "broker.sock");
  const listener = await listenUnix(server(), path);
  rmSync(path);
  await listenElsewhere(path);
  const theirs = lstatSync(path).ino;
  listener.stop();
  expect(lstatSync(path).ino).toBe(theirs);
});

test("of two that start at once over the same stale socket, exactly one listens", async () => {
  const path = join(directory, "broker.sock");
  const child = await listenElsewhere(path);
  child.kill("SIGKILL");
  await once(child, "exit");
  const outcomes = await Promise.allSettled([listenUnix(server(), path), listenUnix(server(), path)]);
  expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(await greeting(path)).toBe("hello");
});
