// One thread of the pool for calls that can sleep in the kernel: takes a call, makes it, answers; one after the other.
// It keeps nothing, so whatever becomes of it, the others go on.

import { workerData } from "node:worker_threads";
import { assertNever } from "../spec/assert.ts";
import { CallSlot, type KernelAnswer, type KernelJob } from "./call-slot.ts";
import { bytesOfResults, runChain } from "./ioctl-chain.ts";
import { closeDescriptor, mapShared, NativeCaller, openReadWrite, unmapShared } from "./native-call.ts";

const caller = new NativeCaller();
const NO_BYTES = new Uint8Array();

function carryOut(job: KernelJob): KernelAnswer {
  switch (job.kind) {
    case "ioctl": {
      const { result, bytes, payload } = caller.ioctl(job.request);
      return { result: BigInt(result), bytes, payload };
    }
    case "ioctls": {
      const results = runChain(job.steps, (request) => caller.ioctl(request));
      return { result: 0n, bytes: bytesOfResults(results), payload: undefined };
    }
    case "open":
      return plain(BigInt(openReadWrite(job.path)));
    case "close":
      closeDescriptor(job.fd);
      return plain(0n);
    case "map":
      return plain(mapShared(job.part));
    case "unmap":
      unmapShared(job.address, job.bytes);
      return plain(0n);
    default:
      return assertNever(job, "call");
  }
}

function plain(result: bigint): KernelAnswer {
  return { result, bytes: NO_BYTES, payload: undefined };
}

const slot = new CallSlot(workerData);
for (;;) {
  slot.waitForCall();
  slot.answer(carryOut(slot.job()));
}
