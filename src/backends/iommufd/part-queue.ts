// What a part's two queues have in common: a file of the kernel's that says when there is something to read.
// queue-reader.ts reads it.

import type { FaultNotice } from "../faults.ts";
import type { DeviceID, VirtualStreamID } from "../ids.ts";
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
  /** Milliseconds that never go back. */
  nowMs(): number;
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
