// What the simulated kernel keeps, with the reference counts iommufd has: an IOAS is used by the parts built on it, a
// part (nesting parent, vIOMMU and the vDEVICEs named in it) by the groups attached to it. Taking down what is in use
// is a bug of the caller, as EBUSY would be.
// Source: Linux drivers/iommu/iommufd/{ioas,hw_pagetable,viommu}.c.

import { assert } from "../../spec/assert.ts";
import { COMMAND } from "../../spec/commands.ts";
import { hex } from "../../spec/u64.ts";
import { limitReached } from "../errors.ts";
import type { GuestMapping, IpaRange } from "../guest-memory.ts";
import type { DeviceID, IommuID, VirtualStreamID } from "../ids.ts";
import type { FileWindows } from "./file-windows.ts";
import type { FrameSource } from "./frames.ts";
import type { Stage2Setting } from "./make-ste.ts";
import { tlbi } from "./raw-commands.ts";
import type { SmmuDriver } from "./smmu-driver.ts";
import { leafCount, type RemovedLeaf, type Stage2Tables, slicesOf } from "./stage2-tables.ts";
import { Turns } from "./turns.ts";

/** Above this many leaves one S12_VMALL is cheaper than naming each. */
const SINGLE_INVALIDATIONS_MAX = 64;
/** Stage-2 leaves of one address space: 16 GiB page by page, or any guest where blocks fit. 8 bytes each, per part. */
export const LEAVES_MAX = 4 * 2 ** 20;
/** Stage-2 tables of one part: 4 KiB each, four times what so many leaves need when they lie together. */
export const TABLES_MAX = 32_768;

/** A mapping and where its file begins in the simulated host's physical address space. */
interface Placed {
  readonly mapping: GuestMapping;
  readonly base: number;
}

/** An I/O address space: mappings, applied to every part on it. */
export class Ioas {
  readonly id: number;
  readonly parts = new Set<Part>();
  readonly #mappings = new Map<number, Placed>();
  readonly #windows: FileWindows;
  #leaves = 0;
  #lastFound: Placed | undefined;

  constructor(id: number, windows: FileWindows) {
    this.id = id;
    this.#windows = windows;
  }

  mappings(): readonly GuestMapping[] {
    return [...this.#mappings.values()].map(({ mapping }) => mapping);
  }

  /** Where the windows of its files begin. */
  bases(): ReadonlySet<number> {
    return new Set([...this.#mappings.values()].map(({ base }) => base));
  }

  /**
   * All or none, in turns: the caller keeps everyone else off this address space meanwhile.
   * @throws BrokerError limit_reached, before any work, when it would take more leaves than an address space may have
   */
  async map(mappings: readonly GuestMapping[]): Promise<void> {
    const leaves = mappings.reduce((sum, mapping) => sum + leavesOf(mapping), 0);
    if (this.#leaves + leaves > LEAVES_MAX) {
      const remedy = "map ranges whose IPA and file offset agree modulo 2 MiB, so that blocks can be used";
      throw limitReached("stage2_leaves_per_address_space", LEAVES_MAX, remedy);
    }
    const turns = new Turns();
    const done: GuestMapping[] = [];
    try {
      for (const mapping of mappings) {
        await this.#mapOne(mapping, turns);
        done.push(mapping);
      }
    } catch (error) {
      await this.unmap(done);
      throw error;
    }
  }

  /** Whole mappings, in turns. Nothing of them is in any TLB when this resolves. */
  async unmap(mappings: readonly IpaRange[]): Promise<void> {
    const placed = mappings.map(({ ipa }) => this.#placed(ipa));
    const turns = new Turns();
    for (const part of this.parts) await part.unmap(placed, turns);
    for (const { base, mapping } of placed) {
      this.#mappings.delete(mapping.ipa);
      this.#leaves -= leavesOf(mapping);
      this.#windows.leave(base);
    }
  }

  /** Physical address behind an IPA, for looking at guest structures as the host does; undefined: a hole. */
  physical(ipa: number): number | undefined {
    for (const { mapping, base } of this.#mappings.values()) {
      if (ipa >= mapping.ipa && ipa < mapping.ipa + mapping.bytes) return base + mapping.offset + ipa - mapping.ipa;
    }
    return undefined;
  }

  /** The guest's address of what stands at a physical one; undefined: none of its memory. */
  ipaOf(pa: number): number | undefined {
    const within = ({ mapping, base }: Placed): boolean => {
      const offset = pa - base - mapping.offset;
      return offset >= 0 && offset < mapping.bytes;
    };
    // Faults come in runs from one place: the mapping of the last one is tried first.
    if (!this.#lastFound || !this.#mappings.has(this.#lastFound.mapping.ipa) || !within(this.#lastFound)) {
      this.#lastFound = [...this.#mappings.values()].find(within);
    }
    const found = this.#lastFound;
    return found && found.mapping.ipa + pa - found.base - found.mapping.offset;
  }

  async addPart(part: Part): Promise<void> {
    const turns = new Turns();
    for (const placed of this.#mappings.values()) await part.map(placed, turns);
    this.parts.add(part);
  }

  /** The host goes down: files are let go, stage 2 is left as it stands. */
  abandon(): void {
    for (const { base } of this.#mappings.values()) this.#windows.leave(base);
    this.#mappings.clear();
  }

  destroy(): void {
    assert(this.parts.size === 0, `IOAS ${this.id} is still used by a nesting parent`);
    this.abandon();
  }

  async #mapOne(mapping: GuestMapping, turns: Turns): Promise<void> {
    const placed = { mapping, base: this.#windows.enter(mapping.file, mapping.offset + mapping.bytes) };
    const reached: Part[] = [];
    try {
      for (const part of this.parts) {
        reached.push(part);
        await part.map(placed, turns);
      }
    } catch (error) {
      for (const part of reached) await part.unmap([placed], turns);
      this.#windows.leave(placed.base);
      throw error;
    }
    this.#mappings.set(mapping.ipa, placed);
    this.#leaves += leavesOf(mapping);
  }

  #placed(ipa: number): Placed {
    const placed = this.#mappings.get(ipa);
    assert(placed !== undefined, `no mapping of IOAS ${this.id} begins at ${hex(ipa)}`);
    return placed;
  }
}

/** Windows begin at a multiple of 1 GiB, so the offset alone decides which blocks fit. */
function leavesOf(mapping: GuestMapping): number {
  return leafCount(mapping.ipa, mapping.offset, mapping.bytes);
}

/** A virtual IOMMU's part on one host SMMU: stage-2 tables, VMID, and the names of its devices. */
export class Part {
  readonly id: number;
  readonly iommu: IommuID;
  readonly ioas: Ioas;
  readonly driver: SmmuDriver;
  readonly vmid: number;
  readonly names = new Map<VirtualStreamID, DeviceID>();
  readonly #frames: FrameSource;
  readonly #tables: Stage2Tables;
  users = 0;

  constructor(options: {
    id: number;
    ioas: Ioas;
    driver: SmmuDriver;
    vmid: number;
    tables: Stage2Tables;
    frames: FrameSource;
  }) {
    this.id = options.id;
    this.iommu = options.driver.host.id;
    this.ioas = options.ioas;
    this.driver = options.driver;
    this.vmid = options.vmid;
    this.#tables = options.tables;
    this.#frames = options.frames;
  }

  get stage2(): Stage2Setting {
    const { ipaBits, root, s2sl0 } = this.#tables;
    return { vmid: this.vmid, root, ipaBits, s2sl0 };
  }

  async map({ base, mapping }: Placed, turns: Turns): Promise<void> {
    const pa = base + mapping.offset;
    for (const { bytes, offset } of slicesOf(mapping.ipa, pa, mapping.bytes)) {
      this.#tables.map(mapping.ipa + offset, pa + offset, bytes, mapping);
      const pause = turns.spend(leafCount(mapping.ipa + offset, pa + offset, bytes));
      if (pause) await pause;
    }
  }

  /** Takes leaves out, invalidates, and only then gives the frames of emptied tables back. */
  async unmap(placed: readonly Placed[], turns: Turns): Promise<void> {
    const frames: number[] = [];
    const first: RemovedLeaf[] = [];
    let count = 0;
    for (const { base, mapping } of placed) {
      for (const { bytes, offset } of slicesOf(mapping.ipa, base + mapping.offset, mapping.bytes)) {
        const removed = this.#tables.unmap(mapping.ipa + offset, bytes);
        for (const frame of removed.frames) frames.push(frame);
        if (count <= SINGLE_INVALIDATIONS_MAX) first.push(...removed.leaves);
        count += removed.leaves.length;
        const pause = turns.spend(removed.leaves.length + 1);
        if (pause) await pause;
      }
    }
    if (count > SINGLE_INVALIDATIONS_MAX) {
      this.driver.issue([tlbi(COMMAND.CMD_TLBI_S12_VMALL, this.vmid)]);
    } else if (count > 0) {
      // S2_IPA leaves entries that combine both stages (§4.4.2): NH_ALL of the VMID removes those.
      const single = first.map((leaf) => tlbi(COMMAND.CMD_TLBI_S2_IPA, this.vmid, leaf.ipa));
      this.driver.issue([...single, tlbi(COMMAND.CMD_TLBI_NH_ALL, this.vmid)]);
    }
    if (count > 0) this.driver.flushATCs(this.vmid);
    for (const frame of frames) this.#frames.give(frame);
  }

  destroy(): void {
    assert(this.users === 0, `part ${this.id} still has a group attached`);
    this.driver.issue([tlbi(COMMAND.CMD_TLBI_S12_VMALL, this.vmid)]);
    this.#tables.destroy();
    this.ioas.parts.delete(this);
  }
}

/** VMIDs of one SMMU; 0 is the host's own. */
export class Vmids {
  readonly #max: number;
  readonly #used = new Set<number>();

  constructor(bits: number) {
    this.#max = 2 ** bits - 1;
  }

  take(): number {
    for (let vmid = 1; vmid <= this.#max; vmid += 1) {
      if (this.#used.has(vmid)) continue;
      this.#used.add(vmid);
      return vmid;
    }
    throw limitReached("vmids", this.#max, "delete a virtual IOMMU first");
  }

  give(vmid: number): void {
    this.#used.delete(vmid);
  }
}
