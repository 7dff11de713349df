// What of the simulated devices is in others' hands: stand-ins for the nodes that a VMM would be given natively.
// They take no ioctl; what they tell truly is when every copy of them is closed.

import { assert } from "../../spec/assert.ts";
import type { DescriptorKind, DeviceDescriptor, StandIns } from "../device-descriptors.ts";
import { BrokerError } from "../errors.ts";
import type { DeviceID, GroupID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";

export interface HandOutsOptions {
  /** Undefined: there is no descriptor socket, so nothing could be handed out. */
  readonly standIns: StandIns | undefined;
  devicesOf(group: GroupID): readonly HostDevice[];
}

export class HandOuts {
  readonly #options: HandOutsOptions;
  readonly #open = new Map<DeviceID, readonly DeviceDescriptor[]>();
  #onClosed: (group: GroupID) => void = () => {};

  constructor(options: HandOutsOptions) {
    this.#options = options;
  }

  onClosed(listener: (group: GroupID) => void): void {
    this.#onClosed = listener;
  }

  /** Opens what is not open yet. */
  open(device: DeviceID, kinds: readonly DescriptorKind[]): void {
    if (this.#open.has(device)) return;
    const standIns = this.#require();
    try {
      const opened = kinds.map((kind): DeviceDescriptor => ({ kind, fd: standIns.open(device) }));
      this.#open.set(device, opened);
    } catch (error) {
      standIns.letGo(device);
      throw error;
    }
  }

  of(device: DeviceID): readonly DeviceDescriptor[] {
    const open = this.#open.get(device);
    assert(open !== undefined, `nothing of ${device} was handed out`);
    return open;
  }

  /** Closes the broker's own. */
  letGo(group: GroupID): void {
    for (const { id } of this.#options.devicesOf(group)) {
      this.#open.delete(id);
      this.#options.standIns?.letGo(id);
    }
  }

  /** Whether anybody holds a copy of one; while somebody does, the listener will be told. */
  isHeld(group: GroupID): boolean {
    const { devicesOf, standIns } = this.#options;
    if (standIns === undefined) return false;
    return devicesOf(group).some(({ id }) => standIns.isHeld(id, () => this.#onClosed(group)));
  }

  forget(device: DeviceID): void {
    this.#open.delete(device);
    this.#options.standIns?.forget(device);
  }

  close(): void {
    this.#open.clear();
    this.#options.standIns?.close();
  }

  #require(): StandIns {
    const { standIns } = this.#options;
    if (standIns !== undefined) return standIns;
    const why = "descriptors are handed out through the descriptor socket, which is off: set listen.fd_socket";
    throw new BrokerError("backend_unsupported", why);
  }
}
