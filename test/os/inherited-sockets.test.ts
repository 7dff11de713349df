// Each case is a process that was really started with the descriptors: their numbers are part of the protocol.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, type TestContext, test } from "vitest";
import { forgetInheritedSockets, inheritedSockets, isBoundAt } from "../../src/os/inherited-sockets.ts";
import { requirePython, SocketSpawner, type SocketWish } from "../support/service-manager.ts";

const MODULE = join(import.meta.dirname, "../../src/os/inherited-sockets.ts");
/** Prints what it found, with the flags of the descriptors, or the refusal. */
const PROBE = `
import { readFileSync } from "node:fs";
import { inheritedSockets } from ${JSON.stringify(MODULE)};
try {
  const found = inheritedSockets(process.env, process.pid).map((socket) => ({
    ...socket,
    flags: /flags:\\t(\\d+)/.exec(readFileSync("/proc/self/fdinfo/" + socket.fd, "utf8"))[1],
  }));
  console.log("found " + JSON.stringify(found));
} catch (error) {
  console.log("refused " + error.code + " " + error.message);
}
`;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "inherited-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function probed(context: TestContext, wishes: readonly SocketWish[]): Promise<string> {
  const command = [process.execPath, "--input-type=module", "-e", PROBE];
  const spawner = await SocketSpawner.make(requirePython(context), wishes, command);
  await spawner.start();
  expect(await spawner.exited()).toBe(0);
  return spawner.output;
}

test("listening Unix sockets are found by their names and paths, and no child inherits them", async (context) => {
  const wishes = ["api", "admin"].map((name) => ({ kind: "listening", path: join(directory, name), name }) as const);
  const output = await probed(context, wishes);
  const found: readonly { flags: string }[] = JSON.parse(/^found (.*)$/m.exec(output)?.[1] ?? "[]");
  expect(found).toMatchObject([
    { fd: 3, name: "api", path: join(directory, "api") },
    { fd: 4, name: "admin", path: join(directory, "admin") },
  ]);
  // O_CLOEXEC is 02000000 in proc_pid_fdinfo(5).
  for (const { flags } of found) expect(flags).toMatch(/^0*2\d{6}$/);
});

test.for([
  ["tcp", "is no Unix socket"],
  ["datagram", "is no stream socket"],
  ["bound", "does not listen"],
  ["abstract", "is not bound to a path"],
  ["file", "is no Unix socket"],
] as const)("a descriptor that is a %s is refused: it %s", async ([kind, why], context) => {
  const path = join(directory, "thing");
  const output = await probed(context, [{ kind, path, name: "api" }]);
  expect(output).toContain(`refused argument_invalid descriptor 3 (api) of the service manager ${why}`);
});

describe("the variables", () => {
  test.each([
    [{}, 7],
    [{ LISTEN_PID: "8", LISTEN_FDS: "1" }, 7],
    [{ LISTEN_PID: "7", LISTEN_FDS: "0", LISTEN_FDNAMES: "" }, 7],
  ])("%j give process %i nothing", (environment, pid) => {
    expect(inheritedSockets(environment, pid)).toEqual([]);
  });

  test.each(["", "many", "-1", "65"])("LISTEN_FDS=%s is refused", (count) => {
    expect(() => inheritedSockets({ LISTEN_PID: "7", LISTEN_FDS: count }, 7)).toThrow(`LISTEN_FDS=${count}`);
  });

  test("are taken from what others inherit", () => {
    const environment = { LISTEN_PID: "7", LISTEN_FDS: "1", LISTEN_FDNAMES: "api", LISTEN_PIDFDID: "9", PATH: "/bin" };
    forgetInheritedSockets(environment);
    expect(environment).toEqual({ PATH: "/bin" });
  });
});

test("a path is the socket's through links in its directory, and another name is not", () => {
  mkdirSync(join(directory, "run"));
  symlinkSync("run", join(directory, "link"));
  const socket = { fd: 3, name: "api", path: join(directory, "run/broker.sock") };
  expect(isBoundAt(socket, socket.path)).toBe(true);
  expect(isBoundAt(socket, join(directory, "link/broker.sock"))).toBe(true);
  expect(isBoundAt(socket, join(directory, "run/other.sock"))).toBe(false);
  expect(isBoundAt(socket, join(directory, "nowhere/broker.sock"))).toBe(false);
});
