// A real VMM with what the broker vends: Debian's QEMU, in the guest, given its device and its iommufd by iommuctl vend.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { type BrokerClient, StageState } from "../../../src/client/client.ts";
import { Edu } from "../guest/edu.ts";
import { INNER_RAM, InnerQemu } from "../guest/inner-qemu.ts";
import { running, withClient, withGuest } from "../guest/native-daemon.ts";
import type { GuestMachine, KernelCase } from "../kernel-case.ts";

const COMMAND = "/app/dist/cli/main.js";
const NAME = "QEMU";
const SOURCE = INNER_RAM.start + 0x10_0000;
/** The last of it. */
const TARGET = INNER_RAM.start + INNER_RAM.bytes - 0x1000;
const WAIT_MS = 20_000;
const LOOK_MS = 500;

const { STAGE_STATE_DEFAULT_DOMAIN, STAGE_STATE_RELEASING, STAGE_STATE_VENDED } = StageState;
const lacks = ({ noQemu }: GuestMachine): string | undefined => noQemu && `a QEMU of its own: ${noQemu}`;

let words: Promise<readonly string[]> | undefined;

/** What iommuctl render prints for a QEMU that has no SMMUv3 with accel: asked once, a start of Node costs seconds here. */
async function rendered(target: string, address: string): Promise<readonly string[]> {
  const options = ["--vended", "--no-smmu", "--json", "--socket", target.replace("unix:", "")];
  const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, "render", "qemu", address, ...options]);
  const printed: { readonly arguments: readonly string[] } = JSON.parse(stdout);
  return printed.arguments.flatMap((line) => line.split(" "));
}

async function started(machine: GuestMachine, memlock: number = INNER_RAM.bytes): Promise<InnerQemu> {
  const { target } = await running(machine);
  const { address } = machine.devices[0]!;
  words ??= rendered(target, address);
  return new InnerQemu({ target, address, name: NAME, memlock, device: await words });
}

/** There and back: by the device, between two pages of the inner guest's memory. */
async function moves(qemu: InnerQemu, text: string): Promise<void> {
  await qemu.writeText(SOURCE, text);
  await qemu.writeText(TARGET, "-".repeat(text.length));
  await qemu.eduReads(SOURCE, text.length);
  await qemu.eduWrites(TARGET, text.length);
  assert.equal(await qemu.textAt(TARGET, text.length), text);
}

/** The state that the first device comes to: the daemon looks once a tick. */
async function until(client: BrokerClient, state: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < WAIT_MS; waitedMs += LOOK_MS) {
    if ((await client.listDevices())[0]?.state === state) return;
    await pause(LOOK_MS);
  }
  assert.equal((await client.listDevices())[0]?.state, state);
}

async function isFree(machine: GuestMachine, client: BrokerClient): Promise<void> {
  await until(client, STAGE_STATE_DEFAULT_DOMAIN);
  await withGuest(machine, { devices: 1 }, ({ bind }) => bind(0));
}

export const qemuCases: readonly KernelCase[] = [
  {
    name: "daemon, QEMU: a device that iommuctl vend gives to a QEMU without rights moves data in its guest's memory, and comes back when it quits",
    lacks,
    run: (machine, tell) =>
      withClient(machine, async (client) => {
        tell(await InnerQemu.version());
        const began = performance.now();
        await using qemu = await started(machine);
        await qemu.enableEdu();
        tell(`answers after ${Math.round(performance.now() - began)} ms`);
        await moves(qemu, "by way of the broker");
        const devices = await client.listDevices();
        assert.deepEqual(
          devices.map(({ ownerDisplayName, stageAuthoritative, state }) => [
            state,
            ownerDisplayName,
            stageAuthoritative,
          ]),
          [
            [STAGE_STATE_VENDED, NAME, false],
            [STAGE_STATE_DEFAULT_DOMAIN, "", true],
          ],
        );
        await assert.rejects(
          withGuest(machine, { devices: 1 }, async () => {}),
          /QEMU/,
        );
        const { code, said } = await qemu.quit();
        assert.equal(code, 0, said);
        await isFree(machine, client);
      }),
  },
  {
    name: "daemon, QEMU: killed: the device is free, and what it still writes to where that guest's memory was arrives nowhere",
    lacks,
    run: (machine) =>
      withClient(machine, async (client) => {
        await using qemu = await started(machine);
        await qemu.enableEdu();
        await moves(qemu, "new.");
        assert.equal(qemu.textLeftAt(TARGET, 4), "new.");
        await qemu.writeText(TARGET, "old.");
        process.kill(qemu.pid, "SIGKILL");
        const { code } = await qemu.ended;
        assert.equal(code, 128 + 9);
        await until(client, STAGE_STATE_DEFAULT_DOMAIN);
        using edu = Edu.ofAddress(machine.devices[0]!.address);
        await edu.write(TARGET, 4);
        assert.equal(qemu.textLeftAt(TARGET, 4), "old.");
        await isFree(machine, client);
      }),
  },
  {
    name: "daemon, QEMU: with iommuctl killed beside it its device is nobody's until it has ended too",
    lacks,
    run: (machine) =>
      withClient(machine, async (client) => {
        await using qemu = await started(machine);
        await qemu.enableEdu();
        const { pid } = qemu;
        qemu.iommuctl.kill("SIGKILL");
        await until(client, STAGE_STATE_RELEASING);
        const refused = withGuest(machine, { devices: 1 }, async () => {});
        await assert.rejects(refused, (error: Error) => error.message.includes("is being released"));
        process.kill(pid, "SIGKILL");
        await isFree(machine, client);
      }),
  },
  {
    name: "daemon, QEMU: what it pins is counted for itself, and with less memory locked than its guest has it is refused",
    lacks,
    run: (machine) =>
      withClient(machine, async (client) => {
        await using qemu = await started(machine, INNER_RAM.bytes - 1);
        const { code, said } = await qemu.ended;
        assert.equal(code, 1, said);
        assert.match(said, /vfio_container_dma_map\(.* = -12 /);
        await isFree(machine, client);
      }),
  },
];
