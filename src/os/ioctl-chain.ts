// Several ioctls as one call of the pool: each after the one before has succeeded, with what that one answered in it. As
// bytes, both ways, for the memory that is shared with a thread.
// Each step is a head of eight words and then its structure and its payload; each result two words and its structure.

import type { ChainStep, IoctlRequest, IoctlResult } from "../backends/iommufd/kernel.ts";
import { assert } from "../spec/assert.ts";

const HEAD_BYTES = 32;
const RESULT_HEAD_BYTES = 8;
const NONE = -1;

/** Makes the calls until one fails; the results of those that were made. */
export function runChain(
  steps: readonly ChainStep[],
  ioctl: (request: IoctlRequest) => IoctlResult,
): readonly IoctlResult[] {
  const results: IoctlResult[] = [];
  for (const step of steps) {
    const answer = ioctl({ ...step, bytes: filled(step, results) });
    results.push(answer);
    if (answer.result < 0) break;
  }
  return results;
}

function filled({ bytes, take }: ChainStep, results: readonly IoctlResult[]): Uint8Array {
  if (take === undefined) return bytes;
  const from = results[take.step];
  assert(from !== undefined, `step ${take.step} comes later`);
  const copy = bytes.slice();
  copy.set(from.bytes.subarray(take.at, take.at + 4), take.into);
  return copy;
}

export function bytesOfSteps(steps: readonly ChainStep[]): Uint8Array {
  let total = 0;
  for (const { bytes, payload } of steps) total += HEAD_BYTES + bytes.byteLength + (payload?.bytes.byteLength ?? 0);
  const [made, view] = space(total);
  let at = 0;
  for (const { fd, request, bytes, payload, take } of steps) {
    const payloadBytes = payload?.bytes.byteLength ?? NONE;
    const pointerAt = payload?.pointerAt ?? NONE;
    const taken = [take?.step ?? NONE, take?.at ?? NONE, take?.into ?? NONE];
    for (const word of [fd, request, bytes.byteLength, payloadBytes, pointerAt, ...taken]) {
      view.setInt32(at, word, true);
      at += 4;
    }
    made.set(bytes, at);
    at += bytes.byteLength;
    if (payload === undefined) continue;
    made.set(payload.bytes, at);
    at += payload.bytes.byteLength;
  }
  return made;
}

export function stepsOfBytes(bytes: Uint8Array): readonly ChainStep[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const steps: ChainStep[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const word = (index: number): number => view.getInt32(at + 4 * index, true);
    const [payloadLength, step] = [word(3), word(5)];
    const structureAt = at + HEAD_BYTES;
    const payloadAt = structureAt + word(2);
    const end = payloadAt + Math.max(0, payloadLength);
    const payload = { pointerAt: word(4), bytes: bytes.subarray(payloadAt, end), isInput: true };
    steps.push({
      fd: word(0),
      request: word(1),
      bytes: bytes.subarray(structureAt, payloadAt),
      ...(payloadLength === NONE ? {} : { payload }),
      ...(step === NONE ? {} : { take: { step, at: word(6), into: word(7) } }),
    });
    at = end;
  }
  return steps;
}

export function bytesOfResults(results: readonly IoctlResult[]): Uint8Array {
  let total = 0;
  for (const { bytes } of results) total += RESULT_HEAD_BYTES + bytes.byteLength;
  const [made, view] = space(total);
  let at = 0;
  for (const { bytes, result } of results) {
    view.setInt32(at, result, true);
    view.setInt32(at + 4, bytes.byteLength, true);
    made.set(bytes, at + RESULT_HEAD_BYTES);
    at += RESULT_HEAD_BYTES + bytes.byteLength;
  }
  return made;
}

/** Without payloads: chains are made of calls that answer in their structure. */
export function resultsOfBytes(bytes: Uint8Array): readonly IoctlResult[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const results: IoctlResult[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const structureAt = at + RESULT_HEAD_BYTES;
    const end = structureAt + view.getInt32(at + 4, true);
    results.push({ result: view.getInt32(at, true), bytes: bytes.slice(structureAt, end), payload: undefined });
    at = end;
  }
  return results;
}

/** One piece of memory for all of it: each small array that is looked at as another one costs more than the calls do. */
function space(bytes: number): readonly [Uint8Array, DataView] {
  const buffer = new ArrayBuffer(bytes);
  return [new Uint8Array(buffer), new DataView(buffer)];
}
