// The event and fault queues of the fake iommufd: what one holds, when it loses something, what a read gives.
// Source: reference of the uAPI §5.7; drivers/iommu/iommufd/eventq.c of Linux 7.3.

import { ERRNO } from "../../src/backends/iommufd/errno.ts";
import { IOMMU_VEVENT_ARM_SMMUV3, IOMMUFD_VEVENT_HEADER, VEVENT_FLAGS } from "../../src/backends/iommufd/structs.ts";
import type { Queue } from "./fake-iommufd-rules.ts";

const SEQUENCES = 2 ** 31;
const PGFAULT_BYTES = 40;

/** A full queue keeps one header at its end that says so, with the number of the last event that it lost. */
export function queueEvent(queue: Queue, event: Uint8Array): Queue {
  const { records, sequence } = queue;
  if (records.at(-1)?.isLost) records.pop();
  const isLost = records.filter((record) => !record.isLost).length >= queue.depth;
  const header = IOMMUFD_VEVENT_HEADER.create({ flags: isLost ? VEVENT_FLAGS.LOST_EVENTS : 0, sequence });
  const body = isLost ? [] : [IOMMU_VEVENT_ARM_SMMUV3.create({ evt: event })];
  records.push({ bytes: Buffer.concat([header, ...body]), isLost });
  queue.sequence = (sequence + 1) % SEQUENCES;
  return queue;
}

/** Whole records only; what fits not even once is an error. */
export function readQueue({ kind, records }: Queue, into: Uint8Array): number {
  if (kind === "fault" && into.byteLength % PGFAULT_BYTES !== 0) return -ERRNO.ESPIPE;
  if (kind === "veventq" && into.byteLength < IOMMUFD_VEVENT_HEADER.bytes) return -ERRNO.EINVAL;
  let done = 0;
  while (records[0] !== undefined) {
    const { bytes } = records[0];
    if (done + bytes.byteLength > into.byteLength) return done === 0 ? -ERRNO.EINVAL : done;
    into.set(bytes, done);
    done += bytes.byteLength;
    records.shift();
  }
  return done;
}
