// The seam: what a backend does for the arbiter. Two folders implement it, sim and iommufd.
// Contract for every verb: it either completes, or throws a BrokerError and has changed nothing; where a stage is
// replaced, the previous one stays installed on failure. Calls for one group, one address space or one virtual IOMMU
// never overlap: the arbiter's queues see to that. No method blocks the event loop.

import type { BackendCounters } from "./counters.ts";
import type { DeviceDescriptor } from "./device-descriptors.ts";
import type { FaultDiagnosis } from "./diagnosis.ts";
import type { BrokerError } from "./errors.ts";
import type { ExplainRequest, Explanation } from "./explanation.ts";
import type { FaultAnswer, FaultNotice, FaultRecord, Notice } from "./faults.ts";
import type { GuestMapping, IpaRange } from "./guest-memory.ts";
import type { DeviceID, GroupID, IommuID, VirtualStreamID } from "./ids.ts";
import type { HostDevice, Inventory } from "./inventory.ts";
import type { PageTable } from "./page-table.ts";
import type { VSTE } from "./vste.ts";

/** An address space in the backend: one IOAS. Opaque; `id` only tells two apart in a log. */
export interface AddressSpaceHandle {
  readonly id: number;
}

/** A virtual IOMMU's part for one host IOMMU: nesting parent, vIOMMU, abort and bypass HWPTs, event queue. Opaque. */
export interface PartHandle {
  readonly id: number;
  readonly iommu: IommuID;
}

/** What stage 1 does while no guest table is bound. */
export type PlainStage = "bypass" | "abort";

/** A guest command, 16 bytes as two doublewords, already validated; its StreamIDs are still virtual. */
export interface InvalidationCommand {
  readonly opcode: number;
  readonly dword0: bigint;
  readonly dword1: bigint;
}

/** A guest's stage 1 behind an SMMUv3. */
export interface SteBind {
  readonly device: DeviceID;
  readonly part: PartHandle;
  readonly virtualStreamID: VirtualStreamID;
  readonly vste: VSTE;
}

/** A guest's stage 1 behind a VT-d, checked against HostIommu.pageTables. */
export interface PageTableBind {
  readonly device: DeviceID;
  readonly part: PartHandle;
  readonly pageTable: PageTable;
}

/** By what the host IOMMU takes. */
export type BindRequest = SteBind | PageTableBind;

/** What a bind would install, and what the hardware would say to it. */
export interface BindPreview {
  /** The host STE, 8 doublewords. */
  readonly hostSTE: readonly bigint[];
  readonly wouldFault: readonly { readonly eventType: string; readonly reason: string }[];
}

/** How a function-level reset went. */
/** Whether a vended device's node is passed bound to its iommufd, or to be bound by whoever gets it, which can be done once. */
export type VendedNode = "bound" | "unbound";

export type ResetOutcome =
  | { readonly kind: "done" }
  /** The device knows none. */
  | { readonly kind: "absent"; readonly reason: string }
  /** It did not come out of it. */
  | { readonly kind: "failed"; readonly reason: string };

export interface Backend {
  readonly kind: "simulated" | "iommufd";
  readonly inventory: Inventory;

  /** @param owner  whose it is: where calls wait for each other, owners take turns; undefined: nobody's in particular */
  createAddressSpace(owner?: string): Promise<AddressSpaceHandle>;
  destroyAddressSpace(space: AddressSpaceHandle): Promise<void>;
  /**
   * Maps all ranges or none. Disjoint from each other and from what is mapped; the caller checked. Where memory is missing
   * (GuestMemoryFile.isMissing) there is nothing for devices to reach until fill().
   */
  map(space: AddressSpaceHandle, mappings: readonly GuestMapping[]): Promise<void>;
  /** Memory of these mappings that was missing has come: devices reach all of it from now on, or none. */
  fill(space: AddressSpaceHandle, mappings: readonly IpaRange[]): Promise<void>;
  /** Unmaps mappings, each as it was mapped, and invalidates every cache that could hold them, before it resolves. */
  unmap(space: AddressSpaceHandle, mappings: readonly IpaRange[]): Promise<void>;

  createPart(space: AddressSpaceHandle, iommu: IommuID): Promise<PartHandle>;
  destroyPart(part: PartHandle): Promise<void>;

  /** Default domain → stage 2 of the part, stage 1 bypass or abort, for every device of the group. */
  attach(group: GroupID, part: PartHandle, stage: PlainStage): Promise<void>;
  /** Any attached state → stage 1 bypass or abort, for every device of the group. */
  setPlainStage(group: GroupID, part: PartHandle, stage: PlainStage): Promise<void>;
  /** Any attached state → the guest's stage 1, naming the device as asked. The group has one device with one StreamID. */
  bindGuestStage(request: BindRequest): Promise<void>;
  /** Tells what setPlainStage or bindGuestStage would install. */
  previewStage(device: DeviceID, part: PartHandle, vste: VSTE): BindPreview;
  /** Any state → the host's default domain, for every device of the group. Forgets virtual StreamIDs. */
  detach(group: GroupID): Promise<void>;
  /** Any state → every DMA of the group's devices aborted, and nobody's: no part serves it. Forgets virtual StreamIDs. */
  block(group: GroupID): Promise<void>;
  /**
   * A device that the inventory tells as added: it gets what its group has. Absent, with forget(), where devices come and go
   * by a call of core alone, which has given back their group.
   */
  join?(device: HostDevice): Promise<void>;
  /** A device that the inventory tells as removed, whatever it was attached to: nothing of it stays in use. */
  forget?(device: HostDevice): Promise<void>;
  /**
   * Makes ready what the owner of an attached device may be passed of it. From then on the broker is not the only one who
   * can attach and detach it. Once more changes nothing.
   * @throws BrokerError backend_unsupported where nothing can be handed out
   */
  handOut(device: DeviceID): Promise<void>;
  /** Default domain → in the hands of whoever is passed its descriptors, to be attached by them. A group of one device. */
  vend(group: GroupID, node: VendedNode): Promise<void>;
  /** What is to be passed of a device that handOut or vend made ready: to be used at once, for it may be closed later. */
  descriptorsOf(device: DeviceID): readonly DeviceDescriptor[];
  /**
   * Handed out or vended → blocked as far as that is in the broker's power, and the broker's own descriptors are closed.
   * Others' copies are not: until reclaim() nobody can have the group.
   */
  withhold(group: GroupID): Promise<void>;
  /** After a restart: a group of which others may hold descriptors since before; as withhold() leaves it, or vend(). */
  recall(group: GroupID): Promise<void>;
  /** A group that was withheld or recalled: true, and blocked as by block(), once every copy is closed. */
  reclaim(group: GroupID): Promise<boolean>;
  /** Of a group that reclaim() did not take: what the kernel said last, with the remedy. Absent where no kernel is asked. */
  refusalOf?(group: GroupID): BrokerError | undefined;
  /** One listener for groups that reclaim() refused and now would not. A backend that cannot know calls it never. */
  onClosed(listener: (group: GroupID) => void): void;
  /** Function-level reset: what the device was doing is dropped. Its stage and its name stay. */
  reset(device: DeviceID): Promise<ResetOutcome>;
  /** Names the device in its part, so that invalidations and faults find it; undefined takes its name away. */
  setVirtualStreamID(device: DeviceID, part: PartHandle, virtual: VirtualStreamID | undefined): Promise<void>;

  /** Executes the batch on every part; commands that name a StreamID only on the part that has it. Complete on return. */
  invalidate(parts: readonly PartHandle[], commands: readonly InvalidationCommand[]): Promise<void>;

  /**
   * How an access of an attached device would be translated now, from tables and registers and no cache. Makes no access,
   * writes, records and counts nothing; the work is bounded by the architecture's levels.
   */
  explain(request: ExplainRequest): Explanation;

  /**
   * Walks the tables that a fault speaks of as they are now. Bounded as explain is; reads nothing outside what the guest
   * owns and the host's own structures.
   */
  diagnose(fault: FaultRecord): FaultDiagnosis;

  /**
   * Answers what waits, once. Resolves when the hardware has taken the answer. May overlap any other call of the group.
   * @throws BrokerError fault_not_pending when it does not wait any more; unsupported when this backend has no such answer
   */
  respondToFault(device: DeviceID, cookie: number, answer: FaultAnswer): Promise<void>;
  /** One listener for faults of attached devices, of the kinds in HostIommu.toldFaults: the fault router. */
  onFault(listener: (notice: FaultNotice) => void): void;
  /** One listener for what an operator should read. */
  onNotice(listener: (notice: Notice) => void): void;
  counters(): BackendCounters;
  /** Asks the hardware, really: resolves when it answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
