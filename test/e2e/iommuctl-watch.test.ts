// iommuctl devices --watch as a process beside a daemon that is killed and comes back, and from a version that was seen before.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../src/client/client.ts";
import { DaemonDirectory } from "../support/e2e-daemon.ts";
import { IOMMUCTL, soberEnvironment } from "../support/iommuctl-process.ts";

const DEVICE = "devices/0000:01:00.0";

class Watch {
  readonly process: ChildProcess;
  out = "";

  constructor(directory: DaemonDirectory, ...argv: string[]) {
    const all = [IOMMUCTL, "devices", "--watch", "--socket", directory.socket, ...argv];
    this.process = spawn(process.execPath, all, { env: soberEnvironment(), stdio: ["ignore", "pipe", "inherit"] });
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.out += text;
    });
    onTestFinished(() => void this.process.kill("SIGKILL"));
  }

  get lines(): readonly string[] {
    return this.out.split("\n").slice(0, -1);
  }
}

function clientOf({ target }: DaemonDirectory) {
  const client = connect(target);
  onTestFinished(() => client.close());
  return client;
}

const POLL = { timeout: 20_000 };

test("the list comes first, then each change, and after a restart of the broker a list anew", async () => {
  const directory = new DaemonDirectory();
  const first = await directory.start();
  const watch = new Watch(directory, "--iommu", "smmu0", "--group", "2");
  await expect.poll(() => watch.lines, POLL).toHaveLength(2);
  expect(watch.lines).toEqual([
    "listed   0000:01:00.0 default-domain, no owner, group 2, generation 0",
    "-- that is all there is; each change follows",
  ]);
  const session = await clientOf(directory).openSession({ displayName: "vm" });
  const { name: addressSpace } = await session.createAddressSpace();
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device: DEVICE, virtualIommu });
  await expect
    .poll(() => watch.lines.at(-1), POLL)
    .toBe('changed  0000:01:00.0 guest-abort, owner "vm", group 2, generation 1');
  first.process.kill("SIGKILL");
  await first.exited;
  await directory.start();
  await expect
    .poll(() => watch.lines.slice(-2), POLL)
    .toEqual([
      expect.stringMatching(/^listed {3}0000:01:00\.0 guest-abort, owner "vm", group 2, generation \d+$/),
      "-- that is all there is; each change follows",
    ]);
  expect(watch.lines).toContain("-- what was told before is void: the list begins anew");
});

test("JSON has a version in each line, and --resume tells only what came after it", async () => {
  const directory = new DaemonDirectory();
  await directory.start();
  const client = clientOf(directory);
  const watch = new Watch(directory, "--json");
  await expect.poll(() => watch.lines.some((line) => line.includes('"mark":"synced"')), POLL).toBe(true);
  const seen = JSON.parse(watch.lines.at(-1)!);
  expect(seen).toEqual({ mark: "synced", resourceVersion: expect.stringMatching(/./) });
  const session = await client.openSession({ displayName: "vm" });
  const { name: addressSpace } = await session.createAddressSpace();
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device: DEVICE, virtualIommu });
  const later = new Watch(directory, "--json", "--resume", seen.resourceVersion);
  await expect.poll(() => later.lines.length, POLL).toBeGreaterThanOrEqual(2);
  const told = later.lines.map((line) => JSON.parse(line));
  expect(told.flatMap(({ change }) => (change === undefined ? [] : [change]))).toMatchObject([
    { kind: "DEVICE_CHANGE_KIND_CHANGED", device: { name: DEVICE, state: "STAGE_STATE_GUEST_ABORT", generation: "1" } },
  ]);
});

test("a reader that has seen enough ends it, and that is no failure", async () => {
  const directory = new DaemonDirectory();
  await directory.start();
  const session = await clientOf(directory).openSession({ displayName: "vm" });
  const script = 'set -o pipefail; "$0" "$1" devices -w --socket "$2" | head -n 1; echo "$?"';
  const child = spawn("bash", ["-c", script, process.execPath, IOMMUCTL, directory.socket], {
    env: soberEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  const closed = once(child, "close");
  await expect.poll(() => out, POLL).toContain("listed");
  // head is gone after its line; the changes that follow find nobody.
  const { name: addressSpace } = await session.createAddressSpace();
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  for (let isOver = false; !isOver; ) {
    await session.attachDevice({ device: DEVICE, virtualIommu });
    await session.detachDevice({ device: DEVICE });
    isOver = await Promise.race([closed.then(() => true), new Promise<boolean>((go) => setImmediate(go, false))]);
  }
  expect(out.split("\n").slice(1)).toEqual(["0", ""]);
});
