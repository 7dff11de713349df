// What is wrong with a socket, from a real one where that can be had.

import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Unreachable } from "../../src/cli/unreachable.ts";

function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "iommuctl-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

test.each([
  ["no socket", "connect ENOENT /run/x.sock", /at \/run\/x\.sock: .*\n {2}is iommu-brokerd running.*systemctl start/],
  ["a socket that nobody listens on", "connect ECONNREFUSED /run/x.sock", /\n {2}the socket is left over.*start it/],
  ["something else", "write EPIPE", /\n {2}is iommu-brokerd running there\? --socket/],
])("%s is told with what to do, and forbidden to nobody", (_what, why, message) => {
  const failure = new Unreachable("unix:/run/x.sock", why);
  expect(failure.message).toMatch(message);
  expect(failure.isForbidden).toBe(false);
});

test("an address is told as it was given", () => {
  expect(new Unreachable("host:9400", "getaddrinfo ENOTFOUND host").message).toMatch(
    /^.*at host:9400: .*\n.*listen\.tcp/,
  );
});

test.skipIf(process.getuid?.() !== 0)("a socket for a group names the group that one must be in", () => {
  const directory = temporaryDirectory();
  chownSync(directory, 0, 1); // "daemon" in every Debian: base-passwd gives it gid 1
  chmodSync(directory, 0o750);
  const failure = new Unreachable(`unix:${join(directory, "broker.sock")}`, "connect EACCES");
  expect(failure.isForbidden).toBe(true);
  expect(failure.message).toContain("members of the group daemon: usermod -aG daemon USER");
});

test.skipIf(process.getuid?.() !== 0)("a socket that is root's group's sends nobody into that group", () => {
  const directory = temporaryDirectory();
  chownSync(directory, 0, 0);
  const { message } = new Unreachable(`unix:${join(directory, "broker.sock")}`, "connect EACCES");
  expect(message).toContain("run this as root");
  expect(message).not.toContain("usermod");
});

test("a group without a name is told by its number, and no place at all by whom to ask", () => {
  const failure = new Unreachable("unix:/nowhere/at/all/broker.sock", "connect EACCES");
  expect(failure.message).toContain("ask who runs the broker");
});
