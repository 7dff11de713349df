// Several ioctls as one call of the pool: each after the one before has succeeded, with what that one answered in it. They lie
// in memory that is shared with a thread, which makes them where they lie: structures point to their payloads there, so
// nothing is encoded or copied twice, and the thread allocates nothing.
// Each is a head of eight words, then its structure, then its payload, each padded to a doubleword.

import type { ChainStep, IoctlResult } from "../backends/iommufd/kernel.ts";
import { assert } from "../spec/assert.ts";
import type { NativeMemory } from "./native-memory.ts";

/** @returns the result, or the negative errno */
export type MakeIoctl = (fd: number, request: number, address: number) => number;

const [FD, REQUEST, LENGTH, END, TAKE_FROM, TAKE_INTO, RESULT] = [0, 1, 2, 3, 4, 5, 6];
const HEAD_BYTES = 32;
const TAKEN_BYTES = 4;
/** As kernel.ts has it. */
const STRUCTURE_BYTES_MAX = 4096;
const NONE = -1;
/** The result of an ioctl that was not made. */
const NOT_MADE = -(2 ** 31);

/** @returns the bytes that the chain takes */
export function putSteps(memory: NativeMemory, steps: readonly ChainStep[]): number {
  const { bytes, words } = memory;
  const places: number[] = [];
  let at = 0;
  for (const { fd, request, bytes: structure, payload, take } of steps) {
    const structureAt = at + HEAD_BYTES;
    const payloadAt = payloadOf(structureAt, structure.byteLength);
    const end = aligned(payloadAt + (payload === undefined ? 0 : payload.bytes.byteLength));
    if (end > bytes.byteLength) assert(false, `${end} bytes are more than a call takes`);
    const from = take === undefined ? undefined : places[take.step];
    assert(take === undefined || from !== undefined, "a step takes of a later one");
    assert(take === undefined || take.into + TAKEN_BYTES <= structure.byteLength, "what a step takes has room in it");
    const head = at / 4;
    words[head + FD] = fd;
    words[head + REQUEST] = request;
    words[head + LENGTH] = structure.byteLength;
    words[head + END] = end;
    words[head + TAKE_FROM] = take === undefined || from === undefined ? NONE : from + take.at;
    words[head + TAKE_INTO] = take === undefined ? NONE : structureAt + take.into;
    words[head + RESULT] = NOT_MADE;
    bytes.set(structure, structureAt);
    if (payload !== undefined) {
      bytes.set(payload.bytes, payloadAt);
      putAddress(words, structureAt + payload.pointerAt, memory.address + payloadAt);
    }
    places.push(structureAt);
    at = end;
  }
  return at;
}

/** Makes the calls until one fails. */
export function makeSteps({ address, bytes, words }: NativeMemory, length: number, ioctl: MakeIoctl): void {
  for (let at = 0; at < length; ) {
    const head = at / 4;
    const structureAt = at + HEAD_BYTES;
    const structureBytes = wordAt(words, head + LENGTH);
    if (structureBytes > STRUCTURE_BYTES_MAX) assert(false, `${structureBytes} bytes are more than a call takes`);
    const from = wordAt(words, head + TAKE_FROM);
    if (from !== NONE) bytes.copyWithin(wordAt(words, head + TAKE_INTO), from, from + TAKEN_BYTES);
    const result = ioctl(wordAt(words, head + FD), wordAt(words, head + REQUEST), address + structureAt);
    words[head + RESULT] = result;
    if (result < 0) return;
    at = wordAt(words, head + END);
  }
}

/** Of the calls that were made, as copies. @param steps  as they were put */
export function takeResults({ bytes, words }: NativeMemory, steps: readonly ChainStep[]): readonly IoctlResult[] {
  const results: IoctlResult[] = [];
  let at = 0;
  for (const { bytes: structure, isInput = false, payload } of steps) {
    const head = at / 4;
    const result = wordAt(words, head + RESULT);
    if (result === NOT_MADE) break;
    const structureAt = at + HEAD_BYTES;
    const payloadAt = payloadOf(structureAt, structure.byteLength);
    const hasPayload = payload !== undefined && payload.isInput !== true;
    results.push({
      result,
      bytes: isInput && result >= 0 ? structure : bytes.slice(structureAt, structureAt + structure.byteLength),
      payload: hasPayload ? bytes.slice(payloadAt, payloadAt + payload.bytes.byteLength) : undefined,
    });
    at = wordAt(words, head + END);
  }
  return results;
}

/** A pointer, where a structure has it: a multiple of 8 from its beginning. */
export function putAddress(words: Int32Array, at: number, address: number): void {
  words[at / 4] = address; // modulo 2^32
  words[at / 4 + 1] = address / 2 ** 32;
}

function payloadOf(structureAt: number, structureBytes: number): number {
  return aligned(structureAt + structureBytes);
}

function wordAt(words: Int32Array, index: number): number {
  return words[index] ?? NONE;
}

function aligned(bytes: number): number {
  return 8 * Math.ceil(bytes / 8);
}
