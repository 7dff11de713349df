// iommuctl faults as a process, beside a daemon that is killed and comes back.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type BrokerClient, connect } from "../../src/client/client.ts";
import type { DaemonDirectory } from "../support/e2e-daemon.ts";
import { adminSocketOf, faultDaemon, faultGuest, HOLE, NIC, read } from "../support/e2e-fault-world.ts";

class Iommuctl {
  readonly process: ChildProcess;
  out = "";
  err = "";

  constructor(...argv: string[]) {
    const { COLUMNS: _columns, XDG_RUNTIME_DIR: _directory, ...environment } = process.env;
    this.process = spawn(process.execPath, ["src/cli/main.ts", "faults", ...argv], {
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.out += text;
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.err += text;
    });
    onTestFinished(() => void this.process.kill("SIGKILL"));
  }

  get lines(): readonly string[] {
    return this.out.split("\n").slice(0, -1);
  }

  /** Its exit code, once all it said is there. */
  async ended(): Promise<number | null> {
    const [code] = await once(this.process, "close");
    return code;
  }
}

function clientOf({ target }: DaemonDirectory): BrokerClient {
  const client = connect(target);
  onTestFinished(() => client.close());
  return client;
}

const REASON = "the level 3 descriptor";

test("-f prints the past, what happens, and what a killed daemon lost, and goes on with the next one", async () => {
  const directory = faultDaemon();
  const first = await directory.start();
  const { session } = await faultGuest(clientOf(directory), directory.memoryRoot, { name: "vm", devices: [NIC] });
  await read(session, NIC, HOLE);
  const iommuctl = new Iommuctl("-f", "--admin-socket", adminSocketOf(directory));
  await expect.poll(() => iommuctl.lines, { timeout: 20_000 }).toHaveLength(1);
  await read(session, NIC, HOLE);
  await expect.poll(() => iommuctl.lines, { timeout: 20_000 }).toHaveLength(2);

  first.process.kill("SIGKILL");
  await first.exited;
  await expect.poll(() => iommuctl.err, { timeout: 20_000 }).toContain("the broker is gone");
  await directory.start();
  await expect.poll(() => iommuctl.err, { timeout: 20_000 }).toContain("the broker is back");
  await expect.poll(() => iommuctl.lines, { timeout: 20_000 }).toHaveLength(3);
  await read(session, NIC, HOLE);
  await expect.poll(() => iommuctl.lines, { timeout: 20_000 }).toHaveLength(4);

  const event =
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z nic #\d+ F_TRANSLATION {2}vSID 0x44, stage 1, read of 0x9000 — /;
  const [past, live, lost, after] = iommuctl.lines;
  for (const line of [past, live, after]) expect(line).toMatch(event);
  expect(past).toContain(" #1 ");
  expect(live).toContain(" #2 ");
  expect(lost).toMatch(/^-- nic #3 to #\d+: set aside before the broker was restarted/);
  const [, last] = /to #(\d+)/.exec(lost ?? "") ?? [];
  expect(after).toContain(` #${Number(last) + 1} `);
  expect(live).toContain(REASON);
  expect(iommuctl.out).not.toContain("\u001b");
});

test("as the session it prints what that owns, as JSON, and ends", async () => {
  const directory = faultDaemon();
  await directory.start();
  const { session } = await faultGuest(clientOf(directory), directory.memoryRoot, { name: "vm", devices: [NIC] });
  await read(session, NIC, HOLE);
  await read(session, NIC, HOLE);
  const token = join(directory.path, "token");
  writeFileSync(token, session.token, { mode: 0o600 });
  const iommuctl = new Iommuctl("nic", "--json", "--socket", directory.socket, "--token-file", token);
  expect([await iommuctl.ended(), iommuctl.err]).toEqual([0, ""]);
  const events: unknown[] = iommuctl.lines.map((line) => JSON.parse(line));
  expect(events).toMatchObject([
    { event: { sequence: "1", device: NIC, type: "F_TRANSLATION", diagnosis: { rule: "DESCRIPTOR_INVALID" } } },
    { event: { sequence: "2" } },
  ]);
});

test("a reader that has seen enough ends it, and that is no failure", async () => {
  const directory = faultDaemon();
  await directory.start();
  const { session } = await faultGuest(clientOf(directory), directory.memoryRoot, { name: "vm", devices: [NIC] });
  await read(session, NIC, HOLE);
  const script = 'set -o pipefail; "$0" src/cli/main.ts faults -f --admin-socket "$1" | head -n 1; echo "$?"';
  const child = spawn("bash", ["-c", script, process.execPath, adminSocketOf(directory)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  const closed = once(child, "close");
  await expect.poll(() => out, { timeout: 20_000 }).toContain("F_TRANSLATION");
  // head is gone after its line; the next lines find nobody.
  for (let isOver = false; !isOver; ) {
    await read(session, NIC, HOLE);
    isOver = await Promise.race([closed.then(() => true), new Promise<boolean>((go) => setImmediate(go, false))]);
  }
  expect(out.split("\n").slice(1)).toEqual(["0", ""]);
});
