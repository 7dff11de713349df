// ioctl(2) and mmap(2) for cases that speak to the kernel themselves, without the daemon's code between.

import { getSystemErrorName } from "node:util";
import koffi from "koffi";

const libc = koffi.load(null);
const cIoctl = libc.func("ioctl", "int", ["int", "unsigned long", "void *"]);
const cMmap = libc.func("mmap", "void *", ["void *", "size_t", "int", "int", "int", "int64_t"]);
const cMunmap = libc.func("munmap", "int", ["void *", "size_t"]);
const cEventfd = libc.func("eventfd", "int", ["unsigned int", "int"]);
const EFD_NONBLOCK = 0o4000;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;

/** Memory that stays where it is, so that the kernel can be given its address. Freed by nobody: a case's are small. */
export class Block {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: number) {
    this.address = koffi.address(koffi.alloc("uint8_t", bytes));
    this.bytes = new Uint8Array(koffi.view(this.address, bytes)).fill(0);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** A call that the kernel refused; `code` is the name of the errno. */
export class Refused extends Error {
  readonly code: string;

  constructor(call: string, code: string) {
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** @throws Refused */
export function ioctl(call: string, fd: number, request: number, argument: Block | undefined): number {
  const result = Number(cIoctl(fd, request, argument?.address ?? null));
  if (result < 0) throw new Refused(call, getSystemErrorName(-koffi.errno()));
  return result;
}

export interface Mapping {
  readonly buffer: ArrayBuffer;
  /** Nothing may look at the buffer afterwards. */
  readonly unmap: () => void;
}

export function mapShared(fd: number, bytes: number, offset: number): Mapping {
  const address = BigInt(cMmap(null, bytes, PROT_READ_WRITE, MAP_SHARED, fd, offset));
  if (address === MAP_FAILED) throw new Refused("mmap", getSystemErrorName(-koffi.errno()));
  return { buffer: koffi.view(address, bytes), unmap: () => cMunmap(address, bytes) };
}

/** A counter that the kernel adds to; reading it before it has is EAGAIN. */
export function eventfd(): number {
  const fd = Number(cEventfd(0, EFD_NONBLOCK));
  if (fd < 0) throw new Refused("eventfd", getSystemErrorName(-koffi.errno()));
  return fd;
}
