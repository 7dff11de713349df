// The simulated host's MSI doorbell: physical addresses that are not RAM, where the MSI window of every stage 2 leads.
// What a device writes there is an interrupt message and is kept per device, the latest MSIS_MAX of them.
// A device's log begins when it is attached and ends when it goes back to the host: the next owner sees none of it.
// Source: Arm IHI 0069 (GICv3 and GICv4), GITS_TRANSLATER: 32 bits, write-only.

import { assert } from "../../spec/assert.ts";
import { hex } from "../../spec/u64.ts";
import type { DeviceID } from "../ids.ts";
import type { Msi, MsiLog } from "../simulator-control.ts";
import type { MemoryMap, MemoryRegion, SwapResult } from "../smmuv3/memory.ts";

/** The MSI window of Linux on Arm: MSI_IOVA_BASE and MSI_IOVA_LENGTH. */
export const MSI_WINDOW = { ipa: 0x0800_0000, bytes: 0x0010_0000, kind: "msi" } as const;
/** Below the host's RAM and not at the window's own IPA, so that an address that went around stage 2 misses it. */
const DOORBELL_BASE = 0x4000_0000;
const MSI_BYTES = 4;
/** Messages kept of one device. */
export const MSIS_MAX = 1024;

/**
 * A region of the memory map, so that stage 2 may lead here, but no memory: a load or store by physical address alone is
 * a bus error; a message needs a device that sends it. (Table walks do not come this far: stage 2 has the window as Device
 * memory, and STE.S2PTW refuses those, §5.2.)
 */
export class MsiDoorbell implements MemoryRegion {
  readonly base = DOORBELL_BASE;
  readonly bytes = MSI_WINDOW.bytes;
  readonly #logs = new Map<DeviceID, { total: number; readonly latest: Msi[] }>();

  constructor(memory: MemoryMap) {
    memory.add(this);
  }

  holds(pa: number): boolean {
    return pa >= this.base && pa < this.base + this.bytes;
  }

  /** Begins a device's log, empty. */
  begin(device: DeviceID): void {
    this.#logs.set(device, { total: 0, latest: [] });
  }

  end(device: DeviceID): void {
    this.#logs.delete(device);
  }

  /**
   * A device's write. An MSI is one aligned doubleword of PCIe (32 bits); the doorbell's register takes nothing else.
   *
   * @returns false: a bus error, nothing was recorded
   */
  ring(device: DeviceID, streamID: number, pa: number, data: Uint8Array): boolean {
    assert(this.holds(pa), `${hex(pa)} is not the doorbell's`);
    if (data.length !== MSI_BYTES || pa % MSI_BYTES !== 0) return false;
    const log = this.#logs.get(device);
    assert(log !== undefined, `${device} reached the doorbell without being attached`);
    const value = new DataView(data.buffer, data.byteOffset, MSI_BYTES).getUint32(0, true);
    log.total += 1;
    log.latest.push({ sequence: log.total, streamID, data: value, ipa: MSI_WINDOW.ipa + pa - this.base });
    if (log.latest.length > MSIS_MAX) log.latest.shift();
    return true;
  }

  /** How many messages a device has sent since it was attached or reset. */
  total(device: DeviceID): number {
    return this.#logs.get(device)?.total ?? 0;
  }

  /** What a device has sent since it was attached or reset; empty for one that is not. */
  log(device: DeviceID): MsiLog {
    const { latest, total } = this.#logs.get(device) ?? { latest: [], total: 0 };
    return { total, msis: [...latest], doorbell: { ipa: MSI_WINDOW.ipa, pa: this.base, bytes: this.bytes } };
  }

  /** The translation register is write-only: there is nothing to answer a read with, so the interconnect aborts it. */
  read64(): boolean {
    return false;
  }

  readBytes(): boolean {
    return false;
  }

  write64(): boolean {
    return false;
  }

  compareAndSwap64(): SwapResult {
    return "abort";
  }

  writeBytes(): boolean {
    return false;
  }
}
