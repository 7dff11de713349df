// The stage verbs of the simulated host: which STEs a group's streams have, from its attachment to a part to its return to
// the default domain. What the hardware holds is changed first, then attachments.ts is told; what fails on the way leaves
// the previous STEs.

import { assert } from "../../spec/assert.ts";
import { EATS } from "../../spec/encodings.ts";
import { get, wordsOf } from "../../spec/layout.ts";
import { STE } from "../../spec/ste.ts";
import type { BindPreview, PlainStage, ResetOutcome, SteBind } from "../backend.ts";
import type { DeviceID, GroupID, VirtualStreamID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import { decodeSTE } from "../smmuv3/ste.ts";
import type { VSTE } from "../vste.ts";
import type { Attachments } from "./attachments.ts";
import type { DeviceCounting } from "./counting.ts";
import { hostSTE, type SimulatedHost } from "./host.ts";
import { abortSTE, nestedSTE, type SteWords, stage2STE } from "./make-ste.ts";
import type { Part } from "./objects.ts";
import { previewFaults } from "./preview.ts";
import type { SimulatedResets } from "./resets.ts";
import { readCD } from "./structures.ts";

export class Stages {
  readonly #host: SimulatedHost;
  readonly #attachments: Attachments;
  readonly #counting: DeviceCounting;
  readonly #resets: SimulatedResets;

  constructor(options: {
    host: SimulatedHost;
    attachments: Attachments;
    counting: DeviceCounting;
    resets: SimulatedResets;
  }) {
    this.#host = options.host;
    this.#attachments = options.attachments;
    this.#counting = options.counting;
    this.#resets = options.resets;
  }

  attach(group: GroupID, part: Part, stage: PlainStage): void {
    assert(this.#attachments.partOf(group) === undefined, `group ${group} is attached already`);
    this.#host.drain(part.iommu); // what the default domain refused is not the new owner's
    this.#installOnGroup(group, (device) => plainSTE(part, stage, device.ats));
    this.#attachments.enter(group, part);
    for (const device of this.#devicesOf(group)) this.#counting.begin(device, part.driver);
  }

  setPlain(group: GroupID, part: Part, stage: PlainStage): void {
    assert(this.#attachments.partOf(group) === part, `group ${group} is not attached to part ${part.id}`);
    this.#host.drain(part.iommu);
    this.#installOnGroup(group, (device) => plainSTE(part, stage, device.ats));
    for (const device of this.#devicesOf(group)) this.#host.endPending(device);
  }

  bind(part: Part, request: Omit<SteBind, "part">): void {
    const device = this.#host.inventory.require(request.device);
    assert(this.#attachments.partOf(device.group) === part, `${device.id} is not attached to part ${part.id}`);
    assert(device.streamIDs.length === 1, `${device.id} has more than one StreamID`);
    this.#host.drain(part.iommu);
    part.driver.installSTE(device.streamIDs[0]!, guestSTE(device, part, request.vste));
    this.#host.endPending(device); // as iommufd does when it replaces what a device is attached to
    this.name(device.id, part, request.virtualStreamID);
  }

  preview(id: DeviceID, part: Part, vste: VSTE): BindPreview {
    const { memory } = this.#host;
    const hostSTE = guestSTE(this.#host.inventory.require(id), part, vste);
    const of = { driver: part.driver, memory, ioas: part.ioas, substreamID: 0 };
    const wouldFault = previewFaults({
      registers: part.driver.host.registers,
      memory,
      hostSTE,
      readCD: () => readCD(of, decodeSTE(wordsOf(hostSTE))),
    });
    return { hostSTE, wouldFault };
  }

  detach(group: GroupID): void {
    if (this.#attachments.isBlocked(group)) {
      this.#installOnGroup(group, ({ iommu }, streamID) => hostSTE(this.#host.smmu(iommu).driver, streamID));
      this.#attachments.unblock(group);
    }
    const part = this.#attachments.partOf(group);
    if (part) this.#leave(group, part, (_device, streamID) => hostSTE(part.driver, streamID));
  }

  block(group: GroupID): void {
    const part = this.#attachments.partOf(group);
    if (part) this.#leave(group, part, () => abortSTE());
    else this.#installOnGroup(group, () => abortSTE());
    this.#attachments.block(group);
  }

  async reset(id: DeviceID): Promise<ResetOutcome> {
    const { inventory } = this.#host;
    const device = inventory.require(id);
    const outcome = await this.#resets.reset(id);
    if (outcome.kind !== "done" || inventory.find(id) !== device) return outcome;
    this.#host.drain(device.iommu); // what it did before is told before the reset is
    this.#resets.count(id);
    this.#host.endPending(device);
    const { endpoints } = this.#host.smmu(device.iommu);
    for (const streamID of device.streamIDs) endpoints.find(streamID)?.reset();
    this.#counting.reset(id);
    return outcome;
  }

  name(id: DeviceID, part: Part, virtual: VirtualStreamID | undefined): void {
    if (this.#attachments.nameOf(id) === virtual) return;
    this.#host.drain(part.iommu); // records of before the change carry the name of before
    this.#attachments.name(id, part, virtual);
  }

  /** Out of its part: the group's streams get other STEs, and what the owner knew its devices by is forgotten. */
  #leave(group: GroupID, part: Part, make: (device: HostDevice, streamID: number) => SteWords): void {
    // Its records say its old name and are its old owner's: take them all off before both are gone.
    this.#host.drain(part.iommu);
    this.#installOnGroup(group, make);
    for (const device of this.#devicesOf(group)) this.#host.endPending(device);
    this.#attachments.leave(group, part);
    for (const device of this.#devicesOf(group)) {
      this.#resets.count(device.id);
      this.name(device.id, part, undefined);
      this.#counting.end(device, part.driver);
    }
  }

  /** The same kind of STE on every stream of the group; those already written go back when a later one fails. */
  #installOnGroup(group: GroupID, make: (device: HostDevice, streamID: number) => SteWords): void {
    const done: (() => void)[] = [];
    try {
      for (const device of this.#devicesOf(group)) {
        const { driver } = this.#host.smmu(device.iommu);
        for (const streamID of device.streamIDs) {
          const before = driver.readSTE(streamID);
          driver.installSTE(streamID, make(device, streamID));
          done.push(() => driver.installSTE(streamID, before));
        }
      }
    } catch (error) {
      for (const undo of done.reverse()) undo();
      throw error;
    }
  }

  #devicesOf(group: GroupID): readonly HostDevice[] {
    return this.#host.inventory.inGroup(group);
  }
}

function plainSTE(part: Part, stage: PlainStage, hasATS: boolean): SteWords {
  return stage === "bypass" ? stage2STE(part.stage2, part.driver.features, hasATS) : abortSTE();
}

function guestSTE(device: HostDevice, part: Part, vste: VSTE): SteWords {
  if (vste.disposition !== "translate") {
    const isWanted = get(wordsOf([vste.dword0, vste.dword1]), 0, STE.EATS) === EATS.FULL;
    return plainSTE(part, vste.disposition, device.ats && isWanted);
  }
  return nestedSTE(vste, part.stage2, part.driver.features, device);
}
