import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { descriptorOf, peerCredentials, peerPidfd, tryLock } from "../../src/os/libc.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "libc-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

test("an accepted connection names the process, uid and gid that made it", async () => {
  const path = join(directory, "s");
  const server = createServer().listen(path);
  await once(server, "listening");
  const source = `require("node:net").connect(${JSON.stringify(path)}).resume()`;
  const child: ChildProcess = spawn(process.execPath, ["-e", source], { stdio: "inherit" });
  const [socket]: Socket[] = (await once(server, "connection")) as Socket[];
  const fd = socket === undefined ? undefined : descriptorOf(socket);
  expect(fd === undefined ? undefined : peerCredentials(fd)).toEqual({
    pid: child.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
  });
  const pidfd = peerPidfd(fd ?? -1) ?? -1;
  // proc_pid_fdinfo(5), of a pidfd: the number of its process, -1 once that was reaped.
  const pidOfPidfd = () => /^Pid:\t(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd}`, "utf8"))?.[1];
  expect(pidOfPidfd()).toBe(String(child.pid));
  socket?.end();
  await once(child, "exit");
  expect(pidOfPidfd()).toBe("-1");
  closeSync(pidfd);
  server.close();
});

test("a TCP connection, a file and a closed descriptor have no peer credentials", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const socket = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  await once(socket, "connect");
  const fd = descriptorOf(socket);
  expect(fd).toBeGreaterThan(2);
  expect(peerCredentials(fd ?? -1)).toBeUndefined();
  expect(peerPidfd(fd ?? -1)).toBeUndefined();
  socket.destroy();
  server.close();
  const file = openSync(directory, "r");
  expect(peerCredentials(file)).toBeUndefined();
  closeSync(file);
  expect(peerCredentials(-1)).toBeUndefined();
  expect(peerPidfd(-1)).toBeUndefined();
});

test("a lock is exclusive until its descriptor is closed", () => {
  const one = openSync(directory, "r");
  const two = openSync(directory, "r");
  expect(tryLock(one)).toBe(true);
  expect(tryLock(two)).toBe(false);
  closeSync(one);
  expect(tryLock(two)).toBe(true);
  closeSync(two);
});

test("a socket that is not open has no descriptor", () => {
  expect(descriptorOf(new Socket())).toBeUndefined();
});
