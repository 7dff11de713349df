// The simulated backend: plays the host kernel (IOAS, nesting parents, vIOMMUs, default domains, event thread) on top
// of one SMMUv3 model for each configured IOMMU. Same verbs and same failure contract as the native one.
// Everything reaches the model as on hardware: structures in memory, registers, commands, event records.

import { assert } from "../../spec/assert.ts";
import { CMD_CFGI, CMD_TLBI, COMMAND } from "../../spec/commands.ts";
import { EATS } from "../../spec/encodings.ts";
import { doublewordsOf, get, set, wordsOf } from "../../spec/layout.ts";
import { STE } from "../../spec/ste.ts";
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
import type { BackendCounters, DeviceCounters } from "../counters.ts";
import type { FaultDiagnosis } from "../diagnosis.ts";
import { BrokerError } from "../errors.ts";
import type { ExplainRequest, Explanation } from "../explanation.ts";
import type { FaultNotice, FaultRecord, Notice } from "../faults.ts";
import type { GuestMapping, IpaRange } from "../guest-memory.ts";
import type { DeviceID, GroupID, IommuID, VirtualStreamID } from "../ids.ts";
import type { HostDevice } from "../inventory.ts";
import type {
  DmaOutcome,
  MsiLog,
  RawStructures,
  SimulatedAccess,
  SimulatedDma,
  SimulatorControl,
  TranslationOutcome,
} from "../simulator-control.ts";
import { MemoryMap } from "../smmuv3/memory.ts";
import { PCIE_ATTRIBUTES } from "../smmuv3/memory-type.ts";
import type { StreamCounters } from "../smmuv3/smmu.ts";
import { decodeSTE } from "../smmuv3/ste.ts";
import type { VSTE } from "../vste.ts";
import { diagnoseFault } from "./diagnosis.ts";
import { noLonger, type Walker } from "./diagnosis-walk.ts";
import { DmaMaster } from "./dma-master.ts";
import { Endpoints } from "./endpoints.ts";
import { EventQueueDriver } from "./eventq-driver.ts";
import { guestView, hostView } from "./explanation.ts";
import { FileWindows } from "./file-windows.ts";
import { FrameShare, Frames } from "./frames.ts";
import { type SimulatedConfig, SimulatedInventory } from "./inventory.ts";
import { abortSTE, defaultDomainSTE, nestedSTE, type SteWords, stage2STE } from "./make-ste.ts";
import { MsiDoorbell } from "./msi-doorbell.ts";
import { Ioas, Part, TABLES_MAX, Vmids } from "./objects.ts";
import { previewFaults } from "./preview.ts";
import { PriQueueDriver } from "./priq-driver.ts";
import { SimulatedResets } from "./resets.ts";
import { type RawCommand, SmmuDriver, stallTerm } from "./smmu-driver.ts";
import { Stage2Tables } from "./stage2-tables.ts";
import { readCD, readStructures } from "./structures.ts";
import { Turns } from "./turns.ts";

interface HostSmmu {
  readonly driver: SmmuDriver;
  readonly events: EventQueueDriver;
  readonly vmids: Vmids;
  readonly endpoints: Endpoints;
  readonly pageRequests: PriQueueDriver;
}

/**
 * Commands that go into a command queue together, and what one costs in units of a turn: those that look at every entry of
 * the TLBs take a tenth of a millisecond each, and nothing runs between those that go together.
 */
const COMMANDS_AT_ONCE = 32;
const UNITS_PER_COMMAND = 512;

/** An attached group; groups not in the map are in the default domain. */
interface Attachment {
  readonly part: Part;
}

/** Builds a simulated host. Throws BrokerError argument_invalid for registers or devices that make no host. */
export function createSimulatedBackend(config: SimulatedConfig): Backend & SimulatorControl {
  return new SimulatedBackend(config);
}

class SimulatedBackend implements Backend, SimulatorControl {
  readonly kind = "simulated";
  readonly inventory: SimulatedInventory;
  readonly #memory = new MemoryMap();
  readonly #frames = new Frames(this.#memory);
  readonly #resetter: SimulatedResets;
  readonly #doorbell = new MsiDoorbell(this.#memory);
  readonly #windows: FileWindows;
  readonly #smmus = new Map<IommuID, HostSmmu>();
  readonly #spaces = new Map<number, Ioas>();
  readonly #parts = new Map<number, Part>();
  readonly #attached = new Map<GroupID, Attachment>();
  readonly #names = new Map<DeviceID, VirtualStreamID>();
  readonly #tracked = new Map<DeviceID, readonly StreamCounters[]>();
  /** Groups that nobody may use: neither attached nor in the default domain. */
  readonly #blocked = new Set<GroupID>();
  /** How often a device was reset, or went back to the host: a DMA that was under way does not go on. */
  readonly #resets = new Map<DeviceID, number>();
  #onFault: (notice: FaultNotice) => void = () => {};
  #onNotice: (notice: Notice) => void = () => {};
  #nextID = 1;

  constructor(config: SimulatedConfig) {
    this.inventory = new SimulatedInventory(config);
    this.#resetter = new SimulatedResets(config.devices);
    for (const host of this.inventory.iommus()) this.#addSmmu(host.id, config.mergeEvents ?? false);
    const drivers = [...this.#smmus.values()].map((smmu) => smmu.driver);
    this.#windows = new FileWindows(this.#memory, Math.min(...drivers.map((driver) => driver.features.oasBits)));
    for (const device of this.inventory.devices()) this.#installDefaultDomain(device);
  }

  async createAddressSpace(): Promise<AddressSpaceHandle> {
    const space = new Ioas(this.#nextID++, this.#windows);
    this.#spaces.set(space.id, space);
    return { id: space.id };
  }

  async destroyAddressSpace(handle: AddressSpaceHandle): Promise<void> {
    this.#space(handle).destroy();
    this.#spaces.delete(handle.id);
  }

  async map(handle: AddressSpaceHandle, mappings: readonly GuestMapping[]): Promise<void> {
    await this.#space(handle).map(mappings);
  }

  async unmap(handle: AddressSpaceHandle, mappings: readonly IpaRange[]): Promise<void> {
    await this.#space(handle).unmap(mappings);
  }

  async createPart(handle: AddressSpaceHandle, iommu: IommuID): Promise<PartHandle> {
    const { driver, vmids } = this.#smmu(iommu);
    const ioas = this.#space(handle);
    const frames = new FrameShare(this.#frames, TABLES_MAX);
    const tables = new Stage2Tables(this.#memory, frames, driver.host.ipaBits);
    let vmid: number | undefined;
    let part: Part;
    try {
      vmid = vmids.take();
      this.#mapDoorbell(tables, driver);
      part = new Part({ id: this.#nextID++, ioas, driver, vmid, tables, frames });
      await ioas.addPart(part);
    } catch (error) {
      tables.destroy();
      if (vmid !== undefined) vmids.give(vmid);
      throw error;
    }
    this.#parts.set(part.id, part);
    return { id: part.id, iommu };
  }

  async destroyPart(handle: PartHandle): Promise<void> {
    const part = this.#part(handle);
    part.destroy();
    this.#smmu(part.iommu).vmids.give(part.vmid);
    this.#parts.delete(part.id);
  }

  async attach(group: GroupID, handle: PartHandle, stage: PlainStage): Promise<void> {
    const part = this.#part(handle);
    assert(!this.#attached.has(group), `group ${group} is attached already`);
    this.#smmu(part.iommu).events.drainAll(); // what the default domain refused is not the new owner's
    this.#installOnGroup(group, (device) => this.#plainSTE(part, stage, device.ats));
    this.#attached.set(group, { part });
    part.users += 1;
    for (const device of this.#devicesOf(group)) this.#track(device, part.driver);
  }

  async setPlainStage(group: GroupID, handle: PartHandle, stage: PlainStage): Promise<void> {
    const part = this.#part(handle);
    assert(this.#attached.get(group)?.part === part, `group ${group} is not attached to part ${part.id}`);
    this.#installOnGroup(group, (device) => this.#plainSTE(part, stage, device.ats));
  }

  async bindGuestStage(request: BindRequest): Promise<void> {
    const part = this.#part(request.part);
    const device = this.#device(request.device);
    assert(this.#attached.get(device.group)?.part === part, `${device.id} is not attached to part ${part.id}`);
    assert(device.streamIDs.length === 1, `${device.id} has more than one StreamID`);
    part.driver.installSTE(device.streamIDs[0]!, this.#guestSTE(device, part, request.vste));
    this.#name(device.id, part, request.virtualStreamID);
  }

  previewStage(id: DeviceID, handle: PartHandle, vste: VSTE): BindPreview {
    const part = this.#part(handle);
    const hostSTE = this.#guestSTE(this.#device(id), part, vste);
    const of = { driver: part.driver, memory: this.#memory, ioas: part.ioas, substreamID: 0 };
    const wouldFault = previewFaults({
      registers: part.driver.host.registers,
      memory: this.#memory,
      hostSTE,
      readCD: () => readCD(of, decodeSTE(wordsOf(hostSTE))),
    });
    return { hostSTE, wouldFault };
  }

  async detach(group: GroupID): Promise<void> {
    if (this.#blocked.has(group)) {
      this.#installOnGroup(group, ({ iommu }, streamID) => hostSTE(this.#smmu(iommu).driver, streamID));
      this.#blocked.delete(group);
    }
    const attachment = this.#attached.get(group);
    if (attachment) this.#leave(group, attachment, (_device, streamID) => hostSTE(attachment.part.driver, streamID));
  }

  async block(group: GroupID): Promise<void> {
    const attachment = this.#attached.get(group);
    if (attachment) this.#leave(group, attachment, () => abortSTE());
    else this.#installOnGroup(group, () => abortSTE());
    this.#blocked.add(group);
  }

  async reset(id: DeviceID): Promise<ResetOutcome> {
    const device = this.#device(id);
    const outcome = await this.#resetter.reset(id);
    if (outcome.kind !== "done" || this.inventory.find(id) !== device) return outcome;
    const { driver, endpoints, events } = this.#smmu(device.iommu);
    for (const streamID of device.streamIDs) endpoints.find(streamID)?.reset();
    driver.issue(endOfStalls(device, driver));
    for (const streamID of device.streamIDs) endpoints.find(streamID)?.reset();
    events.drainAll(); // what it did before is told before the reset is
    this.#resets.set(id, this.#resetsOf(id) + 1);
    if (this.#tracked.has(id)) this.#doorbell.begin(id);
    return outcome;
  }

  /** Out of its part: the group's streams get other STEs, and what the owner knew its devices by is forgotten. */
  #leave(group: GroupID, { part }: Attachment, make: (device: HostDevice, streamID: number) => SteWords): void {
    this.#installOnGroup(group, make);
    part.driver.issue(this.#devicesOf(group).flatMap((device) => endOfStalls(device, part.driver)));
    // Its records say its old name and are its old owner's: take them all off before both are gone.
    this.#smmu(part.iommu).events.drainAll();
    this.#attached.delete(group);
    part.users -= 1;
    for (const device of this.#devicesOf(group)) {
      this.#resets.set(device.id, this.#resetsOf(device.id) + 1);
      this.#name(device.id, part, undefined);
      for (const streamID of device.streamIDs) part.driver.smmu.untrackStream(streamID);
      this.#doorbell.end(device.id);
      this.#tracked.delete(device.id);
    }
  }

  async setVirtualStreamID(id: DeviceID, handle: PartHandle, virtual: VirtualStreamID | undefined): Promise<void> {
    this.#name(id, this.#part(handle), virtual);
  }

  async invalidate(handles: readonly PartHandle[], commands: readonly InvalidationCommand[]): Promise<void> {
    const turns = new Turns();
    for (const handle of handles) {
      const part = this.#part(handle);
      for (let from = 0; from < commands.length; from += COMMANDS_AT_ONCE) {
        const slice = commands.slice(from, from + COMMANDS_AT_ONCE);
        part.driver.issue(slice.flatMap((command) => this.#forPart(part, command)));
        await turns.spend(slice.length * UNITS_PER_COMMAND);
      }
    }
  }

  /** Every StreamID of a device has the same STE, as a guest's stage needs a device with one: the first is walked. */
  diagnose(fault: FaultRecord): FaultDiagnosis {
    const device = this.inventory.find(fault.device);
    const part = device && this.#attached.get(device.group)?.part;
    if (device === undefined || part === undefined) return noLonger("the device is no longer attached");
    const { ioas, driver } = part;
    const walker: Walker = {
      explain: (access) => driver.smmu.explain(access),
      explainTranslationRequest: (request) => driver.smmu.explainTranslationRequest(request),
      physical: (ipa) => ioas.physical(ipa),
    };
    return diagnoseFault(walker, device.streamIDs[0]!, fault);
  }

  respondToFault(): Promise<void> {
    throw new BrokerError("backend_unsupported", "not yet");
  }

  explain(request: ExplainRequest): Explanation {
    const { access, iova, privileged, substreamID } = request;
    const device = this.#device(request.device);
    const streamID = device.streamIDs[request.streamIndex]!;
    const transaction = { streamID, iova, access, privileged, attributes: PCIE_ATTRIBUTES };
    const walk = this.#smmu(device.iommu).driver.smmu.explain(
      substreamID === undefined ? transaction : { ...transaction, substreamID },
    );
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
      iommus: [...this.#smmus.values()].map(({ driver }) => {
        const { smmu } = driver;
        return {
          iommu: driver.host.id,
          transactions: smmu.counters.transaction,
          tlbHits: smmu.counters.tlbHit,
          tlbMisses: smmu.counters.tlbMiss,
          configCacheMisses: smmu.counters.configCacheMiss,
          transTableWalkAccesses: smmu.counters.transTableWalkAccess,
          configStructAccesses: smmu.counters.configStructAccess,
          commands: smmu.counters.commands,
          eventsRecorded: smmu.counters.eventsRecorded,
          eventsDropped: smmu.counters.eventsDropped,
          eventsMerged: smmu.counters.eventsMerged,
        };
      }),
      devices: [...this.#tracked].map(([device, streams]) =>
        deviceCounters(device, streams, this.#doorbell.total(device)),
      ),
    };
  }

  /** A CMD_SYNC through every command queue: it is consumed, or this throws. */
  async ping(): Promise<void> {
    for (const { driver } of this.#smmus.values()) driver.issue([]);
  }

  async close(): Promise<void> {
    for (const { endpoints, events, pageRequests } of this.#smmus.values()) {
      events.stop();
      pageRequests.stop();
      endpoints.close();
    }
    for (const space of this.#spaces.values()) space.abandon();
    this.#spaces.clear();
  }

  // SimulatorControl -----------------------------------------------------------------------------------------------

  addDevice(device: HostDevice): void {
    this.inventory.add(device);
    this.#installDefaultDomain(device);
  }

  async removeDevice(id: DeviceID): Promise<void> {
    const device = this.#device(id);
    assert(!this.#attached.has(device.group), `${id} is removed while its group is attached`);
    const { driver } = this.#smmu(device.iommu);
    for (const streamID of device.streamIDs) driver.installSTE(streamID, abortSTE());
    for (const streamID of device.streamIDs) this.#smmu(device.iommu).endpoints.remove(streamID);
    this.#resets.delete(id);
    if (this.#devicesOf(device.group).length === 1) this.#blocked.delete(device.group);
    this.inventory.remove(id);
  }

  async dma(id: DeviceID, accesses: readonly SimulatedDma[]): Promise<readonly DmaOutcome[]> {
    const master = this.#master(id);
    const outcomes: DmaOutcome[] = [];
    for (const access of accesses) outcomes.push(await master.dma(access));
    return outcomes;
  }

  async translate(
    id: DeviceID,
    accesses: readonly (SimulatedAccess & { readonly access: "read" | "write" | "execute" })[],
  ): Promise<readonly TranslationOutcome[]> {
    return await this.#master(id).translate(accesses);
  }

  structures(
    id: DeviceID,
    streamIndex: number,
    substreamID: number,
    handle: AddressSpaceHandle | undefined,
  ): RawStructures {
    const device = this.#device(id);
    const ioas = handle && this.#space(handle);
    const { driver } = this.#smmu(device.iommu);
    const streamID = device.streamIDs[streamIndex]!;
    return readStructures({ driver, memory: this.#memory, windows: this.#windows, ioas, streamID, substreamID });
  }

  msis(id: DeviceID): MsiLog {
    return this.#doorbell.log(id);
  }

  // Inside ---------------------------------------------------------------------------------------------------------

  #addSmmu(id: IommuID, mergesEvents: boolean): void {
    const host = this.inventory.iommus().find((one) => one.id === id)!;
    const endpoints = new Endpoints();
    const driver: SmmuDriver = new SmmuDriver(host, this.#memory, this.#frames, {
      onEvents: () => events.schedule(),
      onPageRequests: () => pageRequests.schedule(),
      mergesEvents,
      endpoints,
    });
    const pageRequests: PriQueueDriver = new PriQueueDriver(driver, this.#memory);
    const events: EventQueueDriver = new EventQueueDriver({
      driver,
      memory: this.#memory,
      findOwner: (streamID) => this.#ownerOf(id, streamID),
      toGuest: (device, pa) => this.#attached.get(this.#device(device).group)?.part.ioas.ipaOf(pa),
      devices: () => this.#attachedDevices(id),
      deliver: (notice) => this.#deliver(id, notice),
    });
    const vmids = new Vmids(driver.features.vmid16 ? 16 : 8);
    this.#smmus.set(id, { driver, events, vmids, endpoints, pageRequests });
  }

  #deliver(iommu: IommuID, notice: FaultNotice): void {
    if (notice.kind === "overflow") {
      this.#onNotice({ level: "warn", message: "the event queue overflowed: events are lost", facts: { iommu } });
    }
    this.#onFault(notice);
  }

  #ownerOf(
    iommu: IommuID,
    streamID: number,
  ): { device: DeviceID; virtualStreamID: VirtualStreamID | undefined } | undefined {
    const device = this.inventory.withStream(iommu, streamID);
    return device && { device: device.id, virtualStreamID: this.#names.get(device.id) };
  }

  #attachedDevices(iommu: IommuID): readonly DeviceID[] {
    return this.inventory
      .devices()
      .filter((device) => device.iommu === iommu && this.#attached.has(device.group))
      .map((device) => device.id);
  }

  #installDefaultDomain(device: HostDevice): void {
    const { driver, endpoints } = this.#smmu(device.iommu);
    for (const streamID of device.streamIDs) {
      if (device.ats) endpoints.add(streamID);
      driver.installSTE(streamID, hostSTE(driver, streamID));
    }
  }

  /** The same kind of STE on every stream of the group; those already written go back when a later one fails. */
  #installOnGroup(group: GroupID, make: (device: HostDevice, streamID: number) => SteWords): void {
    const done: (() => void)[] = [];
    try {
      for (const device of this.#devicesOf(group)) {
        const { driver } = this.#smmu(device.iommu);
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

  #plainSTE(part: Part, stage: PlainStage, hasATS: boolean): SteWords {
    return stage === "bypass" ? stage2STE(part.stage2, part.driver.features, hasATS) : abortSTE();
  }

  #guestSTE(device: HostDevice, part: Part, vste: VSTE): SteWords {
    if (vste.disposition !== "translate") {
      const isWanted = get(wordsOf([vste.dword0, vste.dword1]), 0, STE.EATS) === EATS.FULL;
      return this.#plainSTE(part, vste.disposition, device.ats && isWanted);
    }
    return nestedSTE(vste, part.stage2, part.driver.features, device.ats);
  }

  #name(id: DeviceID, part: Part, virtual: VirtualStreamID | undefined): void {
    const before = this.#names.get(id);
    if (before === virtual) return;
    this.#smmu(part.iommu).events.drainAll(); // records of before the change carry the name of before
    if (before !== undefined) part.names.delete(before);
    if (virtual === undefined) {
      this.#names.delete(id);
      return;
    }
    assert(!part.names.has(virtual), `virtual StreamID ${virtual} is taken in part ${part.id}`);
    part.names.set(virtual, id);
    this.#names.set(id, virtual);
  }

  /** The command as the hardware takes it: the part's VMID, the host's StreamID; none for a stream it does not have. */
  #forPart(part: Part, command: InvalidationCommand): RawCommand[] {
    const words = wordsOf([command.dword0, command.dword1]);
    switch (command.opcode) {
      case COMMAND.CMD_TLBI_NSNH_ALL:
        set(words, 0, CMD_TLBI.Opcode, COMMAND.CMD_TLBI_NH_ALL);
        set(words, 0, CMD_TLBI.VMID, part.vmid);
        break;
      case COMMAND.CMD_CFGI_CD:
      case COMMAND.CMD_CFGI_CD_ALL:
      case COMMAND.CMD_ATC_INV: {
        const named = [...part.names].find(([virtual]) => virtual === get(words, 0, CMD_CFGI.StreamID));
        if (!named) return [];
        set(words, 0, CMD_CFGI.StreamID, this.#device(named[1]).streamIDs[0]!);
        break;
      }
      default:
        set(words, 0, CMD_TLBI.VMID, part.vmid);
    }
    const [dword0, dword1] = doublewordsOf(words);
    return [{ dword0: dword0!, dword1: dword1! }];
  }

  /**
   * The host's MSI window, in every stage 2 before any device uses it; no guest mapping may overlap it, so it stays as
   * long as the tables do. Readable too: what a read gets is the doorbell's answer, a bus error, not a stage-2 fault.
   */
  #mapDoorbell(tables: Stage2Tables, driver: SmmuDriver): void {
    for (const { bytes, ipa, kind } of driver.host.reservedRegions) {
      if (kind !== "msi") continue;
      tables.map(ipa, this.#doorbell.base, bytes, { readable: true, writable: true, device: true });
    }
  }

  #track(device: HostDevice, driver: SmmuDriver): void {
    this.#doorbell.begin(device.id);
    this.#tracked.set(
      device.id,
      device.streamIDs.map((streamID) => driver.track(streamID)),
    );
  }

  #master(id: DeviceID): DmaMaster {
    const device = this.#device(id);
    const { driver, endpoints, events } = this.#smmu(device.iommu);
    const resets = this.#resetsOf(id);
    const isReset = (): boolean => this.#resetsOf(id) !== resets || this.inventory.find(id) !== device;
    return new DmaMaster({
      device: id,
      doorbell: this.#doorbell,
      smmu: driver.smmu,
      memory: this.#memory,
      events,
      endpoints,
      makesPageRequests: device.pri === true,
      streamIDs: device.streamIDs,
      isReset,
    });
  }

  #resetsOf(id: DeviceID): number {
    return this.#resets.get(id) ?? 0;
  }

  #devicesOf(group: GroupID): readonly HostDevice[] {
    return this.inventory.inGroup(group);
  }

  #device(id: DeviceID): HostDevice {
    const device = this.inventory.find(id);
    assert(device !== undefined, `device ${id} is not in the simulated inventory`);
    return device;
  }

  #smmu(id: IommuID): HostSmmu {
    const smmu = this.#smmus.get(id);
    assert(smmu !== undefined, `IOMMU ${id} is not simulated`);
    return smmu;
  }

  #space(handle: AddressSpaceHandle): Ioas {
    const space = this.#spaces.get(handle.id);
    assert(space !== undefined, `IOAS ${handle.id} does not exist`);
    return space;
  }

  #part(handle: PartHandle): Part {
    const part = this.#parts.get(handle.id);
    assert(part !== undefined, `part ${handle.id} does not exist`);
    return part;
  }
}

/** The default domain's STE for one stream. */
function hostSTE(driver: SmmuDriver, streamID: number): SteWords {
  return defaultDomainSTE(driver.contextOf(streamID), driver.features);
}

/** Stalled transactions of a device that goes away end with an abort; where nothing stalls there is no such command. */
function endOfStalls(device: HostDevice, driver: SmmuDriver): RawCommand[] {
  return driver.features.stallModel === 0 ? device.streamIDs.map(stallTerm) : [];
}

function deviceCounters(device: DeviceID, streams: readonly StreamCounters[], msis: number): DeviceCounters {
  const sum = (of: (counters: StreamCounters) => number): number => streams.reduce((total, one) => total + of(one), 0);
  const faults: Record<string, number> = {};
  for (const stream of streams) {
    for (const [type, count] of Object.entries(stream.faults)) faults[type] = (faults[type] ?? 0) + count;
  }
  return {
    device,
    translationsOk: sum((one) => one.translationsOk),
    translationsFaulted: sum((one) => one.translationsFaulted),
    translationsAborted: sum((one) => one.translationsAborted),
    msis,
    faults,
  };
}
