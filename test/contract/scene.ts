// Where a case begins: guest memory that is mapped, and a part that nothing is attached to. It gives a case the means of its
// subject, and only those that the case says it needs.
// Source: IHI 0070G.b §5.2 (STE), §5.4 (CD); Arm DDI 0487 D8.3 (descriptors).

import assert from "node:assert/strict";
import type { AddressSpaceHandle, Backend, PartHandle } from "../../src/backends/backend.ts";
import type { FaultNotice } from "../../src/backends/faults.ts";
import type { GuestMapping } from "../../src/backends/guest-memory.ts";
import { virtualStreamID } from "../../src/backends/ids.ts";
import type { HostDevice } from "../../src/backends/inventory.ts";
import { checkVSTE } from "../../src/backends/vste.ts";
import type { ContractFile, ContractSubject, Means, Need } from "./subject.ts";

export const BASE = 0x4000_0000;
export const BYTES = 2 ** 21;
export const CONTEXT = BASE + 0x1_0000;
/** V=1, Config 0b101, S1CIR=S1COR=WB, S1CSH=ISH (§5.2). */
export const TRANSLATE = checkVSTE(0xbn | BigInt(CONTEXT), 0xd4n);
/** The level 3 entry of IOVA 0, and what leads it to the file's page at 0x10_0000: page, AP[1], AF, nG. */
export const ENTRY = 0x4_0000;
export const LEAF = BigInt(BASE + 0x10_0000) | 0x443n | (1n << 11n);
/** T0SZ 25, EPD1, V, IPS 48 bits, AA64, R, A, ASID 1 (§5.4). */
const CD = 25n | (1n << 30n) | (1n << 31n) | (5n << 32n) | (1n << 41n) | (3n << 45n) | (1n << 48n);
const CD_S = 1n << 44n;

interface Bound {
  readonly device?: HostDevice;
  readonly part?: PartHandle;
  /** The guest's name for the device. */
  readonly name?: number;
}

export class Scene {
  readonly subject: ContractSubject;
  readonly backend: Backend;
  readonly single: HostDevice;
  readonly other: HostDevice;
  readonly file: ContractFile;
  readonly space: AddressSpaceHandle;
  readonly part: PartHandle;
  readonly #needs: readonly Need[];
  #isClosed = false;

  private constructor(
    subject: ContractSubject,
    needs: readonly Need[],
    made: { file: ContractFile; space: AddressSpaceHandle; part: PartHandle },
  ) {
    this.subject = subject;
    this.backend = subject.backend;
    this.single = subject.single;
    this.other = subject.other;
    this.file = made.file;
    this.space = made.space;
    this.part = made.part;
    this.#needs = needs;
  }

  static async open(subject: ContractSubject, needs: readonly Need[]): Promise<Scene> {
    const { backend, single } = subject;
    await using ends = new AsyncDisposableStack();
    ends.defer(() => backend.close());
    const file = subject.file(BYTES);
    const space = await backend.createAddressSpace();
    await backend.map(space, [{ ipa: BASE, bytes: BYTES, file, offset: 0, readable: true, writable: true }]);
    const part = await backend.createPart(space, single.iommu);
    ends.move();
    return new Scene(subject, needs, { file, space, part });
  }

  /** The backend; once. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.backend.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @throws when the case does not say that it needs it, or was run on a subject that has it not */
  means<N extends Need>(need: N): NonNullable<Means[N]> {
    assert.ok(this.#needs.includes(need), `the case uses ${need} and does not say that it needs it`);
    const shown = this.subject.means[need];
    assert.ok(shown !== undefined, `the subject has no means for ${need}`);
    return shown;
  }

  mapping(change: Partial<GuestMapping> = {}): GuestMapping {
    return { ipa: BASE, bytes: BYTES, file: this.file, offset: 0, readable: true, writable: true, ...change };
  }

  /** The guest's stage 1, whose CD is at CONTEXT. */
  async bind({ device = this.single, part = this.part, name = 0x30 }: Bound = {}): Promise<void> {
    await this.backend.bindGuestStage({
      device: device.id,
      part,
      virtualStreamID: virtualStreamID(name),
      vste: TRANSLATE,
    });
  }

  async ste(device: HostDevice = this.single): Promise<readonly bigint[]> {
    return await this.means("streamTable")(device.id);
  }

  /** -1: V=0. */
  async config(device: HostDevice = this.single): Promise<number> {
    return configOf(await this.ste(device));
  }

  async reach(iova: number, device: HostDevice = this.single): Promise<string> {
    return await this.means("dma")(device.id, iova);
  }

  async assertReached(iova: number, device: HostDevice = this.single): Promise<void> {
    assert.equal(await this.reach(iova, device), "ok", `0x${iova.toString(16)} is not reached`);
  }

  async assertNotReached(iova: number, device: HostDevice = this.single): Promise<void> {
    assert.notEqual(await this.reach(iova, device), "ok", `0x${iova.toString(16)} is reached`);
  }

  /** 4 KiB granule, 39 bits: IOVA 0 → the file's 0x10_0000, IOVA 0x1000 → IPA 0x8000_0000. */
  guestTables(): void {
    this.guestContext();
    this.file.poke(ENTRY, LEAF);
    this.file.poke(ENTRY + 8, 0x8000_0000n | (LEAF & 0xfffn));
  }

  /** A CD, with CD.S where faults shall stall, and tables that map nothing yet. */
  guestContext({ stalls = false } = {}): void {
    const at = (offset: number): bigint => BigInt(BASE + offset);
    this.file.poke(0x2_0000, at(0x3_0000) | 3n);
    this.file.poke(0x3_0000, at(ENTRY) | 3n);
    this.file.poke(0x1_0000, CD | (stalls ? CD_S : 0n));
    this.file.poke(0x1_0008, at(0x2_0000));
  }

  /** What is told from now on. */
  listen(): FaultNotice[] {
    const heard: FaultNotice[] = [];
    this.backend.onFault((notice) => heard.push(notice));
    return heard;
  }
}

/** -1: V=0. */
export function configOf(ste: readonly bigint[]): number {
  return ste[0]! & 1n ? Number((ste[0]! >> 1n) & 7n) : -1;
}
