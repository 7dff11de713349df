// iommuctl vend end to end: a VMM of today under it, on simulated devices, whose descriptors are stand-ins.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { type BrokerClient, connect, StageState } from "../../src/client/client.ts";
import { DaemonDirectory } from "../support/e2e-daemon.ts";
import { IOMMUCTL, iommuctl, soberEnvironment } from "../support/iommuctl-process.ts";

const DEVICE = "devices/0000:01:00.0";
const VMM = [process.execPath, join(import.meta.dirname, "../support/vended-vmm.ts"), "{iommufd}", "{device}"];
const { STAGE_STATE_DEFAULT_DOMAIN, STAGE_STATE_RELEASING, STAGE_STATE_VENDED } = StageState;

let client: BrokerClient;
let vend: readonly string[];
beforeEach(async () => {
  const directory = new DaemonDirectory();
  await directory.start();
  client = connect(directory.target);
  onTestFinished(() => client.close());
  vend = ["vend", "0000:01:00.0", "--socket", directory.target.replace("unix:", "")];
});

const state = async (): Promise<number> => (await client.getDevice(DEVICE)).state;

/** Under iommuctl, and running. */
async function running() {
  const argv = [IOMMUCTL, ...vend, "--name", "my guest", "--", ...VMM];
  const parent = spawn(process.execPath, argv, { env: soberEnvironment(), stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void parent.kill("SIGKILL"));
  const [line] = await once(createInterface(parent.stdout), "line");
  const [iommufd, device, pid] = String(line).split(", ");
  return { parent, descriptors: [iommufd, device], vmm: Number(pid) };
}

test("the command has an iommufd at 22 and the device at 23, and its exit code is iommuctl's; then the device is free", async () => {
  const { code, err, out } = await iommuctl([...vend, "--", ...VMM, "5"]);
  expect([code, out, err]).toEqual([5, expect.stringMatching(/^22 stand-in, 23 stand-in, \d+\n$/), ""]);
  expect(await state()).toBe(STAGE_STATE_DEFAULT_DOMAIN);
});

test("the device is vended while the command runs; a signal to iommuctl is the command's", async () => {
  const { descriptors, parent } = await running();
  expect(descriptors).toEqual(["22 stand-in", "23 stand-in"]);
  expect(await client.getDevice(DEVICE)).toMatchObject({ state: STAGE_STATE_VENDED, ownerDisplayName: "my guest" });
  parent.kill("SIGTERM");
  expect(await once(parent, "exit")).toEqual([7, null]);
  expect(await state()).toBe(STAGE_STATE_DEFAULT_DOMAIN);
});

test("a command that a signal ends gives 128 and its number, as a shell does", async () => {
  const { code } = await iommuctl([...vend, "--", "sh", "-c", "kill -9 $$"]);
  expect(code).toBe(137);
});

test("kill -9 of iommuctl alone leaves the device with nobody while the command runs on", async () => {
  const { parent, vmm } = await running();
  onTestFinished(() => void process.kill(vmm, "SIGKILL"));
  const watch = client.watchDevices();
  onTestFinished(() => watch.close());
  parent.kill("SIGKILL");
  const states: number[] = [];
  for await (const { changes } of watch) {
    for (const { device } of changes) if (device?.name === DEVICE) states.push(device.state);
    if (states.includes(STAGE_STATE_RELEASING)) break;
  }
  expect(states.at(-1)).toBe(STAGE_STATE_RELEASING);
});

test.each([
  ["a command that is not there", ["--", "/nonexistent/vmm"], 64, /\/nonexistent\/vmm cannot be started: .*ENOENT/],
  ["no command", [], 64, /missing required argument 'command'/],
])("%s is told, and leaves the device free", async (_name, words, code, message) => {
  const ran = await iommuctl([...vend, ...words]);
  expect([ran.code, ran.err]).toEqual([code, expect.stringMatching(message)]);
  expect(await state()).toBe(STAGE_STATE_DEFAULT_DOMAIN);
});

test("a device that somebody has is refused with the broker's words", async () => {
  const owner = await client.openSession({ displayName: "owner" });
  await owner.vend({ device: DEVICE });
  const { code, err } = await iommuctl([...vend, "--", ...VMM]);
  expect([code, err]).toEqual([3, expect.stringContaining("owner")]);
  await owner.close();
});
