// With real processes; the time from a kill to the news is printed and bounded.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Poller } from "../../src/os/poller.ts";
import { createProcessWatch, type ProcessWatchOptions } from "../../src/os/process-watch.ts";
import type { WatchOutcome } from "../../src/server/core/ports.ts";
import { CALLER } from "../support/host.ts";

/** The promise is 100 ms; a machine that does other work besides may take longer to run us. */
const SEEN_WITHIN_MS = 1000;

async function child(): Promise<ChildProcess & { readonly pid: number }> {
  const made = spawn("sleep", ["1000"], { stdio: "ignore" });
  await once(made, "spawn");
  onTestFinished(() => void made.kill("SIGKILL"));
  return Object.assign(made, { pid: made.pid! });
}

function processWatch(options: Partial<ProcessWatchOptions> = {}) {
  const poller = new Poller((error) => {
    throw error;
  });
  onTestFinished(() => poller.close());
  return { poller, watch: createProcessWatch({ poller, ...options }) };
}

function watched(outcome: WatchOutcome): Extract<WatchOutcome, { kind: "watched" }> {
  if (outcome.kind !== "watched") throw new Error(`is ${outcome.kind}`);
  return outcome;
}

const callerAt = (pid: number) => ({ ...CALLER, pid });

describe("the death of a process", () => {
  test.each(["SIGKILL", "SIGTERM"] as const)("by %s is seen at once", async (signal) => {
    const { watch, poller } = processWatch();
    const victim = await child();
    const { promise, resolve } = Promise.withResolvers<void>();
    watched(watch.watch(callerAt(victim.pid), resolve));
    const killed = performance.now();
    victim.kill(signal);
    await promise;
    const tookMs = performance.now() - killed;
    process.stdout.write(`${signal} seen after ${tookMs.toFixed(1)} ms\n`);
    expect(tookMs).toBeLessThan(SEEN_WITHIN_MS);
    expect(poller.size).toBe(0);
  });

  test("is seen on every watch of it, and not on that of another process or one that was stopped", async () => {
    const { watch } = processWatch();
    const [victim, survivor] = [await child(), await child()];
    const seen: string[] = [];
    const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    watched(watch.watch(callerAt(survivor.pid), () => seen.push("survivor")));
    watched(watch.watch(callerAt(victim.pid), () => seen.push("stopped"))).stop();
    for (const { resolve } of both) watched(watch.watch(callerAt(victim.pid), resolve));
    victim.kill("SIGKILL");
    await Promise.all(both.map(({ promise }) => promise));
    expect(seen).toEqual([]);
  });

  test("is not that it is stopped", async () => {
    const { watch } = processWatch();
    const victim = await child();
    let dead = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    watched(
      watch.watch(callerAt(victim.pid), () => {
        dead = true;
        resolve();
      }),
    );
    victim.kill("SIGSTOP");
    const other = await child();
    const later = Promise.withResolvers<void>();
    watched(watch.watch(callerAt(other.pid), later.resolve));
    other.kill("SIGKILL");
    await later.promise; // whatever the stop would have brought, was brought by now
    expect(dead).toBe(false);
    victim.kill("SIGKILL");
    await promise;
  });
});

describe("a pid", () => {
  test("of a process that is gone is dead", async () => {
    const { watch } = processWatch();
    const victim = await child();
    victim.kill("SIGKILL");
    await once(victim, "exit");
    expect(watch.watch(callerAt(victim.pid), () => {})).toEqual({ kind: "dead" });
  });

  test("whose process began at another time than the one that connected is another's", async () => {
    const { watch, poller } = processWatch();
    const victim = await child();
    expect(watch.watch({ ...callerAt(victim.pid), startTime: 1 }, () => {})).toEqual({ kind: "dead" });
    expect(poller.size).toBe(0);
  });

  test("and a birth of before a restart of the daemon find the process again, and no other", async () => {
    const { watch } = processWatch();
    const victim = await child();
    const before = watched(watch.watch(callerAt(victim.pid), () => {}));
    before.stop();
    const { promise, resolve } = Promise.withResolvers<void>();
    expect(watched(watch.rewatch(before.process, resolve)).process).toEqual(before.process);
    expect(watch.rewatch({ ...before.process, birth: `${before.process.birth}0` }, () => {})).toEqual({ kind: "dead" });
    const [startTime] = before.process.birth.split("@");
    const ofAnotherBoot = { pid: victim.pid, birth: `${startTime}@00000000-0000-4000-8000-000000000000` };
    expect(watch.rewatch(ofAnotherBoot, () => {})).toEqual({ kind: "dead" });
    victim.kill("SIGKILL");
    await promise;
  });
});

test("a watch that is closed tells of nothing and leaves no descriptor open", async () => {
  const { watch, poller } = processWatch();
  const victims = [await child(), await child()];
  const pidfds = () => readdirSync("/proc/self/fd").filter((fd) => isPidfd(fd)).length;
  const before = pidfds();
  for (const { pid } of victims) watched(watch.watch(callerAt(pid), () => expect.unreachable()));
  expect(pidfds()).toBe(before + 2);
  watch.close();
  expect([pidfds(), poller.size]).toEqual([before, 0]);
  victims[0]?.kill("SIGKILL");
});

/** Some kernels link a pidfd to "anon_inode:[pidfd]", newer ones to "pidfd:[number]". */
function isPidfd(fd: string): boolean {
  try {
    return /pidfd/.test(readlinkSync(`/proc/self/fd/${fd}`));
  } catch {
    return false; // the one that readdir itself had open
  }
}

test("who cannot be watched is told why", () => {
  const { watch } = processWatch({ open: () => ({ ok: false, errno: "ENOSYS" }) });
  const reasonOf = (outcome: WatchOutcome) => (outcome.kind === "impossible" ? outcome.reason : outcome.kind);
  expect(reasonOf(watch.watch(callerAt(0), () => {}))).toBe("the caller is in another pid namespace");
  expect(reasonOf(watch.watch({ kind: "unknown", connection: "tcp-1" }, () => {}))).toMatch(/TCP/);
  expect(reasonOf(watch.watch(callerAt(1), () => {}))).toBe("the kernel gives no pidfd for pid 1 (ENOSYS)");
});

test.each([
  ["exit", 3],
  ["throw", 1],
  ["close", 0],
])("a wait under way does not keep a process from ending by %s", async (how, code) => {
  const script = join(import.meta.dirname, "../support/watching-process.ts");
  const ending = spawn(process.execPath, [script, how], { stdio: "ignore", timeout: 20_000 });
  expect(await once(ending, "exit")).toEqual([code, null]);
});
