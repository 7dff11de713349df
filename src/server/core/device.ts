// A device as the broker sees it: what the host says of it, whether it is attached, and the guest's name for it.

import type { VirtualStreamID } from "../../backends/ids.ts";
import type { HostDevice } from "../../backends/inventory.ts";

export interface DeviceRecord {
  readonly host: HostDevice;
  /** This device itself was attached by the group's owner. */
  readonly attached: boolean;
  /** Unique among the devices attached to its virtual IOMMU. */
  readonly virtualStreamID: VirtualStreamID | undefined;
}

export function newDevice(host: HostDevice): DeviceRecord {
  return Object.freeze({ host, attached: false, virtualStreamID: undefined });
}

export function attachedDevice(device: DeviceRecord): DeviceRecord {
  return Object.freeze({ ...device, attached: true });
}

/** Detached: the guest's name for it is gone too. */
export function detachedDevice(device: DeviceRecord): DeviceRecord {
  return newDevice(device.host);
}

export function namedDevice(device: DeviceRecord, virtualStreamID: VirtualStreamID | undefined): DeviceRecord {
  return Object.freeze({ ...device, virtualStreamID });
}
