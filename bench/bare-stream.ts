// The bare grpc-js server of bench:faults as a process, and the one message that it streams: events such as the broker tells.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { codec, iommubroker } from "../src/server/rpc/codec.ts";
import { longOf } from "../src/server/rpc/int64.ts";
import type { StreamOrder } from "../test/support/fault-counting.ts";
import type { BareOrder } from "./fault-stream-server.ts";

const PATH = "/bench.Stream/Watch";
const SERVER = join(import.meta.dirname, "fault-stream-server.ts");

export interface BareServer {
  readonly pid: number;
  readonly message: Buffer;
  stream(): StreamOrder;
  /** So many more messages to each that reads. */
  send(messages: number): void;
  stop(): void;
}

/** @param events  in its message */
export async function startBare(target: string, events: number): Promise<BareServer> {
  const child = fork(SERVER);
  const message = messageOf(events);
  tell(child, { kind: "listen", target, path: PATH, message: message.toString("base64") });
  await once(child, "message");
  return {
    pid: child.pid ?? 0,
    message,
    stream: () => ({
      target,
      path: PATH,
      token: undefined,
      request: "",
      after: {},
      watched: [],
      isStuck: false,
      isBare: true,
    }),
    send: (messages) => tell(child, { kind: "send", messages }),
    stop: () => void child.kill(),
  };
}

function tell(child: ChildProcess, order: BareOrder): void {
  child.send(order);
}

/** As long as the broker's for the same device, with numbers of five digits. */
function messageOf(events: number): Buffer {
  const event = {
    sequence: longOf(70_000n),
    device: "devices/device-0",
    virtualStreamId: 1,
    type: "F_TRANSLATION",
    typeNumber: 0x10,
    stage: iommubroker.v1.FaultStage.FAULT_STAGE_1,
    class: iommubroker.v1.FaultClass.FAULT_CLASS_IN,
    inputAddress: longOf(0x9000n),
    read: true,
    instruction: false,
    privileged: false,
    record: Buffer.alloc(32, 1),
    time: { seconds: longOf(1_795_000_000n), nanos: 455_000_000 },
  };
  return codec(iommubroker.v1.WatchFaultsResponse).encode({ events: Array.from({ length: events }, () => event) });
}
