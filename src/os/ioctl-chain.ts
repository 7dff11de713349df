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
  return Buffer.concat(
    steps.flatMap(({ fd, request, bytes, payload, take }) => {
      const head = Int32Array.of(
        fd,
        request,
        bytes.byteLength,
        payload?.bytes.byteLength ?? NONE,
        payload?.pointerAt ?? NONE,
        take?.step ?? NONE,
        take?.at ?? NONE,
        take?.into ?? NONE,
      );
      return [new Uint8Array(head.buffer), bytes, payload?.bytes ?? new Uint8Array()];
    }),
  );
}

export function stepsOfBytes(bytes: Uint8Array): readonly ChainStep[] {
  const steps: ChainStep[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const [fd, request, length, payloadLength, pointerAt, step, from, into] = wordsAt(bytes, at, HEAD_BYTES);
    const structureAt = at + HEAD_BYTES;
    const payloadAt = structureAt + length!;
    at = payloadAt + Math.max(0, payloadLength!);
    steps.push({
      fd: fd!,
      request: request!,
      bytes: bytes.subarray(structureAt, payloadAt),
      ...(payloadLength === NONE ? {} : { payload: { pointerAt: pointerAt!, bytes: bytes.subarray(payloadAt, at) } }),
      ...(step === NONE ? {} : { take: { step: step!, at: from!, into: into! } }),
    });
  }
  return steps;
}

export function bytesOfResults(results: readonly IoctlResult[]): Uint8Array {
  return Buffer.concat(
    results.flatMap(({ result, bytes }) => [new Uint8Array(Int32Array.of(result, bytes.byteLength).buffer), bytes]),
  );
}

/** Without payloads: chains are made of calls that answer in their structure. */
export function resultsOfBytes(bytes: Uint8Array): readonly IoctlResult[] {
  const results: IoctlResult[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const [result, length] = wordsAt(bytes, at, RESULT_HEAD_BYTES);
    const structureAt = at + RESULT_HEAD_BYTES;
    at = structureAt + length!;
    results.push({ result: result!, bytes: bytes.slice(structureAt, at), payload: undefined });
  }
  return results;
}

function wordsAt(bytes: Uint8Array, at: number, length: number): Int32Array {
  return new Int32Array(bytes.slice(at, at + length).buffer); // a copy is aligned
}
