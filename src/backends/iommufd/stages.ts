// The stage verbs on the kernel: a group's way from the host's default domain into a part and back.
// What is attached is replaced, never taken off first; what a failing step has done before it is taken back, and the device
// stays with what it had. Where the host does not nest, abort is the blocking domain: bound, and attached to nothing.
// Source: Linux drivers/iommu/iommufd/device.c (replace), viommu.c; HOUSE §7.

import { assert } from "../../spec/assert.ts";
import type { BindRequest, PageTableBind, PlainStage, SteBind } from "../backend.ts";
import type { DeviceDescriptor } from "../device-descriptors.ts";
import { BrokerError } from "../errors.ts";
import type { DeviceID, GroupID, VirtualStreamID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import { ABORT_VSTE, BYPASS_VSTE, type VSTE } from "../vste.ts";
import { runBind } from "./bind-job.ts";
import { BoundDevice } from "./bound-device.ts";
import { bytesOfPairs } from "./doublewords.ts";
import { Held } from "./held.ts";
import { destroy, hwptAlloc, vdeviceAlloc } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";
import type { Part } from "./part.ts";
import { type OnNotice, Undo } from "./undo.ts";
import { Vended } from "./vended.ts";
import { vtdTableOf } from "./vtd-table.ts";

/** Where a group is that is not in its default domain. */
export interface Attachment {
  /** Undefined: blocked, and nobody's. */
  readonly part: Part | undefined;
  readonly devices: readonly BoundDevice[];
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
      const bound = await this.#bindAll(group, part.space.file.fd, undo);
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
    for (const device of attachment.devices) await this.#leaveGuestStage(device, part);
  }

  async bind(part: Part, request: BindRequest): Promise<void> {
    if ("pageTable" in request) await this.#bindTable(part, request);
    else await this.#bindSTE(part, request);
  }

  async #bindSTE(part: Part, request: Omit<SteBind, "part">): Promise<void> {
    const { device, attachment } = this.#find(request.device, part);
    const { faults, viommu } = part.requireNesting();
    part.drain();
    const undo = new Undo(this.#options.onNotice);
    const before = device.nested;
    const failure = await undo.around(async () => {
      const name = part.nameOf(device.host.id);
      undo.add(() => this.#rename(device, part, name));
      if (device.vdevice !== undefined) await this.#rename(device, part, request.virtualStreamID);
      // What never stalls needs no fault queue, for which Linux may refuse to attach it.
      const faultQueue = faults === undefined || device.host.stall !== true ? {} : { faultQueue: faults.id };
      const outcome = await runBind({
        iommufd: part.space.file,
        cdev: device.file,
        device: device.object,
        hwpt: { kind: "arm_smmuv3", viommu, ste: bytesOfPairs([request.vste]), ...faultQueue },
        name: device.vdevice === undefined ? { viommu, virtualID: BigInt(request.virtualStreamID) } : undefined,
        before,
      });
      const { error, isAttached, nested, vdevice } = outcome;
      if (nested !== undefined) undo.add(() => part.discard(nested));
      if (vdevice !== undefined) {
        device.vdevice = { id: vdevice, name: request.virtualStreamID };
        part.rename(device.host.id, request.virtualStreamID);
      }
      if (!isAttached) throw error;
      device.nested = nested;
      device.hwpt = nested;
      return error;
    });
    attachment.vste = request.vste;
    part.faults?.end(device.host.id); // the kernel answers what waits when it replaces an HWPT
    if (before !== undefined && failure !== undefined) part.keepInMind(before, failure);
  }

  /** VT-d knows no vIOMMU: the table is nested on stage 2, and the device goes by itself. */
  async #bindTable(part: Part, { device: id, pageTable: table }: PageTableBind): Promise<void> {
    const { device, attachment } = this.#find(id, part);
    const parent = part.requireTableParent();
    const undo = new Undo(this.#options.onNotice);
    const before = device.nested;
    await undo.around(async () => {
      const nested = await hwptAlloc(part.space.file, device.object, {
        kind: "vtd_s1",
        parent,
        table: vtdTableOf(table),
      });
      undo.add(() => part.discard(nested));
      await device.attach(nested);
      device.nested = nested;
    });
    attachment.vste = undefined;
    if (before !== undefined) await part.discard(before);
  }

  /** Faults have the name of when their HWPT was attached (arm_smmu_attach_prepare_vmaster): a guest's stage is bound anew. */
  async name(id: DeviceID, part: Part, virtual: VirtualStreamID | undefined): Promise<void> {
    const { attachment, device } = this.#find(id, part);
    const before = part.nameOf(id);
    const { vste } = attachment;
    if (device.nested !== undefined && vste !== undefined && virtual !== undefined && virtual !== before) {
      await this.#bindSTE(part, { device: id, virtualStreamID: virtual, vste });
      return;
    }
    const undo = new Undo(this.#options.onNotice);
    await undo.around(async () => {
      undo.add(() => this.#rename(device, part, before));
      await this.#rename(device, part, virtual);
    });
  }

  /** Closing a device detaches it: nothing here can fail half-way. */
  async detach(group: GroupID): Promise<void> {
    const attachment = this.#groups.get(group);
    if (attachment === undefined) return;
    const { devices, part } = attachment;
    if (part !== undefined) part.drain();
    for (const device of devices) {
      // The kernel would take it with the device, but keep its number as long as the iommufd is there.
      if (part !== undefined && device.vdevice !== undefined)
        await destroy(part.space.file, device.vdevice.id).catch(() => {});
      await device.close();
    }
    this.#groups.delete(group);
    if (part !== undefined) await this.#leave(part, devices);
  }

  async block(group: GroupID): Promise<void> {
    const attachment = this.#groups.get(group);
    if (attachment === undefined) {
      const undo = new Undo(this.#options.onNotice);
      const devices = await undo.around(() => this.#bindAll(group, this.#options.ownIommufd, undo));
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
    this.#boundDevice(host).isShared = true;
  }

  descriptorsOf(host: HostDevice): readonly DeviceDescriptor[] {
    const vended = this.#vended.get(host.group);
    if (vended !== undefined) return vended.descriptors;
    return [{ kind: "vfio-cdev", fd: this.#boundDevice(host).file.fd }];
  }

  /** @param iommu  the node of iommufd */
  async vend(group: GroupID, iommu: string): Promise<void> {
    const { devicesOf, kernel, nodeOf, onNotice } = this.#options;
    assert(this.#groups.get(group) === undefined, `group ${group} is attached already`);
    const [host] = devicesOf(group);
    if (host === undefined) throw notOnVfio(group);
    this.#vended.set(group, await Vended.open(kernel, host, { iommu, cdev: nodeOf(host.id) }, onNotice));
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

  /** Nobody has it: it can be asked something. */
  isIdle(group: GroupID): boolean {
    return !this.#groups.has(group) && !this.#outside.has(group);
  }

  /** Runs `act` with the device's open node; one that is in its default domain is ours for as long as that takes. */
  async withDevice<T>(host: HostDevice, act: (device: BoundDevice) => Promise<T>): Promise<T> {
    if (this.#groups.has(host.group)) return await act(this.#boundDevice(host));
    const { kernel, nodeOf, ownIommufd } = this.#options;
    const device = await BoundDevice.bind(kernel, host, nodeOf(host.id), ownIommufd);
    try {
      return await act(device);
    } finally {
      await device.close();
    }
  }

  /** The daemon goes down: every device goes back to the host. */
  async close(): Promise<void> {
    for (const { devices } of this.#groups.values()) for (const device of devices) await device.close();
    for (const vended of this.#vended.values()) await vended.close();
    this.#groups.clear();
    this.#vended.clear();
  }

  #boundDevice(host: HostDevice): BoundDevice {
    const bound = this.#groups.get(host.group)?.devices.find((device) => device.host.id === host.id);
    assert(bound !== undefined, `device ${host.id} is not bound`);
    return bound;
  }

  async #bindAll(group: GroupID, iommufd: number, undo: Undo): Promise<readonly BoundDevice[]> {
    const { devicesOf, kernel, nodeOf } = this.#options;
    const hosts = devicesOf(group);
    if (hosts.length === 0) throw notOnVfio(group);
    const devices: BoundDevice[] = [];
    for (const host of hosts) {
      const device = await BoundDevice.bind(kernel, host, nodeOf(host.id), iommufd);
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

  /** The guest's stage is not installed any more. */
  async #leaveGuestStage(device: BoundDevice, part: Part): Promise<void> {
    const { nested } = device;
    device.nested = undefined;
    part.faults?.end(device.host.id);
    if (nested !== undefined) await part.discard(nested);
  }

  async #leave(part: Part, devices: readonly BoundDevice[]): Promise<void> {
    for (const device of devices) {
      await this.#leaveGuestStage(device, part);
      part.rename(device.host.id, undefined);
      part.objects.delete(device.object);
    }
    part.users -= 1;
  }

  /** The kernel's name first: what fails there changes nothing here. */
  async #rename(device: BoundDevice, part: Part, name: VirtualStreamID | undefined): Promise<void> {
    const { id } = device.host;
    const { file } = part.space;
    const { nesting } = part;
    const wanted = nesting === undefined ? undefined : name;
    if (part.nameOf(id) === name && device.vdevice?.name === wanted) return;
    part.drain(); // records of before the change carry the name of before
    if (device.vdevice !== undefined) {
      await destroy(file, device.vdevice.id);
      device.vdevice = undefined;
    }
    part.rename(id, undefined);
    if (name === undefined) return;
    if (nesting !== undefined) {
      const named = { viommu: nesting.viommu, device: device.object, virtualID: BigInt(name) };
      device.vdevice = { id: await vdeviceAlloc(file, named), name };
    }
    part.rename(id, name);
  }

  #find(id: DeviceID, part: Part): { readonly device: BoundDevice; readonly attachment: Attachment } {
    for (const attachment of this.#groups.values()) {
      const device = attachment.devices.find(({ host }) => host.id === id);
      if (device !== undefined && attachment.part === part) return { device, attachment };
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
