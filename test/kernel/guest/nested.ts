// A guest's memory, its tables and its virtual SMMU, set up by the kernel's own calls.
// Source: IHI 0070G.b §5.2 (STE), §5.4 (CD); Arm DDI 0487 D8.3 (descriptors).

import { closeSync, readSync, writeSync } from "node:fs";
import { memfd } from "../../support/memfd.ts";
import type { GuestDevice } from "../kernel-case.ts";
import {
  allocateAddressSpace,
  allocateEventQueue,
  allocateNested,
  allocateNestParent,
  allocateVirtualDevice,
  allocateVirtualIommu,
  attachDevice,
  mapFile,
} from "./iommufd.ts";
import { type IommufdSession, withDevices } from "./session.ts";

/** Little, because to pin it is to clear it, by emulated instructions. */
export const RAM = { ipa: 0x4000_0000, bytes: 16 * 2 ** 20 } as const;
/** Where the tables are, as offsets in RAM. */
export const CD = 0x1_0000;
const TABLES = [0x2_0000, 0x2_1000, 0x2_2000] as const;
/** The descriptor of FIRST_IOVA's page. */
export const [, , LEAVES] = TABLES;
/** The first address that the last table maps; it has 512 pages. */
export const FIRST_IOVA = 0x1000_0000;
export const ASID = 0x42;
/** MSI_IOVA_BASE of Linux's arm-smmu-v3. */
export const MSI_WINDOW = 0x0800_0000;
/** V=1, Config=0b000. */
export const ABORT = [1n, 0n] as const;
/** V=1, Config=0b101, S1ContextPtr; S1CIR and S1COR Write-Back, S1CSH Inner Shareable. */
export const STAGE1 = [0xbn + BigInt(RAM.ipa + CD), 0xd4n] as const;
/** T0SZ=25: 39 bits, walks begin at level 1; Write-Back, Inner Shareable; EPD1, V, IPS=44 bits, AA64, R, A, ASET. */
const CD_WORDS = [0xc000_3519, 0xe204 + ASID * 2 ** 16, RAM.ipa + TABLES[0], 0, 0, 0, 0xff, 0] as const;
const TABLE = 3n;
/** A page: AF, Inner Shareable, nG, for reading and writing without privilege. */
export const READ_WRITE = 0xf43n;
export const READ_ONLY = 0xfc3n;
const RECORD_BYTES = 40;

/** Its pages are there, once they were pinned, until its last descriptor is closed: of many guests' the machine has no room. */
export class GuestRam {
  readonly fd = memfd(RAM.bytes);

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

export interface StageTwo extends IommufdSession {
  /** The memory's file. */
  readonly ram: number;
  readonly nestParent: number;
}

/** Guest memory and a nesting parent over it, to which the devices are attached. */
export function withNestParent<T>(
  devices: readonly GuestDevice[],
  use: (session: StageTwo) => T | Promise<T>,
): Promise<T> {
  return withDevices(devices, (session) => {
    const { bound, iommufd, keep } = session;
    const ram = keep(memfd(RAM.bytes));
    const ioas = allocateAddressSpace(iommufd);
    mapFile(iommufd, { ioas, file: ram, start: 0, bytes: RAM.bytes, ipa: RAM.ipa });
    const nestParent = allocateNestParent(iommufd, bound[0]!.deviceID, ioas);
    for (const { fd } of bound) attachDevice(fd, nestParent);
    return use({ ...session, ram, nestParent });
  });
}

export interface Nested extends StageTwo {
  readonly virtualIommu: number;
  /** Installs a guest's STE on the device of this index. */
  readonly bind: (device: number, ste: readonly [bigint, bigint]) => void;
  /** In the guest's table: the page of FIRST_IOVA with this index. */
  readonly setPage: (index: number, ramOffset: number, attributes: bigint) => void;
  /** Event records that have come since the last call, four doublewords each. */
  readonly events: () => bigint[][];
}

/** Each device has the virtual StreamID of its index; the guest's tables map nothing yet. */
export function withVirtualSmmu<T>(
  devices: readonly GuestDevice[],
  virtualStreamIDs: readonly number[],
  use: (session: Nested) => T | Promise<T>,
): Promise<T> {
  return withNestParent(devices, (session) => {
    const { bound, iommufd, keep, nestParent, ram } = session;
    const virtualIommu = allocateVirtualIommu(iommufd, bound[0]!.deviceID, nestParent);
    bound.forEach(({ deviceID }, index) => {
      allocateVirtualDevice(iommufd, { virtualIommu, deviceID, virtualStreamID: virtualStreamIDs[index]! });
    });
    const queue = keep(allocateEventQueue(iommufd, virtualIommu, 64));
    writeTables(ram);
    return use({
      ...session,
      virtualIommu,
      bind: (device, ste) => {
        const { deviceID, fd } = bound[device]!;
        attachDevice(fd, allocateNested(iommufd, deviceID, virtualIommu, ste));
      },
      setPage: (index, ramOffset, attributes) => setPage(ram, index, BigInt(RAM.ipa + ramOffset) + attributes),
      events: () => readEvents(queue),
    });
  });
}

/** A CD, and tables that map nothing yet. */
export function writeTables(ram: number): void {
  writeSync(ram, new Uint8Array(Uint32Array.from(CD_WORDS).buffer), 0, 4 * CD_WORDS.length, CD);
  write64(ram, TABLES[0], BigInt(RAM.ipa + TABLES[1]) + TABLE);
  write64(ram, TABLES[1] + 8 * (FIRST_IOVA / 2 ** 21), BigInt(RAM.ipa + TABLES[2]) + TABLE);
}

/** As a guest does for its devices' MSIs: the page of the host's MSI window, at the address that the host tells devices. */
export function mapMsiWindow(ram: number): void {
  const below = TABLES[2] + 0x1000;
  write64(ram, TABLES[1] + 8 * (MSI_WINDOW / 2 ** 21), BigInt(RAM.ipa + below) + TABLE);
  write64(ram, below, BigInt(MSI_WINDOW) + READ_WRITE);
}

/** @param descriptor  of the page of FIRST_IOVA with this index */
export function setPage(ram: number, index: number, descriptor: bigint): void {
  write64(ram, TABLES[2] + 8 * index, descriptor);
}

export function write64(file: number, offset: number, value: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  writeSync(file, bytes, 0, 8, offset);
}

/** struct iommufd_vevent_header, 8 bytes, then the record. */
function readEvents(queue: number): bigint[][] {
  const events: bigint[][] = [];
  const bytes = new Uint8Array(RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  while (readSync(queue, bytes) === RECORD_BYTES) {
    events.push([8, 16, 24, 32].map((offset) => view.getBigUint64(offset, true)));
  }
  return events;
}

export function textAt(ram: number, offset: number, bytes: number): string {
  const buffer = Buffer.alloc(bytes);
  readSync(ram, buffer, 0, bytes, offset);
  return buffer.toString("latin1");
}

export function writeText(ram: number, offset: number, text: string): void {
  writeSync(ram, Buffer.from(text, "latin1"), 0, text.length, offset);
}
