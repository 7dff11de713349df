// Every IOMMU asked for its registers, through a device that nobody uses; the inventory is told what came of it.
// A device that somebody holds past the broker refuses, so the next one is asked. Looks may overlap, and one that the
// broker itself is about to use is asked in its group's turn, if nobody has it then.

import type { Notice } from "../faults.ts";
import type { IommuID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import { FORWARDED_FAULTS } from "../told-faults.ts";
import { type Experiments, iommuFacts } from "./hw-info.ts";
import { type NativeInventory, unknownFacts } from "./inventory.ts";
import type { DeviceProbe, ProbeAnswer } from "./probe.ts";

/** Devices of an IOMMU that are asked in one go: where all refuse, it is seldom for the device's sake. */
export const ASKED_MAX = 16;

export interface Probing {
  readonly inventory: NativeInventory;
  readonly probe: DeviceProbe;
  readonly experiments?: Experiments | undefined;
  /** Nobody has its group. */
  isIdle(device: HostDevice): boolean;
  /** Nothing is under way with its group: it can be asked at once. */
  isFree(device: HostDevice): boolean;
  /** Runs `act` in the turn of its group. */
  inTurn<T>(device: HostDevice, act: () => Promise<T>): Promise<T>;
  onNotice(notice: Notice): void;
}

/** Asks those that have not answered yet and have a device that is idle. */
export async function probeIommus(probing: Probing): Promise<void> {
  const { inventory, isFree, isIdle } = probing;
  for (const { id } of inventory.iommus()) {
    if (!isUnasked(inventory, id)) continue;
    const idle = inventory.devices().filter((one) => one.iommu === id && isIdle(one));
    const soonest = [...idle.filter(isFree), ...idle.filter((one) => !isFree(one))];
    await probeThrough(id, soonest.slice(0, ASKED_MAX), probing);
  }
}

/** One after the other, until one answers; the first one's refusal counts if none does. */
async function probeThrough(iommu: IommuID, devices: readonly HostDevice[], probing: Probing): Promise<void> {
  const { experiments, inventory, onNotice } = probing;
  let refused: { readonly device: HostDevice; readonly reason: string } | undefined;
  for (const device of devices) {
    const answer = await probing.inTurn(device, () => ask(device, probing));
    if (answer?.kind === "answered") {
      const facts = iommuFacts(answer.hardware, answer.nestingRefusal, experiments);
      inventory.tell(iommu, { ...facts, ...(answer.hasEvents && { toldFaults: FORWARDED_FAULTS }) });
      return;
    }
    if (answer !== undefined) refused ??= { device, reason: answer.error.message };
  }
  if (refused === undefined || !isUnasked(inventory, iommu)) return;
  const { device, reason } = refused;
  inventory.tell(iommu, unknownFacts(reason));
  const facts = { iommu, device: device.id, reason };
  onNotice({ level: "warn", message: "an IOMMU could not be asked: its registers stay unknown", facts });
}

/** Undefined: meanwhile its IOMMU has answered, or the device is gone or somebody's. */
async function ask(device: HostDevice, { inventory, isIdle, probe }: Probing): Promise<ProbeAnswer | undefined> {
  const native = inventory.find(device.id);
  if (native === undefined || !isIdle(device) || !isUnasked(inventory, device.iommu)) return undefined;
  return await probe(native);
}

/** There, and nobody knows what it is. */
function isUnasked(inventory: NativeInventory, id: IommuID): boolean {
  const host = inventory.iommus().find((one) => one.id === id);
  return host !== undefined && host.registers === undefined && (host.otherHardware?.kind ?? "unknown") === "unknown";
}
