// What the edge does, told to those who watch it: metrics, log and audit.

import type { Metrics } from "../../metrics/metrics.ts";
import type { TlsEvent } from "../../os/tls-files.ts";
import type { Audit } from "../audit.ts";
import { logLimit, type Throttle } from "../event-log.ts";
import type { Log } from "../log.ts";
import type { RpcHooks } from "../rpc/broker-services.ts";

export function observeTls({ connections }: Metrics, event: TlsEvent): void {
  if (event.kind === "loaded") connections.tlsLoaded(event.validTo);
  else if (event.kind === "failed") connections.tlsFailed();
  else connections.handshakeRefused(event.reason);
}

export function rpcHooks({ rpc }: Metrics, log: Log, throttle: Throttle, audit: Audit): RpcHooks {
  return {
    onStart: (call) => rpc.started(call),
    onCall: (call) => {
      rpc.ended(call);
      logLimit(call.error, log, throttle);
    },
    onMessage: (call, direction) => rpc.message(call, direction),
    onLimit: (limit) => rpc.limited(limit),
    onAct: (act) => audit.call(act),
    onBug: (errorID, error) => {
      rpc.bug();
      log.error({ errorID, error }, "bug: a call was answered INTERNAL");
    },
    onBackendFailure: (errorID, error) => {
      throttle.run("backend", (left) => log.error({ errorID, error, ...left }, "the backend failed"));
    },
  };
}
