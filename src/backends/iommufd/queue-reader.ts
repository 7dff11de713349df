// Reads a part's queue whenever the kernel says that there is something, and before anything changes what its records mean.
// A queue that fails again and again is watched no more: epoll would tell of it at once, each time, for ever.

import type { DeviceID } from "../ids.ts";
import { ERRNO, errnoName } from "./errno.ts";
import { type QueueParts, READS_PER_TURN_MAX } from "./part-queue.ts";
import { RareNotice } from "./rare-notice.ts";

/** Reads that fail one after the other. */
export const READ_FAILURES_MAX = 8;

export interface QueueRecords {
  /** The largest read. */
  readonly bytesMax: number;
  take(bytes: Uint8Array<ArrayBuffer>): void;
  /** Whose records are lost with the queue. */
  devices(): readonly DeviceID[];
}

export class QueueReader {
  readonly #parts: QueueParts;
  readonly #records: QueueRecords;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  readonly #losses: RareNotice;
  readonly #failures: RareNotice;
  #unlisten: (() => void) | undefined;
  /** In a row. */
  #failed = 0;

  constructor(parts: QueueParts, records: QueueRecords) {
    this.#parts = parts;
    this.#records = records;
    this.#buffer = new Uint8Array(records.bytesMax);
    this.#losses = new RareNotice(parts.nowMs, parts.onNotice);
    this.#failures = new RareNotice(parts.nowMs, parts.onNotice);
    this.#unlisten = parts.kernel.onReadable(parts.fd, () => this.#read(READS_PER_TURN_MAX));
  }

  drain(): void {
    this.#read(Number.POSITIVE_INFINITY);
  }

  stop(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
  }

  /** Events of these devices are lost: their readers are told each time, the log seldom. */
  lose(devices: readonly DeviceID[]): void {
    const message = "the kernel's event queue overflowed: events are lost";
    this.#losses.tell({ level: "warn", message, facts: { devices: devices.join(" ") } });
    this.#parts.deliver({ kind: "overflow", devices });
  }

  /** Until there is nothing, at most `readsMax` times; what is left is told again by the kernel. */
  #read(readsMax: number): void {
    const { fd, kernel } = this.#parts;
    for (let reads = 0; reads < readsMax && this.#unlisten !== undefined; reads += 1) {
      const bytes = kernel.readNow(fd, this.#buffer);
      if (bytes < 0 && bytes !== -ERRNO.EAGAIN) this.#fail(errnoName(-bytes));
      else this.#failed = 0;
      if (bytes <= 0) return;
      this.#records.take(this.#buffer.slice(0, bytes));
    }
  }

  #fail(errno: string): void {
    this.#failed += 1;
    if (this.#failed < READ_FAILURES_MAX) {
      const message = "a queue of faults cannot be read: what it holds is told later, or lost";
      this.#failures.tell({ level: "error", message, facts: { errno } });
      return;
    }
    this.stop();
    const devices = this.#records.devices();
    const message = "a queue of faults is read no more, and its faults are lost until its virtual IOMMU is made anew";
    this.#parts.onNotice({ level: "error", message, facts: { errno, devices: devices.join(" ") } });
    this.#parts.deliver({ kind: "overflow", devices });
  }
}
