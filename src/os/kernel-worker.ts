// One thread of the pool for calls that can sleep in the kernel: takes a job, makes the call, answers; one after the other.
// It keeps nothing, so whatever becomes of it, the others go on.

import { parentPort } from "node:worker_threads";
import type { FilePart, IoctlRequest, IoctlResult } from "../backends/iommufd/kernel.ts";
import { assertNever } from "../spec/assert.ts";
import { closeDescriptor, mapShared, NativeCaller, openReadWrite, unmapShared } from "./native-call.ts";

/** Plain data, which goes to the thread as a copy. */
export type KernelJob =
  | { readonly kind: "ioctl"; readonly request: IoctlRequest }
  | { readonly kind: "open"; readonly path: string }
  | { readonly kind: "close"; readonly fd: number }
  | { readonly kind: "map"; readonly part: FilePart }
  | { readonly kind: "unmap"; readonly address: bigint; readonly bytes: number };

export type KernelAnswer =
  | { readonly kind: "ioctl"; readonly answer: IoctlResult }
  | { readonly kind: "open"; readonly result: number }
  | { readonly kind: "map"; readonly result: bigint }
  | { readonly kind: "done" };

const caller = new NativeCaller();

function carryOut(job: KernelJob): KernelAnswer {
  switch (job.kind) {
    case "ioctl":
      return { kind: "ioctl", answer: caller.ioctl(job.request) };
    case "open":
      return { kind: "open", result: openReadWrite(job.path) };
    case "close":
      closeDescriptor(job.fd);
      return { kind: "done" };
    case "map":
      return { kind: "map", result: mapShared(job.part) };
    case "unmap":
      unmapShared(job.address, job.bytes);
      return { kind: "done" };
    default:
      return assertNever(job, "job");
  }
}

parentPort?.on("message", (job: KernelJob) => parentPort?.postMessage(carryOut(job)));
