// A group that is attached while its members come and go. VFIO waits with the removal of a device until every descriptor of
// it is closed, so the broker lets go of it as soon as its node is gone. A device that comes to vfio-pci has the domain of
// its group from the first moment on; bound to the group's iommufd it is reset, named and handed out like the others.
// Source: Linux drivers/vfio/vfio_main.c (vfio_unregister_group_dev), drivers/iommu/iommu.c (iommu_device_claim_dma_owner).

import { BrokerError } from "../errors.ts";
import type { DeviceID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import { BoundDevice } from "./bound-device.ts";
import { destroy } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";
import type { Part } from "./part.ts";
import { type OnNotice, Undo } from "./undo.ts";

export interface Members {
  readonly part: Part | undefined;
  readonly devices: readonly BoundDevice[];
}

export interface MemberOptions {
  readonly kernel: Kernel;
  nodeOf(device: DeviceID): string;
  readonly ownIommufd: number;
  readonly onNotice: OnNotice;
}

/** The kernel takes a device of a group that is somebody's to no iommufd but that one's. */
export async function bindMember(
  { kernel, nodeOf, ownIommufd }: MemberOptions,
  host: HostDevice,
  members: Members | undefined,
): Promise<BoundDevice> {
  const iommufd = members?.part?.space.file ?? { kernel, fd: ownIommufd };
  return await BoundDevice.bind(iommufd.kernel, host, nodeOf(host.id), iommufd.fd);
}

/**
 * Bound, and attached to what the others are; under a guest's own stage, where the kernel wants a name first, only bound.
 * Nothing is bound when this fails.
 */
export async function joinMembers(options: MemberOptions, host: HostDevice, members: Members): Promise<BoundDevice> {
  const undo = new Undo(options.onNotice);
  return await undo.around(async () => {
    const device = await bindMember(options, host, members);
    undo.add(() => device.close());
    const [first] = members.devices;
    if (first !== undefined && first.nested === undefined) await device.attach(first.hwpt);
    members.part?.objects.set(device.object, host.id);
    return device;
  });
}

/** Closed, the name that the kernel has for it first: that would keep its number as long as the iommufd is there. */
export async function closeMember(device: BoundDevice, part: Part | undefined): Promise<void> {
  if (part !== undefined && device.vdevice !== undefined) {
    await destroy(part.space.file, device.vdevice.id).catch(() => {});
  }
  await device.close();
}

export function memberOf({ devices }: Members, id: DeviceID): BoundDevice | undefined {
  return devices.find(({ host }) => host.id === id);
}

/** @throws BrokerError backend_failed for one that came later and could not be joined to its group */
export function requireMember(members: Members | undefined, { group, id }: HostDevice): BoundDevice {
  const bound = members === undefined ? undefined : memberOf(members, id);
  if (bound !== undefined) return bound;
  const why = `device ${id} is not bound to the iommufd that IOMMU group ${group} is attached by: detach the group and attach it again`;
  throw new BrokerError("backend_failed", why, { device: id, group });
}
