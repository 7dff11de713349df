// A bare grpc-js server that streams one buffer, encoded beforehand, to everybody who asks, as often as it is told over IPC,
// at the pace of each reader. An empty message tells a reader that its stream stands.

import * as grpc from "@grpc/grpc-js";

/** First where to listen and the message, in base64; then how many more to send to each. */
export type BareOrder =
  | { readonly kind: "listen"; readonly target: string; readonly path: string; readonly message: string }
  | { readonly kind: "send"; readonly messages: number };

type Call = grpc.ServerWritableStream<Buffer, Buffer>;
const same = (buffer: Buffer): Buffer => buffer;

let message = Buffer.alloc(0);
/** Messages each is still to get. */
const owed = new Map<Call, number>();
const writing = new Set<Call>();

async function pump(call: Call): Promise<void> {
  if (writing.has(call)) return;
  writing.add(call);
  for (let left = owed.get(call) ?? 0; left > 0 && !call.cancelled; left = owed.get(call) ?? 0) {
    owed.set(call, left - 1);
    if (!call.write(message)) await new Promise<void>((resolve) => call.once("drain", resolve));
  }
  writing.delete(call);
}

function watch(call: Call): void {
  owed.set(call, 0);
  call.once("cancelled", () => owed.delete(call));
  call.write(Buffer.alloc(0));
}

function listen(target: string, path: string): void {
  const server = new grpc.Server({ "grpc.enable_channelz": 0 }); // as the daemon has it
  const codec = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const method = { path, requestStream: false, responseStream: true, ...codec };
  server.addService({ watch: method }, { watch });
  server.bindAsync(target, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
    process.send?.("listening");
  });
}

process.on("message", (order: BareOrder) => {
  if (order.kind === "listen") {
    message = Buffer.from(order.message, "base64");
    listen(order.target, order.path);
    return;
  }
  for (const [call, left] of owed) {
    owed.set(call, left + order.messages);
    void pump(call);
  }
});
process.once("disconnect", () => process.exit());
