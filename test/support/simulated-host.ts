// The simulated backend without core: a small host behind its verbs, and the hardware with its records beside each other.

import type { GuestMapping } from "../../src/backends/guest-memory.ts";
import { Attachments } from "../../src/backends/sim/attachments.ts";
import { createSimulatedBackend } from "../../src/backends/sim/backend.ts";
import { SimulatedHost } from "../../src/backends/sim/host.ts";
import { SimulatedInventory } from "../../src/backends/sim/inventory.ts";
import { ObjectTable } from "../../src/backends/sim/object-table.ts";
import { NIC, NVME, TWO_SMMUS } from "./host.ts";
import type { BufferFile } from "./memory-file.ts";

/** The first SMMU with other registers, and the NVMe and the NIC behind it. */
export function smallHost(registers: Partial<(typeof TWO_SMMUS)["iommus"][0]["registers"]> = {}) {
  const [first] = TWO_SMMUS.iommus;
  const devices = TWO_SMMUS.devices.filter(({ id }) => id === NVME || id === NIC);
  return createSimulatedBackend({
    iommus: [{ id: "smmu0", registers: { ...first!.registers, ...registers } }],
    devices,
  });
}

export function hardware() {
  const inventory = new SimulatedInventory(TWO_SMMUS);
  const attachments = new Attachments(inventory);
  const host = new SimulatedHost({ inventory, attachments, mergesEvents: false, deliver: () => {} });
  return { inventory, attachments, host, objects: new ObjectTable(host) };
}

export function mapping(file: BufferFile, ipa: number, bytes: number = file.bytes): GuestMapping {
  return { ipa, bytes, file, offset: 0, readable: true, writable: true };
}
