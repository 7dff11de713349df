// Heartbeats as a clock: a stream that promised a message every so often, and misses some, has lost its connection.
// The ticks are counted one by one, so a process that stood still itself has missed one, not all that it slept through.

import { type Client, status } from "@grpc/grpc-js";
import type { Channel } from "./channel.ts";
import { BrokerCallError } from "./error.ts";

const MISSED_MAX = 3;

/**
 * Gives the message when it comes.
 *
 * @param message      what the stream gives next; the clock starts now, not while nobody asks for it
 * @param connection   that the stream was opened on; replaced where it is silent
 * @param heartbeatMs  as asked of the broker; undefined or 0: its own pace, which is not known here, so there is no clock
 * @throws BrokerCallError UNAVAILABLE after three heartbeats without one, on a connection that stands
 */
export async function orSilence<T>(
  message: Promise<T>,
  channel: Channel,
  connection: Client,
  heartbeatMs: number | undefined,
): Promise<T> {
  if (heartbeatMs === undefined || heartbeatMs === 0) return await message;
  const silence = Promise.withResolvers<never>();
  let missed = 0;
  const timer = setInterval(() => {
    missed = channel.stands(connection) ? missed + 1 : 0;
    if (missed < MISSED_MAX) return;
    clearInterval(timer);
    channel.replace(connection);
    silence.reject(silent(MISSED_MAX * heartbeatMs));
  }, heartbeatMs);
  try {
    return await Promise.race([message, silence.promise]);
  } finally {
    clearInterval(timer);
  }
}

function silent(ms: number): BrokerCallError {
  const details = { code: status.UNAVAILABLE, reason: "", metadata: {}, fields: [], retryAfterMs: undefined };
  return new BrokerCallError(`nothing came from the broker for ${ms} ms, not even a heartbeat`, details);
}
