// WatchFaults: what core's subscription gives, batch by batch, at the pace of the reader.
// Nothing is taken from core while the reader is behind, so what piles up does so in core's bounded ring.

import type { ServerWritableStream } from "@grpc/grpc-js";
import { BrokerError } from "../../backends/errors.ts";
import type { FaultSubscription } from "../core/fault-verbs.ts";
import type { Calls } from "./calls.ts";
import type { iommubroker } from "./codec.ts";
import { faultBatchMessage, HEARTBEAT_MESSAGE, parseWatchFaults } from "./convert-fault.ts";
import type { RpcDeps } from "./deps.ts";
import { drainingError } from "./failure.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { ServerStream } from "./server-stream.ts";
import { BROKER } from "./services.ts";

type WatchCall = ServerWritableStream<Buffer, Buffer>;
type Message = iommubroker.v1.IWatchFaultsResponse;
type WatchStream = ServerStream<Message>;

export function faultCalls(calls: Calls, deps: RpcDeps) {
  return {
    watchFaults: calls.stream(BROKER.watchFaults, (stream: WatchStream, call: WatchCall) => {
      const session = calls.authenticate(call);
      const asked = parseWatchFaults(BROKER.watchFaults.request.decode(call.request), deps.heartbeatMs);
      const subscription = deps.core.faults.subscribe(session, asked);
      stream.onOver(() => subscription.close());
      calls.onDrain(stream, () => stream.fail(drainingError()));
      const heartbeat = new Heartbeat(stream, asked.heartbeatMs, () => HEARTBEAT_MESSAGE);
      heartbeat.beat();
      void pump(stream, subscription, heartbeat);
    }),
  };
}

async function pump(
  stream: WatchStream,
  subscription: FaultSubscription,
  heartbeat: Heartbeat<Message>,
): Promise<void> {
  try {
    for (;;) {
      const batch = await subscription.next();
      if (stream.isOver) return;
      if (batch === undefined) break;
      stream.write(faultBatchMessage(batch));
      heartbeat.postpone();
      await stream.writable();
    }
    stream.fail(new BrokerError("lease_expired", "the session has ended: open a new one"));
  } catch (error) {
    stream.fail(error);
  }
}
