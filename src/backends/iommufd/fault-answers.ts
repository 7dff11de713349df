// RespondToFault natively: which queue waits under a cookie, and which of the kernel's two answers is meant.
// Source: Linux drivers/iommu/iommufd/eventq.c, linux/iommufd.h iommu_page_response_code.

import { BrokerError, invalidField } from "../errors.ts";
import type { FaultAnswer } from "../faults.ts";
import type { DeviceID } from "../ids.ts";
import type { AnswerableQueue } from "./part-queue.ts";

/** @throws BrokerError fault_not_pending, or backend_unsupported and argument_invalid for an answer that there is not */
export function answerFault(
  queues: readonly AnswerableQueue[],
  device: DeviceID,
  cookie: number,
  answer: FaultAnswer,
): void {
  const queue = queues.find((one) => one.isPending(device, cookie));
  if (queue !== undefined) {
    queue.answer(device, cookie, isGood(answer));
    return;
  }
  throw new BrokerError("fault_not_pending", `device ${device} does not wait for this answer any more`, { device });
}

/** The kernel has two answers. */
function isGood(answer: FaultAnswer): boolean {
  switch (answer) {
    case "retry":
      return true;
    case "abort":
      return false;
    case "terminate":
      throw new BrokerError(
        "backend_unsupported",
        "the kernel cannot end a stall without telling the device: answer RETRY or ABORT",
        { answer },
      );
    default:
      throw invalidField("answer", `${answer} is none for a stall: RETRY or ABORT`);
  }
}
