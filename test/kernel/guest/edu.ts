// Drives the DMA engine of QEMU's edu device: between its buffer of 4 KiB and the addresses that its IOMMU translates.
// A transfer begins 100 ms after it is asked for and is made of 4-byte accesses; a fault in it is not told to the device.
// Source: QEMU, docs/specs/edu.rst, hw/misc/edu.c.

import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Block, ioctl, type Mapping, mapShared } from "./native.ts";

const VFIO_DEVICE_GET_REGION_INFO = 0x3b6c;
const CONFIG_REGION = 7;
const COMMAND = 4;
const MEMORY_SPACE_AND_BUS_MASTER = 6;
/** Byte offsets in BAR 0. */
const REGISTER = { raise: 0x60, lower: 0x64, source: 0x80, target: 0x88, count: 0x90, command: 0x98 } as const;
const REGISTERS_BYTES = 4096;
/** Of the device's buffer, as it is named in a transfer. */
const BUFFER = 0x4_0000;
export const BUFFER_BYTES = 4096;
const START = 1;
const TO_MEMORY = 2;
/** Nothing moves before. */
const DELAY_MS = 100;
const TRANSFER_MS_MAX = 15_000;
const LOOK_MS = 5;

/** How the device's registers are reached. */
interface Access {
  readonly registers: Mapping;
  /** Lets it answer and do DMA: whoever opens, resets or closes a device may have taken that from it. */
  readonly enable: () => void;
  readonly close: () => void;
}

export class Edu {
  readonly #access: Access;
  /** Not a DataView, which reads byte by byte: the device takes whole words only. */
  readonly #words: Uint32Array;
  /** For addresses. */
  readonly #doublewords: BigUint64Array;

  private constructor(access: Access) {
    this.#access = access;
    this.#words = new Uint32Array(access.registers.buffer);
    this.#doublewords = new BigUint64Array(access.registers.buffer);
  }

  /** @param device  the descriptor of a device node that is bound to an iommufd */
  static ofNode(device: number): Edu {
    const enable = (): void => enableAt(device, regionOffset(device, CONFIG_REGION));
    enable();
    return new Edu({ registers: mapShared(device, REGISTERS_BYTES, regionOffset(device, 0)), enable, close: () => {} });
  }

  /** Beside whoever has its node: as root may, through sysfs. @param address  dddd:bb:dd.f */
  static ofAddress(address: string): Edu {
    const path = join("/sys/bus/pci/devices", address);
    const config = openSync(join(path, "config"), "r+");
    const enable = (): void => enableAt(config, 0);
    enable();
    const bar = openSync(join(path, "resource0"), "r+");
    const registers = mapShared(bar, REGISTERS_BYTES, 0);
    closeSync(bar);
    return new Edu({ registers, enable, close: () => closeSync(config) });
  }

  /** From the address into the device's buffer, at this offset in it. */
  async read(iova: number | bigint, bytes: number, offset = 0): Promise<void> {
    await this.#transfer({ source: iova, target: BUFFER + offset, bytes, command: START });
  }

  /** From the device's buffer, at this offset in it, to the address. */
  async write(iova: number | bigint, bytes: number, offset = 0): Promise<void> {
    await this.#transfer(toMemory(iova, bytes, offset));
  }

  /** As write(), and returns before anything moves: that begins 100 ms later. */
  beginWrite(iova: number, bytes: number): void {
    this.#begin(toMemory(iova, bytes));
  }

  /** Sends its MSI, if it has been given one. */
  interrupt(): void {
    this.#access.enable();
    this.#set(REGISTER.raise, 1);
    this.#set(REGISTER.lower, 1);
  }

  /** A device stays bound for as long as its registers are mapped. */
  [Symbol.dispose](): void {
    this.#access.registers.unmap();
    this.#access.close();
  }

  async #transfer(transfer: Transfer): Promise<void> {
    this.#begin(transfer);
    const began = performance.now();
    await pause(DELAY_MS);
    while (this.#get(REGISTER.command) % 2 === START) {
      if (performance.now() - began > TRANSFER_MS_MAX) throw new Error(`no DMA within ${TRANSFER_MS_MAX} ms`);
      await pause(LOOK_MS);
    }
  }

  #begin({ source, target, bytes, command }: Transfer): void {
    if (bytes > BUFFER_BYTES) throw new Error("beyond what the device can do");
    this.#access.enable();
    this.#doublewords[REGISTER.source / 8] = BigInt(source);
    this.#doublewords[REGISTER.target / 8] = BigInt(target);
    this.#set(REGISTER.count, bytes);
    this.#set(REGISTER.command, command);
  }

  #set(register: number, value: number): void {
    this.#words[register / 4] = value;
  }

  #get(register: number): number {
    return this.#words[register / 4] ?? 0;
  }
}

interface Transfer {
  readonly source: number | bigint;
  readonly target: number | bigint;
  readonly bytes: number;
  readonly command: number;
}

function toMemory(iova: number | bigint, bytes: number, offset = 0): Transfer {
  return { source: BUFFER + offset, target: iova, bytes, command: START + TO_MEMORY };
}

/** @param offset  of the device's configuration space in the file */
function enableAt(file: number, offset: number): void {
  const command = new Uint8Array(2);
  readSync(file, command, 0, 2, offset + COMMAND);
  const view = new DataView(command.buffer);
  view.setUint16(0, view.getUint16(0, true) | MEMORY_SPACE_AND_BUS_MASTER, true);
  writeSync(file, command, 0, 2, offset + COMMAND);
}

/** struct vfio_region_info, 32 bytes: argsz@0, index@8, offset@24. */
function regionOffset(device: number, index: number): number {
  const argument = new Block(32);
  argument.view.setUint32(0, 32, true);
  argument.view.setUint32(8, index, true);
  ioctl("VFIO_DEVICE_GET_REGION_INFO", device, VFIO_DEVICE_GET_REGION_INFO, argument);
  return Number(argument.view.getBigUint64(24, true));
}
