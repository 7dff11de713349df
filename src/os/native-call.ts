// The system calls of iommufd and VFIO as they are, each made on the thread that asks, with the errno of that very call:
// koffi's errno is the thread's own, so nothing may run in between.
// Source: ioctl(2), open(2), mmap(2).

import { constants } from "node:fs";
import koffi from "koffi";
import type { FilePart, IoctlRequest, IoctlResult } from "../backends/iommufd/kernel.ts";
import { assert } from "../spec/assert.ts";
import { putAddress } from "./ioctl-chain.ts";
import { allocateMemory } from "./native-memory.ts";

const STRUCT_BYTES_MAX = 4096;
const PAYLOAD_BYTES_MAX = 2 ** 20;
const EINTR = 4;
/** A call that a signal broke off is made again, this often. */
const BROKEN_OFF_MAX = 100;
/** The same on arm64 and x86-64; Node has no name for it. */
const O_CLOEXEC = 0o2000000;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** BigInt(8 * koffi.sizeof("size_t")) - 1n;

const libc = koffi.load(null);
// ioctl and open take "..." in C; on Linux a fixed argument is passed in the same place.
const ioctl = libc.func("int ioctl(int fd, unsigned long request, uintptr_t argument)");
const open = libc.func("int open(const char *path, int flags, int mode)");
const close = libc.func("int close(int fd)");
const mmap = libc.func("mmap", "void *", ["void *", "size_t", "int", "int", "int", "int64_t"]);
const munmap = libc.func("munmap", "int", ["void *", "size_t"]);

/** The structure at an address, where the kernel also writes. @returns the result, or the negative errno */
export function ioctlAt(fd: number, request: number, address: number): number {
  for (let broken = 0; ; broken++) {
    const result: unknown = ioctl(fd, request, address);
    if (typeof result === "number" && result >= 0) return result;
    const errno = koffi.errno();
    if (errno !== EINTR || broken === BROKEN_OFF_MAX) return -errno;
  }
}

/** Structures of calls that are made at once, in memory that the kernel may be pointed to. One belongs to one thread. */
export class NativeCaller {
  readonly #memory = allocateMemory(STRUCT_BYTES_MAX + PAYLOAD_BYTES_MAX);

  ioctl({ fd, request, bytes, payload, isInput = false }: IoctlRequest): IoctlResult {
    const { address, bytes: memory, words } = this.#memory;
    const { byteLength } = bytes;
    if (byteLength > STRUCT_BYTES_MAX) assert(false, `${byteLength} bytes are more than a call takes`);
    memory.set(bytes);
    if (payload !== undefined) {
      const { byteLength: length } = payload.bytes;
      if (length > PAYLOAD_BYTES_MAX) assert(false, `${length} bytes are more than a call takes`);
      memory.set(payload.bytes, STRUCT_BYTES_MAX);
      putAddress(words, payload.pointerAt, address + STRUCT_BYTES_MAX);
    }
    const result = ioctlAt(fd, request, address);
    const isOutput = payload !== undefined && payload.isInput !== true;
    return {
      result,
      bytes: isInput && result >= 0 ? bytes : memory.slice(0, byteLength),
      payload: isOutput ? memory.slice(STRUCT_BYTES_MAX, STRUCT_BYTES_MAX + payload.bytes.byteLength) : undefined,
    };
  }
}

/** @returns the descriptor, or the negative errno */
export function openReadWrite(path: string): number {
  return resultOf(open(path, constants.O_RDWR | O_CLOEXEC, 0));
}

/** An error of close(2) tells of what was written; the descriptor is gone all the same. */
export function closeDescriptor(fd: number): void {
  close(fd);
}

/** @returns the address, or the negative errno */
export function mapShared({ fd, offset, bytes, writable }: FilePart): bigint {
  const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const address = BigInt(mmap(null, bytes, protection, MAP_SHARED, fd, offset));
  return address === MAP_FAILED ? BigInt(-koffi.errno()) : address;
}

export function unmapShared(address: bigint, bytes: number): void {
  munmap(address, bytes);
}

function resultOf(result: unknown): number {
  if (typeof result === "number" && result >= 0) return result;
  return -koffi.errno();
}
