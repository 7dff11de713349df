// What a part's two queues have in common: a file of the kernel's that says when there is something to read.
// Read whenever it says so, and before anything changes what its records mean.

import type { FaultNotice } from "../faults.ts";
import type { DeviceID, VirtualStreamID } from "../ids.ts";
import { ERRNO, errnoName } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import type { OnNotice } from "./undo.ts";

/** Reads at once, so that a storm of faults leaves turns to others. */
export const READS_PER_TURN_MAX = 16;

/** Whose the queue's records are. */
export interface QueueOwner {
  readonly names: ReadonlyMap<VirtualStreamID, DeviceID>;
  /** Attached devices by the kernel's number. */
  readonly objects: ReadonlyMap<number, DeviceID>;
  nameOf(device: DeviceID): VirtualStreamID | undefined;
}

export interface QueueParts {
  readonly kernel: Kernel;
  readonly fd: number;
  readonly owner: QueueOwner;
  deliver(notice: FaultNotice): void;
  readonly onNotice: OnNotice;
}

/** A queue that is being read. */
export interface PartQueue {
  /** Takes all there is. */
  drain(): void;
  /** The file is closed next. */
  stop(): void;
}

/** A part's queue of faults that wait for an answer. */
export interface AnswerableQueue extends PartQueue {
  isPending(device: DeviceID, cookie: number): boolean;
  /** @throws BrokerError fault_not_pending when the kernel has answered it already */
  answer(device: DeviceID, cookie: number, isGood: boolean): void;
  /** The kernel has answered whatever the device waited for. */
  end(device: DeviceID): void;
}

/** How a part's queues are read once the kernel has made them. */
export interface PartQueues {
  events(fd: number, owner: QueueOwner): PartQueue;
  faults(fd: number, owner: QueueOwner): AnswerableQueue;
}

/** Reads until there is nothing, at most `readsMax` times; what is left is told again by the kernel. */
export function readQueue(
  { fd, kernel, onNotice }: QueueParts,
  buffer: Uint8Array<ArrayBuffer>,
  readsMax: number,
  take: (bytes: Uint8Array<ArrayBuffer>) => void,
): void {
  for (let reads = 0; reads < readsMax; reads += 1) {
    const bytes = kernel.readNow(fd, buffer);
    if (bytes < 0 && bytes !== -ERRNO.EAGAIN) {
      const message = "a queue of faults cannot be read: what it holds is told later, or lost";
      onNotice({ level: "error", message, facts: { errno: errnoName(-bytes) } });
    }
    if (bytes <= 0) return;
    take(buffer.slice(0, bytes));
  }
}
