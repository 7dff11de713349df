// Memory outside of V8's heap, whose address is known and stays: the kernel can be pointed to it, and another thread can look
// at it by its address. Of plain memory, too, for V8 copies into a SharedArrayBuffer a word at a time.
// Who shares it sees to an order: Atomics on a word elsewhere (call-slot.ts).
// Source: calloc(3).

import koffi from "koffi";
import { assert } from "../spec/assert.ts";

export interface NativeMemory {
  /** User space ends below 2^53 (arm64 and x86-64 with 48 bits), and a bigint costs more to hand over. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** The same by 32 bits, as this processor has them: little-endian. */
  readonly words: Int32Array;
}

const calloc = koffi.load(null).func("void *calloc(size_t count, size_t bytes)");

/** Zeros, for as long as the process lives: it is for what is had once in a thread. @param length  a multiple of 4 */
export function allocateMemory(length: number): NativeMemory {
  const address = BigInt(calloc(1, length));
  assert(address !== 0n, `no memory for ${length} bytes`);
  assert(address <= BigInt(Number.MAX_SAFE_INTEGER), "memory lies where a number does not reach");
  return memoryAt(Number(address), length);
}

/** What another thread has allocated. */
export function memoryAt(address: number, length: number): NativeMemory {
  const buffer = koffi.view(BigInt(address), length);
  return { address, bytes: new Uint8Array(buffer), words: new Int32Array(buffer) };
}
