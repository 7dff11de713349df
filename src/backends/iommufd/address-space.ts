// One guest's memory: an iommufd of its own with one IOAS, and the table of what is mapped there. Pages are pinned when the
// first HWPT stands on the IOAS, and from then on with each mapping; what cannot be pinned fails there, and nothing of it
// stays. A kernel before 6.13 takes no file: it is shown the broker's view of one, where nobody can make that shorter.
// Memory that its owner has still to present is a hole, for the kernel as for walks: DMA faults there until it is filled.
// Source: Linux drivers/iommu/iommufd/{ioas,io_pagetable,pages}.c.

import { assert } from "../../spec/assert.ts";
import { hex } from "../../spec/u64.ts";
import { BrokerError } from "../errors.ts";
import type { Notice } from "../faults.ts";
import type { GuestMapping, IpaRange } from "../guest-memory.ts";
import { callError } from "./errno.ts";
import { destroy, ioasAlloc, ioasMap, ioasMapFile, ioasUnmap, type KernelFile, openIommufd } from "./ioctl.ts";
import type { Kernel } from "./kernel.ts";
import type { Part } from "./part.ts";

export const IOMMU_NODE = "/dev/iommu";
/** With an IOVA of 0: all there is (iommufd_ioas_unmap). */
const WHOLE = 2n ** 64n - 1n;

export class AddressSpace {
  readonly id: number;
  readonly file: KernelFile;
  readonly ioas: number;
  readonly parts = new Set<Part>();
  readonly #onNotice: (notice: Notice) => void;
  readonly #mappings = new Map<number, GuestMapping>();
  /** Addresses of views, by IPA: only where the kernel takes no files. */
  readonly #views = new Map<number, bigint>();
  /** Mappings by IPA that the kernel has not got: their memory was missing. */
  readonly #holes = new Set<number>();
  /** By IPA, in nobody's table: the kernel has them because it would not take them back. */
  readonly #strays = new Map<number, GuestMapping>();
  #takesFiles = true;
  /** By IPA; undefined: the table has changed since. */
  #sorted: readonly GuestMapping[] | undefined;

  private constructor(id: number, file: KernelFile, ioas: number, onNotice: (notice: Notice) => void) {
    this.id = id;
    this.file = file;
    this.ioas = ioas;
    this.#onNotice = onNotice;
  }

  static async create(kernel: Kernel, id: number, onNotice: (notice: Notice) => void): Promise<AddressSpace> {
    const file = { kernel, fd: await openIommufd(kernel, IOMMU_NODE) };
    try {
      return new AddressSpace(id, file, await ioasAlloc(file), onNotice);
    } catch (error) {
      await kernel.close(file.fd);
      throw error;
    }
  }

  /** All or none; what is missing becomes a hole. */
  async map(mappings: readonly GuestMapping[]): Promise<void> {
    await this.#mapAll(mappings.filter(({ file }) => file.isMissing !== true));
    for (const mapping of mappings) {
      mapping.file.retain();
      this.#mappings.set(mapping.ipa, mapping);
      if (mapping.file.isMissing === true) this.#holes.add(mapping.ipa);
    }
    this.#sorted = undefined;
  }

  /** Holes whose memory is there now, all or none. */
  async fill(ranges: readonly IpaRange[]): Promise<void> {
    const holes = ranges.map(({ ipa }) => this.#mapping(ipa)).filter(({ ipa }) => this.#holes.has(ipa));
    await this.#mapAll(holes);
    for (const { ipa } of holes) this.#holes.delete(ipa);
    this.#sorted = undefined;
  }

  /** Whole mappings, all or none. The kernel invalidates what could hold them before it answers. */
  async unmap(ranges: readonly IpaRange[]): Promise<void> {
    const mappings = ranges.map(({ ipa }) => this.#mapping(ipa));
    const done: GuestMapping[] = [];
    try {
      for (const mapping of mappings) {
        await this.#unmapOne(mapping);
        done.push(mapping);
      }
    } catch (error) {
      for (const mapping of done.reverse()) await this.#putBack(mapping);
      throw error;
    }
    for (const mapping of mappings) this.#forget(mapping);
  }

  /** Where devices may read and not write; undefined: nowhere. Holes count: they will be mapped as they were. */
  get readOnlyAt(): number | undefined {
    for (const { ipa, writable } of this.#mappings.values()) if (!writable) return ipa;
    return undefined;
  }

  /** The mapping that an IPA lies in; undefined: a hole. */
  find(ipa: number): GuestMapping | undefined {
    this.#sorted ??= [...this.#mappings.values()]
      .filter((mapping) => !this.#holes.has(mapping.ipa))
      .sort((a, b) => a.ipa - b.ipa);
    let low = 0;
    let high = this.#sorted.length - 1;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const mapping = this.#sorted[middle]!;
      if (ipa < mapping.ipa) high = middle - 1;
      else if (ipa >= mapping.ipa + mapping.bytes) low = middle + 1;
      else return mapping;
    }
    return undefined;
  }

  /** Nothing stands on it. The IOAS goes first: a device that is blocked keeps the iommufd, but no guest's pages. */
  async destroy(): Promise<void> {
    assert(this.parts.size === 0, `address space ${this.id} is still used by a part`);
    await destroy(this.file, this.ioas);
    await this.abandon();
  }

  /**
   * The daemon goes down: the kernel frees what is left with the descriptor. Whoever holds a device's node keeps the
   * iommufd that it is bound to, but shall find no memory there.
   */
  async abandon(): Promise<void> {
    if (this.#mappings.size + this.#strays.size > 0) {
      await ioasUnmap(this.file, { ioas: this.ioas, iova: 0n, length: WHOLE }).catch((error: unknown) => {
        if (!(error instanceof BrokerError)) throw error; // it goes with the iommufd, then or later
      });
    }
    await this.file.kernel.close(this.file.fd);
    for (const mapping of [...this.#mappings.values(), ...this.#strays.values()]) await this.#closeView(mapping);
    this.#strays.clear();
    for (const mapping of [...this.#mappings.values()]) this.#forget(mapping);
  }

  /** Nothing more is mapped while the kernel has something that shall not be. */
  async #mapAll(mappings: readonly GuestMapping[]): Promise<void> {
    for (const stray of [...this.#strays.values()]) await this.#unmapFromKernel(stray);
    const done: GuestMapping[] = [];
    try {
      for (const mapping of mappings) {
        await this.#mapOne(mapping);
        done.push(mapping);
      }
    } catch (error) {
      for (const mapping of done.reverse()) await this.#takeBack(mapping);
      throw error;
    }
  }

  async #mapOne(mapping: GuestMapping): Promise<void> {
    const { bytes, file, ipa, offset, readable, writable } = mapping;
    const { descriptor } = file;
    if (descriptor === undefined) {
      const why = `${file.path} is not here as a descriptor, which the kernel needs to pin it: put its memfd again`;
      throw new BrokerError("backend_unsupported", why, { path: file.path });
    }
    if (file.pinRefusal !== undefined) {
      throw new BrokerError("argument_invalid", `${file.path} ${file.pinRefusal}`, { path: file.path });
    }
    const target = { ioas: this.ioas, iova: BigInt(ipa), length: BigInt(bytes), readable, writable };
    if (this.#takesFiles) {
      try {
        await ioasMapFile(this.file, { ...target, fd: descriptor, start: BigInt(offset) });
        return;
      } catch (error) {
        if (!(error instanceof BrokerError) || error.facts.errno !== "ENOTTY") throw error;
        this.#takesFiles = false;
      }
    }
    const userVa = await this.#openView(mapping, descriptor);
    try {
      await ioasMap(this.file, { ...target, userVa });
    } catch (error) {
      await this.#closeView(mapping);
      throw error;
    }
  }

  async #openView({ bytes, file, ipa, offset, writable }: GuestMapping, fd: number): Promise<bigint> {
    if (file.isSealed !== true) {
      const why = `this kernel cannot pin ${file.path} by its descriptor: run Linux 6.13 or newer, or seal it with F_SEAL_SHRINK`;
      throw new BrokerError("backend_unsupported", why, { path: file.path });
    }
    const address = await this.file.kernel.mapFile({ fd, offset, bytes, writable });
    if (address < 0n) throw callError("ioas_map", Number(-address), { ipa });
    this.#views.set(ipa, address);
    return address;
  }

  async #closeView({ bytes, ipa }: GuestMapping): Promise<void> {
    const address = this.#views.get(ipa);
    this.#views.delete(ipa);
    if (address !== undefined) await this.file.kernel.unmapFile(address, bytes);
  }

  async #unmapOne(mapping: GuestMapping): Promise<void> {
    const { ipa } = mapping;
    if (!this.#holes.has(ipa) || this.#strays.has(ipa)) await this.#unmapFromKernel(mapping);
  }

  async #unmapFromKernel(mapping: GuestMapping): Promise<void> {
    const { bytes, ipa } = mapping;
    await ioasUnmap(this.file, { ioas: this.ioas, iova: BigInt(ipa), length: BigInt(bytes) });
    this.#strays.delete(ipa);
    await this.#closeView(mapping);
  }

  /** After a failure of a later one. */
  async #takeBack(mapping: GuestMapping): Promise<void> {
    await this.#unmapFromKernel(mapping).catch((error: unknown) => {
      this.#strays.set(mapping.ipa, mapping);
      const message =
        "a mapping that shall not be could not be taken back: devices reach it until the next change of the address space's mappings";
      this.#tell(message, hex(mapping.ipa), error);
    });
  }

  /** What cannot be put back is a hole from then on: its owner still has it in the table, and can unmap it. */
  async #putBack(mapping: GuestMapping): Promise<void> {
    if (this.#holes.has(mapping.ipa)) return;
    await this.#mapOne(mapping).catch((error: unknown) => {
      this.#holes.add(mapping.ipa);
      this.#sorted = undefined;
      this.#tell("a mapping that shall stay could not be put back: DMA faults there", hex(mapping.ipa), error);
    });
  }

  #forget(mapping: GuestMapping): void {
    this.#mappings.delete(mapping.ipa);
    this.#holes.delete(mapping.ipa);
    this.#sorted = undefined;
    mapping.file.release();
  }

  #mapping(ipa: number): GuestMapping {
    const mapping = this.#mappings.get(ipa);
    assert(mapping !== undefined, `no mapping of address space ${this.id} begins at ${hex(ipa)}`);
    return mapping;
  }

  #tell(message: string, ipa: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#onNotice({ level: "error", message, facts: { address_space: this.id, ipa, reason } });
  }
}
