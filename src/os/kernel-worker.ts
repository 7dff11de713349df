// One thread of the pool for calls that can sleep in the kernel: takes a call, makes it, answers; one after the other.
// It keeps nothing, so whatever becomes of it, the others go on.

import { workerData } from "node:worker_threads";
import { assertNever } from "../spec/assert.ts";
import { CallSlot, type ThreadJob } from "./call-slot.ts";
import { makeSteps } from "./ioctl-chain.ts";
import { closeDescriptor, ioctlAt, mapShared, openReadWrite, unmapShared } from "./native-call.ts";

/** @returns what the call returned, or the negative errno */
function carryOut(job: ThreadJob): bigint {
  switch (job.kind) {
    case "ioctls":
      makeSteps(job.memory, job.bytes, ioctlAt);
      return 0n;
    case "open":
      return BigInt(openReadWrite(job.path));
    case "close":
      closeDescriptor(job.fd);
      return 0n;
    case "map":
      return mapShared(job.part);
    case "unmap":
      unmapShared(job.address, job.bytes);
      return 0n;
    default:
      return assertNever(job, "call");
  }
}

const slot = new CallSlot(workerData);
for (;;) {
  slot.waitForCall();
  slot.answer(carryOut(slot.job()));
}
