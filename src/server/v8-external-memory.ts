// How V8 takes buffers into account: by default 64 MiB of them since the last full collection begin another one, however large
// the heap is. gRPC copies each message for each reader, so a hundred readers of faults are a hundred buffers a millisecond,
// and marking the heap over and over was half of the daemon's time. With the flag they count as the heap's own growth does.
// Source: node --v8-options (external-memory-accounted-in-global-limit); ARCHITECTURE.md, "Faults to many readers".

import { setFlagsFromString } from "node:v8";

export const EXTERNAL_MEMORY_FLAG = "--external-memory-accounted-in-global-limit";
/** Of Node 24. An older one may not know the flag, and would say so on stderr. */
const SINCE_V8 = { major: 13, minor: 6 };

/** @param version  process.versions.v8 */
export function hasExternalMemoryFlag(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > SINCE_V8.major || (major === SINCE_V8.major && minor >= SINCE_V8.minor);
}

export function countExternalMemoryAsHeap(): void {
  if (hasExternalMemoryFlag(process.versions.v8)) setFlagsFromString(EXTERNAL_MEMORY_FLAG);
}
