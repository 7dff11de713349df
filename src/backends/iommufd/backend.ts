// The native backend: the arbiter's verbs as calls of iommufd and VFIO, on the devices that are bound to vfio-pci.
// Only puts together: address spaces and parts by handle, the stages of groups, the queues of faults.
// The kernel enforces, counts references and frees everything should this process die.
// Source: Linux Documentation/userspace-api/iommufd.rst; HOUSE §7.

import { assert } from "../../spec/assert.ts";
import type {
  AddressSpaceHandle,
  Backend,
  BindPreview,
  BindRequest,
  InvalidationCommand,
  PartHandle,
  PlainStage,
  ResetOutcome,
  VendedNode,
} from "../backend.ts";
import type { BackendCounters } from "../counters.ts";
import type { DeviceDescriptor } from "../device-descriptors.ts";
import type { FaultDiagnosis } from "../diagnosis.ts";
import { BrokerError } from "../errors.ts";
import type { ExplainRequest, Explanation } from "../explanation.ts";
import type { FaultAnswer, FaultNotice, FaultRecord, Notice } from "../faults.ts";
import type { GuestMapping, IpaRange } from "../guest-memory.ts";
import type { DeviceID, GroupID, IommuID, VirtualStreamID } from "../ids.ts";
import type { HostDevice, HostIommu } from "../inventory.ts";
import { ABORT_VSTE, type VSTE } from "../vste.ts";
import { noLonger } from "../walks/diagnosis-walk.ts";
import { IOMMU_NODE } from "./address-space.ts";
import { FaultCounting } from "./counting.ts";
import { EarlyNotices } from "./early-notices.ts";
import { diagnoseAccess, explainAccess, faultOf, notCovered, previewBind, type Walked } from "./explanation.ts";
import { answerFault } from "./fault-answers.ts";
import { FaultQueue } from "./fault-queue.ts";
import { GroupLocks } from "./group-locks.ts";
import type { Experiments } from "./hw-info.ts";
import { invalidateParts } from "./invalidation.ts";
import type { NativeInventory } from "./inventory.ts";
import { destroy, ioasAlloc, type KernelFile, openIommufd } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";
import { ObjectTable } from "./object-table.ts";
import type { PartQueues } from "./part-queue.ts";
import type { PmcgCounters } from "./pmcg.ts";
import type { DeviceProbe } from "./probe.ts";
import { probeIommus } from "./probing.ts";
import { resetDevice } from "./reset.ts";
import { Stages } from "./stages.ts";
import { VirtualEventQueue } from "./veventq.ts";

export interface NativeOptions {
  readonly kernel: Kernel;
  readonly inventory: NativeInventory;
  readonly probe: DeviceProbe;
  readonly experiments?: Experiments;
  readonly counters?: PmcgCounters;
}

/** Opens /dev/iommu and asks each IOMMU through a device that is there. Throws BrokerError with the remedy where it cannot. */
export async function createNativeBackend(options: NativeOptions): Promise<NativeBackend> {
  const { kernel } = options;
  const own = { kernel, fd: await openIommufd(kernel, IOMMU_NODE) };
  const backend = new NativeBackend(options, own);
  await backend.probe();
  return backend;
}

export class NativeBackend implements Backend {
  readonly kind = "iommufd";
  readonly inventory: NativeInventory;
  readonly #options: NativeOptions;
  /** For what is no guest's: questions, resets, devices that are blocked. */
  readonly #own: KernelFile;
  readonly #counting = new FaultCounting();
  readonly #notices = new EarlyNotices();
  readonly #locks = new GroupLocks();
  readonly #stages: Stages;
  readonly #objects: ObjectTable;
  #onFault: (notice: FaultNotice) => void = () => {};

  constructor(options: NativeOptions, own: KernelFile) {
    this.inventory = options.inventory;
    this.#options = options;
    this.#own = own;
    this.#objects = new ObjectTable({
      kernel: options.kernel,
      hostOf: (iommu) => this.#host(iommu),
      queues: this.#queues(),
      onNotice: (notice) => this.tell(notice),
    });
    this.#stages = new Stages({
      kernel: options.kernel,
      devicesOf: (group) => this.inventory.devices().filter((device) => device.group === group),
      nodeOf: (device) => this.#nodeOf(device),
      ownIommufd: own.fd,
      onNotice: (notice) => this.tell(notice),
    });
  }

  /** Asks every IOMMU that has not answered yet and has a device that nobody uses. */
  async probe(): Promise<void> {
    await probeIommus({
      ...this.#options,
      isIdle: ({ group }) => this.#stages.isIdle(group),
      isFree: ({ group }) => this.#locks.isFree(group),
      inTurn: ({ group }, act) => this.#locks.run(group, act),
      onNotice: (notice) => this.tell(notice),
    });
  }

  createAddressSpace(owner?: string): Promise<AddressSpaceHandle> {
    return this.#objects.createSpace(owner);
  }

  async destroyAddressSpace(handle: AddressSpaceHandle): Promise<void> {
    await this.#objects.destroySpace(handle);
  }

  async map(handle: AddressSpaceHandle, mappings: readonly GuestMapping[]): Promise<void> {
    await this.#objects.space(handle).map(mappings);
  }

  async fill(handle: AddressSpaceHandle, mappings: readonly IpaRange[]): Promise<void> {
    await this.#objects.space(handle).fill(mappings);
  }

  async unmap(handle: AddressSpaceHandle, mappings: readonly IpaRange[]): Promise<void> {
    await this.#objects.space(handle).unmap(mappings);
  }

  async createPart(handle: AddressSpaceHandle, iommu: IommuID): Promise<PartHandle> {
    return this.#objects.createPart(handle, iommu);
  }

  async destroyPart(handle: PartHandle): Promise<void> {
    await this.#objects.destroyPart(handle);
  }

  async attach(group: GroupID, handle: PartHandle, stage: PlainStage): Promise<void> {
    await this.#locks.run(group, async () => {
      await this.#stages.attach(group, this.#objects.part(handle), stage);
      for (const { host } of this.#stages.attachmentOf(group)?.devices ?? []) this.#counting.begin(host.id);
    });
  }

  async setPlainStage(group: GroupID, handle: PartHandle, stage: PlainStage): Promise<void> {
    await this.#locks.run(group, () => this.#stages.setPlain(group, this.#objects.part(handle), stage));
  }

  async bindGuestStage(request: BindRequest): Promise<void> {
    await this.#stages.bind(this.#objects.part(request.part), request);
  }

  previewStage(_device: DeviceID, handle: PartHandle, vste: VSTE): BindPreview {
    const { host, space } = this.#objects.part(handle);
    return previewBind({ host, space, vste });
  }

  async detach(group: GroupID): Promise<void> {
    await this.#leaving(group, () => this.#stages.detach(group));
    const isUnknown = ({ id, otherHardware }: HostIommu): boolean =>
      otherHardware?.kind === "unknown" &&
      this.inventory.devices().some((device) => device.group === group && device.iommu === id);
    // Its only devices were held when it was asked: now one is not.
    if (this.inventory.iommus().some(isUnknown)) await this.probe();
  }

  async join(device: HostDevice): Promise<void> {
    await this.#locks.run(device.group, async () => {
      await this.#stages.join(device);
      if (this.#stages.attachmentOf(device.group)?.part !== undefined) this.#counting.begin(device.id);
    });
  }

  async forget(device: HostDevice): Promise<void> {
    await this.#locks.run(device.group, async () => {
      await this.#stages.forget(device);
      this.#counting.end(device.id);
    });
  }

  async block(group: GroupID): Promise<void> {
    await this.#leaving(group, () => this.#stages.block(group));
  }

  async handOut(id: DeviceID): Promise<void> {
    this.#stages.handOut(this.inventory.requireHost(id));
  }

  async vend(group: GroupID, node: VendedNode): Promise<void> {
    await this.#locks.run(group, () => this.#stages.vend(group, IOMMU_NODE, node));
  }

  descriptorsOf(id: DeviceID): readonly DeviceDescriptor[] {
    return this.#stages.descriptorsOf(this.inventory.requireHost(id));
  }

  async withhold(group: GroupID): Promise<void> {
    await this.#leaving(group, () => this.#stages.withhold(group));
  }

  async recall(group: GroupID): Promise<void> {
    this.#stages.recall(group);
  }

  async reclaim(group: GroupID): Promise<boolean> {
    return await this.#locks.run(group, () => this.#stages.reclaim(group));
  }

  refusalOf(group: GroupID): BrokerError | undefined {
    return this.#stages.refusalOf(group);
  }

  /** The kernel tells nobody: reclaim() is how it is seen. */
  onClosed(): void {}

  async reset(id: DeviceID): Promise<ResetOutcome> {
    const device = this.inventory.devices().find((one) => one.id === id);
    if (device === undefined) return { kind: "failed", reason: `device ${id} is gone` };
    return await this.#locks.run(device.group, async () => {
      const part = this.#stages.attachmentOf(device.group)?.part;
      part?.drain(); // what it did before is told before the reset is
      const outcome = await this.#stages.withDevice(device, ({ file }) => resetDevice(file));
      if (outcome.kind === "done") part?.faults?.end(id);
      return outcome;
    });
  }

  async setVirtualStreamID(id: DeviceID, handle: PartHandle, virtual: VirtualStreamID | undefined): Promise<void> {
    await this.#stages.name(id, this.#objects.part(handle), virtual);
  }

  async invalidate(handles: readonly PartHandle[], commands: readonly InvalidationCommand[]): Promise<void> {
    const parts = handles.map((handle) => this.#objects.part(handle));
    await invalidateParts(parts, commands);
  }

  explain(request: ExplainRequest): Explanation {
    const walked = this.#walked(request.device);
    if (walked === undefined) return notCovered(`device ${request.device} is not attached`);
    return explainAccess(walked, request);
  }

  diagnose(fault: FaultRecord): FaultDiagnosis {
    const walked = this.#walked(fault.device);
    return walked === undefined ? noLonger("the device is no longer attached") : diagnoseAccess(walked, fault);
  }

  async respondToFault(id: DeviceID, cookie: number, answer: FaultAnswer): Promise<void> {
    const queues = this.#objects.parts().flatMap(({ faults }) => faults ?? []);
    answerFault(queues, id, cookie, answer);
  }

  onFault(listener: (notice: FaultNotice) => void): void {
    this.#onFault = listener;
  }

  onNotice(listener: (notice: Notice) => void): void {
    this.#notices.onNotice(listener);
  }

  counters(): BackendCounters {
    const told = new Map(this.inventory.iommus().map(({ id, toldFaults = [] }) => [id, toldFaults]));
    return this.#counting.counters(this.#options.counters?.read() ?? [], (device) => {
      const iommu = this.inventory.find(device)?.iommu;
      return (iommu && told.get(iommu)) ?? [];
    });
  }

  /** An object is made and destroyed: the kernel and the pool answer, or this throws. */
  async ping(): Promise<void> {
    await destroy(this.#own, await ioasAlloc(this.#own));
  }

  /** Devices first, to the host; then what stood behind them goes with its iommufd. */
  async close(): Promise<void> {
    await this.#stages.close();
    await this.#objects.abandon();
    this.#options.counters?.close();
    await this.#own.kernel.close(this.#own.fd);
  }

  async #leaving(group: GroupID, act: () => Promise<void>): Promise<void> {
    await this.#locks.run(group, async () => {
      const devices = this.#stages.attachmentOf(group)?.devices ?? [];
      await act();
      for (const { host } of devices) this.#counting.end(host.id);
    });
  }

  #queues(): PartQueues {
    const { kernel } = this.#options;
    const parts = {
      kernel,
      deliver: (notice: FaultNotice) => this.#deliver(notice),
      onNotice: (notice: Notice) => this.tell(notice),
      nowMs: () => performance.now(),
    };
    return {
      events: (fd, owner) => new VirtualEventQueue({ ...parts, fd, owner }),
      faults: (fd, owner) =>
        new FaultQueue({ ...parts, fd, owner }, (device, access) => {
          const walked = this.#walked(device);
          return walked === undefined ? "F_TRANSLATION" : faultOf(walked, access);
        }),
    };
  }

  #deliver(notice: FaultNotice): void {
    if (notice.kind === "fault") this.#counting.count(notice.fault);
    this.#onFault(notice);
  }

  tell(notice: Notice): void {
    this.#notices.tell(notice);
  }

  #walked(id: DeviceID): Walked | undefined {
    for (const { devices, part, vste } of this.#stages.attachments()) {
      if (part === undefined || !devices.some(({ host }) => host.id === id)) continue;
      return { host: part.host, space: part.space, vste: vste ?? ABORT_VSTE }; // only an SMMUv3's walk begins at an STE
    }
    return undefined;
  }

  #nodeOf(id: DeviceID): string {
    const { cdev } = this.inventory.require(id);
    assert(cdev !== undefined, `device ${id} has no VFIO node`);
    return cdev;
  }

  #host(id: IommuID): HostIommu {
    const host = this.inventory.iommus().find((one) => one.id === id);
    if (host === undefined) throw new BrokerError("iommu_unknown", `IOMMU ${id} is gone`, { iommu: id });
    return host;
  }
}
