// Several ioctls as one call of the pool: each after the one before has succeeded, with what that one answered in it. They lie
// in memory that is shared with a thread, which makes them where they lie: results and structures are written over them,
// so nothing is encoded twice, and the thread allocates nothing.
// Each is a head of ten words, then its structure, then its payload, each padded to a word.

import type { ChainStep, IoctlResult } from "../backends/iommufd/kernel.ts";
import { assert } from "../spec/assert.ts";

/** The same memory, by bytes and by words. */
export interface ChainMemory {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

/** One ioctl as it lies there; the structure and the payload by their first byte. */
export interface PlacedIoctl {
  readonly memory: Uint8Array;
  readonly fd: number;
  readonly request: number;
  readonly structureAt: number;
  readonly structureBytes: number;
  readonly payloadAt: number;
  /** -1: none. */
  readonly payloadBytes: number;
  readonly pointerAt: number;
  /** The kernel only reads the payload. */
  readonly isInput: boolean;
}

const [FD, REQUEST, LENGTH, PAYLOAD_LENGTH, POINTER_AT, TAKE_FROM, TAKE_INTO, IS_INPUT, RESULT] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8,
];
const HEAD_BYTES = 40;
const TAKEN_BYTES = 4;
const NONE = -1;
/** The result of an ioctl that was not made. */
const NOT_MADE = -(2 ** 31);

/** @returns the bytes that the chain takes */
export function putSteps({ bytes, words }: ChainMemory, steps: readonly ChainStep[]): number {
  const places: number[] = [];
  let at = 0;
  for (const { fd, request, bytes: structure, payload, take } of steps) {
    const structureAt = at + HEAD_BYTES;
    const payloadAt = wordAligned(structureAt + structure.byteLength);
    const end = wordAligned(payloadAt + (payload?.bytes.byteLength ?? 0));
    if (end > bytes.byteLength) assert(false, `${end} bytes are more than a call takes`);
    const from = take === undefined ? undefined : places[take.step];
    assert(take === undefined || from !== undefined, "a step takes of a later one");
    assert(take === undefined || take.into + TAKEN_BYTES <= structure.byteLength, "what a step takes has room in it");
    const head = at / 4;
    words[head + FD] = fd;
    words[head + REQUEST] = request;
    words[head + LENGTH] = structure.byteLength;
    words[head + PAYLOAD_LENGTH] = payload?.bytes.byteLength ?? NONE;
    words[head + POINTER_AT] = payload?.pointerAt ?? NONE;
    words[head + TAKE_FROM] = take === undefined || from === undefined ? NONE : from + take.at;
    words[head + TAKE_INTO] = take === undefined ? NONE : structureAt + take.into;
    words[head + IS_INPUT] = payload?.isInput === true ? 1 : 0;
    words[head + RESULT] = NOT_MADE;
    bytes.set(structure, structureAt);
    if (payload !== undefined) bytes.set(payload.bytes, payloadAt);
    places.push(structureAt);
    at = end;
  }
  return at;
}

/** Makes the calls until one fails. */
export function makeSteps({ bytes, words }: ChainMemory, length: number, ioctl: (placed: PlacedIoctl) => number): void {
  for (let at = 0; at < length; at = endOf(words, at)) {
    const head = at / 4;
    const structureAt = at + HEAD_BYTES;
    const from = wordAt(words, head + TAKE_FROM);
    if (from !== NONE) bytes.copyWithin(wordAt(words, head + TAKE_INTO), from, from + TAKEN_BYTES);
    const structureBytes = wordAt(words, head + LENGTH);
    const result = ioctl({
      memory: bytes,
      fd: wordAt(words, head + FD),
      request: wordAt(words, head + REQUEST),
      structureAt,
      structureBytes,
      payloadAt: wordAligned(structureAt + structureBytes),
      payloadBytes: wordAt(words, head + PAYLOAD_LENGTH),
      pointerAt: wordAt(words, head + POINTER_AT),
      isInput: wordAt(words, head + IS_INPUT) === 1,
    });
    words[head + RESULT] = result;
    if (result < 0) return;
  }
}

/** Of the calls that were made, as copies. */
export function takeResults({ bytes, words }: ChainMemory, length: number): readonly IoctlResult[] {
  const results: IoctlResult[] = [];
  for (let at = 0; at < length; at = endOf(words, at)) {
    const head = at / 4;
    const result = wordAt(words, head + RESULT);
    if (result === NOT_MADE) break;
    const structureAt = at + HEAD_BYTES;
    const structureEnd = structureAt + wordAt(words, head + LENGTH);
    const payloadAt = wordAligned(structureEnd);
    const payloadLength = wordAt(words, head + PAYLOAD_LENGTH);
    const hasPayload = payloadLength !== NONE && wordAt(words, head + IS_INPUT) === 0;
    results.push({
      result,
      bytes: bytes.slice(structureAt, structureEnd),
      payload: hasPayload ? bytes.slice(payloadAt, payloadAt + payloadLength) : undefined,
    });
  }
  return results;
}

function endOf(words: Int32Array, at: number): number {
  const head = at / 4;
  const payloadAt = wordAligned(at + HEAD_BYTES + wordAt(words, head + LENGTH));
  return wordAligned(payloadAt + Math.max(0, wordAt(words, head + PAYLOAD_LENGTH)));
}

function wordAt(words: Int32Array, index: number): number {
  return words[index] ?? NONE;
}

function wordAligned(bytes: number): number {
  return 4 * Math.ceil(bytes / 4);
}
