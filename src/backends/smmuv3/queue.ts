// Circular queues between software and the SMMU: indexes, wrap, where an entry lies.
// Knows nothing of what an entry means; command-queue.ts and event-queue.ts do.
// PROD and CONS carry one wrap bit above the index: equal indexes with equal wraps mean empty.
// Source: IHI 0070G.b §3.5.1, §6.3.26, §6.3.29.

import { get, getAddress } from "../../spec/layout.ts";
import { QUEUE_BASE } from "../../spec/registers.ts";
import { alignDown, pow2 } from "../../spec/u64.ts";
import type { Features } from "./id-registers.ts";

/** Where a queue lies and how large it is. */
export interface QueueShape {
  readonly base: number;
  readonly log2Size: number;
  readonly entryBytes: number;
}

/** Decodes a *_BASE register; sizes are capped, addresses truncated to the OAS (§3.4.3). */
export function queueShape(base: Uint32Array, entryBytes: number, log2SizeMax: number, features: Features): QueueShape {
  const log2Size = Math.min(get(base, 0, QUEUE_BASE.LOG2SIZE), log2SizeMax);
  const address = getAddress(base, 0, QUEUE_BASE.ADDR, 5) % pow2(features.oasBits);
  const alignBits = Math.max(5, log2Size + Math.log2(entryBytes));
  return { base: alignDown(address, alignBits), log2Size, entryBytes };
}

/** The index with its wrap bit: everything above is not stored. */
export function wrapIndex(shape: QueueShape, value: number): number {
  return value % pow2(shape.log2Size + 1);
}

export function isEmpty(prod: number, cons: number): boolean {
  return prod === cons;
}

/** Same index, different wrap. */
export function isFull(shape: QueueShape, prod: number, cons: number): boolean {
  return prod !== cons && prod % pow2(shape.log2Size) === cons % pow2(shape.log2Size);
}

export function next(shape: QueueShape, index: number): number {
  return (index + 1) % pow2(shape.log2Size + 1);
}

export function entryAddress(shape: QueueShape, index: number): number {
  return shape.base + (index % pow2(shape.log2Size)) * shape.entryBytes;
}
