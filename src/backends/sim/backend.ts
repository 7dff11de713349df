// The simulated backend: plays the host kernel (IOAS, nesting parents, vIOMMUs, default domains, event thread) on top
// of one SMMUv3 model for each configured IOMMU. Same verbs and same failure contract as the native one.
// Everything reaches the model as on hardware: structures in memory, registers, commands, event records.

import type {
  AddressSpaceHandle,
  Backend,
  BindPreview,
  BindRequest,
  InvalidationCommand,
  PartHandle,
  PlainStage,
  ResetOutcome,
} from "../backend.ts";
import type { BackendCounters } from "../counters.ts";
import type { DeviceDescriptor, StandIns } from "../device-descriptors.ts";
import type { FaultDiagnosis } from "../diagnosis.ts";
import type { ExplainRequest, Explanation } from "../explanation.ts";
import type { FaultAnswer, FaultNotice, FaultRecord, Notice } from "../faults.ts";
import type { GuestMapping, IpaRange } from "../guest-memory.ts";
import type { DeviceID, GroupID, IommuID, VirtualStreamID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import { requirePageTables } from "../page-table.ts";
import type {
  DmaOutcome,
  MsiLog,
  RawStructures,
  SimulatedAccess,
  SimulatedDma,
  SimulatorControl,
  TranslationOutcome,
} from "../simulator-control.ts";
import { PCIE_ATTRIBUTES } from "../smmuv3/memory-type.ts";
import type { VSTE } from "../vste.ts";
import { diagnoseFault } from "../walks/diagnosis.ts";
import { noLonger, type Walker } from "../walks/diagnosis-walk.ts";
import { guestView, hostView } from "../walks/explanation.ts";
import { Attachments } from "./attachments.ts";
import { DeviceCounting, iommuCounters } from "./counting.ts";
import { answerFault, notPending } from "./fault-answers.ts";
import { HandOuts } from "./hand-outs.ts";
import { HardwareControl } from "./hardware-control.ts";
import { SimulatedHost } from "./host.ts";
import { invalidateParts } from "./invalidation.ts";
import { type SimulatedConfig, SimulatedInventory } from "./inventory.ts";
import { ObjectTable } from "./object-table.ts";
import { SimulatedResets } from "./resets.ts";
import { Stages } from "./stages.ts";

/**
 * Builds a simulated host. Throws BrokerError argument_invalid for registers or devices that make no host.
 * @param standIns  undefined: no descriptor of a device can be handed out
 */
export function createSimulatedBackend(config: SimulatedConfig, standIns?: StandIns): Backend & SimulatorControl {
  return new SimulatedBackend(config, standIns);
}

class SimulatedBackend implements Backend, SimulatorControl {
  readonly kind = "simulated";
  readonly inventory: SimulatedInventory;
  readonly #host: SimulatedHost;
  readonly #objects: ObjectTable;
  readonly #counting: DeviceCounting;
  readonly #attachments: Attachments;
  readonly #stages: Stages;
  readonly #control: HardwareControl;
  readonly #handOuts: HandOuts;
  #onFault: (notice: FaultNotice) => void = () => {};
  #onNotice: (notice: Notice) => void = () => {};

  constructor(config: SimulatedConfig, standIns: StandIns | undefined) {
    this.inventory = new SimulatedInventory(config);
    this.#handOuts = new HandOuts({ standIns, devicesOf: (group) => this.inventory.inGroup(group) });
    const attachments = new Attachments(this.inventory);
    this.#attachments = attachments;
    const resets = new SimulatedResets(config.devices);
    this.#host = new SimulatedHost({
      inventory: this.inventory,
      attachments,
      mergesEvents: config.mergeEvents ?? false,
      deliver: (iommu, notice) => this.#deliver(iommu, notice),
    });
    this.#objects = new ObjectTable(this.#host);
    this.#counting = new DeviceCounting(this.#host.doorbell);
    this.#stages = new Stages({ host: this.#host, attachments, counting: this.#counting, resets });
    this.#control = new HardwareControl({ host: this.#host, attachments, resets });
  }

  async createAddressSpace(): Promise<AddressSpaceHandle> {
    return this.#objects.createSpace();
  }

  async destroyAddressSpace(handle: AddressSpaceHandle): Promise<void> {
    this.#objects.destroySpace(handle);
  }

  async map(handle: AddressSpaceHandle, mappings: readonly GuestMapping[]): Promise<void> {
    await this.#objects.space(handle).map(mappings);
  }

  /** The model asks the files at each access: what has come is there. */
  async fill(): Promise<void> {}

  async unmap(handle: AddressSpaceHandle, mappings: readonly IpaRange[]): Promise<void> {
    await this.#objects.space(handle).unmap(mappings);
  }

  createPart(handle: AddressSpaceHandle, iommu: IommuID): Promise<PartHandle> {
    return this.#objects.createPart(handle, iommu);
  }

  async destroyPart(handle: PartHandle): Promise<void> {
    this.#objects.destroyPart(handle);
  }

  async attach(group: GroupID, handle: PartHandle, stage: PlainStage): Promise<void> {
    this.#stages.attach(group, this.#objects.part(handle), stage);
  }

  async setPlainStage(group: GroupID, handle: PartHandle, stage: PlainStage): Promise<void> {
    this.#stages.setPlain(group, this.#objects.part(handle), stage);
  }

  async bindGuestStage(request: BindRequest): Promise<void> {
    if ("pageTable" in request) requirePageTables(this.#host.smmu(request.part.iommu).driver.host);
    else this.#stages.bind(this.#objects.part(request.part), request);
  }

  previewStage(id: DeviceID, handle: PartHandle, vste: VSTE): BindPreview {
    return this.#stages.preview(id, this.#objects.part(handle), vste);
  }

  async detach(group: GroupID): Promise<void> {
    this.#stages.detach(group);
  }

  async block(group: GroupID): Promise<void> {
    this.#stages.block(group);
  }

  async handOut(id: DeviceID): Promise<void> {
    this.#handOuts.open(id, ["simulated-cdev"]);
  }

  /** Bound to an iommufd and attached to nothing: blocked, until a VMM would attach it. */
  async vend(group: GroupID): Promise<void> {
    for (const { id } of this.inventory.inGroup(group)) {
      this.#handOuts.open(id, ["simulated-iommufd", "simulated-cdev"]);
    }
    try {
      this.#stages.block(group);
    } catch (error) {
      this.#handOuts.letGo(group);
      throw error;
    }
  }

  descriptorsOf(id: DeviceID): readonly DeviceDescriptor[] {
    return this.#handOuts.of(id);
  }

  async withhold(group: GroupID): Promise<void> {
    this.#stages.block(group);
    this.#handOuts.letGo(group);
  }

  async recall(group: GroupID): Promise<void> {
    this.#stages.block(group);
  }

  async reclaim(group: GroupID): Promise<boolean> {
    return !this.#handOuts.isHeld(group);
  }

  onClosed(listener: (group: GroupID) => void): void {
    this.#handOuts.onClosed(listener);
  }

  reset(id: DeviceID): Promise<ResetOutcome> {
    return this.#stages.reset(id);
  }

  async setVirtualStreamID(id: DeviceID, handle: PartHandle, virtual: VirtualStreamID | undefined): Promise<void> {
    this.#stages.name(id, this.#objects.part(handle), virtual);
  }

  async invalidate(handles: readonly PartHandle[], commands: readonly InvalidationCommand[]): Promise<void> {
    const parts = handles.map((handle) => this.#objects.part(handle));
    await invalidateParts(parts, commands, (id) => this.inventory.require(id).streamIDs[0]!);
  }

  /** Every StreamID of a device has the same STE, as a guest's stage needs a device with one: the first is walked. */
  diagnose(fault: FaultRecord): FaultDiagnosis {
    const device = this.inventory.find(fault.device);
    const part = device && this.#attachments.partOf(device.group);
    if (device === undefined || part === undefined) return noLonger("the device is no longer attached");
    const { ioas, driver } = part;
    const walker: Walker = {
      explain: (access) => driver.smmu.explain(access),
      explainTranslationRequest: (request) => driver.smmu.explainTranslationRequest(request),
      physical: (ipa) => ioas.physical(ipa),
    };
    return diagnoseFault(walker, device.streamIDs[0]!, fault);
  }

  async respondToFault(id: DeviceID, cookie: number, answer: FaultAnswer): Promise<void> {
    const device = this.inventory.find(id);
    if (device === undefined) throw notPending(id);
    answerFault(this.#host.smmu(device.iommu), device, cookie, answer);
  }

  explain(request: ExplainRequest): Explanation {
    const { access, iova, privileged, substreamID } = request;
    const device = this.inventory.require(request.device);
    const streamID = device.streamIDs[request.streamIndex]!;
    const transaction = { streamID, iova, access, privileged, attributes: PCIE_ATTRIBUTES };
    const walk = this.#host
      .smmu(device.iommu)
      .driver.smmu.explain(substreamID === undefined ? transaction : { ...transaction, substreamID });
    return request.showsHost ? hostView(walk) : guestView(walk);
  }

  onFault(listener: (notice: FaultNotice) => void): void {
    this.#onFault = listener;
  }

  onNotice(listener: (notice: Notice) => void): void {
    this.#onNotice = listener;
  }

  counters(): BackendCounters {
    return {
      hasTranslationCounters: true,
      iommus: this.#host.smmus().map(iommuCounters),
      devices: this.#counting.counters(),
    };
  }

  async ping(): Promise<void> {
    this.#host.ping();
  }

  async close(): Promise<void> {
    this.#handOuts.close();
    this.#host.close();
    this.#objects.abandon();
  }

  addDevice(device: HostDevice): void {
    this.#control.addDevice(device);
  }

  async removeDevice(id: DeviceID): Promise<void> {
    this.#control.removeDevice(id);
    this.#handOuts.forget(id);
  }

  dma(id: DeviceID, accesses: readonly SimulatedDma[]): Promise<readonly DmaOutcome[]> {
    return this.#control.dma(id, accesses);
  }

  translate(
    id: DeviceID,
    accesses: readonly (SimulatedAccess & { readonly access: "read" | "write" | "execute" })[],
  ): Promise<readonly TranslationOutcome[]> {
    return this.#control.translate(id, accesses);
  }

  structures(
    id: DeviceID,
    streamIndex: number,
    substreamID: number,
    handle: AddressSpaceHandle | undefined,
  ): RawStructures {
    return this.#control.structures(id, streamIndex, substreamID, handle && this.#objects.space(handle));
  }

  msis(id: DeviceID): MsiLog {
    return this.#control.msis(id);
  }

  #deliver(iommu: IommuID, notice: FaultNotice): void {
    if (notice.kind === "overflow") {
      this.#onNotice({ level: "warn", message: "the event queue overflowed: events are lost", facts: { iommu } });
    }
    this.#onFault(notice);
  }
}
