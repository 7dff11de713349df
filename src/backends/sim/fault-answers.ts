// RespondToFault on the simulated host: which of an SMMU's queues waits under a cookie, and the command that answers it.
// Cookies are the host's own and never used twice: STAGs and PRGIndexes are, by their devices.
// Source: IHI 0070G.b §4.6.1 (CMD_RESUME), §4.5.2 (CMD_PRI_RESP).

import { BrokerError, invalidField } from "../errors.ts";
import type { FaultAnswer } from "../faults.ts";
import type { HostDevice } from "../inventory.ts";
import type { PriQueueDriver } from "./priq-driver.ts";
import type { StallAnswer, Stalls } from "./stalls.ts";

/**
 * Answers what waits; done when this returns, for the command queue is run to a CMD_SYNC.
 * @throws BrokerError fault_not_pending, or argument_invalid for an answer that what waits does not have
 */
export function answerFault(
  { pageRequests, stalls }: { readonly stalls: Stalls; readonly pageRequests: PriQueueDriver },
  { id, streamIDs }: HostDevice,
  cookie: number,
  answer: FaultAnswer,
): void {
  if (stalls.isPending(id, cookie)) {
    if (!isOfStall(answer)) throw invalidField("answer", `${answer} is none for a stall: RETRY, ABORT or TERMINATE`);
    stalls.answer(cookie, answer);
    return;
  }
  const streamID = streamIDs.find((one) => pageRequests.isPending(id, one, cookie));
  if (streamID === undefined) throw notPending(id);
  if (isOfStall(answer))
    throw invalidField("answer", `${answer} is none for page requests: SUCCESS, INVALID or FAILURE`);
  pageRequests.answer(streamID, cookie, answer);
}

function isOfStall(answer: FaultAnswer): answer is StallAnswer {
  return answer === "retry" || answer === "abort" || answer === "terminate";
}

export function notPending(device: string): BrokerError {
  return new BrokerError("fault_not_pending", `device ${device} does not wait for this answer any more`, { device });
}
