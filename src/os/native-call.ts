// The system calls of iommufd and VFIO as they are, each made on the thread that asks, with the errno of that very call:
// koffi's errno is the thread's own, so nothing may run in between.
// Structures are copied into memory at fixed addresses, so that the kernel may be given pointers between them; one
// NativeCaller belongs to one thread.
// Source: ioctl(2), open(2), mmap(2).

import { constants } from "node:fs";
import koffi from "koffi";
import type { FilePart, IoctlRequest, IoctlResult } from "../backends/iommufd/kernel.ts";
import { assert } from "../spec/assert.ts";
import type { PlacedIoctl } from "./ioctl-chain.ts";

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
const calloc = libc.func("void *calloc(size_t count, size_t bytes)");

export class NativeCaller {
  readonly #struct = new Place(STRUCT_BYTES_MAX);
  readonly #payload = new Place(PAYLOAD_BYTES_MAX);

  ioctl({ fd, request, bytes, payload, isInput = false }: IoctlRequest): IoctlResult {
    this.#struct.put(bytes);
    if (payload !== undefined) {
      this.#payload.put(payload.bytes);
      this.#point(payload.pointerAt);
    }
    const result = this.#make(fd, request);
    return {
      result,
      bytes: isInput && result >= 0 ? bytes : this.#struct.take(bytes.byteLength),
      payload: payload === undefined || payload.isInput ? undefined : this.#payload.take(payload.bytes.byteLength),
    };
  }

  /** Writes what the kernel made of the structure and the payload over them. @returns the result, or the negative errno */
  ioctlIn(placed: PlacedIoctl): number {
    const { fd, memory, payloadAt, payloadBytes, request, structureAt, structureBytes } = placed;
    this.#struct.put(memory.subarray(structureAt, structureAt + structureBytes));
    if (payloadBytes >= 0) {
      this.#payload.put(memory.subarray(payloadAt, payloadAt + payloadBytes));
      this.#point(placed.pointerAt);
    }
    const result = this.#make(fd, request);
    memory.set(this.#struct.show(structureBytes), structureAt);
    if (payloadBytes >= 0 && !placed.isInput) memory.set(this.#payload.show(payloadBytes), payloadAt);
    return result;
  }

  #point(at: number): void {
    const address = this.#payload.address;
    this.#struct.view.setUint32(at, address, true); // modulo 2^32
    this.#struct.view.setUint32(at + 4, address / 2 ** 32, true);
  }

  #make(fd: number, request: number): number {
    let result = 0;
    let broken = 0;
    do result = resultOf(ioctl(fd, request, this.#struct.address));
    while (result === -EINTR && ++broken < BROKEN_OFF_MAX);
    return result;
  }
}

/** Memory whose address is known and stays; it is never given back, as its thread lives as long as the process. */
class Place {
  /** User space ends below 2^53 (arm64 and x86-64 with 48 bits), and a bigint costs more to hand over. */
  readonly address: number;
  readonly view: DataView;
  readonly #bytes: Uint8Array;

  constructor(bytes: number) {
    const address = BigInt(calloc(1, bytes));
    assert(address !== 0n, `no memory for ${bytes} bytes`);
    assert(address <= BigInt(Number.MAX_SAFE_INTEGER), "memory lies where a number does not reach");
    this.address = Number(address);
    this.#bytes = new Uint8Array(koffi.view(address, bytes));
    this.view = new DataView(this.#bytes.buffer);
  }

  put(bytes: Uint8Array): void {
    if (bytes.byteLength > this.#bytes.byteLength)
      assert(false, `${bytes.byteLength} bytes are more than a call takes`);
    this.#bytes.set(bytes);
  }

  take(bytes: number): Uint8Array {
    return this.#bytes.slice(0, bytes);
  }

  show(bytes: number): Uint8Array {
    return this.#bytes.subarray(0, bytes);
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
