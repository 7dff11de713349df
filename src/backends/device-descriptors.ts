// Open files of devices that are passed to their owners: what one is, and where the simulated backend gets its stand-ins.
// A descriptor that was passed cannot be taken back; all that can be seen is whether every copy of it is closed.

import type { DeviceID } from "./ids.ts";

/** What a descriptor is. The simulated ones take no ioctl: they stand for what a VMM would be given natively. */
export type DescriptorKind = "vfio-cdev" | "iommufd" | "simulated-cdev" | "simulated-iommufd";

export interface DeviceDescriptor {
  readonly kind: DescriptorKind;
  /** The broker's own; who is passed it has a copy. */
  readonly fd: number;
  /** Of a node that is passed with the iommufd it is bound to: the kernel's number of the device there (`dev_id`). */
  readonly object?: number;
}

/**
 * Files that stand for devices of the simulated host. What every one has in common with a device's node: it is seen when
 * the last copy is closed, wherever that is, and also by a daemon that was started meanwhile.
 */
export interface StandIns {
  /**
   * One more open file of the device, the broker's own until let go.
   * @throws BrokerError backend_failed when there can be none, with the reason
   */
  open(device: DeviceID): number;
  /** Closes the broker's own. */
  letGo(device: DeviceID): void;
  /**
   * Whether anybody holds a copy of one. While somebody does, `onClosed` is called, once and not from within, when nobody
   * does any more; a later call takes its place.
   */
  isHeld(device: DeviceID, onClosed: () => void): boolean;
  /** The device is gone, and so are its files. */
  forget(device: DeviceID): void;
  /** Watches nothing any more and closes the broker's own. */
  close(): void;
}
