// Who holds a device's descriptor, end to end: VMMs as processes of their own that fetch it, pass it to a child and die.
// The devices are simulated, so what they hold are stand-ins; that the last copy closes is the kernel's word all the same.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { BrokerCallError, type BrokerClient, connect, type Device, StageState } from "../../src/client/client.ts";
import { DaemonDirectory, type RunningDaemon } from "../support/e2e-daemon.ts";

const DEVICE = "devices/0000:01:00.0";
const { STAGE_STATE_DEFAULT_DOMAIN, STAGE_STATE_GUEST_ABORT, STAGE_STATE_RELEASING, STAGE_STATE_VENDED } = StageState;

let directory: DaemonDirectory;
let daemon: RunningDaemon;
let client: BrokerClient;
beforeEach(async () => {
  directory = new DaemonDirectory();
  daemon = await directory.start();
  client = connected();
});

function connected(): BrokerClient {
  const made = connect(directory.target);
  onTestFinished(() => made.close());
  return made;
}

interface Holder {
  readonly vmm: ChildProcess;
  /** Of a process that has a copy too; undefined: none has. */
  readonly child: number | undefined;
}

/** A VMM that holds the device's descriptors. @param how  "attach" or "vend", with "child" another process that does */
async function holder(...how: readonly string[]): Promise<Holder> {
  const script = join(import.meta.dirname, "../support/descriptor-process.ts");
  const vmm = spawn(process.execPath, [script, directory.target, ...how], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void vmm.kill("SIGKILL"));
  const [line] = await once(createInterface(vmm.stdout), "line");
  const child = Number(line);
  if (child > 0) onTestFinished(() => end(child));
  return { vmm, child: child > 0 ? child : undefined };
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has ended
  }
}

/** What the inventory tells of the device, until it is as asked. */
async function until(state: number): Promise<Device> {
  const watch = client.watchDevices();
  try {
    for await (const { changes } of watch) {
      for (const { device } of changes) if (device?.name === DEVICE && device.state === state) return device;
    }
  } finally {
    watch.close();
  }
  throw new Error("the watch ended");
}

async function refused(call: Promise<unknown>): Promise<BrokerCallError> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof BrokerCallError) return error;
  throw new Error("the call was not refused", { cause: error });
}

async function attachAnew(): Promise<Device> {
  const heir = await client.openSession({ displayName: "heir" });
  onTestFinished(() => heir.close().catch(() => {}));
  const space = await heir.createAddressSpace();
  const virtual = await heir.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/smmu0"] });
  return await heir.attachDevice({ device: DEVICE, virtualIommu: virtual.name });
}

test("kill -9 of a VMM that holds its device's node: the device is free, and another can have it", async () => {
  const { vmm } = await holder("attach");
  expect(await client.getDevice(DEVICE)).toMatchObject({ state: STAGE_STATE_GUEST_ABORT, stageAuthoritative: false });
  vmm.kill("SIGKILL");
  expect(await until(STAGE_STATE_DEFAULT_DOMAIN)).toMatchObject({ stageAuthoritative: true, ownerDisplayName: "" });
  expect((await attachAnew()).ownerDisplayName).toBe("heir");
});

test("a copy in another process keeps the device from everybody until that process ends", async () => {
  const { vmm, child } = await holder("attach", "child");
  vmm.kill("SIGKILL");
  expect(await until(STAGE_STATE_RELEASING)).toMatchObject({ stageAuthoritative: false, ownerDisplayName: "" });
  const error = await refused(attachAnew());
  expect([error.codeName, error.reason]).toEqual(["FAILED_PRECONDITION", "DEVICE_RELEASING"]);
  end(child!);
  await until(STAGE_STATE_DEFAULT_DOMAIN);
  expect((await attachAnew()).ownerDisplayName).toBe("heir");
});

test("a vended device is its VMM's with both descriptors, and goes the same way", async () => {
  const { vmm, child } = await holder("vend", "child");
  expect(await client.getDevice(DEVICE)).toMatchObject({ state: STAGE_STATE_VENDED, ownerDisplayName: "holder" });
  vmm.kill("SIGKILL");
  await until(STAGE_STATE_RELEASING);
  end(child!);
  await until(STAGE_STATE_DEFAULT_DOMAIN);
});

describe("a daemon that is killed and started anew", () => {
  async function restart(): Promise<void> {
    daemon.process.kill("SIGKILL");
    await daemon.exited;
    daemon = await directory.start();
    client = connected();
  }

  test("finds a withheld device held, and frees it when the copy is closed", async () => {
    const { vmm, child } = await holder("attach", "child");
    vmm.kill("SIGKILL");
    await until(STAGE_STATE_RELEASING);
    await restart();
    expect((await client.getDevice(DEVICE)).state).toBe(STAGE_STATE_RELEASING);
    end(child!);
    await until(STAGE_STATE_DEFAULT_DOMAIN);
  });

  test("keeps a device that is handed out, and knows that it is not alone with it", async () => {
    const { vmm } = await holder("attach");
    await restart();
    expect(await client.getDevice(DEVICE)).toMatchObject({ state: STAGE_STATE_GUEST_ABORT, stageAuthoritative: false });
    vmm.kill("SIGKILL");
    await until(STAGE_STATE_DEFAULT_DOMAIN);
  });
});

test("the client opens a device in one step; the descriptors are its to close", async () => {
  const session = await client.openSession({ displayName: "opener" });
  const { device, files } = await session.vendDevice(DEVICE);
  expect(device.state).toBe(STAGE_STATE_VENDED);
  expect(files.map(({ label }) => label)).toEqual(["simulated-iommufd", "simulated-cdev"]);
  for (const { fd } of files) {
    expect(fstatSync(fd).isFIFO()).toBe(true);
    closeSync(fd);
  }
  const error = await refused(session.vend({ device: DEVICE }));
  expect(error.reason).toBe("VENDED");
  await session.close();
  expect((await client.getDevice(DEVICE)).state).toBe(STAGE_STATE_DEFAULT_DOMAIN);
});
