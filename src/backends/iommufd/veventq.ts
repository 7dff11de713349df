// A vEVENTQ: the faults that guests' tables cause, as the kernel hands them to whoever has the vIOMMU.
// Each is a header and, unless it says that events were lost, one record of the event queue with the virtual StreamID in
// it. The kernel forwards faults of stage 1 that do not stall; those of stage 2 it keeps to itself and logs.
// Source: Linux drivers/iommu/iommufd/eventq.c; arm_smmu_handle_event, arm_vmaster_report_event.

import { assert } from "../../spec/assert.ts";
import { decodeEvent } from "../../spec/event-record.ts";
import { faultRecord } from "../fault-record.ts";
import { virtualStreamID } from "../ids.ts";
import type { PartQueue, QueueParts } from "./part-queue.ts";
import { QueueReader } from "./queue-reader.ts";
import { IOMMU_VEVENT_ARM_SMMUV3, IOMMUFD_VEVENT_HEADER, VEVENT_FLAGS } from "./structs.ts";

const HEADER_BYTES = IOMMUFD_VEVENT_HEADER.bytes;
const RECORD_BYTES = IOMMU_VEVENT_ARM_SMMUV3.bytes;
const READ_BYTES = 256 * (HEADER_BYTES + RECORD_BYTES);
/** Sequence numbers are 0 to INT_MAX, and begin again. */
const SEQUENCES = 2 ** 31;

export class VirtualEventQueue implements PartQueue {
  readonly #parts: QueueParts;
  readonly #reader: QueueReader;
  /** Undefined: none was read yet. */
  #last: number | undefined;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#reader = new QueueReader(parts, {
      bytesMax: READ_BYTES,
      take: (bytes) => this.#take(bytes),
      devices: () => [...parts.owner.names.values()],
    });
  }

  drain(): void {
    this.#reader.drain();
  }

  stop(): void {
    this.#reader.stop();
  }

  #take(bytes: Uint8Array<ArrayBuffer>): void {
    for (let at = 0; at < bytes.length; ) {
      const { flags, sequence } = IOMMUFD_VEVENT_HEADER.read(bytes, at);
      at += HEADER_BYTES;
      if (flags === VEVENT_FLAGS.LOST_EVENTS) {
        this.#lose();
      } else {
        assert(at + RECORD_BYTES <= bytes.length, "the vEVENTQ gave part of a record");
        if (this.#last !== undefined && sequence !== (this.#last + 1) % SEQUENCES) this.#lose();
        this.#tell(bytes.slice(at, at + RECORD_BYTES));
        at += RECORD_BYTES;
      }
      this.#last = sequence;
    }
  }

  #tell(bytes: Uint8Array<ArrayBuffer>): void {
    const { deliver, owner } = this.#parts;
    const words = new Uint32Array(bytes.buffer);
    const record = decodeEvent(words);
    const name = virtualStreamID(record.StreamID);
    const device = owner.names.get(name);
    if (device === undefined) return; // its name was taken away between the fault and this turn
    const of = { device, virtualStreamID: name };
    deliver({
      kind: "fault",
      fault: faultRecord({ record, words, owner: of, toGuest: () => undefined, pending: undefined }),
    });
  }

  /** Of any device of the part. */
  #lose(): void {
    this.#reader.lose([...this.#parts.owner.names.values()]);
  }
}
