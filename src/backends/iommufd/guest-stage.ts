// A guest's stage on a device that is attached to a part, and the name that goes with it: installed whole or not at all,
// left again, bound anew under another name. What a failing step has done before it is taken back.
// Source: Linux drivers/iommu/iommufd/viommu.c, hw_pagetable.c, drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c.

import type { PageTableBind, SteBind } from "../backend.ts";
import type { VirtualStreamID } from "../ids.ts";
import type { VSTE } from "../vste.ts";
import { runBind } from "./bind-job.ts";
import type { BoundDevice } from "./bound-device.ts";
import { bytesOfPairs } from "./doublewords.ts";
import { destroy, hwptAlloc, vdeviceAlloc } from "./ioctl.ts";
import type { Part } from "./part.ts";
import { type OnNotice, Undo } from "./undo.ts";
import { vtdTableOf } from "./vtd-table.ts";

/** Where a guest's stage goes. */
export interface GuestPlace {
  readonly part: Part;
  readonly device: BoundDevice;
  /** Undefined: it is a bare page table. */
  readonly attachment: { vste: VSTE | undefined };
  readonly onNotice: OnNotice;
}

export async function bindSTE(place: GuestPlace, request: Pick<SteBind, "virtualStreamID" | "vste">): Promise<void> {
  const { attachment, device, onNotice, part } = place;
  const { faults, viommu } = part.requireNesting();
  part.drain();
  const undo = new Undo(onNotice);
  const before = device.nested;
  const failure = await undo.around(async () => {
    const name = part.nameOf(device.host.id);
    undo.add(() => rename(device, part, name));
    if (device.vdevice !== undefined) await rename(device, part, request.virtualStreamID);
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
export async function bindTable(place: GuestPlace, table: PageTableBind["pageTable"]): Promise<void> {
  const { attachment, device, onNotice, part } = place;
  const parent = part.requireTableParent();
  const undo = new Undo(onNotice);
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
export async function nameDevice(place: GuestPlace, virtual: VirtualStreamID | undefined): Promise<void> {
  const { attachment, device, onNotice, part } = place;
  const before = part.nameOf(device.host.id);
  const { vste } = attachment;
  if (device.nested !== undefined && vste !== undefined && virtual !== undefined && virtual !== before) {
    await bindSTE(place, { virtualStreamID: virtual, vste });
    return;
  }
  const undo = new Undo(onNotice);
  await undo.around(async () => {
    undo.add(() => rename(device, part, before));
    await rename(device, part, virtual);
  });
}

/** The guest's stage is not installed any more. */
export async function leaveGuestStage(device: BoundDevice, part: Part): Promise<void> {
  const { nested } = device;
  device.nested = undefined;
  part.faults?.end(device.host.id);
  if (nested !== undefined) await part.discard(nested);
}

/** The kernel's name first: what fails there changes nothing here. */
async function rename(device: BoundDevice, part: Part, name: VirtualStreamID | undefined): Promise<void> {
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
