// Every IOMMU asked for its registers, through a device that nobody uses; the inventory is told what came of it.

import type { Notice } from "../faults.ts";
import type { HostDevice } from "../inventory.ts";
import { type Experiments, iommuFacts } from "./hw-info.ts";
import { type NativeInventory, unknownFacts } from "./inventory.ts";
import type { DeviceProbe } from "./probe.ts";

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
    const idle = inventory.devices().find((one) => one.iommu === host.id && probing.isIdle(one));
    if (idle !== undefined) await probeThrough(idle, probing);
  }
}

async function probeThrough({ id, iommu }: HostDevice, probing: Probing): Promise<void> {
  const { experiments, inventory, onNotice, probe } = probing;
  const answer = await probe(inventory.require(id));
  if (answer.kind === "answered") {
    inventory.tell(iommu, iommuFacts(answer.hardware, answer.nestingRefusal, experiments));
    return;
  }
  inventory.tell(iommu, unknownFacts(answer.error.message));
  const facts = { iommu, device: id, reason: answer.error.message };
  onNotice({ level: "warn", message: "an IOMMU could not be asked: its registers stay unknown", facts });
}
