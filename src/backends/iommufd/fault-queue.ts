// A fault queue: transactions that stall, and wait for an answer. The kernel says what was accessed and under which tag,
// but not which fault it was: that is found in the guest's tables as they are.
// The kernel has two answers: try again, or abort. What waits is aborted by the kernel when an HWPT is replaced.
// Source: Linux drivers/iommu/iommufd/eventq.c; arm-smmu-v3.c arm_smmu_handle_event, arm_smmu_page_response.

import { assert } from "../../spec/assert.ts";
import { EVENT_CLASS } from "../../spec/encodings.ts";
import { decodeEvent } from "../../spec/event-record.ts";
import { EVENT, EVENT_NUMBER, EVENT_WORDS, type EventName } from "../../spec/events.ts";
import { set, setU64 } from "../../spec/layout.ts";
import { BrokerError } from "../errors.ts";
import { faultRecord } from "../fault-record.ts";
import type { DeviceID } from "../ids.ts";
import { callError, ERRNO } from "./errno.ts";
import type { AnswerableQueue, QueueParts } from "./part-queue.ts";
import { QueueReader } from "./queue-reader.ts";
import {
  IOMMU_HWPT_PAGE_RESPONSE,
  IOMMU_HWPT_PGFAULT,
  PAGE_RESPONSE_CODE,
  PGFAULT_FLAGS,
  PGFAULT_PERM,
} from "./structs.ts";

const FAULT_BYTES = IOMMU_HWPT_PGFAULT.bytes;
const READ_BYTES = 256 * FAULT_BYTES;
const STAGS = 2 ** 16;

type PageFault = ReturnType<typeof IOMMU_HWPT_PGFAULT.read>;

/** An access that stalled. */
export interface StalledAccess {
  readonly iova: bigint;
  readonly substreamID: number | undefined;
  readonly access: "read" | "write" | "execute";
  readonly privileged: boolean;
}

/** Which fault it is, by the tables as they are. */
export type FaultTypeOf = (device: DeviceID, access: StalledAccess) => EventName;

export class FaultQueue implements AnswerableQueue {
  readonly #parts: QueueParts;
  readonly #typeOf: FaultTypeOf;
  readonly #reader: QueueReader;
  /** At most what the SMMU can hold stalled. */
  readonly #pending = new Map<number, DeviceID>();

  constructor(parts: QueueParts, typeOf: FaultTypeOf) {
    this.#parts = parts;
    this.#typeOf = typeOf;
    this.#reader = new QueueReader(parts, {
      bytesMax: READ_BYTES,
      take: (bytes) => this.#take(bytes),
      devices: () => [...parts.owner.objects.values()],
    });
  }

  drain(): void {
    this.#reader.drain();
  }

  stop(): void {
    this.#reader.stop();
  }

  isPending(device: DeviceID, cookie: number): boolean {
    return this.#pending.get(cookie) === device;
  }

  answer(device: DeviceID, cookie: number, isGood: boolean): void {
    if (!this.isPending(device, cookie)) throw notPending(device);
    const code = isGood ? PAGE_RESPONSE_CODE.SUCCESS : PAGE_RESPONSE_CODE.INVALID;
    const { fd, kernel } = this.#parts;
    const written = kernel.writeNow(fd, IOMMU_HWPT_PAGE_RESPONSE.create({ cookie, code }));
    if (written < 0 && written !== -ERRNO.EINVAL) throw callError("page_response", -written, { device });
    this.#pending.delete(cookie);
    if (written < 0) throw notPending(device);
  }

  end(device: DeviceID): void {
    for (const [cookie, of] of this.#pending) {
      if (of !== device) continue;
      this.#pending.delete(cookie);
      this.#parts.deliver({ kind: "ended", device, cookie });
    }
  }

  #take(bytes: Uint8Array<ArrayBuffer>): void {
    assert(bytes.length % FAULT_BYTES === 0, "the fault queue gave part of a fault");
    for (let at = 0; at < bytes.length; at += FAULT_BYTES) this.#tell(IOMMU_HWPT_PGFAULT.read(bytes, at));
  }

  #tell(fault: PageFault): void {
    const { deliver, owner } = this.#parts;
    const device = owner.objects.get(fault.dev_id);
    if (device === undefined) return; // detached meanwhile: the kernel has answered it
    const access = accessOf(fault);
    const name = owner.nameOf(device);
    const words = recordOf(fault, access, this.#typeOf(device, access), name ?? 0);
    const { cookie } = fault;
    this.#pending.set(cookie, device);
    const pending = { kind: "stall", cookie, stag: fault.grpid % STAGS } as const;
    const of = { device, virtualStreamID: name };
    const record = decodeEvent(words);
    deliver({ kind: "fault", fault: faultRecord({ record, words, owner: of, toGuest: () => undefined, pending }) });
  }
}

function accessOf({ addr, flags, pasid, perm }: PageFault): StalledAccess {
  const has = (bit: number): boolean => Math.floor(perm / bit) % 2 === 1;
  const isExecute = has(PGFAULT_PERM.EXEC);
  return {
    iova: addr,
    substreamID: flags % (2 * PGFAULT_FLAGS.PASID_VALID) === 0 ? undefined : pasid,
    access: isExecute ? "execute" : has(PGFAULT_PERM.WRITE) ? "write" : "read",
    privileged: has(PGFAULT_PERM.PRIV),
  };
}

/** The record that the SMMU wrote, as far as the kernel tells it. Source: IHI 0070G.b §7.3.13. */
function recordOf(
  { grpid }: PageFault,
  access: StalledAccess,
  type: EventName,
  name: number,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(EVENT_WORDS);
  set(words, 0, EVENT.Type, EVENT_NUMBER[type]);
  set(words, 0, EVENT.StreamID, name);
  if (access.substreamID !== undefined) {
    set(words, 0, EVENT.SSV, 1);
    set(words, 0, EVENT.SubstreamID, access.substreamID);
  }
  set(words, 0, EVENT.Stall, 1);
  set(words, 0, EVENT.STAG, grpid % STAGS);
  if (access.privileged) set(words, 0, EVENT.PnU, 1);
  if (access.access === "execute") set(words, 0, EVENT.InD, 1);
  if (access.access !== "write") set(words, 0, EVENT.RnW, 1);
  set(words, 0, EVENT.CLASS, EVENT_CLASS.IN);
  setU64(words, 0, EVENT.InputAddr, access.iova);
  return words;
}

function notPending(device: DeviceID): BrokerError {
  return new BrokerError("fault_not_pending", `device ${device} does not wait for this answer any more`, { device });
}
