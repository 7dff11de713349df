// One renewal of a session's lease, for programs that do not stay: what is left of it afterwards is its whole length.

import type { iommubroker } from "../server/rpc/codec.ts";
import { BROKER } from "../server/rpc/services.ts";
import type { Channel } from "./channel.ts";
import { asCallError, BrokerCallError } from "./error.ts";

/** gRPC's DEADLINE_EXCEEDED. */
const DEADLINE_EXCEEDED = 4;

/** @returns milliseconds that the lease has now; 0: the session lives with a process and has none */
export async function renewLease(channel: Channel, token: string, deadlineMs: number): Promise<number> {
  const { connection } = channel;
  const stream = channel.bidiStream(BROKER.keepSessionAlive, token);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    if (channel.stands(connection)) channel.replace(connection); // the next renewal is not to wait in the same silence
    stream.cancel();
  }, deadlineMs);
  try {
    return await new Promise<number>((resolve, reject) => {
      stream.on("data", (answer: iommubroker.v1.KeepSessionAliveResponse) => {
        if (!answer.notice) resolve(answer.leaseRemainingMs);
      });
      stream.on("error", reject); // stays when the answer is there: its own cancellation comes here too
      stream.on("end", () => reject(lost("the stream ended without an answer")));
      stream.write({});
    });
  } catch (error) {
    throw isLate ? lost(`no renewal of the lease within ${deadlineMs} ms`) : asCallError(error);
  } finally {
    clearTimeout(timer);
    stream.cancel();
  }
}

function lost(message: string): BrokerCallError {
  const details = { code: DEADLINE_EXCEEDED, reason: "", metadata: {}, fields: [], retryAfterMs: undefined };
  return new BrokerCallError(message, details);
}
