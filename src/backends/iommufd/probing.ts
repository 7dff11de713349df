// Every IOMMU asked for its registers, through a device that nobody uses; the inventory is told what came of it.
// A device that somebody holds past the broker refuses, so the next one is asked.

import type { Notice } from "../faults.ts";
import type { HostDevice } from "../inventory.ts";
import { FORWARDED_FAULTS } from "../told-faults.ts";
import { type Experiments, iommuFacts } from "./hw-info.ts";
import { type NativeInventory, unknownFacts } from "./inventory.ts";
import type { DeviceProbe } from "./probe.ts";

/** Devices of an IOMMU that are asked in one go: where all refuse, it is seldom for the device's sake. */
export const ASKED_MAX = 16;

export interface Probing {
  readonly inventory: NativeInventory;
  readonly probe: DeviceProbe;
  readonly experiments?: Experiments | undefined;
  isIdle(device: HostDevice): boolean;
  onNotice(notice: Notice): void;
}

/** Asks those that have not answered yet and have a device that is idle. */
export async function probeIommus(probing: Probing): Promise<void> {
  const { inventory } = probing;
  for (const host of inventory.iommus()) {
    if (host.registers !== undefined || (host.otherHardware?.kind ?? "unknown") !== "unknown") continue;
    const idle = inventory.devices().filter((one) => one.iommu === host.id && probing.isIdle(one));
    await probeThrough(idle.slice(0, ASKED_MAX), probing);
  }
}

/** One after the other, until one answers; the first one's refusal counts if none does. */
async function probeThrough(devices: readonly HostDevice[], probing: Probing): Promise<void> {
  const { experiments, inventory, onNotice, probe } = probing;
  let refused: { readonly device: HostDevice; readonly reason: string } | undefined;
  for (const device of devices) {
    const answer = await probe(inventory.require(device.id));
    if (answer.kind === "answered") {
      const facts = iommuFacts(answer.hardware, answer.nestingRefusal, experiments);
      inventory.tell(device.iommu, { ...facts, ...(answer.hasEvents && { toldFaults: FORWARDED_FAULTS }) });
      return;
    }
    refused ??= { device, reason: answer.error.message };
  }
  if (refused === undefined) return;
  const { device, reason } = refused;
  inventory.tell(device.iommu, unknownFacts(reason));
  const facts = { iommu: device.iommu, device: device.id, reason };
  onNotice({ level: "warn", message: "an IOMMU could not be asked: its registers stay unknown", facts });
}
