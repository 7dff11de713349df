// One daemon with the native backend for all cases that want it, because it takes long to start in the guest; and guests of it.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type BrokerClient, connect } from "../../../src/client/client.ts";
import type { GuestMachine } from "../kernel-case.ts";
import { type BrokerGuest, openGuest } from "./broker-guest.ts";
import { GuestDaemon } from "./daemon.ts";
import { unbindFromVfio } from "./edu-devices.ts";
import { GuestRam } from "./nested.ts";

let daemon: GuestDaemon | undefined;

/** Nothing drives the devices when the daemon starts: it takes them itself, as it is told to. */
export async function running({ devices }: GuestMachine): Promise<GuestDaemon> {
  if (daemon === undefined) {
    for (const { address } of devices) unbindFromVfio(address);
    const addresses = devices.map(({ address }) => address);
    daemon = await GuestDaemon.start({ backend: "iommufd", native: { bind_devices: addresses } });
  }
  return daemon;
}

export async function restart(killed: GuestDaemon): Promise<void> {
  daemon = await killed.restart();
}

export async function end(ending: GuestDaemon): Promise<void> {
  daemon = undefined;
  await ending.end();
}

/** What failed, with what the daemon said last. */
export async function withClient(machine: GuestMachine, use: (client: BrokerClient) => Promise<void>): Promise<void> {
  const { target, log } = await running(machine);
  const client = connect(target);
  try {
    await use(client);
  } catch (error) {
    const why = error instanceof Error ? error.stack : error;
    throw new Error(`${why}\nthe daemon's last lines:\n${log.slice(-12).join("\n")}`);
  } finally {
    client.close();
  }
}

interface Running extends BrokerGuest {
  readonly ram: number;
  readonly client: BrokerClient;
}

interface Attached {
  readonly devices: number;
  readonly initialMode?: number;
}

/** A guest with the first devices of the machine, for as long as the function runs. */
export async function withGuest(
  machine: GuestMachine,
  { devices, initialMode }: Attached,
  use: (guest: Running) => Promise<void>,
): Promise<void> {
  await withClient(machine, async (client) => {
    using memory = new GuestRam();
    const ram = memory.fd;
    const addresses = machine.devices.slice(0, devices).map(({ address }) => address);
    const guest = await openGuest(client, { name: "guest", ram, addresses, ...(initialMode && { initialMode }) });
    try {
      await use({ ...guest, ram, client });
    } finally {
      await guest.session.close();
    }
  });
}

interface Holder {
  readonly vmm: ChildProcess;
  /** A process that holds a copy too, where one was asked for. */
  readonly heir: number;
}

/** A VMM as a process, with the device bound and its node in its hands. */
export async function startHolder(daemon: GuestDaemon, ram: number, words: readonly string[]): Promise<Holder> {
  return await started("/app/test/kernel/guest/holder.js", daemon, ram, words);
}

/** A VMM as a process that is vended the device, binds it by itself and attaches it to the memory. */
export async function startVendee(daemon: GuestDaemon, ram: number, words: readonly string[]): Promise<Holder> {
  return await started("/app/test/kernel/guest/vendee.js", daemon, ram, words);
}

async function started(
  script: string,
  { target }: GuestDaemon,
  ram: number,
  words: readonly string[],
): Promise<Holder> {
  const vmm = spawn(process.execPath, [script, target, ...words], { stdio: ["ignore", "pipe", "inherit", ram] });
  const [said] = await once(vmm.stdout!, "data");
  return { vmm, heir: Number(said) };
}

/** A VMM as a process, with the first device bound. */
export async function startVmm({ target }: GuestDaemon, ram: number, address: string): Promise<ChildProcess> {
  const script = "/app/test/kernel/guest/vmm.js";
  const vmm = spawn(process.execPath, [script, target, address], { stdio: ["ignore", "pipe", "inherit", ram] });
  const [said] = await once(vmm.stdout!, "data");
  assert.equal(String(said), "bound\n");
  return vmm;
}
