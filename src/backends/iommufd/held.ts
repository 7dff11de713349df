// Whether somebody else has a node of a group that is withheld: the kernel tells nobody, so it is seen by binding anew.
// A device that is bound through another open answers EINVAL; a sibling of one answers EBUSY, which a driver of the host
// in the group gives too, and then nobody holds anything and the reason is to be told.
// Source: Linux drivers/vfio/vfio_main.c (vfio_df_device_first_open, vfio_df_open), drivers/iommu/iommu.c (claim_dma_owner).

import { BrokerError } from "../errors.ts";
import type { GroupID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import { BoundDevice } from "./bound-device.ts";
import { CALLS } from "./errno-table.ts";
import type { Kernel } from "./kernel.ts";
import type { OnNotice } from "./undo.ts";

/** After so many looks in vain the errno is told once: it has another meaning, which does not pass by itself. */
export const LOOKS_UNTOLD = 60;

export interface HeldNodes {
  readonly kernel: Kernel;
  nodeOf(device: HostDevice["id"]): string;
  /** The broker's own, for the time of the look. */
  readonly ownIommufd: number;
  readonly onNotice: OnNotice;
}

export class Held {
  readonly #nodes: HeldNodes;
  /** Looks that found a holder, of groups that are withheld. */
  readonly #looks = new Map<GroupID, number>();
  /** What the last look at such a group was refused with. */
  readonly #refusals = new Map<GroupID, BrokerError>();

  constructor(nodes: HeldNodes) {
    this.#nodes = nodes;
  }

  /** It is free: the next time counts from the beginning. */
  forget(group: GroupID): void {
    this.#looks.delete(group);
    this.#refusals.delete(group);
  }

  refusalOf(group: GroupID): BrokerError | undefined {
    return this.#refusals.get(group);
  }

  /** @param error  what binding all of the group's devices failed with @returns whether that is for a holder's sake */
  async explains(group: GroupID, devices: readonly HostDevice[], error: unknown): Promise<boolean> {
    if (error instanceof BrokerError) this.#refusals.set(group, error);
    if (!isOfBind(error)) return false;
    for (const device of devices) {
      const refusal = await this.#refusal(device);
      if (refusal?.facts.errno !== "EINVAL") continue;
      this.#refusals.set(group, refusal);
      this.#count(group, device);
      return true;
    }
    return false;
  }

  /** Of a bind; undefined: it could be bound, or not even opened. */
  async #refusal(device: HostDevice): Promise<BrokerError | undefined> {
    const { kernel, nodeOf, ownIommufd } = this.#nodes;
    try {
      const bound = await BoundDevice.bind(kernel, device, nodeOf(device.id), ownIommufd);
      await bound.close();
      return undefined;
    } catch (error) {
      return isOfBind(error) ? error : undefined;
    }
  }

  #count(group: GroupID, { id }: HostDevice): void {
    const looks = (this.#looks.get(group) ?? 0) + 1;
    this.#looks.set(group, looks);
    if (looks !== LOOKS_UNTOLD) return;
    const message =
      "a group is still withheld: a process holds its device's node, or the device cannot be bound any more (its DMA is not coherent, firmware demands direct ranges)";
    this.#nodes.onNotice({ level: "warn", message, facts: { group, device: id, errno: "EINVAL" } });
  }
}

function isOfBind(error: unknown): error is BrokerError {
  return error instanceof BrokerError && error.facts.ioctl === CALLS.bind_iommufd.ioctl;
}
