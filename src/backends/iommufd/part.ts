// A virtual IOMMU's part on one host IOMMU: the stage 2 of its address space, and where the host nests a vIOMMU with its
// abort and bypass HWPTs, ready before the first bind, and the queues of its faults.
// The kernel makes these for a device, so they come with the first one that is attached, and stay until the part goes.
// Two parts never share a stage 2: they would share its VMID.
// Source: Linux drivers/iommu/iommufd/{hw_pagetable,viommu,eventq}.c, arm-smmu-v3-iommufd.c.

import { assert } from "../../spec/assert.ts";
import { hex } from "../../spec/u64.ts";
import { BrokerError } from "../errors.ts";
import type { DeviceID, VirtualStreamID } from "../ids.ts";
import type { HostIommu } from "../inventory.ts";
import { ABORT_VSTE, BYPASS_VSTE, type VSTE } from "../vste.ts";
import type { AddressSpace } from "./address-space.ts";
import { bytesOfPairs } from "./doublewords.ts";
import { destroy, faultQueueAlloc, hwptAlloc, type QueueObject, veventqAlloc, viommuAlloc } from "./ioctl.ts";
import type { AnswerableQueue, PartQueue, PartQueues } from "./part-queue.ts";
import { type OnNotice, Undo } from "./undo.ts";

/** Events that the kernel keeps until they are read; more are lost, and said to be. */
export const VEVENTQ_DEPTH = 4096;

export interface Nesting {
  readonly viommu: number;
  readonly abort: number;
  readonly bypass: number;
  /** Undefined: this kernel has none. */
  readonly events: QueueObject | undefined;
  /** Undefined: nothing behind this IOMMU waits for an answer. */
  readonly faults: QueueObject | undefined;
}

/** What stands on the address space. */
export interface Built {
  readonly stage2: number;
  /** Through a vIOMMU, or why not: then abort is the blocking domain. */
  readonly nesting: Nesting | { readonly reason: string };
  /** Guests' bare page tables are nested on stage 2 itself, as VT-d has it; or why not. */
  readonly tables: { readonly reason: string } | undefined;
}

export class Part {
  readonly id: number;
  readonly space: AddressSpace;
  readonly #host: () => HostIommu;
  readonly names = new Map<VirtualStreamID, DeviceID>();
  /** Attached devices by the kernel's number. */
  readonly objects = new Map<number, DeviceID>();
  /** Groups that are attached. */
  users = 0;
  readonly #queues: PartQueues;
  #events: PartQueue | undefined;
  #faults: AnswerableQueue | undefined;
  readonly #onNotice: OnNotice;
  /** Objects that could not be destroyed in their time: tried again with the part. */
  readonly #leftovers: number[] = [];
  /** What a teardown that failed has still to do. */
  readonly #remaining: (() => Promise<void>)[] = [];
  #built: Built | undefined;

  constructor(options: {
    id: number;
    /** As it is known now. */
    host: () => HostIommu;
    space: AddressSpace;
    queues: PartQueues;
    onNotice: OnNotice;
  }) {
    this.id = options.id;
    this.#host = options.host;
    this.space = options.space;
    this.#queues = options.queues;
    this.#onNotice = options.onNotice;
  }

  get host(): HostIommu {
    return this.#host();
  }

  get faults(): AnswerableQueue | undefined {
    return this.#faults;
  }

  nameOf(device: DeviceID): VirtualStreamID | undefined {
    for (const [name, id] of this.names) if (id === device) return name;
    return undefined;
  }

  /** In place of the name it had; undefined takes its name away. */
  rename(device: DeviceID, name: VirtualStreamID | undefined): void {
    const before = this.nameOf(device);
    if (before !== undefined) this.names.delete(before);
    if (name === undefined) return;
    assert(!this.names.has(name), `virtual StreamID ${name} is taken in part ${this.id}`);
    this.names.set(name, device);
  }

  /** Tells what waits in its queues. */
  drain(): void {
    this.#events?.drain();
    this.#faults?.drain();
  }

  get built(): Built | undefined {
    return this.#built;
  }

  /** What nests; undefined: this host does not, or nothing is attached yet. */
  get nesting(): Nesting | undefined {
    const nesting = this.#built?.nesting;
    return nesting === undefined || "reason" in nesting ? undefined : nesting;
  }

  /** @throws BrokerError backend_unsupported with what the host lacks */
  requireNesting(): Nesting {
    const nesting = this.#built?.nesting;
    assert(nesting !== undefined, `part ${this.id} has nothing attached`);
    if (!("reason" in nesting)) return nesting;
    throw new BrokerError("backend_unsupported", nesting.reason, { iommu: this.host.id });
  }

  /** @throws BrokerError backend_unsupported with what the host lacks @returns what a guest's page table is nested on */
  requireTableParent(): number {
    const built = this.#built;
    assert(built !== undefined, `part ${this.id} has nothing attached`);
    if (built.tables === undefined) return built.stage2;
    throw new BrokerError("backend_unsupported", built.tables.reason, { iommu: this.host.id });
  }

  /**
   * @param device  the kernel's number of a device behind this IOMMU, bound to the address space's iommufd
   * @returns whether anything was made
   */
  async build(device: number): Promise<boolean> {
    if (this.#built !== undefined) return false;
    await this.#finish();
    const undo = new Undo(this.#onNotice);
    this.#built = await undo.around(async () => {
      const built = await this.#make(device, undo);
      undo.add(() => this.#stopQueues()); // before what closes their files; whichever of them is read by then
      this.#readQueues(built.nesting);
      return built;
    });
    return true;
  }

  /** Destroys what build made. After a failure it goes on where it stopped when it is called again. */
  async tearDown(): Promise<void> {
    const { file } = this.space;
    const built = this.#built;
    if (built !== undefined) {
      this.#stopQueues();
      const { nesting } = this;
      const files = this.#queueObjects().map(({ fd }) => fd);
      this.#built = undefined;
      const nested = [nesting?.abort, nesting?.bypass, nesting?.events?.id, nesting?.viommu, nesting?.faults?.id];
      const objects = [...this.#leftovers.splice(0), ...nested, built.stage2].filter((id) => id !== undefined);
      this.#remaining.push(
        ...files.map((fd) => () => file.kernel.close(fd)),
        ...objects.map((id) => () => destroy(file, id)),
      );
    }
    await this.#finish();
  }

  /** The daemon goes down: the objects go with their iommufd, which its queues would keep. */
  async abandon(): Promise<void> {
    this.#stopQueues();
    for (const { fd } of this.#queueObjects()) await this.space.file.kernel.close(fd);
    this.#built = undefined;
  }

  /** Destroys an object that nothing uses any more; one that cannot be is kept in mind. */
  async discard(id: number): Promise<void> {
    try {
      await destroy(this.space.file, id);
    } catch (error) {
      this.keepInMind(id, error);
    }
  }

  /** An object that could not be destroyed. */
  keepInMind(id: number, error: unknown): void {
    this.#leftovers.push(id);
    const reason = error instanceof Error ? error.message : String(error);
    const message = "a kernel object could not be destroyed: it goes with its virtual IOMMU";
    this.#onNotice({ level: "warn", message, facts: { part: this.id, object: id, reason } });
  }

  #queueObjects(): readonly QueueObject[] {
    const { events, faults } = this.nesting ?? {};
    return [events, faults].filter((queue) => queue !== undefined);
  }

  /** @throws BrokerError backend_failed when a queue cannot be watched */
  #readQueues(nesting: Built["nesting"]): void {
    if ("reason" in nesting) return;
    const { events, faults } = nesting;
    if (events !== undefined) this.#events = this.#queues.events(events.fd, this);
    if (faults !== undefined) this.#faults = this.#queues.faults(faults.fd, this);
  }

  #stopQueues(): void {
    this.#events?.stop();
    this.#faults?.stop();
    this.#events = undefined;
    this.#faults = undefined;
  }

  async #finish(): Promise<void> {
    const { file } = this.space;
    if (this.#built === undefined)
      this.#remaining.push(...this.#leftovers.splice(0).map((id) => () => destroy(file, id)));
    while (this.#remaining.length > 0) {
      await this.#remaining[0]!();
      this.#remaining.shift();
    }
  }

  async #make(device: number, undo: Undo): Promise<Built> {
    const { file, ioas } = this.space;
    const made = (id: number): number => {
      undo.add(() => this.discard(id));
      return id;
    };
    const { nesting, pageTables } = this.host;
    if (pageTables !== undefined) return await this.#makeForTables(device, made);
    if (!nesting.supported) {
      return { stage2: made(await hwptAlloc(file, device, { kind: "paging", ioas })), nesting, tables: nesting };
    }
    const tables = { reason: "an SMMUv3 takes no bare page table" };
    const stage2 = made(await hwptAlloc(file, device, { kind: "nest_parent", ioas }));
    const viommu = await whereSupported(viommuAlloc(file, device, stage2));
    if (typeof viommu !== "number") return { stage2, nesting: { reason: viommu.reason }, tables };
    made(viommu);
    const nested = async (vste: VSTE): Promise<number> =>
      made(await hwptAlloc(file, device, { kind: "arm_smmuv3", viommu, ste: bytesOfPairs([vste]) }));
    const abort = await nested(ABORT_VSTE);
    const bypass = await nested(BYPASS_VSTE);
    const events = await this.#queue(veventqAlloc(file, viommu, VEVENTQ_DEPTH), undo);
    const faults = this.host.faultAnswers !== undefined ? await this.#queue(faultQueueAlloc(file), undo) : undefined;
    return { stage2, nesting: { viommu, abort, bypass, events, faults }, tables };
  }

  /**
   * VT-d: tables are nested on stage 2 itself, and there is no vIOMMU. Where the kernel makes no nesting parent of this
   * address space (Linux refuses memory that devices only read: erratum 772415), stage 2 alone is served.
   */
  async #makeForTables(device: number, made: (id: number) => number): Promise<Built> {
    const { file, ioas, readOnlyAt } = this.space;
    const nesting = { reason: "VT-d takes a guest's first-stage table (page_table), no STE" };
    const stage2 =
      readOnlyAt === undefined
        ? await whereSupported(hwptAlloc(file, device, { kind: "nest_parent", ioas }))
        : { reason: readOnlyMemory(readOnlyAt) };
    if (typeof stage2 === "number") return { stage2: made(stage2), nesting, tables: undefined };
    return { stage2: made(await hwptAlloc(file, device, { kind: "paging", ioas })), nesting, tables: stage2 };
  }

  /** An older kernel has none: then what it would tell is not told, and that is said once. */
  async #queue(allocated: Promise<QueueObject>, undo: Undo): Promise<QueueObject | undefined> {
    const queue = await whereSupported(allocated);
    if ("reason" in queue) {
      const message = "this kernel tells no faults of guests' tables: a VMM hears of none";
      this.#onNotice({ level: "warn", message, facts: { iommu: this.host.id, reason: queue.reason } });
      return undefined;
    }
    const { file } = this.space;
    undo.add(() => this.discard(queue.id));
    undo.add(() => file.kernel.close(queue.fd));
    return queue;
  }
}

/** What came of it, or why this kernel or this IOMMU cannot do it. */
async function whereSupported<T>(attempt: Promise<T>): Promise<T | { readonly reason: string }> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof BrokerError && error.code === "backend_unsupported") return { reason: error.message };
    throw error;
  }
}

function readOnlyMemory(ipa: number): string {
  return `memory at ${hex(ipa)} is mapped for reading only, on which VT-d cannot nest (erratum 772415): map it writable, and attach again`;
}
