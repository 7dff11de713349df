// Drives the DMA engine of QEMU's edu device: between its buffer of 4 KiB and the addresses that its IOMMU translates.
// A transfer begins 100 ms after it is asked for and is made of 4-byte accesses; a fault in it is not told to the device.
// Source: QEMU, docs/specs/edu.rst, hw/misc/edu.c.

import { readSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Block, ioctl, type Mapping, mapShared } from "./native.ts";

const VFIO_DEVICE_GET_REGION_INFO = 0x3b6c;
const CONFIG_REGION = 7;
const COMMAND = 4;
const MEMORY_SPACE_AND_BUS_MASTER = 6;
/** Byte offsets in BAR 0. */
const REGISTER = { source: 0x80, target: 0x88, count: 0x90, command: 0x98 } as const;
const REGISTERS_BYTES = 4096;
/** Of the device's buffer, as it is named in a transfer. */
const BUFFER = 0x4_0000;
const BUFFER_BYTES = 4096;
const START = 1;
const TO_MEMORY = 2;
const TRANSFER_MS_MAX = 15_000;
const LOOK_MS = 5;

export class Edu {
  readonly #bar: Mapping;
  /** Not a DataView, which reads byte by byte: the device takes whole words only. */
  readonly #words: Uint32Array;

  /** @param device  the descriptor of a device node that is bound to an iommufd */
  constructor(device: number) {
    const at = regionOffset(device, CONFIG_REGION) + COMMAND;
    const command = new Uint8Array(2);
    readSync(device, command, 0, 2, at);
    const view = new DataView(command.buffer);
    view.setUint16(0, view.getUint16(0, true) | MEMORY_SPACE_AND_BUS_MASTER, true);
    writeSync(device, command, 0, 2, at);
    this.#bar = mapShared(device, REGISTERS_BYTES, regionOffset(device, 0));
    this.#words = new Uint32Array(this.#bar.buffer);
  }

  /** From the address into the device's buffer. */
  async read(iova: number, bytes: number): Promise<void> {
    await this.#transfer({ source: iova, target: BUFFER, bytes, command: START });
  }

  /** From the device's buffer to the address. */
  async write(iova: number, bytes: number): Promise<void> {
    await this.#transfer({ source: BUFFER, target: iova, bytes, command: START + TO_MEMORY });
  }

  /** A device stays bound for as long as its registers are mapped. */
  [Symbol.dispose](): void {
    this.#bar.unmap();
  }

  async #transfer({ source, target, bytes, command }: Transfer): Promise<void> {
    if (bytes > BUFFER_BYTES || Math.max(source, target) >= 2 ** 32) throw new Error("beyond what the device can do");
    this.#set(REGISTER.source, source);
    this.#set(REGISTER.target, target);
    this.#set(REGISTER.count, bytes);
    this.#set(REGISTER.command, command);
    const began = performance.now();
    while (this.#get(REGISTER.command) % 2 === START) {
      if (performance.now() - began > TRANSFER_MS_MAX) throw new Error(`no DMA within ${TRANSFER_MS_MAX} ms`);
      await pause(LOOK_MS);
    }
  }

  #set(register: number, value: number): void {
    this.#words[register / 4] = value;
  }

  #get(register: number): number {
    return this.#words[register / 4] ?? 0;
  }
}

interface Transfer {
  readonly source: number;
  readonly target: number;
  readonly bytes: number;
  readonly command: number;
}

/** struct vfio_region_info, 32 bytes: argsz@0, index@8, offset@24. */
function regionOffset(device: number, index: number): number {
  const argument = new Block(32);
  argument.view.setUint32(0, 32, true);
  argument.view.setUint32(8, index, true);
  ioctl("VFIO_DEVICE_GET_REGION_INFO", device, VFIO_DEVICE_GET_REGION_INFO, argument);
  return Number(argument.view.getBigUint64(24, true));
}
