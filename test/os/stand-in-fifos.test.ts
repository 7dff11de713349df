import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { StandIns } from "../../src/backends/device-descriptors.ts";
import { BrokerError } from "../../src/backends/errors.ts";
import { deviceID } from "../../src/backends/ids.ts";
import { Poller } from "../../src/os/poller.ts";
import { createStandIns } from "../../src/os/stand-in-fifos.ts";
import { openDescriptors } from "../support/memfd.ts";

const NVME = deviceID("0000:01:00.0");

let directory: string;
let standIns: StandIns;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), "stand-ins-")), "made");
  standIns = started();
});

/** As a daemon that was started has them. */
function started(): StandIns {
  const poller = new Poller((error) => {
    throw error;
  });
  const made = createStandIns({ directory, poller });
  onTestFinished(async () => {
    made.close();
    await poller.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return made;
}

/** A process that holds a copy as its descriptor 3 until it is killed. */
async function holder(fd: number): Promise<ChildProcess> {
  const child = spawn("sleep", ["1000"], { stdio: ["ignore", "ignore", "ignore", fd] });
  await once(child, "spawn");
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

const never = (): never => {
  throw new Error("somebody still holds it");
};

test("one that only the broker had is held by nobody once it is let go, and its file is gone", () => {
  standIns.open(NVME);
  expect(statSync(join(directory, NVME)).mode.toString(8)).toBe("10600"); // a FIFO, for its owner alone
  expect(statSync(directory).mode.toString(8)).toBe("40700");
  standIns.letGo(NVME);
  expect(standIns.isHeld(NVME, never)).toBe(false);
  expect(existsSync(join(directory, NVME))).toBe(false);
});

test("kill -9 of the last holder is told, of the one before it is not", async () => {
  const fd = standIns.open(NVME);
  const [first, last] = [await holder(fd), await holder(fd)];
  standIns.letGo(NVME);
  const { promise, resolve } = Promise.withResolvers<void>();
  expect(standIns.isHeld(NVME, resolve)).toBe(true);
  first.kill("SIGKILL");
  await once(first, "exit");
  expect(standIns.isHeld(NVME, resolve)).toBe(true);
  last.kill("SIGKILL");
  await promise;
  expect(standIns.isHeld(NVME, never)).toBe(false);
});

test("what a holder writes into it is no end", async () => {
  const fd = standIns.open(NVME);
  const child = await holder(fd);
  for (let page = 0; page < 3; page += 1) writeSync(fd, new Uint8Array(4096));
  standIns.letGo(NVME);
  const { promise, resolve } = Promise.withResolvers<void>();
  expect(standIns.isHeld(NVME, resolve)).toBe(true);
  child.kill("SIGKILL");
  await promise;
});

describe("a daemon that is started anew", () => {
  test("finds one that a process holds, and is told of its end", async () => {
    const child = await holder(standIns.open(NVME));
    standIns.close();
    const next = started();
    const { promise, resolve } = Promise.withResolvers<void>();
    expect(next.isHeld(NVME, resolve)).toBe(true);
    child.kill("SIGKILL");
    await promise;
  });

  test("finds one that nobody holds any more, and one that never was", async () => {
    standIns.open(NVME);
    standIns.close();
    const next = started();
    expect(existsSync(join(directory, NVME))).toBe(true);
    expect(next.isHeld(NVME, never)).toBe(false);
    expect(existsSync(join(directory, NVME))).toBe(false);
    expect(next.isHeld(deviceID("0000:02:00.0"), never)).toBe(false);
  });

  test("goes on handing out the one that is held", async () => {
    const child = await holder(standIns.open(NVME));
    standIns.close();
    const next = started();
    next.open(NVME);
    next.letGo(NVME);
    expect(next.isHeld(NVME, () => {})).toBe(true);
    child.kill("SIGKILL");
  });
});

test("nothing stays open when it is forgotten", () => {
  const before = openDescriptors();
  standIns.open(NVME);
  standIns.open(NVME);
  standIns.forget(NVME);
  standIns.forget(NVME);
  expect(openDescriptors()).toBe(before);
});

test("a directory that cannot hold one is refused with its path", () => {
  writeFileSync(directory, "");
  expect(() => standIns.open(NVME)).toThrow(BrokerError);
  expect(() => standIns.open(NVME)).toThrow(directory);
});

test("a copy of its own that the broker was left is closed like any other's", () => {
  const fd = standIns.open(NVME);
  standIns.letGo(NVME);
  expect(() => closeSync(fd)).toThrow("EBADF");
});
