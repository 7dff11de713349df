// The stage verbs on the kernel: a group's way from the host's default domain into a part and back.
// What is attached is replaced, never taken off first; what a failing step has done before it is taken back, and the device
// stays with what it had. Where the host does not nest, abort is the blocking domain: bound, and attached to nothing.
// Source: Linux drivers/iommu/iommufd/device.c (replace), viommu.c; HOUSE §7.

import { assert } from "../../spec/assert.ts";
import type { BindRequest, PlainStage, VendedNode } from "../backend.ts";
import type { DeviceDescriptor } from "../device-descriptors.ts";
import { BrokerError } from "../errors.ts";
import type { DeviceID, GroupID, VirtualStreamID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import { ABORT_VSTE, BYPASS_VSTE, type VSTE } from "../vste.ts";
import { BoundDevice } from "./bound-device.ts";
import { bindMember, closeMember, joinMembers, memberOf, requireMember } from "./group-members.ts";
import { bindSTE, bindTable, type GuestPlace, leaveGuestStage, nameDevice } from "./guest-stage.ts";
import { Held } from "./held.ts";
import type { KernelFile } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";
import type { Part } from "./part.ts";
import { type OnNotice, Undo } from "./undo.ts";
import { Vended } from "./vended.ts";

/** Where a group is that is not in its default domain. */
export interface Attachment {
  /** Undefined: blocked, and nobody's. */
  readonly part: Part | undefined;
  devices: readonly BoundDevice[];
  /** Of the group's stage 1; undefined: it is a guest's bare page table. */
  vste: VSTE | undefined;
}

export interface StagesOptions {
  readonly kernel: Kernel;
  /** The group's devices that are bound to VFIO. */
  devicesOf(group: GroupID): readonly HostDevice[];
  /** "/dev/vfio/devices/vfio3" */
  nodeOf(device: DeviceID): string;
  /** The broker's own, for devices that are nobody's. */
  readonly ownIommufd: number;
  readonly onNotice: OnNotice;
}

export class Stages {
  readonly #options: StagesOptions;
  readonly #groups = new Map<GroupID, Attachment>();
  readonly #vended = new Map<GroupID, Vended>();
  /** Groups of which others may hold descriptors, and the broker none that translates. */
  readonly #outside = new Set<GroupID>();
  readonly #held: Held;

  constructor(options: StagesOptions) {
    this.#options = options;
    this.#held = new Held(options);
  }

  /** Undefined: in its default domain. */
  attachmentOf(group: GroupID): Attachment | undefined {
    return this.#groups.get(group);
  }

  attachments(): readonly Attachment[] {
    return [...this.#groups.values()];
  }

  async attach(group: GroupID, part: Part, stage: PlainStage): Promise<void> {
    assert(this.#groups.get(group) === undefined, `group ${group} is attached already`);
    const undo = new Undo(this.#options.onNotice);
    const devices = await undo.around(async () => {
      const bound = await this.#bindAll(group, part.space.file, undo);
      if (await part.build(bound[0]!.object)) undo.add(() => part.tearDown());
      const target = plainTarget(part, stage);
      for (const device of bound) {
        await device.attach(target);
        undo.add(() => device.attach(undefined));
      }
      return bound;
    });
    part.users += 1;
    for (const { host, object } of devices) part.objects.set(object, host.id);
    this.#groups.set(group, { part, devices, vste: vsteOf(stage) });
  }

  async setPlain(group: GroupID, part: Part, stage: PlainStage): Promise<void> {
    const attachment = this.#attached(group, part);
    part.drain();
    await this.#attachAll(attachment, plainTarget(part, stage));
    attachment.vste = vsteOf(stage);
    for (const device of attachment.devices) await leaveGuestStage(device, part);
  }

  async bind(part: Part, request: BindRequest): Promise<void> {
    const place = this.#find(request.device, part);
    if ("pageTable" in request) await bindTable(place, request.pageTable);
    else await bindSTE(place, request);
  }

  async name(id: DeviceID, part: Part, virtual: VirtualStreamID | undefined): Promise<void> {
    await nameDevice(this.#find(id, part), virtual);
  }

  /** Closing a device detaches it: nothing here can fail half-way. */
  async detach(group: GroupID): Promise<void> {
    const attachment = this.#groups.get(group);
    if (attachment === undefined) return;
    const { devices, part } = attachment;
    if (part !== undefined) part.drain();
    for (const device of devices) await closeMember(device, part);
    this.#groups.delete(group);
    if (part !== undefined) await this.#leave(part, devices);
  }

  /** A device that came to vfio-pci: it gets what its group has. */
  async join(host: HostDevice): Promise<void> {
    const attachment = this.#groups.get(host.group);
    if (attachment === undefined || memberOf(attachment, host.id) !== undefined) return;
    const device = await joinMembers(this.#options, host, attachment);
    attachment.devices = [...attachment.devices, device];
  }

  /** A device that is not there any more: nothing of it stays open. Its siblings keep what they have. */
  async forget({ group, id }: HostDevice): Promise<void> {
    const attachment = this.#groups.get(group);
    const device = attachment && memberOf(attachment, id);
    if (attachment?.devices.length === 1 && device !== undefined) await this.detach(group);
    else if (attachment !== undefined && device !== undefined) {
      const { devices, part } = attachment;
      part?.drain();
      await closeMember(device, part);
      attachment.devices = devices.filter((one) => one !== device);
      if (part !== undefined) await this.#leaveDevice(part, device);
    }
    const isLast = this.#options.devicesOf(group).every((other) => other.id === id);
    if (!isLast) return;
    await this.#vended.get(group)?.close();
    this.#vended.delete(group);
    this.#outside.delete(group);
    this.#held.forget(group);
  }

  async block(group: GroupID): Promise<void> {
    const attachment = this.#groups.get(group);
    if (attachment === undefined) {
      const { kernel, onNotice, ownIommufd } = this.#options;
      const undo = new Undo(onNotice);
      const devices = await undo.around(() => this.#bindAll(group, { kernel, fd: ownIommufd }, undo));
      this.#groups.set(group, { part: undefined, devices, vste: ABORT_VSTE });
      return;
    }
    const { devices, part } = attachment;
    if (part === undefined) return;
    part.drain();
    await this.#attachAll(attachment, undefined);
    this.#groups.set(group, { part: undefined, devices, vste: ABORT_VSTE });
    for (const device of devices) {
      const { vdevice } = device;
      device.vdevice = undefined;
      if (vdevice !== undefined) await part.discard(vdevice.id);
    }
    await this.#leave(part, devices);
  }

  handOut(host: HostDevice): void {
    requireMember(this.#groups.get(host.group), host).isShared = true;
  }

  descriptorsOf(host: HostDevice): readonly DeviceDescriptor[] {
    const vended = this.#vended.get(host.group);
    if (vended !== undefined) return vended.descriptors;
    return [{ kind: "vfio-cdev", fd: requireMember(this.#groups.get(host.group), host).file.fd }];
  }

  /** @param iommu  the node of iommufd */
  async vend(group: GroupID, iommu: string, node: VendedNode): Promise<void> {
    const { devicesOf, kernel, nodeOf, onNotice } = this.#options;
    assert(this.#groups.get(group) === undefined, `group ${group} is attached already`);
    const [host] = devicesOf(group);
    if (host === undefined) throw notOnVfio(group);
    const nodes = { iommu, cdev: nodeOf(host.id) };
    this.#vended.set(group, await Vended.open({ kernel, host, nodes, node, onNotice }));
    this.#outside.add(group);
  }

  /** Blocked first, by a detach that a holder could undo only while there is something to attach to. */
  async withhold(group: GroupID): Promise<void> {
    await this.#vended.get(group)?.close();
    this.#vended.delete(group);
    if (this.#groups.has(group)) {
      await this.block(group);
      for (const device of this.#groups.get(group)?.devices ?? []) await device.close();
      this.#groups.delete(group);
    }
    this.#outside.add(group);
  }

  recall(group: GroupID): void {
    this.#outside.add(group);
  }

  /** A node that somebody else has bound cannot be bound through another open: that is how it is seen (device_cdev.c). */
  async reclaim(group: GroupID): Promise<boolean> {
    try {
      await this.block(group);
    } catch (error) {
      if (await this.#held.explains(group, this.#options.devicesOf(group), error)) return false;
      throw error;
    }
    this.#held.forget(group);
    this.#outside.delete(group);
    return true;
  }

  refusalOf(group: GroupID): BrokerError | undefined {
    return this.#held.refusalOf(group);
  }

  /** Nobody has it: it can be asked something. */
  isIdle(group: GroupID): boolean {
    return !this.#groups.has(group) && !this.#outside.has(group);
  }

  /** Runs `act` with the device's open node; one that is in its default domain is ours for as long as that takes. */
  async withDevice<T>(host: HostDevice, act: (device: BoundDevice) => Promise<T>): Promise<T> {
    const attachment = this.#groups.get(host.group);
    const bound = attachment && memberOf(attachment, host.id);
    if (bound !== undefined) return await act(bound);
    const device = await bindMember(this.#options, host, attachment);
    try {
      return await act(device);
    } finally {
      await device.close();
    }
  }

  /** The daemon goes down: every device goes back to the host. */
  async close(): Promise<void> {
    for (const { devices } of this.#groups.values()) for (const device of devices) await device.close();
    const leave = new Undo(this.#options.onNotice);
    for (const vended of this.#vended.values()) leave.add(() => vended.close());
    await leave.takeBack();
    this.#groups.clear();
    this.#vended.clear();
  }

  async #bindAll(group: GroupID, { fd, kernel }: KernelFile, undo: Undo): Promise<readonly BoundDevice[]> {
    const { devicesOf, nodeOf } = this.#options;
    const hosts = devicesOf(group);
    if (hosts.length === 0) throw notOnVfio(group);
    const devices: BoundDevice[] = [];
    for (const host of hosts) {
      const device = await BoundDevice.bind(kernel, host, nodeOf(host.id), fd);
      undo.add(() => device.close());
      devices.push(device);
    }
    return devices;
  }

  /** Every device of the group, or none. */
  async #attachAll({ devices }: Attachment, target: number | undefined): Promise<void> {
    const undo = new Undo(this.#options.onNotice);
    await undo.around(async () => {
      for (const device of devices) {
        const before = device.hwpt;
        await device.attach(target);
        undo.add(() => device.attach(before));
      }
    });
  }

  async #leave(part: Part, devices: readonly BoundDevice[]): Promise<void> {
    for (const device of devices) await this.#leaveDevice(part, device);
    part.users -= 1;
  }

  async #leaveDevice(part: Part, device: BoundDevice): Promise<void> {
    await leaveGuestStage(device, part);
    part.rename(device.host.id, undefined);
    part.objects.delete(device.object);
  }

  #find(id: DeviceID, part: Part): GuestPlace {
    for (const attachment of this.#groups.values()) {
      const device = attachment.devices.find(({ host }) => host.id === id);
      if (device !== undefined && attachment.part === part)
        return { part, device, attachment, onNotice: this.#options.onNotice };
    }
    throw new BrokerError("backend_failed", `${id} is not attached to part ${part.id}`, { device: id });
  }

  #attached(group: GroupID, part: Part): Attachment {
    const attachment = this.#groups.get(group);
    assert(attachment?.part === part, `group ${group} is not attached to part ${part.id}`);
    return attachment;
  }
}

function notOnVfio(group: GroupID): BrokerError {
  const why = `no device of IOMMU group ${group} is bound to vfio-pci: bind one`;
  return new BrokerError("backend_unavailable", why, { group });
}

/** Undefined: the blocking domain. */
function plainTarget({ built }: Part, stage: PlainStage): number | undefined {
  assert(built !== undefined, "the part is not built");
  const { nesting, stage2 } = built;
  if ("reason" in nesting) return stage === "bypass" ? stage2 : undefined;
  return nesting[stage];
}

function vsteOf(stage: PlainStage): VSTE {
  return stage === "bypass" ? BYPASS_VSTE : ABORT_VSTE;
}
