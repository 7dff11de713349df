// Programs that the kernel test runs on the host.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { findProgram, run } from "./command.ts";

test("a program's standard output is given, with what was added to its environment", async () => {
  const options = { env: { PLACE: "here" }, cwd: "/tmp", timeoutMs: 20_000 };
  expect(await run("sh", ["-c", 'echo "$PLACE $PWD"; echo aside >&2'], options)).toBe("here /tmp\n");
});

test("a failure tells the exit status and the last lines of both streams", async () => {
  const failing = run("sh", ["-c", "seq 20; echo no mirror >&2; exit 3"], { timeoutMs: 20_000 });
  await expect(failing).rejects.toThrow(/^sh: exit 3\n10\n(?:\d+\n)+20\nno mirror$/);
});

test("a program that is not there is an error with its name", async () => {
  await expect(run("no-such-program", [], { timeoutMs: 20_000 })).rejects.toThrow("no-such-program ENOENT");
});

test("a program that takes too long is killed with all that it has started", async () => {
  const late = run("sh", ["-c", "sleep 100 & echo $!; wait"], { timeoutMs: 300 });
  const message = await late.then(String, (error: unknown) => String(error));
  expect(message).toContain("sh: not done after 0.3 s");
  const pid = /\n(\d+)$/.exec(message)?.[1];
  // Killed, it may still wait to be reaped: then it is a zombie.
  await expect.poll(() => stateOf(pid)).toMatch(/^(?:gone|Z)$/);
});

test("a program is found in the folders that are named, before those of PATH", () => {
  expect(findProgram("sh", ["/no-such-folder", "/bin"])).toBe("/bin/sh");
  expect(findProgram("no-such-program", ["/bin"])).toBeUndefined();
});

function stateOf(pid: string | undefined): string {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1] ?? "unknown";
  } catch {
    return "gone";
  }
}
