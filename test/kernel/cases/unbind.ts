// Hands that take a device from under its owner: unbound from vfio-pci through sysfs while a guest's stage 1 is installed.
// VFIO ends the unbind only when every descriptor of the device is closed, the broker's too.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { type BrokerClient, type Notice, StageState } from "../../../src/client/client.ts";
import { openGuest } from "../guest/broker-guest.ts";
import { Edu } from "../guest/edu.ts";
import { bindToVfio, driverOf } from "../guest/edu-devices.ts";
import { withClient } from "../guest/native-daemon.ts";
import { FIRST_IOVA, GuestRam, RAM, READ_ONLY, READ_WRITE, setPage, textAt, writeText } from "../guest/nested.ts";
import type { KernelCase } from "../kernel-case.ts";

const SOURCE = 0x10_0000;
const TARGET = 0x20_0000;
const PAGE = 0x1000;
const LATER_MS = 200;
/** vfio-pci asks its user every 10 s: whoever lets go by itself is faster. */
const UNBIND_MS_MAX = 10_000;
const WAIT_MS = 20_000;

async function listed(client: BrokerClient, device: string, isListed: boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < WAIT_MS; waitedMs += LATER_MS) {
    if ((await client.listDevices()).some(({ name }) => name === device) === isListed) return;
    await pause(LATER_MS);
  }
  throw new Error(`${device} is ${isListed ? "not " : ""}listed after ${WAIT_MS} ms`);
}

export const unbindCases: readonly KernelCase[] = [
  {
    name: "daemon, native: an attached device is unbound from vfio-pci: the broker lets go, its session is told and lives, and attaches it when it is back",
    run: (machine, tell) =>
      withClient(machine, async (client) => {
        const { address } = machine.devices[0]!;
        const device = `devices/${address}`;
        using memory = new GuestRam();
        const ram = memory.fd;
        const notices: Notice[] = [];
        const onNotice = (notice: Notice): void => void notices.push(notice);
        const guest = await openGuest(client, { name: "guest", ram, addresses: [address], onNotice });
        const { bind, session, virtualIommu } = guest;
        setPage(ram, 0, BigInt(RAM.ipa + SOURCE) + READ_ONLY);
        setPage(ram, 1, BigInt(RAM.ipa + TARGET) + READ_WRITE);
        await bind(0);
        const began = performance.now();
        await writeFile("/sys/bus/pci/drivers/vfio-pci/unbind", address); // in a thread: the client is told meanwhile
        const unbindMs = performance.now() - began;
        tell(`unbound after ${Math.round(unbindMs)} ms`);
        assert.ok(unbindMs < UNBIND_MS_MAX);
        assert.equal(driverOf(address), undefined);
        await listed(client, device, false);
        assert.deepEqual(notices, [{ kind: "deviceRemoved", device }]);
        bindToVfio(address);
        await listed(client, device, true);
        await session.attachDevice({ device, virtualIommu });
        await bind(0);
        writeText(ram, SOURCE, "new.");
        writeText(ram, TARGET, "old.");
        using edu = Edu.ofAddress(address);
        await edu.read(FIRST_IOVA, 4);
        await edu.write(FIRST_IOVA + PAGE, 4);
        assert.equal(textAt(ram, TARGET, 4), "new.");
        assert.equal((await session.getDevice(device)).state, StageState.STAGE_STATE_GUEST_NESTED);
        await session.close();
      }),
  },
];
