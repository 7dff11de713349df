// A gRPC server with one call, WhoAmI, that answers with getPeer() as the server sees it, for tests of the listeners.

import * as grpc from "@grpc/grpc-js";

export const PATH = "/test.Echo/WhoAmI";
const same = (bytes: Buffer): Buffer => bytes;

export function echoServer(): grpc.Server {
  const server = new grpc.Server({ "grpc.enable_channelz": 0 });
  const whoAmI = {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestDeserialize: same,
    requestSerialize: same,
    responseDeserialize: same,
    responseSerialize: same,
  };
  server.addService(
    { whoAmI },
    {
      whoAmI: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
        done(null, Buffer.from(call.getPeer())),
    },
  );
  return server;
}

/** Calls WhoAmI on a connection of its own; `use` is given the answer before that is closed. */
export async function whoAmI(
  target: string,
  credentials: grpc.ChannelCredentials = grpc.credentials.createInsecure(),
  use?: (peer: string) => void,
): Promise<string> {
  const client = new grpc.Client(target, credentials, {
    "grpc.default_authority": "localhost",
    "grpc.use_local_subchannel_pool": 1,
  });
  try {
    return await new Promise((resolve, reject) => {
      const deadline = Date.now() + 20_000;
      client.makeUnaryRequest(PATH, same, same, Buffer.alloc(0), { deadline }, (error, answer) => {
        if (error !== null || answer === undefined) return reject(error);
        use?.(answer.toString());
        resolve(answer.toString());
      });
    });
  } finally {
    client.close();
  }
}
