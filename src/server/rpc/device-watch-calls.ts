// WatchDevices: what core's subscription gives, batch by batch, at the pace of the reader.
// Nothing is taken from core while the reader is behind: what it misses it is told as one list of how things are then.

import type { ServerWritableStream } from "@grpc/grpc-js";
import { BrokerError } from "../../backends/errors.ts";
import type { DeviceSubscription } from "../core/device-verbs.ts";
import type { Calls } from "./calls.ts";
import type { iommubroker } from "./codec.ts";
import { deviceBatchMessage, parseWatchDevices } from "./convert-device.ts";
import type { RpcDeps } from "./deps.ts";
import { drainingError } from "./failure.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { ServerStream } from "./server-stream.ts";
import { BROKER } from "./services.ts";
import { hasToken } from "./token.ts";

type WatchCall = ServerWritableStream<Buffer, Buffer>;
type Message = iommubroker.v1.IWatchDevicesResponse;
type WatchStream = ServerStream<Message>;

export function deviceWatchCalls(calls: Calls, deps: RpcDeps) {
  return {
    watchDevices: calls.stream(BROKER.watchDevices, (stream: WatchStream, call: WatchCall) => {
      const viewer = hasToken(call.metadata) ? calls.authenticate(call) : undefined;
      const asked = parseWatchDevices(BROKER.watchDevices.request.decode(call.request), viewer, deps.heartbeatMs);
      const subscription = deps.core.devices.watch(viewer, asked);
      stream.onOver(() => subscription.close());
      calls.onDrain(stream, () => stream.fail(drainingError()));
      const resourceVersion = (): string => subscription.version() ?? "";
      const heartbeat = new Heartbeat<Message>(stream, asked.heartbeatMs, () => ({
        resourceVersion: resourceVersion(),
      }));
      void pump(stream, viewer, subscription, heartbeat);
    }),
  };
}

async function pump(
  stream: WatchStream,
  viewer: string | undefined,
  subscription: DeviceSubscription,
  heartbeat: Heartbeat<Message>,
): Promise<void> {
  try {
    for (;;) {
      const batch = await subscription.next();
      if (stream.isOver) return;
      if (batch === undefined) break;
      stream.write(deviceBatchMessage(batch, viewer));
      heartbeat.postpone();
      await stream.writable();
    }
    stream.fail(new BrokerError("lease_expired", "the session has ended: open a new one"));
  } catch (error) {
    stream.fail(error);
  }
}
